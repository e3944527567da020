"""The kernel in plain Python: always there, and the meaning that every other kernel has to have.

Every loop over entries runs inside a call of the standard library, so that a whole block or run costs a few calls.
Blocks, filters and the two parts of a log frame have a module each, which describes their bytes, and so have look-ups;
this one adds the merge and gives them one name.

All functions are pure, so any number of threads may call them.
"""

from __future__ import annotations

from collections.abc import Sequence

from lsm.kernel.blocks import decode_block, decode_part, encode_block, parse_block, search_block
from lsm.kernel.filters import build_filter, key_hashes, parse_filter, probe_filter
from lsm.kernel.log_entries import decode_entries, encode_entries
from lsm.kernel.log_frames import encode_entry_frame, encode_frame
from lsm.kernel.lookup import new_cache_entry, new_finder, new_levels
from lsm.runs import Run, Value

__all__ = [
    "build_filter",
    "decode_block",
    "decode_entries",
    "decode_part",
    "encode_block",
    "encode_entries",
    "encode_entry_frame",
    "encode_frame",
    "key_hashes",
    "merge_runs",
    "new_cache_entry",
    "new_finder",
    "new_levels",
    "parse_block",
    "parse_filter",
    "probe_filter",
    "search_block",
]


def merge_runs(runs: Sequence[Run], reverse: bool) -> Run:
    """Merge runs, the newest first; see `Kernel.merge_runs`."""
    filled = [run for run in runs if run[0]]
    if len(filled) < 2:
        return filled[0] if filled else ([], [])
    merged: dict[bytes, Value] = {}
    for keys, values in reversed(filled):
        merged.update(zip(keys, values, strict=True))
    # Sorting finds the ascending runs in the order of insertion, so it costs little more than one pass.
    ordered = sorted(merged, reverse=reverse)
    return ordered, list(map(merged.__getitem__, ordered))
