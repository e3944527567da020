/* Blocks: check, search, decode. The bytes are described in lsm/kernel/blocks.py; writing them is in block_encode.c. */
#include "kernel.h"
#include "block_format.h"

static void
block_dealloc(PyObject *self)
{
    Block *block = (Block *)self;
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(block->content);
    PyMem_Free(block->key_bounds);
    PyMem_Free(block->value_bounds);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *
block_entry_count(PyObject *self, void *closure)
{
    return PyLong_FromUnsignedLong(((Block *)self)->count);
}

static PyObject *
block_memory_bytes(PyObject *self, void *closure)
{
    const Block *block = (const Block *)self;
    size_t columns = (block->key_bounds != NULL) + (block->value_bounds != NULL);
    size_t bounds = columns * 4 * ((size_t)block->count + 1);
    return PyLong_FromSize_t(sizeof *block + 50 + (size_t)PyBytes_GET_SIZE(block->content) + bounds);
}

static PyGetSetDef block_attributes[] = {
    {"entry_count", block_entry_count, NULL, "How many entries it has.", NULL},
    {"memory_bytes", block_memory_bytes, NULL, "About how much memory the block takes, in bytes.", NULL},
    {NULL},
};

static PyType_Slot block_slots[] = {
    {Py_tp_doc, "A block whose lengths were all checked. Made by `parse_block` only."},
    {Py_tp_dealloc, block_dealloc},
    {Py_tp_getset, block_attributes},
    {0, NULL},
};

PyType_Spec block_spec = {
    .name = "lsm.kernel.compiled.Block",
    .basicsize = sizeof(Block),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = block_slots,
};

/* Return the i-th length of a column of lengths. */
static inline uint32_t
length_at(const uint8_t *lengths, int width, size_t i)
{
    return width == 1 ? lengths[i] : width == 2 ? load16(lengths + 2 * i) : load32(lengths + 4 * i);
}

/* Fill the bounds of a column whose lengths are not all one; return what does not fit, or NULL. */
static const char *
read_bounds(
    const uint8_t *lengths, int width, size_t count, bool marked, size_t room, uint32_t **bounds, size_t *size)
{
    uint32_t mark = greatest_of_width(width);
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t length = length_at(lengths, width, i);
        sum += marked && length == mark ? 0 : length;
    }
    if (sum > room) {
        return "block: a column reaches beyond the end";
    }
    uint32_t *filled = PyMem_Malloc((count + 1) * sizeof *filled);
    if (filled == NULL) {
        return "";
    }
    *bounds = filled;
    *size = (size_t)sum;
    uint32_t end = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t length = length_at(lengths, width, i);
        filled[i] = end;
        end += marked && length == mark ? 0 : length;
    }
    filled[count] = end;
    return NULL;
}

/* Read one column: its lengths stand at `lengths`, its pieces may fill up to `room` bytes. Return what is wrong. */
static const char *
read_column(
    const uint8_t *lengths, int width, size_t count, uint32_t length, bool marked, size_t room, uint32_t **bounds,
    size_t *size)
{
    if (!width) {
        uint64_t sum = (uint64_t)length * count;
        *size = (size_t)sum;
        return sum > room ? "block: a column reaches beyond the end" : NULL;
    }
    if (length) {
        return "block: two kinds of lengths for one column";
    }
    return read_bounds(lengths, width, count, marked, room, bounds, size);
}

static bool
known_width(int width)
{
    return width == 0 || width == 1 || width == 2 || width == 4;
}

