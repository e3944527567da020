"""The bytes of manifests and CURRENT: pinned, and every damage of them noticed."""

from collections.abc import Callable

import msgspec
import pytest

from lsm.checksum import checksum
from lsm.environment import Directory
from lsm.errors import CorruptionError, FormatError
from lsm.filenames import CURRENT, manifest_name
from lsm.manifest import (
    Manifest,
    decode_manifest,
    encode_manifest,
    read_current,
    read_manifest,
    write_current,
    write_manifest,
)
from lsm.testing import SimulatedFileSystem
from lsm.version import LogReference, TableMetadata, Version

FLUSHED = TableMetadata(
    number=12,
    identity=0x0123456789ABCDEF0123456789ABCDEF,
    size_bytes=4096,
    smallest=b"\x00a",
    largest=None,
    entry_count=100,
    tombstone_count=3,
    range_tombstone_count=1,
    first_sequence=901,
    last_sequence=1003,
    level_at_creation=0,
)
COMPACTED = TableMetadata(
    number=9,
    identity=7,
    size_bytes=1 << 24,
    smallest=b"",
    largest=b"zebra\xff",
    entry_count=900,
    tombstone_count=0,
    range_tombstone_count=0,
    first_sequence=1,
    last_sequence=900,
    level_at_creation=2,
)
MANIFEST = Manifest(
    number=13,
    previous_number=10,
    oldest_log=LogReference(11, 0xFEDCBA9876543210),
    version=Version(((FLUSHED,), (), (COMPACTED,)), 1003),
    next_file_number=14,
)
GOLDEN = (
    b'{"kind":"layerdb manifest","format_version":1,"number":13,"previous_number":10,"level_count":3,'
    b'"oldest_log":{"number":11,"identity":"fedcba9876543210"},"last_sequence":1003,"next_file_number":14,'
    b'"table_count":2}\n'
    b'{"level":0,"number":12,"identity":"0123456789abcdef0123456789abcdef","size_bytes":4096,"smallest":"0061",'
    b'"largest":null,"entry_count":100,"tombstone_count":3,"range_tombstone_count":1,"first_sequence":901,'
    b'"last_sequence":1003,"level_at_creation":0}\n'
    b'{"level":2,"number":9,"identity":"00000000000000000000000000000007","size_bytes":16777216,"smallest":"",'
    b'"largest":"7a65627261ff","entry_count":900,"tombstone_count":0,"range_tombstone_count":0,"first_sequence":1,'
    b'"last_sequence":900,"level_at_creation":2}\n'
    b"crc32c 36b1818d\n"
)
GOLDEN_CURRENT = b"layerdb current 1\nmanifest 13\nchecksum 36b1818d\ncrc32c e1d20a9d\n"


@pytest.fixture
def directory() -> Directory:
    """Give each test an empty directory in memory."""
    filesystem = SimulatedFileSystem()
    filesystem.create_directory("/data")
    return filesystem.open_directory("/data")


def content_of(directory: Directory, name: str) -> bytes:
    """Return what a file holds."""
    file = directory.open(name, "read")
    return file.read_at(0, file.size())


def replace(directory: Directory, name: str, content: bytes) -> None:
    """Make a file hold `content`."""
    if name in directory.names():
        directory.unlink(name)
    file = directory.open(name, "create")
    file.write_at(0, content)
    file.close()


def signed(body: bytes) -> bytes:
    """Put a right check line behind what may be nonsense."""
    return body + b"crc32c %08x\n" % checksum(body)


def test_manifest_has_the_golden_bytes() -> None:
    """Whoever changes the format has to change this text, and with it the format version."""
    assert encode_manifest(MANIFEST) == GOLDEN
    assert decode_manifest(GOLDEN, "x") == MANIFEST


def test_empty_manifest_survives() -> None:
    """A new database has no tables and no manifest before."""
    empty = Manifest(
        number=1, previous_number=None, oldest_log=LogReference(2, 5), version=Version(((), ())), next_file_number=3
    )

    assert decode_manifest(encode_manifest(empty), "x") == empty


def test_current_has_the_golden_bytes(directory: Directory) -> None:
    """CURRENT is three readable lines and a check line."""
    write_current(directory, 13, write_manifest(directory, MANIFEST))

    assert content_of(directory, CURRENT) == GOLDEN_CURRENT
    number, expected = read_current(directory) or (0, 0)
    assert read_manifest(directory, number, expected) == MANIFEST


