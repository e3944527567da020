/* The compiled kernel: what its parts share.
 *
 * Every function has the meaning of the one with its name in lsm/kernel/interface.py. Two rules hold everywhere:
 *
 * - Bytes from a disk are hostile. A length is compared with what is there before it is used, and sums of lengths are
 *   made in 64 bits, so that none can wrap around.
 * - No lock of the interpreter is relied on. What is read is either never changed after it was made (bytes, tuples,
 *   blocks), or copied first (lists become tuples), or guarded by a critical section (entries of the cache).
 */
#ifndef LAYERDB_KERNEL_H
#define LAYERDB_KERNEL_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* What the functions need from the Python side; held by the module. */
typedef struct {
    PyObject *missing;          /* lsm.runs.MISSING */
    PyObject *corruption_error; /* lsm.errors.CorruptionError */
    PyObject *argument_error;   /* lsm.errors.InvalidArgumentError */
    PyObject *filter_type;      /* lsm.kernel.interface.Filter */
    PyTypeObject *block_type;
    PyTypeObject *cache_entry_type;
    PyTypeObject *finder_type;
    PyTypeObject *levels_type;
} KernelState;

static inline KernelState *
state_of(PyObject *module)
{
    return (KernelState *)PyModule_GetState(module);
}

/* Integers of the formats are little-endian; order is that of big-endian integers. */

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LITTLE16(x) (x)
#define LITTLE32(x) (x)
#define LITTLE64(x) (x)
#define BIG64(x) __builtin_bswap64(x)
#else
#define LITTLE16(x) __builtin_bswap16(x)
#define LITTLE32(x) __builtin_bswap32(x)
#define LITTLE64(x) __builtin_bswap64(x)
#define BIG64(x) (x)
#endif

static inline uint16_t
load16(const uint8_t *at)
{
    uint16_t x;
    memcpy(&x, at, sizeof x);
    return LITTLE16(x);
}

static inline uint32_t
load32(const uint8_t *at)
{
    uint32_t x;
    memcpy(&x, at, sizeof x);
    return LITTLE32(x);
}

static inline uint64_t
load64(const uint8_t *at)
{
    uint64_t x;
    memcpy(&x, at, sizeof x);
    return LITTLE64(x);
}

static inline uint8_t *
store16(uint8_t *at, uint16_t x)
{
    x = LITTLE16(x);
    memcpy(at, &x, sizeof x);
    return at + sizeof x;
}

static inline uint8_t *
store32(uint8_t *at, uint32_t x)
{
    x = LITTLE32(x);
    memcpy(at, &x, sizeof x);
    return at + sizeof x;
}

static inline uint8_t *
store64(uint8_t *at, uint64_t x)
{
    x = LITTLE64(x);
    memcpy(at, &x, sizeof x);
    return at + sizeof x;
}

/* A string of bytes that somebody else keeps alive. */
typedef struct {
    const uint8_t *at;
    size_t size;
} Piece;

static inline Piece
piece_of(PyObject *bytes)
{
    return (Piece){(const uint8_t *)PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)};
}

/* Negative, zero or positive, as the first is below, equal to or above the second. */
static inline int
compare_pieces(Piece one, Piece two)
{
    size_t common = one.size < two.size ? one.size : two.size;
    int order = common ? memcmp(one.at, two.at, common) : 0;
    return order ? order : (one.size > two.size) - (one.size < two.size);
}

/* The first eight bytes of a key, zeros behind it, as an integer of the same order. */
static inline uint64_t
first_word(Piece key)
{
    uint64_t word = 0;
    if (key.size >= 8) {
        memcpy(&word, key.at, 8);
    }
    else if (key.size) {
        memcpy(&word, key.at, key.size);
    }
    return BIG64(word);
}

/* Two threads must not meet between these two where no lock of the interpreter keeps them apart. */
#ifdef Py_GIL_DISABLED
#define BEGIN_GUARD(object) Py_BEGIN_CRITICAL_SECTION(object)
#define END_GUARD() Py_END_CRITICAL_SECTION()
#else
#define BEGIN_GUARD(object) {
#define END_GUARD() }
#endif

