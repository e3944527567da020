/* Ascending keys to be searched, with the first eight bytes that tell them apart side by side in memory. */
#include "kernel.h"

/* Return how many bytes all keys begin with. */
static size_t
shared_beginning(PyObject *keys)
{
    Py_ssize_t count = PyTuple_GET_SIZE(keys);
    Piece first = count ? piece_of(PyTuple_GET_ITEM(keys, 0)) : (Piece){NULL, 0};
    size_t shared = first.size;
    for (Py_ssize_t i = 1; i < count; i++) {
        Piece key = piece_of(PyTuple_GET_ITEM(keys, i));
        shared = key.size < shared ? key.size : shared;
        while (shared && memcmp(key.at, first.at, shared) != 0) {
            shared--;
        }
    }
    return shared;
}

static inline Piece
without(Piece key, size_t size)
{
    return (Piece){key.at + size, key.size - size};
}

/* Fill `bounds` from a sequence of bytes; return false with an exception. */
bool
make_bounds(Bounds *bounds, PyObject *sequence)
{
    PyObject *keys = bytes_tuple(sequence, false, "a bound");
    if (keys == NULL) {
        return false;
    }
    bounds->keys = keys;
    bounds->count = PyTuple_GET_SIZE(keys);
    bounds->shared = shared_beginning(keys);
    bounds->words = PyMem_Malloc(((size_t)bounds->count + 1) * sizeof *bounds->words);
    if (bounds->words == NULL) {
        PyErr_NoMemory();
        return false;
    }
    for (Py_ssize_t i = 0; i < bounds->count; i++) {
        bounds->words[i] = first_word(without(piece_of(PyTuple_GET_ITEM(keys, i)), bounds->shared));
    }
    return true;
}

void
free_bounds(Bounds *bounds)
{
    Py_CLEAR(bounds->keys);
    PyMem_Free(bounds->words);
    bounds->words = NULL;
    bounds->count = 0;
}

/* Return how many bounds are below `key`, or with `or_equal` not above it. */
Py_ssize_t
bounds_below(const Bounds *bounds, Piece key, bool or_equal)
{
    if (!bounds->count) {
        return 0;
    }
    Piece shared = {piece_of(PyTuple_GET_ITEM(bounds->keys, 0)).at, bounds->shared};
    if (key.size < shared.size || memcmp(key.at, shared.at, shared.size) != 0) {
        return compare_pieces(key, shared) < 0 ? 0 : bounds->count;
    }
    Piece rest = without(key, shared.size);
    uint64_t word = first_word(rest);
    Py_ssize_t low = 0, high = bounds->count;
    while (low < high) {
        Py_ssize_t middle = low + (high - low) / 2;
        int order = bounds->words[middle] < word ? -1 : bounds->words[middle] > word;
        if (!order) {
            order = compare_pieces(without(piece_of(PyTuple_GET_ITEM(bounds->keys, middle)), shared.size), rest);
        }
        if (order < 0 || (or_equal && !order)) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low;
}
