"""The combined fuzz target: edits of the files of a valid database, then a sequence of operations on it.

    input  := count edit* operation*
    edit   := file place*2 kind value      five bytes; bit 7 of the kind: give the file right checksums afterwards
    operation := one byte

Every answer is an error of our own tree about bytes (never one about the operating system, which does its work here)
or, as long as no checksum was made right, a value that the key once had.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import lsm
from lsm.filenames import CURRENT, SHARED
from lsm.testing import SimulatedEnvironment
from tests.fuzz.limits import Limits
from tests.fuzz.seals import sealed_log, sealed_page, sealed_table, sealed_text
from tests.fuzz.target import Target
from tests.support.damage import KEYS, OPTIONS, PATH, Files, Sample, disk_of, made

_EDIT_BYTES = 5
_MOST_EDITS = 6
_WRITTEN = b"written by the fuzzer"


@cache
def _sample() -> Sample:
    return made(closed=False)


@cache
def _ever() -> dict[bytes, set[bytes | None]]:
    """Return the values that each key ever had."""
    return {key: {None, *(state.get(key) for state in _sample().states)} for key in KEYS}


def _edited(data: bytes) -> tuple[Files, bool, bytes]:
    """Return the files after the edits, whether checksums were made right, and the operations."""
    files = dict(_sample().files)
    count = (data[0] if data else 0) % _MOST_EDITS
    sealed = False
    for number in range(count):
        edit = data[1 + number * _EDIT_BYTES : 1 + (number + 1) * _EDIT_BYTES]
        if len(edit) == _EDIT_BYTES:
            name = sorted(files)[edit[0] % len(files)]
            files[name] = _changed(files, name, edit)
            if edit[3] & 0x80:
                files[name] = _sealed(name, files[name])
                sealed = True
    return files, sealed, data[1 + count * _EDIT_BYTES :]


def _changed(files: Files, name: str, edit: bytes) -> bytes:
    content = files[name]
    place = int.from_bytes(edit[1:3], "little") % (len(content) + 1)
    kind, value = edit[3] & 0x07, edit[4]
    other = files[sorted(files)[value % len(files)]]
    changes: list[Callable[[], bytes]] = [
        lambda: content[:place] + bytes((value,)) + content[place + 1 :],
        lambda: content[:place],
        lambda: content[:place] + bytes(value) + content[place + value :],
        lambda: content[:place] + content[place + value :],
        lambda: content[:place] + content[place : place + value] + content[place:],
        lambda: content[:place] + other[place : place + 64] + content[place + 64 :],
        lambda: other,
        lambda: content[:place] + b"\xff" * 8 + content[place + 8 :],
    ]
    return changes[kind]()


def _sealed(name: str, content: bytes) -> bytes:
    if name.endswith(".wal"):
        return sealed_log(content)
    if name.endswith(".sst"):
        return sealed_table(content)
    if name == SHARED:
        return sealed_page(content)
    return sealed_text(content) if name == CURRENT or name.startswith("MANIFEST") else content


class _Run:
    """One directory and the handle on it."""

    def __init__(self, files: Files, *, believable: bool) -> None:
        self._environment = SimulatedEnvironment(disk_of(files))
        self._believable = believable
        self._handle: lsm.Database | None = None

    def step(self, code: int) -> None:
        """Do one operation."""
        operations: list[Callable[[], None]] = [
            self._open, self._salvage, self._get, self._scan, self._reverse, self._put,
            self._flush, self._compact, self._verify, self._repair, self._delete_range, self._close,
        ]  # fmt: skip
        operations[code % len(operations)]()

    def _open(self) -> None:
        if self._handle is None:
            self._handle = lsm.open(PATH, OPTIONS, environment=self._environment)

    def _salvage(self) -> None:
        if self._handle is None:
            options = lsm.Options(recovery="salvage", maintenance=False, level_count=OPTIONS.level_count)
            self._handle = lsm.open(PATH, options, environment=self._environment)

    def _get(self) -> None:
        for key in KEYS:
            if self._handle is not None:
                self._check(key, self._handle.get(key))

    def _scan(self) -> None:
        for key, value in self._handle.scan() if self._handle is not None else ():
            self._check(key, value)

    def _reverse(self) -> None:
        for key, value in self._handle.scan(reverse=True) if self._handle is not None else ():
            self._check(key, value)

    def _put(self) -> None:
        if self._handle is not None:
            self._handle.put(KEYS[3], _WRITTEN)

    def _flush(self) -> None:
        if self._handle is not None:
            self._handle.flush()

    def _compact(self) -> None:
        if self._handle is not None:
            self._handle.compact()

    def _verify(self) -> None:
        if self._handle is None:
            lsm.verify(PATH, environment=self._environment)
        else:
            self._handle.verify()

    def _repair(self) -> None:
        self._close()
        target = f"/new-{self._environment.random_bytes(4).hex()}"
        lsm.repair(PATH, target, OPTIONS, environment=self._environment)
        assert lsm.verify(target, environment=self._environment).ok, "a repaired database is damaged"

    def _delete_range(self) -> None:
        if self._handle is not None:
            self._handle.delete_range(KEYS[5], KEYS[9])

    def _close(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()

    def close(self) -> None:
        """Close the handle, whatever it says."""
        try:
            self._close()
        except lsm.Error:
            return

    def _check(self, key: bytes, value: bytes | None) -> None:
        assert not self._believable or value == _WRITTEN or value in _ever()[key], f"{key!r} has an invented value"


def _operate(data: bytes) -> None:
    files, sealed, operations = _edited(data)
    run = _Run(files, believable=not sealed)
    errors = []
    try:
        for code in operations[:24]:
            try:
                run.step(code)
            except lsm.StorageError as error:
                raise AssertionError(f"bytes gave an error of the operating system: {error!r}") from error
            except lsm.Error as error:
                errors.append(error)
    finally:
        run.close()
    if errors:
        raise errors[0]


def _inputs() -> list[bytes]:
    operations = bytes((8, 0, 2, 3, 4, 5, 7, 6, 2, 9, 0, 10, 6, 7, 4))
    found = [b"\0" + operations]
    for place in range(len(_sample().files)):
        sealed = 0x80 * (place % 2)
        found.append(bytes((1, place, 40 + place, 0, sealed | place % 8, 200)) + operations)
    return found


DIRECTORY_TARGETS = [
    Target("directory", _operate, _inputs, limits=Limits(calls=3_000_000, calls_each_byte=1_000, memory_bytes=16 << 20))
]
