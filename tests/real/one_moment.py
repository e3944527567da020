"""Looks whether a clone of an image is one moment of the disk: two blocks far apart are counted up in turns meanwhile.

Run inside a mount namespace as `python -m tests.real.one_moment DIRECTORY`; prints as JSON how far the first counter is
ahead of the second, in clones and in plain copies. At every moment it is 0 or 1.
"""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import subprocess
import sys
import threading
from pathlib import Path

import msgspec

from tests.real.loop_disks import LoopDisks, loop_disks

_CLONES = 60
_COPIES = 3
_BLOCK_BYTES = 4096
_SECOND = 300 << 20
"""Where the second counter stands; the first one stands at the beginning."""
_COUNTER = struct.Struct("<Q")


def main(directory: Path) -> None:
    """Count, clone and compare."""
    with loop_disks(directory, "ext4") as disks:
        subprocess.run(["umount", disks.live], check=True)
        device = _opened_device(disks.image)
        ended = threading.Event()
        counting = threading.Thread(target=_count, args=(device, ended))
        counting.start()
        try:
            clones = [_ahead(disks.cut()) for _ in range(_CLONES)]
            copies = [_ahead(_copied(disks)) for _ in range(_COPIES)]
        finally:
            ended.set()
            counting.join()
            os.close(device)
    sys.stdout.buffer.write(msgspec.json.encode((clones, copies)))


def _opened_device(image: Path) -> int:
    """Give the image a loop device that ends when the descriptor is closed."""
    command = ["losetup", "--find", "--show", "--direct-io=on", "--sector-size=4096", str(image)]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    device = os.open(name, os.O_RDWR | os.O_DIRECT)
    subprocess.run(["losetup", "--detach", name], check=True)
    return device


def _count(device: int, ended: threading.Event) -> None:
    """Write 1, 2, 3 ... to the first block, then to the second, past every cache."""
    block = mmap.mmap(-1, _BLOCK_BYTES)
    number = 0
    while not ended.is_set():
        number += 1
        _COUNTER.pack_into(block, 0, number)
        os.pwrite(device, block, 0)
        os.pwrite(device, block, _SECOND)


def _ahead(image: Path) -> int:
    """Return how far the first counter is ahead in an image."""
    with image.open("rb") as file:
        first = _COUNTER.unpack(file.read(_COUNTER.size))[0]
        file.seek(_SECOND)
        return int(first - _COUNTER.unpack(file.read(_COUNTER.size))[0])


def _copied(disks: LoopDisks) -> Path:
    """Copy the image byte by byte, as a careless tool would."""
    path = disks.outer / "copy.img"
    with disks.image.open("rb") as source, path.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    return path


if __name__ == "__main__":
    main(Path(sys.argv[1]))
