/* XXH3, 64 bits, seed 0, default secret: the hash by which filters know keys.
 *
 * Written after the published specification of the algorithm (xxHash, doc/xxhash_spec.md, "XXH3 algorithm"); a property
 * test compares it with the library that the plain kernel uses. Keys are short, so only the ways for short inputs are
 * made to be fast.
 */
#include "kernel.h"

#define PRIME32_1 0x9E3779B1u
#define PRIME32_2 0x85EBCA77u
#define PRIME32_3 0xC2B2AE3Du
#define PRIME64_1 0x9E3779B185EBCA87u
#define PRIME64_2 0xC2B2AE3D27D4EB4Fu
#define PRIME64_3 0x165667B19E3779F9u
#define PRIME64_4 0x85EBCA77C2B2AE63u
#define PRIME64_5 0x27D4EB2F165667C5u
#define PRIME_MX1 0x165667919E3779F9u
#define PRIME_MX2 0x9FB21C651E98DF25u

#define SECRET_BYTES 192
#define STRIPE_BYTES 64
#define STRIPES_PER_BLOCK ((SECRET_BYTES - STRIPE_BYTES) / 8)
#define BLOCK_BYTES (STRIPE_BYTES * STRIPES_PER_BLOCK)

static const uint8_t SECRET[] = {
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c, 0xde, 0xd4, 0x6d,
    0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f, 0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0,
    0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21, 0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0,
    0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c, 0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b,
    0x1b, 0x53, 0x2e, 0xa3, 0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac,
    0xd8, 0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d, 0x8a, 0x51,
    0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64, 0xea, 0xc5, 0xac, 0x83, 0x34,
    0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb, 0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49,
    0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e, 0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8,
    0xd1, 0x7a, 0xd0, 0x31, 0xce, 0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b,
    0x40, 0x7e,
};
_Static_assert(sizeof SECRET == SECRET_BYTES, "the secret has another length");

