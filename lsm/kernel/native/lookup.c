/* The whole look-up of a key in the tables of a version, for as long as all that it needs is in the cache.
 *
 * The way down: the bounds of a level give the table; the table's root has the cache entry of its top index; the finder
 * in that has those of a partition's filter and index; the finder in the index has those of its blocks. Where an entry
 * is not remembered, or the cache has let go of it, the table's own `get` is called: it reads, checks, caches and
 * remembers. So everything found here was checked when it was read, and the type of each object is looked at again.
 */
#include "kernel.h"

typedef struct {
    PyObject *get;  /* get(key, hash) of the reader: the slow way, which knows everything */
    PyObject *root; /* a finder whose one slot is for the top index */
    bool ranged;    /* has range tombstones, so only the slow way will do */
} TableRef;

typedef struct {
    Bounds largest;
    PyObject *smallest; /* tuple of bytes, one for each table */
    TableRef *tables;
    Py_ssize_t count;
} Level;

typedef struct {
    PyObject_HEAD
    Level *levels;
    Py_ssize_t count;
    Py_buffer hits; /* one 64-bit counter, shared with the cache */
} Levels;

/* Where the parts stand in the tuples that are cached; see lsm/sstable/index.py. */
#define FINDER_IN_INDEX 0
#define FILTER_SLOT 0
#define INDEX_SLOT 1

static void
free_level(Level *level)
{
    for (Py_ssize_t i = 0; level->tables != NULL && i < level->count; i++) {
        Py_XDECREF(level->tables[i].get);
        Py_XDECREF(level->tables[i].root);
    }
    PyMem_Free(level->tables);
    Py_XDECREF(level->smallest);
    free_bounds(&level->largest);
}

static void
levels_dealloc(PyObject *self)
{
    Levels *levels = (Levels *)self;
    PyTypeObject *type = Py_TYPE(self);
    for (Py_ssize_t i = 0; levels->levels != NULL && i < levels->count; i++) {
        free_level(&levels->levels[i]);
    }
    PyMem_Free(levels->levels);
    PyBuffer_Release(&levels->hits);
    type->tp_free(self);
    Py_DECREF(type);
}

/* Return what the cache has for a slot: a reference of one's own, NULL if it has nothing, None if there is no part. */
static PyObject *
cached(KernelState *state, Finder *finder, Py_ssize_t slot)
{
    PyObject *entry = remembered(finder, slot);
    if (entry == NULL || entry == Py_None) {
        return entry;
    }
    PyObject *content = Py_IS_TYPE(entry, state->cache_entry_type) ? used_content((CacheEntry *)entry) : NULL;
    Py_DECREF(entry);
    return content;
}

/* Return the finder of a cached index, borrowed from it, or NULL. */
static Finder *
finder_of(KernelState *state, PyObject *index)
{
    if (index == NULL || !PyTuple_Check(index) || PyTuple_GET_SIZE(index) <= FINDER_IN_INDEX) {
        return NULL;
    }
    PyObject *finder = PyTuple_GET_ITEM(index, FINDER_IN_INDEX);
    return Py_IS_TYPE(finder, state->finder_type) ? (Finder *)finder : NULL;
}

typedef enum { KNOWN, UNKNOWN, FAILED } Outcome;

/* Tell whether the filter of a partition lets a key pass; false is certain. */
static Outcome
ask_filter(KernelState *state, Finder *top, Py_ssize_t partition, uint64_t hash, bool *passes)
{
    PyObject *filter = cached(state, top, 2 * partition + FILTER_SLOT);
    Outcome outcome = UNKNOWN;
    if (filter == Py_None) {
        *passes = true;
        outcome = KNOWN;
    }
    else if (filter != NULL && PyTuple_Check(filter) && PyTuple_GET_SIZE(filter) > 0 &&
             PyBytes_Check(PyTuple_GET_ITEM(filter, 0))) {
        *passes = filter_may_have(piece_of(PyTuple_GET_ITEM(filter, 0)), hash);
        outcome = KNOWN;
    }
    Py_XDECREF(filter);
    return outcome;
}