/* arguments.c: each returns what it was asked for, or sets an exception. */
PyObject *bytes_tuple(PyObject *sequence, bool none_allowed, const char *what);
bool is_bytes(PyObject *object, const char *what);
bool argument_count(Py_ssize_t given, Py_ssize_t wanted, const char *name);
int raise_corruption(KernelState *state, PyObject *path, PyObject *offset, const char *reason);

/* checksum.c */
uint32_t crc32c(uint32_t crc, const uint8_t *data, size_t size);
uint32_t place_salt(uint64_t identity, uint64_t offset);

/* hash.c */
uint64_t xxh3(const uint8_t *data, size_t size);
PyObject *kernel_key_hashes(PyObject *module, PyObject *keys);

/* block.c */
typedef struct {
    PyObject_HEAD
    PyObject *content; /* bytes; all pointers below point into it */
    uint32_t count;
    Piece prefix;
    const uint8_t *keys;
    const uint8_t *values;
    uint32_t key_length;     /* without bounds */
    uint32_t value_length;   /* without bounds */
    uint32_t *key_bounds;    /* count + 1 offsets from `keys`, or NULL */
    uint32_t *value_bounds;  /* count + 1 offsets from `values`, or NULL */
    const uint8_t *marks;    /* the lengths of the values if some mark tombstones, or NULL */
    uint8_t mark_width;
    bool all_tombstones;
} Block;

extern PyType_Spec block_spec;
PyObject *find_in_block(KernelState *state, const Block *block, Piece key);
PyObject *kernel_encode_block(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *kernel_parse_block(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *kernel_search_block(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *kernel_decode_block(PyObject *module, PyObject *block);
PyObject *kernel_decode_part(PyObject *module, PyObject *const *arguments, Py_ssize_t count);

/* filter.c */
bool filter_may_have(Piece filter, uint64_t hash);
PyObject *kernel_build_filter(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *kernel_parse_filter(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *kernel_probe_filter(PyObject *module, PyObject *const *arguments, Py_ssize_t count);

/* cache_entry.c */
typedef struct {
    PyObject_HEAD
    PyObject *table;
    PyObject *offset;
    PyObject *content; /* None once the cache has let go of it */
    Py_ssize_t charge_bytes;
    bool used;
} CacheEntry;

extern PyType_Spec cache_entry_spec;
PyObject *used_content(CacheEntry *entry);
PyObject *kernel_new_cache_entry(PyObject *module, PyObject *const *arguments, Py_ssize_t count);

/* bounds.c */
typedef struct {
    PyObject *keys;  /* tuple of bytes */
    Py_ssize_t count;
    size_t shared;   /* so many bytes at the beginning of all keys are the same */
    uint64_t *words; /* the first word of each key behind them */
} Bounds;

bool make_bounds(Bounds *bounds, PyObject *sequence);
void free_bounds(Bounds *bounds);
Py_ssize_t bounds_below(const Bounds *bounds, Piece key, bool or_equal);

/* finder.c */
typedef struct {
    PyObject_HEAD
    Bounds bounds;
    PyObject **slots; /* cache entries, None for parts that do not exist, NULL where nothing is remembered */
    Py_ssize_t slot_count;
} Finder;

extern PyType_Spec finder_spec;
PyObject *remembered(Finder *finder, Py_ssize_t slot);
PyObject *kernel_new_finder(PyObject *module, PyObject *const *arguments, Py_ssize_t count);

/* lookup.c */
extern PyType_Spec levels_spec;
PyObject *kernel_new_levels(PyObject *module, PyObject *const *arguments, Py_ssize_t count);

/* merge.c */
PyObject *kernel_merge_runs(PyObject *module, PyObject *const *arguments, Py_ssize_t count);

/* log.c */
PyObject *kernel_encode_frame(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *kernel_encode_entry_frame(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *kernel_encode_entries(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *kernel_decode_entries(PyObject *module, PyObject *const *arguments, Py_ssize_t count);

#endif
