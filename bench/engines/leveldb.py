"""LevelDB through plyvel as a compared engine; bloom filter and write buffer as large as LayerDB's."""

import importlib.metadata
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import plyvel

from bench.engines.interface import Durability, Engine, Pair

_WRITE_BUFFER_BYTES = 64 << 20
_CACHE_BYTES = 64 << 20
_FILTER_BITS = 10


def open_leveldb(directory: Path, durability: Durability) -> Engine:
    """Open or make a database."""
    sync = durability == "power"
    db = plyvel.DB(
        str(directory),
        create_if_missing=True,
        write_buffer_size=_WRITE_BUFFER_BYTES,
        lru_cache_size=_CACHE_BYTES,
        bloom_filter_bits=_FILTER_BITS,
    )

    def put_synced(key: bytes, value: bytes) -> None:
        db.put(key, value, sync=True)

    def write(pairs: Iterable[Pair]) -> None:
        with db.write_batch(transaction=True, sync=sync) as batch:
            put = batch.put
            for key, value in pairs:
                put(key, value)

    return Engine(
        put=put_synced if sync else db.put,
        get=db.get,
        write=write,
        scan=db.iterator,
        scan_from=lambda start, count: islice(db.iterator(start=start), count),
        settle=db.compact_range,
        close=db.close,
        version=f"plyvel {importlib.metadata.version('plyvel')}",
        options=f"sync={sync}, {_WRITE_BUFFER_BYTES >> 20} MiB write buffer, {_CACHE_BYTES >> 20} MiB cache, "
        f"{_FILTER_BITS} filter bits",
    )
