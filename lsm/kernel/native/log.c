/* Frames of the log and the entries in them.
 *
 * The bytes are described in lsm/write_ahead_log/frame.py and lsm/write_batch.py.
 */
#include "kernel.h"

#define FRAME_HEADER_BYTES 56
#define CHECKED_HEADER_BYTES 52
#define BODY_CHECKSUM_AT 48
#define DELETION 0xFFFFFFFFu
#define RANGE_DELETION 0x80000000u

/* The numbers in the header of a frame. */
typedef struct {
    uint64_t identity;
    uint64_t offset;
    uint64_t first_sequence;
    uint64_t durable_log;
    uint64_t durable_offset;
    uint32_t entry_count;
} FrameFields;

static bool
read_unsigned(PyObject *object, uint64_t *number)
{
    *number = PyLong_AsUnsignedLongLong(object);
    return *number != (uint64_t)-1 || !PyErr_Occurred();
}

static bool
read_fields(PyObject *identity, PyObject *offset, PyObject *sequence, PyObject *durable, FrameFields *fields)
{
    if (!PyTuple_Check(durable) || PyTuple_GET_SIZE(durable) != 2) {
        PyErr_SetString(PyExc_TypeError, "a position must be a pair");
        return false;
    }
    return read_unsigned(identity, &fields->identity) && read_unsigned(offset, &fields->offset) &&
           read_unsigned(sequence, &fields->first_sequence) &&
           read_unsigned(PyTuple_GET_ITEM(durable, 0), &fields->durable_log) &&
           read_unsigned(PyTuple_GET_ITEM(durable, 1), &fields->durable_offset);
}

/* Return an unfinished frame with room for a body of `body_size` bytes, which begins at FRAME_HEADER_BYTES. */
static PyObject *
new_frame(uint64_t body_size)
{
    if (body_size > PY_SSIZE_T_MAX - FRAME_HEADER_BYTES) {
        return PyErr_NoMemory();
    }
    return PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(FRAME_HEADER_BYTES + body_size));
}

/* Write the header of a frame whose body is in its place. */
static void
finish_frame(PyObject *frame, const FrameFields *fields)
{
    uint8_t *start = (uint8_t *)PyBytes_AS_STRING(frame);
    uint64_t body_size = (uint64_t)PyBytes_GET_SIZE(frame) - FRAME_HEADER_BYTES;
    uint32_t salt = place_salt(fields->identity, fields->offset);
    uint8_t *at = store64(start, fields->identity);
    at = store64(at, body_size);
    at = store64(at, fields->first_sequence);
    at = store32(at, fields->entry_count);
    at = store32(at, 0);
    at = store64(at, fields->durable_log);
    at = store64(at, fields->durable_offset);
    at = store32(at, crc32c(salt, start + FRAME_HEADER_BYTES, body_size));
    store32(at, crc32c(salt, start, CHECKED_HEADER_BYTES));
}

PyObject *
kernel_encode_frame(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    FrameFields fields;
    if (!argument_count(count, 6, "encode_frame") || !is_bytes(arguments[5], "a body") ||
        !read_fields(arguments[0], arguments[1], arguments[2], arguments[4], &fields)) {
        return NULL;
    }
    unsigned long entry_count = PyLong_AsUnsignedLong(arguments[3]);
    if (entry_count == (unsigned long)-1 && PyErr_Occurred()) {
        return NULL;
    }
    if (entry_count > UINT32_MAX) {
        return PyErr_Format(PyExc_ValueError, "a frame of %lu entries", entry_count);
    }
    fields.entry_count = (uint32_t)entry_count;
    Piece body = piece_of(arguments[5]);
    PyObject *frame = new_frame(body.size);
    if (frame != NULL) {
        memcpy(PyBytes_AS_STRING(frame) + FRAME_HEADER_BYTES, body.at, body.size);
        finish_frame(frame, &fields);
    }
    return frame;
}