/* Search the block of a partition that may hold a key. */
static Outcome
ask_partition(KernelState *state, Finder *top, Py_ssize_t partition, Piece key, PyObject **value)
{
    PyObject *index = cached(state, top, 2 * partition + INDEX_SLOT), *block = NULL;
    Finder *finder = finder_of(state, index);
    Outcome outcome = UNKNOWN;
    if (finder != NULL) {
        block = cached(state, finder, bounds_below(&finder->bounds, key, true) - 1);
        if (block != NULL && Py_IS_TYPE(block, state->block_type)) {
            *value = find_in_block(state, (Block *)block, key);
            outcome = *value == NULL ? FAILED : KNOWN;
        }
    }
    Py_XDECREF(block);
    Py_XDECREF(index);
    return outcome;
}

/* Look a key up in a table by what is cached of it. `hash` is that of the key. */
static Outcome
ask_table(KernelState *state, const TableRef *table, Piece key, uint64_t hash, PyObject **value)
{
    PyObject *top_index = table->ranged ? NULL : cached(state, (Finder *)table->root, 0);
    Finder *top = finder_of(state, top_index);
    Outcome outcome = UNKNOWN;
    if (top != NULL) {
        bool passes = false;
        Py_ssize_t partition = bounds_below(&top->bounds, key, true) - 1;
        outcome = partition < 0 ? KNOWN : ask_filter(state, top, partition, hash, &passes);
        if (outcome == KNOWN) {
            if (passes) {
                outcome = ask_partition(state, top, partition, key, value);
            }
            else {
                *value = Py_NewRef(state->missing);
            }
        }
    }
    Py_XDECREF(top_index);
    return outcome;
}

/* Return the value from one table, MISSING if it does not speak about the key. */
static PyObject *
get_from_table(KernelState *state, Levels *levels, const TableRef *table, PyObject *key, uint64_t hash)
{
    PyObject *value = NULL;
    switch (ask_table(state, table, piece_of(key), hash, &value)) {
    case KNOWN:
        if (value != state->missing) {
            __atomic_fetch_add((uint64_t *)levels->hits.buf, 1, __ATOMIC_RELAXED);
        }
        return value;
    case FAILED:
        return NULL;
    case UNKNOWN:
        break;
    }
    PyObject *number = PyLong_FromUnsignedLongLong(hash);
    if (number == NULL) {
        return NULL;
    }
    PyObject *arguments[] = {key, number};
    value = PyObject_Vectorcall(table->get, arguments, 2, NULL);
    Py_DECREF(number);
    return value;
}

/* Return the table of a level whose bounds contain a key, or NULL. */
static const TableRef *
table_for(const Level *level, Piece key)
{
    Py_ssize_t place = bounds_below(&level->largest, key, false);
    if (place >= level->count || compare_pieces(piece_of(PyTuple_GET_ITEM(level->smallest, place)), key) > 0) {
        return NULL;
    }
    return &level->tables[place];
}

static PyObject *
get(KernelState *state, Levels *levels, PyObject *key)
{
    Piece piece = piece_of(key);
    bool hashed = false;
    uint64_t hash = 0;
    for (Py_ssize_t i = 0; i < levels->count; i++) {
        const TableRef *table = table_for(&levels->levels[i], piece);
        if (table == NULL) {
            continue;
        }
        if (!hashed) {
            hash = xxh3(piece.at, piece.size);
            hashed = true;
        }
        PyObject *value = get_from_table(state, levels, table, key, hash);
        if (value != state->missing) {
            return value;
        }
        Py_DECREF(value);
    }
    return Py_NewRef(state->missing);
}

static PyObject *
levels_get(PyObject *self, PyObject *key)
{
    KernelState *state = PyType_GetModuleState(Py_TYPE(self));
    return is_bytes(key, "a key") ? get(state, (Levels *)self, key) : NULL;
}

static PyObject *
levels_multi_get(PyObject *self, PyObject *keys)
{
    KernelState *state = PyType_GetModuleState(Py_TYPE(self));
    PyObject *items = bytes_tuple(keys, false, "a key");
    if (items == NULL) {
        return NULL;
    }
    PyObject *values = PyList_New(PyTuple_GET_SIZE(items));
    for (Py_ssize_t i = 0; values != NULL && i < PyTuple_GET_SIZE(items); i++) {
        PyObject *value = get(state, (Levels *)self, PyTuple_GET_ITEM(items, i));
        if (value == NULL) {
            Py_CLEAR(values);
            break;
        }
        PyList_SET_ITEM(values, i, value);
    }
    Py_DECREF(items);
    return values;
}

