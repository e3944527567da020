/* What the block cache holds, as an object that C reads without a call: `used` and `content` are for whoever looks up. */
#include "kernel.h"
#include <structmember.h>

static int
entry_traverse(PyObject *self, visitproc visit, void *arg)
{
    CacheEntry *entry = (CacheEntry *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(entry->table);
    Py_VISIT(entry->content);
    return 0;
}

static int
entry_clear(PyObject *self)
{
    CacheEntry *entry = (CacheEntry *)self;
    Py_CLEAR(entry->table);
    Py_CLEAR(entry->content);
    return 0;
}

static void
entry_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    entry_clear(self);
    Py_CLEAR(((CacheEntry *)self)->offset);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMemberDef entry_members[] = {
    {"table", T_OBJECT, offsetof(CacheEntry, table), READONLY, NULL},
    {"offset", T_OBJECT, offsetof(CacheEntry, offset), READONLY, NULL},
    {"content", T_OBJECT, offsetof(CacheEntry, content), 0, NULL},
    {"charge_bytes", T_PYSSIZET, offsetof(CacheEntry, charge_bytes), READONLY, NULL},
    {"used", T_BOOL, offsetof(CacheEntry, used), 0, NULL},
    {NULL},
};

static PyType_Slot entry_slots[] = {
    {Py_tp_doc, "One cached object with its charge."},
    {Py_tp_dealloc, entry_dealloc},
    {Py_tp_traverse, entry_traverse},
    {Py_tp_clear, entry_clear},
    {Py_tp_members, entry_members},
    {0, NULL},
};

PyType_Spec cache_entry_spec = {
    .name = "lsm.kernel.compiled.CacheEntry",
    .basicsize = sizeof(CacheEntry),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = entry_slots,
};

/* Return the content, marked as used, as a reference of one's own; NULL if the cache has let go of it. */
PyObject *
used_content(CacheEntry *entry)
{
    PyObject *content;
    BEGIN_GUARD(entry);
    content = entry->content;
    if (content == Py_None) {
        content = NULL;
    }
    if (content != NULL) {
        entry->used = true;
        Py_INCREF(content);
    }
    END_GUARD();
    return content;
}

PyObject *
kernel_new_cache_entry(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    KernelState *state = state_of(module);
    if (!argument_count(count, 4, "new_cache_entry")) {
        return NULL;
    }
    Py_ssize_t charge_bytes = PyLong_AsSsize_t(arguments[3]);
    if (charge_bytes == -1 && PyErr_Occurred()) {
        return NULL;
    }
    CacheEntry *entry = (CacheEntry *)state->cache_entry_type->tp_alloc(state->cache_entry_type, 0);
    if (entry != NULL) {
        entry->table = Py_NewRef(arguments[0]);
        entry->offset = Py_NewRef(arguments[1]);
        entry->content = Py_NewRef(arguments[2]);
        entry->charge_bytes = charge_bytes;
    }
    return (PyObject *)entry;
}
