/* Finders: which part of an index may hold a key, and where in the cache that part is, if somebody has remembered it. */
#include "kernel.h"

static int
finder_traverse(PyObject *self, visitproc visit, void *arg)
{
    Finder *finder = (Finder *)self;
    Py_VISIT(Py_TYPE(self));
    for (Py_ssize_t i = 0; finder->slots != NULL && i < finder->slot_count; i++) {
        Py_VISIT(finder->slots[i]);
    }
    return 0;
}

static int
finder_clear(PyObject *self)
{
    Finder *finder = (Finder *)self;
    for (Py_ssize_t i = 0; finder->slots != NULL && i < finder->slot_count; i++) {
        Py_CLEAR(finder->slots[i]);
    }
    return 0;
}

static void
finder_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    finder_clear(self);
    PyMem_Free(((Finder *)self)->slots);
    free_bounds(&((Finder *)self)->bounds);
    type->tp_free(self);
    Py_DECREF(type);
}

/* finder.remember(slot, entry): keep a cache entry where the next look-up sees it; None: there is no such part. */
static PyObject *
finder_remember(PyObject *self, PyObject *const *arguments, Py_ssize_t count)
{
    Finder *finder = (Finder *)self;
    if (!argument_count(count, 2, "remember")) {
        return NULL;
    }
    Py_ssize_t slot = PyLong_AsSsize_t(arguments[0]);
    if (slot == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (slot < 0 || slot >= finder->slot_count) {
        return PyErr_Format(PyExc_IndexError, "slot %zd of %zd", slot, finder->slot_count);
    }
    PyObject *before;
    BEGIN_GUARD(self);
    before = finder->slots[slot];
    finder->slots[slot] = Py_NewRef(arguments[1]);
    END_GUARD();
    Py_XDECREF(before);
    Py_RETURN_NONE;
}

/* Return what a slot has, as a reference of one's own, or NULL without an exception. */
PyObject *
remembered(Finder *finder, Py_ssize_t slot)
{
    PyObject *entry = NULL;
    if (slot >= 0 && slot < finder->slot_count) {
        BEGIN_GUARD(finder);
        entry = Py_XNewRef(finder->slots[slot]);
        END_GUARD();
    }
    return entry;
}

static PyMethodDef finder_methods[] = {
    {"remember", (PyCFunction)(void (*)(void))finder_remember, METH_FASTCALL, "See `lsm.kernel.interface`."},
    {NULL},
};

static PyType_Slot finder_slots[] = {
    {Py_tp_doc, "The bounds of the parts of an index, and a slot or two for each part. Made by `new_finder` only."},
    {Py_tp_dealloc, finder_dealloc},
    {Py_tp_traverse, finder_traverse},
    {Py_tp_clear, finder_clear},
    {Py_tp_methods, finder_methods},
    {0, NULL},
};

PyType_Spec finder_spec = {
    .name = "lsm.kernel.compiled.Finder",
    .basicsize = sizeof(Finder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = finder_slots,
};

PyObject *
kernel_new_finder(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    KernelState *state = state_of(module);
    if (!argument_count(count, 2, "new_finder")) {
        return NULL;
    }
    long slots_each = PyLong_AsLong(arguments[1]);
    if (slots_each == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (slots_each < 1 || slots_each > 8) {
        return PyErr_Format(PyExc_ValueError, "%ld slots for each bound", slots_each);
    }
    Finder *finder = (Finder *)state->finder_type->tp_alloc(state->finder_type, 0);
    if (finder == NULL) {
        return NULL;
    }
    if (!make_bounds(&finder->bounds, arguments[0])) {
        Py_DECREF(finder);
        return NULL;
    }
    Py_ssize_t slot_count = finder->bounds.count * slots_each;
    finder->slots = PyMem_Calloc((size_t)slot_count + 1, sizeof *finder->slots);
    if (finder->slots == NULL) {
        Py_DECREF(finder);
        return PyErr_NoMemory();
    }
    finder->slot_count = slot_count;
    return (PyObject *)finder;
}