static PyMethodDef levels_methods[] = {
    {"get", levels_get, METH_O, "See `lsm.kernel.interface`."},
    {"multi_get", levels_multi_get, METH_O, "See `lsm.kernel.interface`."},
    {NULL},
};

static PyType_Slot levels_slots[] = {
    {Py_tp_doc, "Open tables, laid out for look-ups. Made by `new_levels` only."},
    {Py_tp_dealloc, levels_dealloc},
    {Py_tp_methods, levels_methods},
    {0, NULL},
};

PyType_Spec levels_spec = {
    .name = "lsm.kernel.compiled.Levels",
    .basicsize = sizeof(Levels),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = levels_slots,
};

/* Fill a table from a tuple (get, root, ranged). */
static bool
fill_table(KernelState *state, TableRef *table, PyObject *parts)
{
    if (!PyTuple_Check(parts) || PyTuple_GET_SIZE(parts) != 3 ||
        !Py_IS_TYPE(PyTuple_GET_ITEM(parts, 1), state->finder_type)) {
        PyErr_SetString(PyExc_TypeError, "a table must be (get, root, ranged)");
        return false;
    }
    int ranged = PyObject_IsTrue(PyTuple_GET_ITEM(parts, 2));
    table->get = Py_NewRef(PyTuple_GET_ITEM(parts, 0));
    table->root = Py_NewRef(PyTuple_GET_ITEM(parts, 1));
    table->ranged = ranged != 0;
    return ranged >= 0;
}

/* Fill a level from a tuple (largest, smallest, tables). */
static bool
fill_level(KernelState *state, Level *level, PyObject *parts)
{
    if (!PyTuple_Check(parts) || PyTuple_GET_SIZE(parts) != 3) {
        PyErr_SetString(PyExc_TypeError, "a level must be (largest, smallest, tables)");
        return false;
    }
    if (!make_bounds(&level->largest, PyTuple_GET_ITEM(parts, 0))) {
        return false;
    }
    level->smallest = bytes_tuple(PyTuple_GET_ITEM(parts, 1), false, "a bound");
    PyObject *tables = level->smallest == NULL ? NULL : PySequence_Tuple(PyTuple_GET_ITEM(parts, 2));
    if (tables == NULL) {
        return false;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(tables);
    level->tables = PyMem_Calloc((size_t)count + 1, sizeof *level->tables);
    level->count = level->tables == NULL ? 0 : count;
    bool filled = level->tables != NULL && PyTuple_GET_SIZE(level->smallest) == count;
    if (!filled) {
        PyErr_SetString(PyExc_ValueError, "a level must have one bound for each table");
    }
    for (Py_ssize_t i = 0; filled && i < count; i++) {
        filled = fill_table(state, &level->tables[i], PyTuple_GET_ITEM(tables, i));
    }
    Py_DECREF(tables);
    return filled;
}

PyObject *
kernel_new_levels(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    KernelState *state = state_of(module);
    if (!argument_count(count, 2, "new_levels")) {
        return NULL;
    }
    PyObject *parts = PySequence_Tuple(arguments[0]);
    Levels *levels = parts == NULL ? NULL : (Levels *)state->levels_type->tp_alloc(state->levels_type, 0);
    bool filled = levels != NULL && PyObject_GetBuffer(arguments[1], &levels->hits, PyBUF_WRITABLE) == 0;
    if (filled && (levels->hits.len < 8 || (uintptr_t)levels->hits.buf % 8)) {
        PyErr_SetString(PyExc_ValueError, "hits must be one counter of 64 bits");
        filled = false;
    }
    if (filled) {
        levels->levels = PyMem_Calloc((size_t)PyTuple_GET_SIZE(parts) + 1, sizeof *levels->levels);
        levels->count = levels->levels == NULL ? 0 : PyTuple_GET_SIZE(parts);
        filled = levels->levels != NULL || PyErr_NoMemory() != NULL;
    }
    for (Py_ssize_t i = 0; filled && i < levels->count; i++) {
        filled = fill_level(state, &levels->levels[i], PyTuple_GET_ITEM(parts, i));
    }
    Py_XDECREF(parts);
    if (!filled) {
        Py_XDECREF(levels);
        return NULL;
    }
    return (PyObject *)levels;
}