PyObject *
kernel_encode_entry_frame(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    FrameFields fields = {.entry_count = 1};
    if (!argument_count(count, 6, "encode_entry_frame") || !is_bytes(arguments[4], "a key") ||
        (arguments[5] != Py_None && !is_bytes(arguments[5], "a value")) ||
        !read_fields(arguments[0], arguments[1], arguments[2], arguments[3], &fields)) {
        return NULL;
    }
    bool deleted = arguments[5] == Py_None;
    Piece key = piece_of(arguments[4]), value = deleted ? (Piece){key.at, 0} : piece_of(arguments[5]);
    if (key.size > UINT32_MAX || value.size >= RANGE_DELETION) {
        PyErr_SetString(PyExc_ValueError, "an entry is too large for the log");
        return NULL;
    }
    PyObject *frame = new_frame(8 + (uint64_t)key.size + value.size);
    if (frame != NULL) {
        uint8_t *at = (uint8_t *)PyBytes_AS_STRING(frame) + FRAME_HEADER_BYTES;
        at = store32(at, (uint32_t)key.size);
        at = store32(at, deleted ? DELETION : (uint32_t)value.size);
        memcpy(at, key.at, key.size);
        memcpy(at + key.size, value.at, value.size);
        finish_frame(frame, &fields);
    }
    return frame;
}

/* Return the bytes of all items together, or UINT64_MAX with an exception when one is too long. */
static uint64_t
total_size(PyObject *items, uint64_t limit)
{
    uint64_t total = 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items); i++) {
        PyObject *item = PyTuple_GET_ITEM(items, i);
        uint64_t size = item == Py_None ? 0 : (uint64_t)PyBytes_GET_SIZE(item);
        if (size >= limit) {
            PyErr_SetString(PyExc_ValueError, "an entry is too large for the log");
            return UINT64_MAX;
        }
        total += size;
    }
    return total;
}

static uint8_t *
store_sizes(uint8_t *at, PyObject *items)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items); i++) {
        PyObject *item = PyTuple_GET_ITEM(items, i);
        at = store32(at, item == Py_None ? DELETION : (uint32_t)PyBytes_GET_SIZE(item));
    }
    return at;
}

static uint8_t *
store_all(uint8_t *at, PyObject *items)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items); i++) {
        if (PyTuple_GET_ITEM(items, i) != Py_None) {
            Piece piece = piece_of(PyTuple_GET_ITEM(items, i));
            memcpy(at, piece.at, piece.size);
            at += piece.size;
        }
    }
    return at;
}

/* Mark the value lengths, which stand at `marks`, of the range deletions at these places. */
static bool
mark_ranges(uint8_t *marks, PyObject *values, PyObject *ranges)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(ranges); i++) {
        Py_ssize_t place = PyLong_AsSsize_t(PyTuple_GET_ITEM(ranges, i));
        if (place == -1 && PyErr_Occurred()) {
            return false;
        }
        if (place < 0 || place >= PyTuple_GET_SIZE(values) || PyTuple_GET_ITEM(values, place) == Py_None) {
            PyErr_SetString(PyExc_ValueError, "a range deletion without an end");
            return false;
        }
        uint8_t *mark = marks + 4 * place;
        store32(mark, load32(mark) | RANGE_DELETION);
    }
    return true;
}

static PyObject *
encode_entries(PyObject *keys, PyObject *values, PyObject *ranges)
{
    Py_ssize_t count = PyTuple_GET_SIZE(keys);
    if (count != PyTuple_GET_SIZE(values)) {
        return PyErr_Format(PyExc_ValueError, "%zd keys with %zd values", count, PyTuple_GET_SIZE(values));
    }
    uint64_t key_bytes = total_size(keys, UINT32_MAX);
    uint64_t value_bytes = key_bytes == UINT64_MAX ? UINT64_MAX : total_size(values, RANGE_DELETION);
    if (value_bytes == UINT64_MAX) {
        return NULL;
    }
    PyObject *body = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(8 * (uint64_t)count + key_bytes + value_bytes));
    if (body == NULL) {
        return NULL;
    }
    uint8_t *start = (uint8_t *)PyBytes_AS_STRING(body), *marks = store_sizes(start, keys);
    uint8_t *at = store_all(store_sizes(marks, values), keys);
    store_all(at, values);
    if (!mark_ranges(marks, values, ranges)) {
        Py_CLEAR(body);
    }
    return body;
}

