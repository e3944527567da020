/* Blocks: writing them. The bytes are described in lsm/kernel/blocks.py. */
#include "kernel.h"
#include "block_format.h"

/* How the lengths of one column are stored. */
typedef struct {
    int width;            /* 0: all have `length` */
    uint32_t length;
    bool marks_tombstones;
    uint64_t total_bytes; /* of all pieces */
} Column;

static int
width_for(uint64_t longest)
{
    return longest < 0xFF ? 1 : longest < 0xFFFF ? 2 : 4;
}

static inline size_t
size_at(PyObject *items, Py_ssize_t i)
{
    return (size_t)PyBytes_GET_SIZE(PyTuple_GET_ITEM(items, i));
}

static Column
column_of_keys(PyObject *keys, size_t skipped)
{
    size_t shortest = size_at(keys, 0), longest = shortest;
    Column column = {0};
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(keys); i++) {
        size_t size = size_at(keys, i);
        column.total_bytes += size - skipped;
        shortest = size < shortest ? size : shortest;
        longest = size > longest ? size : longest;
    }
    column.width = shortest == longest ? 0 : width_for(longest - skipped);
    column.length = column.width ? 0 : (uint32_t)(longest - skipped);
    return column;
}

static Column
column_of_values(PyObject *values)
{
    size_t shortest = SIZE_MAX, longest = 0;
    Py_ssize_t tombstones = 0, count = PyTuple_GET_SIZE(values);
    Column column = {0};
    for (Py_ssize_t i = 0; i < count; i++) {
        if (PyTuple_GET_ITEM(values, i) == Py_None) {
            tombstones++;
            continue;
        }
        size_t size = size_at(values, i);
        column.total_bytes += size;
        shortest = size < shortest ? size : shortest;
        longest = size > longest ? size : longest;
    }
    column.marks_tombstones = tombstones && tombstones < count;
    if (tombstones == count) {
        column.length = ALL_TOMBSTONES;
    }
    else if (tombstones || shortest != longest) {
        column.width = width_for(longest);
    }
    else {
        column.length = (uint32_t)longest;
    }
    return column;
}

static inline uint8_t *
store_length(uint8_t *at, int width, uint32_t length)
{
    if (width == 1) {
        *at = (uint8_t)length;
        return at + 1;
    }
    return width == 2 ? store16(at, (uint16_t)length) : store32(at, length);
}

static uint8_t *
store_lengths(uint8_t *at, PyObject *items, int width, size_t skipped)
{
    for (Py_ssize_t i = 0; width && i < PyTuple_GET_SIZE(items); i++) {
        bool tombstone = PyTuple_GET_ITEM(items, i) == Py_None;
        at = store_length(at, width, tombstone ? greatest_of_width(width) : (uint32_t)(size_at(items, i) - skipped));
    }
    return at;
}

static uint8_t *
store_pieces(uint8_t *at, PyObject *items, size_t skipped)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items); i++) {
        if (PyTuple_GET_ITEM(items, i) != Py_None) {
            Piece piece = piece_of(PyTuple_GET_ITEM(items, i));
            memcpy(at, piece.at + skipped, piece.size - skipped);
            at += piece.size - skipped;
        }
    }
    return at;
}

/* Return how many bytes all keys begin with, or -1 if they do not: then they were not ascending. */
static Py_ssize_t
shared_prefix(PyObject *keys)
{
    Py_ssize_t count = PyTuple_GET_SIZE(keys);
    Piece first = piece_of(PyTuple_GET_ITEM(keys, 0)), last = piece_of(PyTuple_GET_ITEM(keys, count - 1));
    size_t shared = 0;
    while (shared < first.size && shared < last.size && first.at[shared] == last.at[shared]) {
        shared++;
    }
    for (Py_ssize_t i = 1; i < count - 1; i++) {
        Piece key = piece_of(PyTuple_GET_ITEM(keys, i));
        if (key.size < shared || memcmp(key.at, first.at, shared) != 0) {
            return -1;
        }
    }
    return (Py_ssize_t)shared;
}

static PyObject *
encode(PyObject *keys, PyObject *values)
{
    Py_ssize_t count = PyTuple_GET_SIZE(keys);
    if (!count || count != PyTuple_GET_SIZE(values) || (uint64_t)count > UINT32_MAX) {
        return PyErr_Format(PyExc_ValueError, "%zd keys with %zd values", count, PyTuple_GET_SIZE(values));
    }
    Py_ssize_t prefix = shared_prefix(keys);
    if (prefix < 0) {
        PyErr_SetString(PyExc_ValueError, "the keys of a block must ascend");
        return NULL;
    }
    Column key_column = column_of_keys(keys, (size_t)prefix), value_column = column_of_values(values);
    uint64_t lengths = (uint64_t)(key_column.width + value_column.width) * (uint64_t)count;
    uint64_t pieces = key_column.total_bytes + value_column.total_bytes;
    uint64_t size = HEADER_BYTES + (uint64_t)prefix + lengths + pieces;
    if (size > UINT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "a block of more than 4 GiB");
        return NULL;
    }
    PyObject *content = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (content == NULL) {
        return NULL;
    }
    uint8_t *at = (uint8_t *)PyBytes_AS_STRING(content);
    *at++ = value_column.marks_tombstones ? SOME_TOMBSTONES : 0;
    *at++ = (uint8_t)key_column.width;
    *at++ = (uint8_t)value_column.width;
    *at++ = 0;
    at = store32(at, (uint32_t)count);
    at = store32(at, (uint32_t)prefix);
    at = store32(at, key_column.length);
    at = store32(at, value_column.length);
    memcpy(at, PyBytes_AS_STRING(PyTuple_GET_ITEM(keys, 0)), (size_t)prefix);
    at = store_lengths(at + prefix, keys, key_column.width, (size_t)prefix);
    at = store_lengths(at, values, value_column.width, 0);
    at = store_pieces(at, keys, (size_t)prefix);
    store_pieces(at, values, 0);
    return content;
}

PyObject *
kernel_encode_block(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    if (!argument_count(count, 2, "encode_block")) {
        return NULL;
    }
    PyObject *keys = bytes_tuple(arguments[0], false, "a key");
    PyObject *values = keys == NULL ? NULL : bytes_tuple(arguments[1], true, "a value");
    PyObject *content = values == NULL ? NULL : encode(keys, values);
    Py_XDECREF(keys);
    Py_XDECREF(values);
    return content;
}
