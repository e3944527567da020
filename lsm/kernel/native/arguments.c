/* Checks of what Python hands in. */
#include "kernel.h"

/* Return the items of a sequence as a tuple of one's own, which nobody can change; each is checked to be `bytes`. */
PyObject *
bytes_tuple(PyObject *sequence, bool none_allowed, const char *what)
{
    PyObject *items = PySequence_Tuple(sequence);
    if (items == NULL) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items); i++) {
        PyObject *item = PyTuple_GET_ITEM(items, i);
        if (!PyBytes_Check(item) && !(none_allowed && item == Py_None)) {
            PyErr_Format(PyExc_TypeError, "%s must be bytes, not %.100s", what, Py_TYPE(item)->tp_name);
            Py_DECREF(items);
            return NULL;
        }
    }
    return items;
}

bool
is_bytes(PyObject *object, const char *what)
{
    if (PyBytes_Check(object)) {
        return true;
    }
    PyErr_Format(PyExc_TypeError, "%s must be bytes, not %.100s", what, Py_TYPE(object)->tp_name);
    return false;
}

bool
argument_count(Py_ssize_t given, Py_ssize_t wanted, const char *name)
{
    if (given == wanted) {
        return true;
    }
    PyErr_Format(PyExc_TypeError, "%s takes %zd arguments, not %zd", name, wanted, given);
    return false;
}

/* Raise `CorruptionError(path, offset, reason)`; return -1. */
int
raise_corruption(KernelState *state, PyObject *path, PyObject *offset, const char *reason)
{
    PyObject *error = PyObject_CallFunction(state->corruption_error, "OOs", path, offset, reason);
    if (error != NULL) {
        PyErr_SetObject(state->corruption_error, error);
        Py_DECREF(error);
    }
    return -1;
}