/* Fill `block` from its content; return the reason if a length does not fit, "" without memory, else NULL. */
static const char *
parse(Block *block)
{
    Piece content = piece_of(block->content);
    if (content.size < HEADER_BYTES) {
        return "block: shorter than its header";
    }
    if (content.size > UINT32_MAX) {
        return "block: larger than a block can be";
    }
    const uint8_t *header = content.at;
    int flags = header[0], key_width = header[1], value_width = header[2];
    uint32_t count = load32(header + 4), prefix_size = load32(header + 8);
    uint32_t key_length = load32(header + 12), value_length = load32(header + 16);
    if (flags > SOME_TOMBSTONES || header[3] || !count || (flags && !value_width)) {
        return "block: impossible header";
    }
    if (!known_width(key_width) || !known_width(value_width)) {
        return "block: impossible width";
    }
    uint64_t lengths_at = (uint64_t)HEADER_BYTES + prefix_size;
    uint64_t marks_at = lengths_at + (uint64_t)key_width * count;
    uint64_t keys_at = marks_at + (uint64_t)value_width * count;
    if (keys_at > content.size) {
        return "block: lengths reach beyond the end";
    }
    if (!key_width && !key_length && count != 1) {
        return "block: several empty keys";
    }
    size_t room = content.size - (size_t)keys_at, size = 0;
    block->count = count;
    block->prefix = (Piece){content.at + HEADER_BYTES, prefix_size};
    block->key_length = key_length;
    block->keys = content.at + keys_at;
    const char *wrong =
        read_column(content.at + lengths_at, key_width, count, key_length, false, room, &block->key_bounds, &size);
    if (wrong != NULL) {
        return wrong;
    }
    room -= size;
    block->values = block->keys + size;
    size = 0;
    if (!value_width && value_length == ALL_TOMBSTONES) {
        block->all_tombstones = true;
    }
    else {
        block->value_length = value_length;
        block->marks = flags ? content.at + marks_at : NULL;
        block->mark_width = (uint8_t)value_width;
        wrong = read_column(
            content.at + marks_at, value_width, count, value_length, flags, room, &block->value_bounds, &size);
        if (wrong != NULL) {
            return wrong;
        }
    }
    return size == room ? NULL : "block: its entries do not end where it ends";
}

PyObject *
kernel_parse_block(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    KernelState *state = state_of(module);
    if (!argument_count(count, 3, "parse_block") || !is_bytes(arguments[0], "a block")) {
        return NULL;
    }
    Block *block = (Block *)state->block_type->tp_alloc(state->block_type, 0);
    if (block == NULL) {
        return NULL;
    }
    block->content = Py_NewRef(arguments[0]);
    const char *wrong = parse(block);
    if (wrong == NULL) {
        return (PyObject *)block;
    }
    if (*wrong) {
        raise_corruption(state, arguments[1], arguments[2], wrong);
    }
    else {
        PyErr_NoMemory();
    }
    Py_DECREF(block);
    return NULL;
}

/* Return the i-th key without the prefix. */
static inline Piece
key_at(const Block *block, size_t i)
{
    if (block->key_bounds == NULL) {
        return (Piece){block->keys + i * block->key_length, block->key_length};
    }
    uint32_t start = block->key_bounds[i];
    return (Piece){block->keys + start, block->key_bounds[i + 1] - start};
}

static inline bool
is_tombstone(const Block *block, size_t i)
{
    if (block->marks == NULL) {
        return block->all_tombstones;
    }
    return length_at(block->marks, block->mark_width, i) == greatest_of_width(block->mark_width);
}

/* Return the i-th value as an object. */
static inline PyObject *
value_at(const Block *block, size_t i)
{
    if (is_tombstone(block, i)) {
        return Py_NewRef(Py_None);
    }
    size_t start = i * (size_t)block->value_length, size = block->value_length;
    if (block->value_bounds != NULL) {
        start = block->value_bounds[i];
        size = block->value_bounds[i + 1] - start;
    }
    return PyBytes_FromStringAndSize((const char *)block->values + start, (Py_ssize_t)size);
}

/* Return how many keys of the block are below `rest`, a key without the prefix. */
static size_t
lower_bound_of_rest(const Block *block, Piece rest)
{
    size_t low = 0, high = block->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_pieces(key_at(block, middle), rest) < 0) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low;
}

