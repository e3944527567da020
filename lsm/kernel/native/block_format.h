/* The numbers in the bytes of a block; see lsm/kernel/blocks.py. */
#ifndef LAYERDB_BLOCK_FORMAT_H
#define LAYERDB_BLOCK_FORMAT_H

#define HEADER_BYTES 20
#define SOME_TOMBSTONES 1
#define ALL_TOMBSTONES 0xFFFFFFFFu

static inline uint32_t
greatest_of_width(int width)
{
    return width == 1 ? 0xFFu : width == 2 ? 0xFFFFu : 0xFFFFFFFFu;
}

#endif
