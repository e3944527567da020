/* CRC-32C (Castagnoli, reflected polynomial 82F63B78), by the processor's instruction where it has one.
 *
 * Which way is taken is asked for at each call; the answer is a load of a variable of the compiler's runtime.
 */
#include "kernel.h"

/* The remainders of the sixteen values of four bits. Only for processors without an instruction. */
static const uint32_t REMAINDERS[16] = {
    0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3, 0x61C69362, 0x7198540D,
    0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9, 0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75,
};

static uint32_t
crc_by_table(uint32_t crc, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        crc = (crc >> 4) ^ REMAINDERS[crc & 15];
        crc = (crc >> 4) ^ REMAINDERS[crc & 15];
    }
    return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t
crc_by_instruction(uint32_t crc, const uint8_t *data, size_t size)
{
    uint64_t wide = crc;
    for (; size >= 8; data += 8, size -= 8) {
        wide = _mm_crc32_u64(wide, load64(data));
    }
    crc = (uint32_t)wide;
    for (; size; data++, size--) {
        crc = _mm_crc32_u8(crc, *data);
    }
    return crc;
}

static bool
has_instruction(void)
{
    return __builtin_cpu_supports("sse4.2");
}
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>

static uint32_t
crc_by_instruction(uint32_t crc, const uint8_t *data, size_t size)
{
    for (; size >= 8; data += 8, size -= 8) {
        crc = __crc32cd(crc, load64(data));
    }
    for (; size; data++, size--) {
        crc = __crc32cb(crc, *data);
    }
    return crc;
}

static bool
has_instruction(void)
{
    return true;
}
#else
#define crc_by_instruction crc_by_table

static bool
has_instruction(void)
{
    return false;
}
#endif

/* Return the checksum of all bytes so far, of which those before `data` have the checksum `crc`. */
uint32_t
crc32c(uint32_t crc, const uint8_t *data, size_t size)
{
    return ~(has_instruction() ? crc_by_instruction(~crc, data, size) : crc_by_table(~crc, data, size));
}

/* The start value for bytes at `offset` of a file; see lsm/checksum.py. `identity` may have been cut to 64 bits. */
uint32_t
place_salt(uint64_t identity, uint64_t offset)
{
    return (uint32_t)(identity ^ (identity >> 32) ^ offset ^ (offset >> 32) * 0x9E3779B1u);
}
