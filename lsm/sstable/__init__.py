"""Tables: immutable sorted files. One package, in which `writer` and `reader` stand side by side.

A table from its start to its end (integers little-endian, sizes in bytes):

    table     = partition* top-index range-tombstones properties footer
    partition = data-block+ filter index

    data-block        entries, strictly ascending over the whole table         a block: lsm/kernel/blocks.py
    filter            over the keys of its partition; may be absent            lsm/kernel/filters.py
    index             one entry a data block of its partition                  lsm/sstable/index.py
    top-index         one entry a partition; absent without partitions         lsm/sstable/index.py
    range-tombstones  keys are starts, values are stops; may be absent         a block
    properties        what the table is and which edit made it, as JSON        lsm/sstable/properties.py
    footer            where to begin reading                                   lsm/sstable/frame.py

There is no gap: each part begins where the one before ends. Each part but the footer is a frame with its own checksum
(lsm/sstable/frame.py). A partition ends after `writer.PARTITION_BLOCKS` blocks or `writer.PARTITION_ENTRIES` entries,
so that the pieces of filter and index which one look-up needs stay small, however large the table is, and writing a
table takes memory for one partition only.

A table holds only the newest entry of each key and no sequence numbers: which of two tables is newer is known from
their places in the version. Its range tombstones hide only what is older than the table, never its own entries.

Why LZ4 or Zstandard, and why blocks of 8 KiB. CPU time through writer and reader, best of four or five rounds taken in
turn, on a machine that did other work too (a difference below a tenth means nothing); files in the page cache, so what
a smaller file saves on a disk comes on top. Size in percent of keys and values; times in us: an entry written,
an entry of a scan past the cache, a look-up whose block is not cached.

    8 KiB blocks             none                  LZ4                   Zstandard 3
    airports (100 bytes)     97 % 1.8 0.34 15      58 % 1.7 0.39 20      47 % 1.9 0.45 27
    events (160 bytes)       97 % 1.8 0.44 15      37 % 2.0 0.44 18      23 % 2.4 0.55 23
    index entries (14 bytes) 97 % 1.5 0.22 33      51 % 1.6 0.22 41      33 % 1.7 0.21 41
    16 + 100, half random   101 % 2.0 0.20 12      65 % 2.0 0.22 13      59 % 2.5 0.23 17

LZ4 takes a third to two thirds off for a few us a look-up, so "none" pays only for data that cannot shrink (and such
blocks are stored as they are anyway). Zstandard makes files a tenth to two fifths smaller again, for up to a quarter
more time at writing and scanning and up to 8 us a look-up; a cached block costs the same with all three.

Block size, LZ4 on events, at 4, 8, 16, 32 KiB: 39, 37, 37, 37 %; 0.59, 0.48, 0.33, 0.32 us an entry of a scan; 14, 19,
20, 32 us a look-up. Index entries: 51, 51, 50, 50 %; 0.24, 0.22, 0.22, 0.21 us; 23, 36, 59, 97 us.
"""