@pytest.mark.parametrize("name", [manifest_name(13), CURRENT])
def test_every_flipped_byte_is_noticed(directory: Directory, name: str) -> None:
    """No byte can change in any single bit, or in all of them, without a `CorruptionError` that names the file."""
    read = reader(directory, name)
    whole = content_of(directory, name)
    for place in range(len(whole)):
        for mask in (*(1 << bit for bit in range(8)), 0xFF):
            replace(directory, name, whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
            with pytest.raises(CorruptionError) as caught:
                read()
            assert caught.value.path.endswith(name)
            assert 0 <= caught.value.offset <= len(whole)


@pytest.mark.parametrize("name", [manifest_name(13), CURRENT])
def test_every_truncation_is_noticed(directory: Directory, name: str) -> None:
    """No shorter file passes, nor one with something behind its end."""
    read = reader(directory, name)
    whole = content_of(directory, name)
    for content in (*(whole[:size] for size in range(len(whole))), whole + b"\n", whole + whole):
        replace(directory, name, content)
        with pytest.raises(CorruptionError, match=name):
            read()


def reader(directory: Directory, name: str) -> Callable[[], object]:
    """Write manifest and CURRENT; return what reads the named one."""
    expected = write_manifest(directory, MANIFEST)
    write_current(directory, 13, expected)
    if name == CURRENT:
        return lambda: read_current(directory)
    return lambda: read_manifest(directory, 13, expected)


def test_newer_formats_are_refused_by_name(directory: Directory) -> None:
    """A whole file of a later version is no corruption, whatever else it says."""
    replace(directory, manifest_name(13), signed(b'{"kind":"layerdb manifest","format_version":2,"new":1}\nwhat\n'))
    with pytest.raises(FormatError) as caught:
        read_manifest(directory, 13, None)
    assert (caught.value.found, caught.value.supported) == (2, 1)

    replace(directory, CURRENT, signed(b"layerdb current 2\nsomething else\n"))
    with pytest.raises(FormatError) as caught:
        read_current(directory)
    assert (caught.value.found, caught.value.supported) == (2, 1)


def test_another_manifest_under_the_name_is_noticed(directory: Directory) -> None:
    """CURRENT names a checksum, and a manifest its own number."""
    expected = write_manifest(directory, MANIFEST)
    with pytest.raises(CorruptionError, match="CURRENT names a manifest with checksum"):
        read_manifest(directory, 13, expected ^ 1)

    replace(directory, manifest_name(14), content_of(directory, manifest_name(13)))
    with pytest.raises(CorruptionError, match="it says that it is manifest 13"):
        read_manifest(directory, 14, None)


HEADER, FIRST_TABLE, SECOND_TABLE, _ = GOLDEN.split(b"\n", 3)


@pytest.mark.parametrize(
    ("body", "offset", "reason"),
    [
        (b"", 0, "no header"),
        (b"[" * 100_000, 0, "no header"),
        (b'{"kind":"a cake","format_version":1}\n', 0, "a cake"),
        (HEADER.replace(b'"format_version":1', b'"format_version":0'), 0, "impossible number"),
        (HEADER.replace(b'"number":13', b'"number":-13'), 0, "impossible number"),
        (HEADER.replace(b'"number":13', b'"number":13,"number":13,"extra":1'), 0, "extra"),
        (HEADER.replace(b'"table_count":2', b'"table_count":1000000000000'), 0, "1000000000000 tables"),
        (HEADER.replace(b'"level_count":3', b'"level_count":1000000000000'), 0, "1000000000000 levels"),
        (b"\n".join([HEADER, FIRST_TABLE, b"{}", b""]), len(HEADER) + len(FIRST_TABLE) + 2, "no line of a table"),
        (b"\n".join([HEADER, SECOND_TABLE, FIRST_TABLE, b""]), len(HEADER) + len(SECOND_TABLE) + 2, "out of order"),
        (b"\n".join([HEADER, FIRST_TABLE, FIRST_TABLE, b""]), 0, "listed twice"),
        (b"\n".join([HEADER, FIRST_TABLE.replace(b'"0061"', b'"0g61"'), SECOND_TABLE, b""]), len(HEADER) + 1, "hex"),
        (b"\n".join([HEADER, FIRST_TABLE.replace(b'"0061"', b'"061"'), SECOND_TABLE, b""]), len(HEADER) + 1, "hex"),
        (b"\n".join([HEADER, FIRST_TABLE.replace(b'"0123', b'"123'), SECOND_TABLE, b""]), len(HEADER) + 1, "digits"),
        (b"\n".join([HEADER, FIRST_TABLE.replace(b":12,", b":14,"), SECOND_TABLE, b""]), 0, "next file number"),
    ],
)
def test_nonsense_with_a_right_checksum_is_corruption(body: bytes, offset: int, reason: str) -> None:
    """Nothing that the check line vouches for is believed without being looked at."""
    with pytest.raises(CorruptionError, match=reason) as caught:
        decode_manifest(signed(body), "x")

    assert caught.value.offset == offset


@pytest.mark.parametrize(
    ("body", "offset"),
    [
        (b"manifest 13\n", 0),
        (b"layerdb current 0\nmanifest 13\nchecksum 00000000\n", 18),
        (b"layerdb current 1\nmanifest 13\n", 18),
        (b"layerdb current 1\nmanifest 13\nchecksum 00000000\nmore\n", 18),
    ],
)
def test_nonsense_in_current_is_corruption(directory: Directory, body: bytes, offset: int) -> None:
    """CURRENT has one form."""
    replace(directory, CURRENT, signed(body))
    with pytest.raises(CorruptionError) as caught:
        read_current(directory)

    assert caught.value.offset == offset


def test_manifest_stays_small_for_long_keys() -> None:
    """A thousand tables with bounds of 60 bytes take less than 550 bytes each."""
    tables = tuple(
        msgspec.structs.replace(COMPACTED, number=number, smallest=b"%060d" % number, largest=b"%060d" % number)
        for number in range(1, 1001)
    )
    manifest = msgspec.structs.replace(MANIFEST, version=Version(((), tables), 1003), next_file_number=2000)

    assert len(encode_manifest(manifest)) < 1000 * 550
