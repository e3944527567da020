/* The module `lsm.kernel.compiled`: its functions, and what it takes from the Python side. */
#include "kernel.h"

#define FAST(name) {#name, (PyCFunction)(void (*)(void))kernel_##name, METH_FASTCALL, "See `lsm.kernel.interface`."}
#define SINGLE(name) {#name, kernel_##name, METH_O, "See `lsm.kernel.interface`."}

static PyMethodDef functions[] = {
    FAST(build_filter),
    SINGLE(decode_block),
    FAST(decode_entries),
    FAST(decode_part),
    FAST(encode_block),
    FAST(encode_entries),
    FAST(encode_entry_frame),
    FAST(encode_frame),
    SINGLE(key_hashes),
    FAST(merge_runs),
    FAST(new_cache_entry),
    FAST(new_finder),
    FAST(new_levels),
    FAST(parse_block),
    FAST(parse_filter),
    FAST(probe_filter),
    FAST(search_block),
    {NULL},
};

/* Return the attribute `name` of the module `module`, or NULL. */
static PyObject *
taken_from(const char *module, const char *name)
{
    PyObject *source = PyImport_ImportModule(module);
    PyObject *value = source == NULL ? NULL : PyObject_GetAttrString(source, name);
    Py_XDECREF(source);
    return value;
}

static int
fill_state(PyObject *module)
{
    KernelState *state = state_of(module);
    state->missing = taken_from("lsm.runs", "MISSING");
    state->corruption_error = taken_from("lsm.errors", "CorruptionError");
    state->argument_error = taken_from("lsm.errors", "InvalidArgumentError");
    state->filter_type = taken_from("lsm.kernel.interface", "Filter");
    if (state->missing == NULL || state->corruption_error == NULL || state->argument_error == NULL ||
        state->filter_type == NULL) {
        return -1;
    }
    state->block_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &block_spec, NULL);
    state->cache_entry_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &cache_entry_spec, NULL);
    state->finder_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &finder_spec, NULL);
    state->levels_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &levels_spec, NULL);
    bool complete = state->block_type != NULL && state->cache_entry_type != NULL && state->finder_type != NULL &&
                    state->levels_type != NULL;
    return complete ? 0 : -1;
}

static int
traverse_state(PyObject *module, visitproc visit, void *arg)
{
    KernelState *state = state_of(module);
    Py_VISIT(state->missing);
    Py_VISIT(state->corruption_error);
    Py_VISIT(state->argument_error);
    Py_VISIT(state->filter_type);
    Py_VISIT(state->block_type);
    Py_VISIT(state->cache_entry_type);
    Py_VISIT(state->finder_type);
    Py_VISIT(state->levels_type);
    return 0;
}

static int
clear_state(PyObject *module)
{
    KernelState *state = state_of(module);
    Py_CLEAR(state->missing);
    Py_CLEAR(state->corruption_error);
    Py_CLEAR(state->argument_error);
    Py_CLEAR(state->filter_type);
    Py_CLEAR(state->block_type);
    Py_CLEAR(state->cache_entry_type);
    Py_CLEAR(state->finder_type);
    Py_CLEAR(state->levels_type);
    return 0;
}

static void
free_state(void *module)
{
    clear_state((PyObject *)module);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, fill_state},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "lsm.kernel.compiled",
    .m_doc = "The kernel in C; every function means what lsm.kernel.interface says.",
    .m_size = sizeof(KernelState),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = traverse_state,
    .m_clear = clear_state,
    .m_free = free_state,
};

PyMODINIT_FUNC
PyInit_compiled(void)
{
    return PyModuleDef_Init(&definition);
}
