"""LayerDB as a compared engine, with its default options."""

import importlib.metadata
from collections.abc import Iterable
from pathlib import Path

import lsm
from bench.engines.interface import Durability, Engine, Pair


def open_layerdb(directory: Path, durability: Durability) -> Engine:
    """Open or make a database."""
    options = lsm.Options(sync=durability == "power")
    db = lsm.open(directory, options)

    def write(pairs: Iterable[Pair]) -> None:
        batch = lsm.WriteBatch()
        put = batch.put
        for key, value in pairs:
            put(key, value)
        db.write(batch)

    return Engine(
        put=db.put,
        get=db.get,
        write=write,
        scan=db.scan,
        scan_from=lambda start, count: db.scan(start, limit=count),
        settle=db.compact,
        close=db.close,
        version=f"{importlib.metadata.version('layerdb')} ({lsm.kernel_name()} kernel)",
        options=f"sync={options.sync}, otherwise defaults",
    )