static inline bool
take_prefix(const Block *block, Piece *key)
{
    size_t size = block->prefix.size;
    if (key->size < size || memcmp(key->at, block->prefix.at, size) != 0) {
        return false;
    }
    key->at += size;
    key->size -= size;
    return true;
}

/* Return how many keys of the block are below `key`. */
static size_t
lower_bound(const Block *block, Piece key)
{
    Piece rest = key;
    if (take_prefix(block, &rest)) {
        return lower_bound_of_rest(block, rest);
    }
    return compare_pieces(key, block->prefix) < 0 ? 0 : block->count;
}

/* Return the value of a key, None for a tombstone, MISSING if it is not there. */
PyObject *
find_in_block(KernelState *state, const Block *block, Piece key)
{
    if (take_prefix(block, &key)) {
        size_t i = lower_bound_of_rest(block, key);
        if (i < block->count && compare_pieces(key_at(block, i), key) == 0) {
            return value_at(block, i);
        }
    }
    return Py_NewRef(state->missing);
}

static const Block *
as_block(PyObject *module, PyObject *object)
{
    if (Py_IS_TYPE(object, state_of(module)->block_type)) {
        return (const Block *)object;
    }
    PyErr_SetString(PyExc_TypeError, "a block must be one that was parsed");
    return NULL;
}

PyObject *
kernel_search_block(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    const Block *block = NULL;
    if (!argument_count(count, 2, "search_block") || (block = as_block(module, arguments[0])) == NULL ||
        !is_bytes(arguments[1], "a key")) {
        return NULL;
    }
    return find_in_block(state_of(module), block, piece_of(arguments[1]));
}

static PyObject *
decode_keys(const Block *block, size_t low, size_t high)
{
    PyObject *keys = PyList_New((Py_ssize_t)(high - low));
    for (size_t i = low; keys != NULL && i < high; i++) {
        Piece rest = key_at(block, i);
        PyObject *key = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(block->prefix.size + rest.size));
        if (key == NULL) {
            Py_CLEAR(keys);
            break;
        }
        char *at = PyBytes_AS_STRING(key);
        memcpy(at, block->prefix.at, block->prefix.size);
        memcpy(at + block->prefix.size, rest.at, rest.size);
        PyList_SET_ITEM(keys, (Py_ssize_t)(i - low), key);
    }
    return keys;
}

static PyObject *
decode_values(const Block *block, size_t low, size_t high)
{
    PyObject *values = PyList_New((Py_ssize_t)(high - low));
    for (size_t i = low; values != NULL && i < high; i++) {
        PyObject *value = value_at(block, i);
        if (value == NULL) {
            Py_CLEAR(values);
            break;
        }
        PyList_SET_ITEM(values, (Py_ssize_t)(i - low), value);
    }
    return values;
}

static PyObject *
decode(const Block *block, size_t low, size_t high)
{
    PyObject *keys = decode_keys(block, low, high);
    PyObject *values = keys == NULL ? NULL : decode_values(block, low, high);
    PyObject *run = values == NULL ? NULL : PyTuple_Pack(2, keys, values);
    Py_XDECREF(keys);
    Py_XDECREF(values);
    return run;
}

PyObject *
kernel_decode_block(PyObject *module, PyObject *object)
{
    const Block *block = as_block(module, object);
    return block == NULL ? NULL : decode(block, 0, block->count);
}

PyObject *
kernel_decode_part(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    const Block *block = NULL;
    if (!argument_count(count, 3, "decode_part") || (block = as_block(module, arguments[0])) == NULL) {
        return NULL;
    }
    PyObject *start = arguments[1], *stop = arguments[2];
    if ((start != Py_None && !is_bytes(start, "a bound")) || (stop != Py_None && !is_bytes(stop, "a bound"))) {
        return NULL;
    }
    size_t low = start == Py_None ? 0 : lower_bound(block, piece_of(start));
    size_t high = stop == Py_None ? block->count : lower_bound(block, piece_of(stop));
    return decode(block, low, low < high ? high : low);
}
