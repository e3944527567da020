/* Blocked Bloom filters; the bytes are described in lsm/kernel/filters.py. */
#include "kernel.h"

#define FILTER_BLOCK_BYTES 64
#define MAXIMUM_PROBES 14
#define PROBES_PER_WORD 7
#define GOLDEN 0x9E3779B97F4A7C15u

/* Where the block of a key begins, in bytes. */
static inline size_t
block_of(uint64_t hash, size_t block_count)
{
    return (size_t)(((hash >> 32) * (uint64_t)block_count) >> 32) * FILTER_BLOCK_BYTES;
}

static inline void
set_bits(uint8_t *block, uint64_t hash, int probes)
{
    uint64_t word = hash;
    for (int i = 0; i < probes; i++, word >>= 9) {
        if (i == PROBES_PER_WORD) {
            word = hash * GOLDEN;
        }
        block[(word >> 3) & 63] |= (uint8_t)(1u << (word & 7));
    }
}

/* Return how many blocks a filter has, or 0 if its size or its probe count is impossible. */
static size_t
block_count_of(Piece filter)
{
    if (filter.size <= FILTER_BLOCK_BYTES || (filter.size - 1) % FILTER_BLOCK_BYTES) {
        return 0;
    }
    int probes = filter.at[filter.size - 1];
    size_t blocks = (filter.size - 1) / FILTER_BLOCK_BYTES;
    return probes >= 1 && probes <= MAXIMUM_PROBES && blocks <= UINT32_MAX ? blocks : 0;
}

/* Tell whether a key may be there; an impossible filter knows every key. */
bool
filter_may_have(Piece filter, uint64_t hash)
{
    size_t blocks = block_count_of(filter);
    if (!blocks) {
        return true;
    }
    const uint8_t *block = filter.at + block_of(hash, blocks);
    uint64_t word = hash;
    for (int i = 0; i < filter.at[filter.size - 1]; i++, word >>= 9) {
        if (i == PROBES_PER_WORD) {
            word = hash * GOLDEN;
        }
        if (!((block[(word >> 3) & 63] >> (word & 7)) & 1)) {
            return false;
        }
    }
    return true;
}

PyObject *
kernel_build_filter(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    if (!argument_count(count, 2, "build_filter")) {
        return NULL;
    }
    long bits_per_key = PyLong_AsLong(arguments[1]);
    if (bits_per_key == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (bits_per_key < 1 || bits_per_key > 1024) {
        return PyErr_Format(PyExc_ValueError, "%ld bits for each key", bits_per_key);
    }
    PyObject *hashes = PySequence_Tuple(arguments[0]);
    if (hashes == NULL) {
        return NULL;
    }
    Py_ssize_t keys = PyTuple_GET_SIZE(hashes);
    uint64_t blocks = ((uint64_t)keys * (uint64_t)bits_per_key + 511) / 512;
    blocks = blocks ? blocks : 1;
    long probes = (bits_per_key * 6 + 5) / 10;
    probes = probes < 1 ? 1 : probes > MAXIMUM_PROBES ? MAXIMUM_PROBES : probes;
    PyObject *filter = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(blocks * FILTER_BLOCK_BYTES + 1));
    if (filter != NULL) {
        uint8_t *bits = (uint8_t *)PyBytes_AS_STRING(filter);
        memset(bits, 0, blocks * FILTER_BLOCK_BYTES);
        bits[blocks * FILTER_BLOCK_BYTES] = (uint8_t)probes;
        for (Py_ssize_t i = 0; i < keys; i++) {
            uint64_t hash = PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(hashes, i));
            if (hash == (uint64_t)-1 && PyErr_Occurred()) {
                Py_CLEAR(filter);
                break;
            }
            set_bits(bits + block_of(hash, blocks), hash, (int)probes);
        }
    }
    Py_DECREF(hashes);
    return filter;
}

PyObject *
kernel_parse_filter(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    if (!argument_count(count, 3, "parse_filter") || !is_bytes(arguments[0], "a filter")) {
        return NULL;
    }
    Piece filter = piece_of(arguments[0]);
    size_t blocks = block_count_of(filter);
    if (!blocks) {
        char reason[100];
        snprintf(reason, sizeof reason, "filter: impossible size of %zu bytes, or impossible probe count", filter.size);
        raise_corruption(state_of(module), arguments[1], arguments[2], reason);
        return NULL;
    }
    return PyObject_CallFunction(
        state_of(module)->filter_type, "Oni", arguments[0], (Py_ssize_t)blocks, (int)filter.at[filter.size - 1]);
}

PyObject *
kernel_probe_filter(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    if (!argument_count(count, 2, "probe_filter")) {
        return NULL;
    }
    if (!PyTuple_Check(arguments[0]) || PyTuple_GET_SIZE(arguments[0]) < 1) {
        PyErr_SetString(PyExc_TypeError, "a filter must be one that was parsed");
        return NULL;
    }
    PyObject *bits = PyTuple_GET_ITEM(arguments[0], 0);
    uint64_t hash = PyLong_AsUnsignedLongLong(arguments[1]);
    if (!is_bytes(bits, "a filter") || (hash == (uint64_t)-1 && PyErr_Occurred())) {
        return NULL;
    }
    return PyBool_FromLong(filter_may_have(piece_of(bits), hash));
}
