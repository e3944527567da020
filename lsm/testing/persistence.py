"""What of a change reaches the disk, and copies of whole trees: the disk after a kill and after a power loss.

Pure functions over nodes: they read, and build new nodes.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from lsm.testing.nodes import Change, DirectoryNode, FileNode, Names, Node, Resize, Store, Write
from lsm.testing.survival import Fate


def overlay(content: bytearray, offset: int, data: bytes) -> None:
    """Put bytes at an offset; a gap before them reads as zeros."""
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def resize(content: bytearray, size: int) -> None:
    """Set the length; new bytes are zeros."""
    if size < len(content):
        del content[size:]
    else:
        content.extend(bytes(size - len(content)))


def apply(content: bytearray, change: Write | Resize | Store, fate: Fate, freed: Mapping[str, bytes]) -> None:
    """Do to the durable content what survives of a change.

    freed: by the end of its name, the file that was freed last, whose blocks a file of that kind gets.
    """
    if isinstance(change, Resize):
        if fate.is_whole:
            resize(content, change.size)
        return
    if isinstance(change, Store):
        offset, data = 0, bytes(change.file.content[: change.size])
    else:
        offset, data = change.offset, change.data
    pieces = _kept_pieces(offset, data, fate)
    end = max((start + len(piece) for start, piece in pieces), default=0)
    if fate.gap != "absent":
        end = max(end, offset + len(data))
    if end > len(content):
        _extend(content, offset, end, _filler(fate, offset, end, freed.get(change.file.ending, b"")))
    for start, piece in pieces:
        overlay(content, start, piece)


def _kept_pieces(offset: int, data: bytes, fate: Fate) -> list[tuple[int, bytes]]:
    """Return the parts of a write that survive, with their offsets in the file."""
    if fate.kept_bytes is None:
        return [(offset, data)]
    pieces = [(offset, data[: fate.kept_bytes])] if fate.kept_bytes else []
    first = offset // fate.sector_bytes
    for number in sorted(fate.sectors):
        start = max((first + number) * fate.sector_bytes, offset)
        piece = data[start - offset : (first + number + 1) * fate.sector_bytes - offset]
        if piece:
            pieces.append((start, piece))
    return pieces


def _filler(fate: Fate, offset: int, end: int, freed: bytes) -> bytes:
    """Return what the blocks of a write show where its bytes did not arrive."""
    size = end - offset
    if fate.gap == "garbage":
        return random.Random(offset).randbytes(size)
    if fate.gap == "stale":
        return freed[offset:end].ljust(size, b"\0")
    return bytes(size)


def _extend(content: bytearray, offset: int, end: int, filler: bytes) -> None:
    """Make the content reach to `end`: zeros up to the write at `offset`, then what its blocks show."""
    if len(content) < offset:
        resize(content, offset)
    content.extend(filler[len(content) - offset : end - offset])


def apply_names(names: dict[str, Node], name: str, node: Node | None) -> None:
    """Let a name mean a node, or nothing."""
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


def copy_node(node: Node, copies: dict[int, Node]) -> Node:
    """Copy a node and all below it, each once; `copies` maps the identity of a node to its copy."""
    if id(node) not in copies:
        if isinstance(node, DirectoryNode):
            return copy_directory(node, copies)
        file = FileNode(node.durable, ending=node.ending)
        file.content = node.frozen()
        file.links, file.spoilt, file.dropped = node.links, node.spoilt, node.dropped
        copies[id(node)] = file
    return copies[id(node)]


def copy_directory(directory: DirectoryNode, copies: dict[int, Node]) -> DirectoryNode:
    """Copy a directory and all below it, with cache and disk; see `copy_node`."""
    copy = DirectoryNode()
    copies[id(directory)] = copy
    copy.removed = directory.removed
    copy.entries = {name: copy_node(node, copies) for name, node in directory.entries.items()}
    copy.durable = {name: copy_node(node, copies) for name, node in directory.durable.items()}
    return copy


def copy_change(change: Change, copies: dict[int, Node]) -> Change:
    """Copy a change, about the copies of its nodes."""
    if not isinstance(change, Names):
        file = copy_node(change.file, copies)
        assert isinstance(file, FileNode)
        return change._replace(file=file)
    effects = []
    for directory, name, node in change.effects:
        place = copy_node(directory, copies)
        assert isinstance(place, DirectoryNode)
        effects.append((place, name, None if node is None else copy_node(node, copies)))
    return change._replace(effects=tuple(effects))


def surviving_directory(
    directory: DirectoryNode,
    names: Mapping[int, Mapping[str, Node]],
    contents: Mapping[int, bytearray],
    made: dict[int, Node],
) -> DirectoryNode:
    """Build a directory out of what survived, where nothing is pending and the cache shows what is durable.

    names, contents: by identity of directory and file, what survived where it is not just what was durable.
    """
    survivor = DirectoryNode()
    made[id(directory)] = survivor
    for name, node in names.get(id(directory), directory.durable).items():
        if id(node) not in made:
            if isinstance(node, DirectoryNode):
                surviving_directory(node, names, contents, made)
            else:
                content = contents.get(id(node))
                durable = node.durable if content is None else bytes(content)
                made[id(node)] = FileNode(durable, ending=node.ending)
        found = made[id(node)]
        survivor.entries[name] = found
        if isinstance(found, FileNode):
            found.links += 1
    survivor.durable = dict(survivor.entries)
    return survivor


def listing(directory: DirectoryNode, path: str) -> list[tuple[str, bytes | None]]:
    """Return every path below a directory with the content of the file, or None for a directory."""
    listed: list[tuple[str, bytes | None]] = []
    for name, node in sorted(directory.entries.items()):
        if isinstance(node, FileNode):
            listed.append((f"{path}/{name}", node.frozen()))
        else:
            listed.append((f"{path}/{name}", None))
            listed.extend(listing(node, f"{path}/{name}"))
    return listed
