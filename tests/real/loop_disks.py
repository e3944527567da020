"""File systems of our own on loop devices, and clones of them at one moment of their life.

    outer image (XFS with reflinks, on a loop device)
      disk.img   the image of the file system under test, on a loop device of its own, mounted
      cut.img    a clone of disk.img: what a disk would hold if the power went now
      copy.img   a clone of cut.img, mounted, so that its journal is replayed

Everything is mounted in a mount namespace of this process (`unshare -m`) and every loop device frees itself with its
last mount, so nothing is left behind, however the process ends. A clone is one `FICLONE` call. XFS does it under the
lock of the image that each write of the loop device takes, and waits for direct writes that are under way: so a clone
has each write of the device whole or not at all, and each that was complete. `test_power_cut` looks whether that is so.

What such a power cut cannot show is a disk that loses what it had in a cache of its own: everything the device was
given is kept. What the kernel had not given to it yet is lost, and that is what a missing sync is about.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KINDS = ("ext4", "xfs", "btrfs")
_FORMAT: dict[str, tuple[str, ...]] = {
    "ext4": ("mkfs.ext4", "-q", "-F", "-b", "4096"),
    "xfs": ("mkfs.xfs", "-q", "-f", "-s", "size=4096", "-m", "reflink=1"),
    "btrfs": ("mkfs.btrfs", "-q", "-f"),
}
_MOUNT_OPTIONS = {"ext4": "noatime", "xfs": "noatime,nouuid", "btrfs": "noatime"}
_OUTER_BYTES = 4 << 30
_DISK_BYTES = 400 << 20
_CLONE = 0x40049409
"""The request of `ioctl` that clones a whole file (`FICLONE`)."""


_UNMOUNT_ATTEMPTS = 200


class WrongMountError(Exception):
    """A mount is not what it must be; nothing was touched."""


def mounts_unavailable() -> str:
    """Say why nothing can be mounted here; empty if something can."""
    if os.geteuid() != 0:
        return "needs root"
    return _missing("unshare", "mount") or _refused(in_own_namespace(["true"]))


def unavailable(kind: str) -> str:
    """Say why there can be no file system of this kind on a loop device here; empty if there can."""
    reason = mounts_unavailable() or _missing("losetup", "mkfs.xfs", _FORMAT[kind][0])
    if reason:
        return reason
    if not Path("/dev/loop-control").exists():
        return "needs loop devices"
    known = Path("/proc/filesystems").read_text(encoding="ascii").split()
    unknown = sorted({"xfs", kind}.difference(known))
    if unknown:
        return f"the kernel has no {', '.join(unknown)}"
    return _refused(["losetup", "--find"])


def _missing(*tools: str) -> str:
    absent = [tool for tool in tools if not shutil.which(tool)]
    return f"needs {', '.join(absent)}" if absent else ""


def _refused(probe: list[str]) -> str:
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    return f"{probe[0]} is refused here: {done.stderr.strip()}" if done.returncode else ""


def in_own_namespace(command: list[str]) -> list[str]:
    """Return a command that runs `command` with mounts of its own, which end with it."""
    return ["unshare", "--mount", "--propagation", "private", *command]


class LoopDisks:
    """The two images and their mounts; made by `loop_disks`."""

    def __init__(self, directory: Path, kind: str) -> None:
        self.kind = kind
        self.live = directory / "live"
        """Where the file system under test is mounted."""
        self.copy = directory / "copy"
        """Where a clone of it is mounted, inside of `power_cut`."""
        self.outer = directory / "outer"
        self.image = self.outer / "disk.img"
        self.cut_image = self.outer / "cut.img"
        self._mounts = 0
        for place in (self.live, self.copy, self.outer):
            place.mkdir()

    def mount(self) -> None:
        """Make the images and mount them."""
        outer_image = self.outer.with_suffix(".img")
        _make_image(outer_image, _OUTER_BYTES, "xfs")
        _mount(outer_image, self.outer, "xfs")
        _make_image(self.image, _DISK_BYTES, self.kind)
        _mount(self.image, self.live, self.kind)

    def cut(self) -> Path:
        """Clone the image at one moment; return the path of the clone. There is one at a time."""
        _clone(self.image, self.cut_image)
        return self.cut_image

    @contextmanager
    def mounted(self, cut: Path) -> Iterator[Path]:
        """Mount a copy of what a cut has left, and make sure that it is no other view of the live file system."""
        self._mounts += 1
        marker = f"after-cut-{self._mounts}"
        (self.live / marker).touch()
        copy = self.outer / "copy.img"
        _clone(cut, copy)
        _mount(copy, self.copy, self.kind)
        try:
            if (self.copy / marker).exists():
                raise WrongMountError(f"{self.copy} shows the live file system instead of its clone")
            yield self.copy
        finally:
            _unmount(self.copy)
            (self.live / marker).unlink()

    def unmount(self) -> None:
        """Unmount what is mounted; the end of the process would do it as well."""
        for place in (self.live, self.outer):
            if place.is_mount():
                _unmount(place)
        self.outer.with_suffix(".img").unlink(missing_ok=True)


@contextmanager
def loop_disks(directory: Path, kind: str) -> Iterator[LoopDisks]:
    """Make and mount a file system of a kind below an empty directory; afterwards it is empty again."""
    disks = LoopDisks(directory, kind)
    try:
        disks.mount()
        yield disks
    finally:
        disks.unmount()
        for place in (disks.live, disks.copy, disks.outer):
            place.rmdir()


def _clone(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    with source.open("rb") as old, target.open("wb") as new:
        fcntl.ioctl(new.fileno(), _CLONE, old.fileno())


def _make_image(path: Path, size_bytes: int, kind: str) -> None:
    with path.open("wb") as file:
        file.truncate(size_bytes)
    _run(*_FORMAT[kind], str(path))


def _mount(image: Path, place: Path, kind: str) -> None:
    """Mount an image by a new loop device that ends with the mount, and make sure that it is another file system."""
    outside = {path.stat().st_dev for path in (Path("/"), place, image)}
    # Direct writes to the image pass by the cache of the outer file system; they need sectors of its block size.
    device = _run("losetup", "--find", "--show", "--direct-io=on", "--sector-size=4096", str(image)).strip()
    try:
        _run("mount", "--types", kind, "--options", _MOUNT_OPTIONS[kind], device, str(place))
    finally:
        # The device is in use now, so this takes effect when it no longer is.
        _run("losetup", "--detach", device)
    if place.stat().st_dev in outside:
        raise WrongMountError(f"{place} is not a file system of its own")


def _unmount(place: Path) -> None:
    """Unmount; a loop device on an image there may need a moment to let go of it.

    What is still in use after that, as by the files of a check that failed, goes when the last of them is closed.
    """
    for _ in range(_UNMOUNT_ATTEMPTS):
        try:
            _run("umount", str(place))
        except OSError:
            time.sleep(0.05)
        else:
            return
    _run("umount", "--lazy", str(place))


def _run(*command: str) -> str:
    """Run a program; return what it printed. Raises with what it complained about."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(done.returncode, f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