PyObject *
kernel_encode_entries(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    if (!argument_count(count, 3, "encode_entries")) {
        return NULL;
    }
    PyObject *body = NULL, *values = NULL, *ranges = NULL, *keys = bytes_tuple(arguments[0], false, "a key");
    if (keys != NULL && (values = bytes_tuple(arguments[1], true, "a value")) != NULL &&
        (ranges = PySequence_Tuple(arguments[2])) != NULL) {
        body = encode_entries(keys, values, ranges);
    }
    Py_XDECREF(keys);
    Py_XDECREF(values);
    Py_XDECREF(ranges);
    return body;
}

/* Return the sum of what the entries of a body take, by its lengths. */
static uint64_t
size_by_lengths(const uint8_t *start, uint64_t count)
{
    uint64_t size = 8 * count;
    for (uint64_t i = 0; i < count; i++) {
        uint32_t mark = load32(start + 4 * (count + i));
        size += load32(start + 4 * i);
        size += mark == DELETION ? 0 : mark & ~RANGE_DELETION;
    }
    return size;
}

/* Fill the three lists from a body whose lengths were checked; return false with an exception. */
static bool
decode_into(const uint8_t *start, Py_ssize_t count, PyObject *keys, PyObject *values, PyObject *ranges)
{
    const uint8_t *marks = start + 4 * count, *at = marks + 4 * count;
    for (Py_ssize_t i = 0; i < count; i++) {
        uint32_t size = load32(start + 4 * i);
        PyObject *key = PyBytes_FromStringAndSize((const char *)at, size);
        if (key == NULL) {
            return false;
        }
        PyList_SET_ITEM(keys, i, key);
        at += size;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        uint32_t mark = load32(marks + 4 * i), size = mark == DELETION ? 0 : mark & ~RANGE_DELETION;
        PyObject *value = mark == DELETION ? Py_NewRef(Py_None) : PyBytes_FromStringAndSize((const char *)at, size);
        if (value == NULL) {
            return false;
        }
        PyList_SET_ITEM(values, i, value);
        at += size;
        if (mark != DELETION && (mark & RANGE_DELETION)) {
            PyObject *place = PyLong_FromSsize_t(i);
            int failed = place == NULL ? -1 : PyList_Append(ranges, place);
            Py_XDECREF(place);
            if (failed) {
                return false;
            }
        }
    }
    return true;
}

PyObject *
kernel_decode_entries(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    if (!argument_count(count, 2, "decode_entries") || !is_bytes(arguments[0], "a body")) {
        return NULL;
    }
    Piece body = piece_of(arguments[0]);
    Py_ssize_t entries = PyLong_AsSsize_t(arguments[1]);
    if (entries == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (entries < 0 || (uint64_t)entries > body.size / 8) {
        return PyErr_Format(
            state_of(module)->argument_error, "%zd entries do not fit in a body of %zd bytes", entries,
            (Py_ssize_t)body.size);
    }
    uint64_t size = size_by_lengths(body.at, (uint64_t)entries);
    if (size != body.size) {
        return PyErr_Format(
            state_of(module)->argument_error, "entries of %llu bytes in a body of %zd bytes", (unsigned long long)size,
            (Py_ssize_t)body.size);
    }
    PyObject *keys = PyList_New(entries), *values = PyList_New(entries), *ranges = PyList_New(0), *decoded = NULL;
    if (keys != NULL && values != NULL && ranges != NULL && decode_into(body.at, entries, keys, values, ranges)) {
        decoded = PyTuple_Pack(3, keys, values, ranges);
    }
    Py_XDECREF(keys);
    Py_XDECREF(values);
    Py_XDECREF(ranges);
    return decoded;
}