static inline uint64_t
rotated(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static inline uint64_t
folded_product(uint64_t one, uint64_t two)
{
    unsigned __int128 product = (unsigned __int128)one * two;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t
avalanche(uint64_t x)
{
    x ^= x >> 37;
    x *= PRIME_MX1;
    return x ^ (x >> 32);
}

static inline uint64_t
avalanche_of_short(uint64_t x)
{
    x ^= x >> 33;
    x *= PRIME64_2;
    x ^= x >> 29;
    x *= PRIME64_3;
    return x ^ (x >> 32);
}

static inline uint64_t
mixed(const uint8_t *data, const uint8_t *secret)
{
    return folded_product(load64(data) ^ load64(secret), load64(data + 8) ^ load64(secret + 8));
}

static uint64_t
hash_to_16(const uint8_t *data, size_t size)
{
    if (size > 8) {
        uint64_t low = load64(data) ^ load64(SECRET + 24) ^ load64(SECRET + 32);
        uint64_t high = load64(data + size - 8) ^ load64(SECRET + 40) ^ load64(SECRET + 48);
        return avalanche(size + __builtin_bswap64(low) + high + folded_product(low, high));
    }
    if (size >= 4) {
        uint64_t both = load32(data + size - 4) + ((uint64_t)load32(data) << 32);
        uint64_t x = both ^ load64(SECRET + 8) ^ load64(SECRET + 16);
        x ^= rotated(x, 49) ^ rotated(x, 24);
        x *= PRIME_MX2;
        x ^= (x >> 35) + size;
        x *= PRIME_MX2;
        return x ^ (x >> 28);
    }
    if (size) {
        uint32_t first = data[0], middle = data[size >> 1], last = data[size - 1];
        uint32_t all = (first << 16) | (middle << 24) | last | ((uint32_t)size << 8);
        return avalanche_of_short((uint64_t)all ^ (uint64_t)(load32(SECRET) ^ load32(SECRET + 4)));
    }
    return avalanche_of_short(load64(SECRET + 56) ^ load64(SECRET + 64));
}

static uint64_t
hash_to_128(const uint8_t *data, size_t size)
{
    uint64_t sum = size * PRIME64_1;
    for (size_t i = (size - 1) / 32 + 1; i-- > 0;) {
        sum += mixed(data + 16 * i, SECRET + 32 * i);
        sum += mixed(data + size - 16 * (i + 1), SECRET + 32 * i + 16);
    }
    return avalanche(sum);
}

static uint64_t
hash_to_240(const uint8_t *data, size_t size)
{
    uint64_t sum = size * PRIME64_1;
    for (size_t i = 0; i < 8; i++) {
        sum += mixed(data + 16 * i, SECRET + 16 * i);
    }
    sum = avalanche(sum);
    for (size_t i = 8; i < size / 16; i++) {
        sum += mixed(data + 16 * i, SECRET + 16 * (i - 8) + 3);
    }
    return avalanche(sum + mixed(data + size - 16, SECRET + 136 - 17));
}

static void
accumulate(uint64_t lanes[8], const uint8_t *data, const uint8_t *secret)
{
    for (int i = 0; i < 8; i++) {
        uint64_t word = load64(data + 8 * i), keyed = word ^ load64(secret + 8 * i);
        lanes[i ^ 1] += word;
        lanes[i] += (keyed & 0xFFFFFFFFu) * (keyed >> 32);
    }
}

static uint64_t
hash_long(const uint8_t *data, size_t size)
{
    uint64_t lanes[8] = {PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1};
    size_t blocks = (size - 1) / BLOCK_BYTES;
    for (size_t block = 0; block < blocks; block++) {
        for (size_t i = 0; i < STRIPES_PER_BLOCK; i++) {
            accumulate(lanes, data + block * BLOCK_BYTES + i * STRIPE_BYTES, SECRET + 8 * i);
        }
        for (int i = 0; i < 8; i++) {
            uint64_t lane = lanes[i] ^ (lanes[i] >> 47) ^ load64(SECRET + SECRET_BYTES - STRIPE_BYTES + 8 * i);
            lanes[i] = lane * PRIME32_1;
        }
    }
    size_t stripes = (size - 1 - blocks * BLOCK_BYTES) / STRIPE_BYTES;
    for (size_t i = 0; i < stripes; i++) {
        accumulate(lanes, data + blocks * BLOCK_BYTES + i * STRIPE_BYTES, SECRET + 8 * i);
    }
    accumulate(lanes, data + size - STRIPE_BYTES, SECRET + SECRET_BYTES - STRIPE_BYTES - 7);
    uint64_t sum = size * PRIME64_1;
    for (int i = 0; i < 4; i++) {
        const uint8_t *secret = SECRET + 11 + 16 * i;
        sum += folded_product(lanes[2 * i] ^ load64(secret), lanes[2 * i + 1] ^ load64(secret + 8));
    }
    return avalanche(sum);
}

uint64_t
xxh3(const uint8_t *data, size_t size)
{
    if (size <= 16) {
        return hash_to_16(data, size);
    }
    if (size <= 128) {
        return hash_to_128(data, size);
    }
    return size <= 240 ? hash_to_240(data, size) : hash_long(data, size);
}

PyObject *
kernel_key_hashes(PyObject *module, PyObject *keys)
{
    PyObject *items = bytes_tuple(keys, false, "a key");
    if (items == NULL) {
        return NULL;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(items);
    PyObject *hashes = PyList_New(count);
    for (Py_ssize_t i = 0; hashes != NULL && i < count; i++) {
        Piece key = piece_of(PyTuple_GET_ITEM(items, i));
        PyObject *hash = PyLong_FromUnsignedLongLong(xxh3(key.at, key.size));
        if (hash == NULL) {
            Py_CLEAR(hashes);
        }
        else {
            PyList_SET_ITEM(hashes, i, hash);
        }
    }
    Py_DECREF(items);
    return hashes;
}
