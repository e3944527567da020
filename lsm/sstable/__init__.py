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

Why these defaults: see `lsm/sstable/writer.py`.
"""
