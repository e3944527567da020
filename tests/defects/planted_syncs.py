"""Defects of durability: a sync left out, in the wrong order, or believed when it had failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lsm.manifest
from lsm.core import Core
from lsm.environment import Directory, File
from lsm.errors import StorageError, SyncFailedError
from lsm.filenames import CURRENT, log_name, manifest_name, parse_name, table_name
from lsm.install import Installer
from lsm.manifest import Manifest
from lsm.shared_page import SharedPage
from lsm.testing.handles import SimulatedDirectory, SimulatedFile
from lsm.write_ahead_log.writer import LogWriter
from tests.defects.defect import Careless, Defect, Patch, instead, nothing, while_in, without_file_sync


def directories_never(patch: Patch) -> None:
    """No directory is ever synced."""
    patch.setattr(SimulatedDirectory, "sync", nothing)


def not_before_the_switch(patch: Patch) -> None:
    """The names of manifest and tables may come to the disk after CURRENT names them."""
    _careless_switch(patch, 0)


def not_after_the_switch(patch: Patch) -> None:
    """The directory is not synced after CURRENT was renamed; old files are removed all the same."""
    _careless_switch(patch, 1)


def _careless_switch(patch: Patch, skipped: int) -> None:
    def make(write: Any) -> Any:
        return lambda directory, *rest: write(Careless(directory, frozenset({skipped})), *rest)

    instead(patch, "lsm.install:write_current", make)


def new_log_without_name(patch: Patch) -> None:
    """The directory is not synced after a rotation has made a log, before what is in it is acknowledged."""

    def make(sync_all: Any) -> Any:
        return lambda core, older, log, *, names: sync_all(core, older, log, names=False)

    instead(patch, "lsm.commit.durability:_sync_all", make)


def recovery_log_without_name(patch: Patch) -> None:
    """The directory is not synced after recovery has made its log."""

    def make(begin: Any) -> Any:
        def wrong(core: Core, *rest: Any, **named: Any) -> None:
            directory: Any = core.directory
            core.directory = Careless(directory, frozenset({0}))
            begin(core, *rest, **named)
            core.directory = directory

        return wrong

    instead(patch, "lsm.opening:_begin_log", make)


def new_directory_without_name(patch: Patch) -> None:
    """The parent is not synced after the directory of a new database was made."""
    while_in(patch, "lsm.opening:open_or_create_directory", SimulatedDirectory, "sync", nothing)


def checkpoint_without_content(patch: Patch) -> None:
    """The logs that a checkpoint copies are not synced."""
    while_in(patch, "lsm.checkpoint:_copy_log", SimulatedFile, "sync", nothing)


def checkpoint_without_name(patch: Patch) -> None:
    """The parent is not synced after a checkpoint got its name."""
    sync = SimulatedDirectory.sync

    def wrong(directory: SimulatedDirectory) -> None:
        if directory.path != "/":
            sync(directory)

    while_in(patch, "lsm.checkpoint:_make", SimulatedDirectory, "sync", wrong)


def older_logs_unsynced(patch: Patch) -> None:
    """A sync covers the live log, but not the logs before it: a hole after a power loss."""

    def make(sync_all: Any) -> Any:
        def wrong(core: Core, older: Sequence[LogWriter], log: LogWriter, *, names: bool) -> None:
            sync_all(core, (), log, names=names)

        return wrong

    instead(patch, "lsm.commit.durability:_sync_all", make)


def acknowledged_too_early(patch: Patch) -> None:
    """Commits are acknowledged as durable without a sync."""
    patch.setattr("lsm.commit.pipeline.make_durable_locked", nothing)


def logs_removed_before_the_switch(patch: Patch) -> None:
    """A flush removes the logs before the manifest that replaces them is live."""

    def make(switch: Any) -> Any:
        def wrong(self: Installer, manifest: Manifest) -> None:
            self._unlink(
                log_name(number) for number in self._logs_before(self.manifest.oldest_log, manifest.oldest_log)
            )
            switch(self, manifest)

        return wrong

    instead(patch, "lsm.install:Installer._switch", make)


def inputs_removed_before_the_switch(patch: Patch) -> None:
    """A compaction removes its inputs before the manifest without them is live."""

    def make(switch: Any) -> Any:
        def wrong(self: Installer, manifest: Manifest) -> None:
            live = {table.number for table in manifest.version.tables()}
            before = self.manifest.version.tables()
            self._unlink(table_name(table.number) for table in before if table.number not in live)
            switch(self, manifest)

        return wrong

    instead(patch, "lsm.install:Installer._switch", make)


def current_in_place(patch: Patch) -> None:
    """CURRENT is written in place, not replaced by a rename."""

    def wrong(directory: Directory, number: int, checksum: int) -> None:
        directory.sync()
        body = f"layerdb current 1\nmanifest {number}\nchecksum {checksum:08x}\n".encode()
        data = lsm.manifest._checked(body)
        file = directory.open(CURRENT, "write")
        file.truncate(0)
        file.write_at(0, data)
        file.sync()

    patch.setattr("lsm.install.write_current", wrong)


def manifest_overwritten(patch: Patch) -> None:
    """There is one manifest, written anew in place, instead of a new file for each version."""

    def make(encode: Any) -> Any:
        def wrong(directory: Directory, manifest: Manifest) -> int:
            names = [name for name in directory.names() if (found := parse_name(name)) and found[0] == "manifest"]
            data: bytes = encode(manifest)
            directory.rename(max(names), manifest_name(manifest.number))
            file = directory.open(manifest_name(manifest.number), "write")
            file.truncate(0)
            file.write_at(0, data)
            file.sync()
            return lsm.manifest.manifest_checksum(data)

        return wrong

    patch.setattr("lsm.install.write_manifest", make(lsm.manifest.encode_manifest))


def trust_in_the_cache(patch: Patch) -> None:
    """Recovery does not sync the logs that it reads before it believes them."""
    patch.setattr("lsm.recovery._sync_all", lambda files: True)


def sync_repeated(patch: Patch) -> None:
    """A sync that fails is repeated, and the second answer is believed."""

    def wrong(core: Core, target: File | Directory) -> None:
        try:
            target.sync()
        except StorageError:
            target.sync()

    patch.setattr("lsm.commit.durability.sync_marked", wrong)


def failed_sync_acknowledged(patch: Patch) -> None:
    """The error of a sync is ignored."""

    def wrong(core: Core, target: File | Directory) -> None:
        try:
            target.sync()
        except StorageError:
            return

    patch.setattr("lsm.commit.durability.sync_marked", wrong)


def healed_in_place(patch: Patch) -> None:
    """After a failed sync the log is written once more in place and synced again."""

    def wrong(core: Core, target: File | Directory) -> None:
        try:
            target.sync()
        except StorageError:
            if isinstance(target, SimulatedFile):
                target.write_at(0, target.read_at(0, target.size()))
            target.sync()

    patch.setattr("lsm.commit.durability.sync_marked", wrong)


def poison_forgotten(patch: Patch) -> None:
    """A failed sync is reported and forgotten: the next write is accepted."""

    def wrong(_: Core, error: StorageError) -> SyncFailedError:
        return SyncFailedError(error.path, error.operation, error.errno, error.reason)

    patch.setattr("lsm.commit.durability.poison", wrong)


def no_dirty_mark(patch: Patch) -> None:
    """Nothing tells the next process that a sync was under way when its writer died."""
    patch.setattr(SharedPage, "set_dirty", nothing)


def no_marks(patch: Patch) -> None:
    """Nothing tells the next process that a sync has failed."""
    patch.setattr(SharedPage, "set_dirty", nothing)
    patch.setattr(SharedPage, "set_poison", nothing)


def doubt_ends_early(patch: Patch) -> None:
    """Recovery from a failed sync takes the mark away before what it replayed is saved in tables."""

    def make(share: Any) -> Any:
        return lambda core, manifest, *, doubtful: share(core, manifest, doubtful=False)

    instead(patch, "lsm.opening:_share", make)
    patch.setattr("lsm.opening.end_doubt", nothing)


def doubtful_logs_promised(patch: Patch) -> None:
    """Recovery from a failed sync promises that the log it read is durable."""

    def make(begin: Any) -> Any:
        return lambda core, replay, *, doubtful: begin(core, replay, doubtful=False)

    instead(patch, "lsm.opening:_begin_log", make)


DEFECTS = [
    Defect("logs are not synced", without_file_sync("Logs are never synced.", ".wal"), "unsynced lost"),
    Defect("tables are not synced", without_file_sync("Tables are never synced.", ".sst"), "unsynced lost"),
    Defect("manifests are not synced", without_file_sync("Manifests are never synced.", "MANIFEST-"), "unsynced lost"),
    Defect(
        "CURRENT is renamed unsynced",
        without_file_sync("The new CURRENT is renamed before its content is synced.", "CURRENT.tmp"),
        "unsynced lost",
    ),
    Defect("directories are not synced", directories_never, "lost names"),
    Defect("no directory sync before the switch", not_before_the_switch, "lost names"),
    Defect("no directory sync after the switch", not_after_the_switch, "lost names"),
    Defect("no directory sync after creating a log", new_log_without_name, "lost names"),
    Defect("no directory sync in recovery", recovery_log_without_name, "lost names"),
    Defect("no sync of the parent of a new database", new_directory_without_name, "lost names", slow=True),
    Defect("no sync of the logs in a checkpoint", checkpoint_without_content, "unsynced lost"),
    Defect("no sync of the parent of a checkpoint", checkpoint_without_name, "lost names"),
    Defect("older logs are not synced with the live one", older_logs_unsynced, "unsynced lost"),
    Defect("acknowledged before the sync", acknowledged_too_early, "unsynced lost"),
    Defect("a log is dropped before the manifest is durable", logs_removed_before_the_switch, "kill"),
    Defect("tables are dropped before the manifest is durable", inputs_removed_before_the_switch, "kill"),
    Defect("CURRENT is written in place", current_in_place, "kill"),
    Defect("the manifest is written in place", manifest_overwritten, "kill"),
    Defect("recovery trusts the cache", trust_in_the_cache, "kill, then power loss"),
    Defect("a failed sync is repeated and believed", sync_repeated, "EIO on sync"),
    Defect("a failed sync is acknowledged", failed_sync_acknowledged, "EIO on sync", slow=True),
    Defect("a log is healed in place after a failed sync", healed_in_place, "EIO on sync", slow=True),
    Defect("a failed sync does not stop writing", poison_forgotten, "EIO on sync", slow=True),
    Defect("no mark while a sync is under way", no_dirty_mark, "failed sync, then kill"),
    Defect("a failed sync is kept from the next process", no_marks, "failed sync, then kill"),
    Defect("doubt ends before tables hold what is doubtful", doubt_ends_early, "failed sync, then kill"),
    Defect("doubtful logs are promised", doubtful_logs_promised, "failed sync, then kill"),
]
