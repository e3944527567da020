/* Merging runs: a heap of the runs' next keys, the newest of equal keys first. */
#include "kernel.h"

/* One run on its way. The tuples are its own, so nobody changes them. */
typedef struct {
    PyObject *keys;
    PyObject *values;
    Py_ssize_t next;
    Py_ssize_t count;
    Py_ssize_t age;       /* the newest has 0 */
    Piece key;            /* the next one */
    uint64_t beginning;   /* its first eight bytes, zeros behind it; decides most comparisons */
} Input;

/* Above this many entries other threads may run meanwhile. */
#define LONG_MERGE 4096

static inline void
load_next(Input *input)
{
    input->key = piece_of(PyTuple_GET_ITEM(input->keys, input->next));
    input->beginning = first_word(input->key);
}

static inline int
compare_keys(const Input *one, const Input *two)
{
    if (one->beginning != two->beginning) {
        return one->beginning < two->beginning ? -1 : 1;
    }
    return compare_pieces(one->key, two->key);
}

static inline bool
comes_before(const Input *one, const Input *two, bool reverse)
{
    int order = compare_keys(one, two);
    return order ? (order < 0) != reverse : one->age < two->age;
}

static void
sift_down(Input **heap, Py_ssize_t size, Py_ssize_t place, bool reverse)
{
    Input *moved = heap[place];
    for (;;) {
        Py_ssize_t child = 2 * place + 1;
        if (child >= size) {
            break;
        }
        if (child + 1 < size && comes_before(heap[child + 1], heap[child], reverse)) {
            child++;
        }
        if (!comes_before(heap[child], moved, reverse)) {
            break;
        }
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = moved;
}

/* Put the merged entries, as borrowed references, in the two arrays; return how many. Touches no object. */
static Py_ssize_t
merge(Input **heap, Py_ssize_t size, bool reverse, PyObject **keys, PyObject **values)
{
    Py_ssize_t merged = 0;
    Piece last = {NULL, 0};
    for (Py_ssize_t place = size / 2; place-- > 0;) {
        sift_down(heap, size, place, reverse);
    }
    while (size) {
        Input *first = heap[0];
        if (!merged || compare_pieces(first->key, last) != 0) {
            keys[merged] = PyTuple_GET_ITEM(first->keys, first->next);
            values[merged] = PyTuple_GET_ITEM(first->values, first->next);
            last = first->key;
            merged++;
        }
        if (++first->next < first->count) {
            load_next(first);
        }
        else {
            heap[0] = heap[--size];
        }
        if (size) {
            sift_down(heap, size, 0, reverse);
        }
    }
    return merged;
}

static PyObject *
list_of(PyObject **items, Py_ssize_t count)
{
    PyObject *list = PyList_New(count);
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        PyList_SET_ITEM(list, i, Py_NewRef(items[i]));
    }
    return list;
}

static PyObject *
merge_inputs(Input *inputs, Py_ssize_t count, Py_ssize_t total, bool reverse)
{
    Input **heap = PyMem_Malloc((size_t)(count ? count : 1) * sizeof *heap);
    PyObject **keys = PyMem_Malloc((size_t)(total ? total : 1) * 2 * sizeof *keys);
    PyObject *run = NULL;
    if (heap == NULL || keys == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    PyObject **values = keys + total;
    Py_ssize_t size = 0, merged;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (inputs[i].count) {
            load_next(&inputs[i]);
            heap[size++] = &inputs[i];
        }
    }
    if (total > LONG_MERGE) {
        Py_BEGIN_ALLOW_THREADS
        merged = merge(heap, size, reverse, keys, values);
        Py_END_ALLOW_THREADS
    }
    else {
        merged = merge(heap, size, reverse, keys, values);
    }
    PyObject *key_list = list_of(keys, merged), *value_list = list_of(values, merged);
    if (key_list != NULL && value_list != NULL) {
        run = PyTuple_Pack(2, key_list, value_list);
    }
    Py_XDECREF(key_list);
    Py_XDECREF(value_list);
done:
    PyMem_Free(heap);
    PyMem_Free(keys);
    return run;
}

/* Fill an input from a pair of sequences; return false with an exception. */
static bool
open_input(Input *input, PyObject *run, Py_ssize_t age)
{
    if (!PyTuple_Check(run) || PyTuple_GET_SIZE(run) != 2) {
        PyErr_SetString(PyExc_TypeError, "a run must be a pair of lists");
        return false;
    }
    input->age = age;
    input->keys = bytes_tuple(PyTuple_GET_ITEM(run, 0), false, "a key");
    input->values = input->keys == NULL ? NULL : PySequence_Tuple(PyTuple_GET_ITEM(run, 1));
    if (input->values == NULL) {
        return false;
    }
    input->count = PyTuple_GET_SIZE(input->keys);
    if (input->count != PyTuple_GET_SIZE(input->values)) {
        PyErr_Format(PyExc_ValueError, "%zd keys with %zd values", input->count, PyTuple_GET_SIZE(input->values));
        return false;
    }
    return true;
}

PyObject *
kernel_merge_runs(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    if (!argument_count(count, 2, "merge_runs")) {
        return NULL;
    }
    int reverse = PyObject_IsTrue(arguments[1]);
    PyObject *runs = reverse < 0 ? NULL : PySequence_Tuple(arguments[0]);
    if (runs == NULL) {
        return NULL;
    }
    Py_ssize_t run_count = PyTuple_GET_SIZE(runs), total = 0;
    Input *inputs = PyMem_Calloc((size_t)(run_count ? run_count : 1), sizeof *inputs);
    PyObject *merged = inputs == NULL ? PyErr_NoMemory() : NULL;
    bool opened = inputs != NULL;
    for (Py_ssize_t i = 0; opened && i < run_count; i++) {
        opened = open_input(&inputs[i], PyTuple_GET_ITEM(runs, i), i);
        total += inputs[i].count;
    }
    if (opened) {
        merged = merge_inputs(inputs, run_count, total, reverse);
    }
    for (Py_ssize_t i = 0; inputs != NULL && i < run_count; i++) {
        Py_XDECREF(inputs[i].keys);
        Py_XDECREF(inputs[i].values);
    }
    PyMem_Free(inputs);
    Py_DECREF(runs);
    return merged;
}
