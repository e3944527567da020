"""Opening a database directory: locks, recovery, and putting the parts of a handle together.

    open the directory -> LOCK -> PRESENCE (alone, or `LockedError`) -> CURRENT and manifest -> replay the logs ->
    fresh log, which fixes where the old ones end, synced with its name -> SHARED rebuilt -> flush what must not stay in
    old logs -> leftovers removed -> maintenance started

Nothing of an earlier incarnation is appended to, changed, truncated or copied. A handle that only reads changes nothing
at all and holds no lock: what it has open stays readable whatever others do.
"""

from __future__ import annotations

from lsm.block_cache import BlockCache
from lsm.commit.durability import end_doubt
from lsm.commit.pipeline import CommitPipeline
from lsm.commit.room import Room
from lsm.commit.rotation import new_identity
from lsm.core import Core
from lsm.creation import check_creatable, create_database, open_or_create_directory
from lsm.database import Database, Parts
from lsm.directory_locks import check_nobody_writes, take_locks
from lsm.environment import Directory, Environment, PathLike, path_text
from lsm.errors import CorruptionError, MissingFileError, NotADatabaseError, OptionsMismatchError, StorageError
from lsm.filenames import CURRENT, SHARED, log_name, next_number
from lsm.history import HistoryLink
from lsm.install import Installer
from lsm.keys import EPOCH_KEY, decode_integer
from lsm.leftovers import remove_leftovers
from lsm.live_manifest import check_is_newest, read_live_manifest
from lsm.maintenance import Maintenance
from lsm.manifest import Manifest
from lsm.options import Options
from lsm.posix import PosixEnvironment
from lsm.recovery import Replay, replay_logs
from lsm.recovery_report import RecoveryReport
from lsm.shared_page import OldPage, Record, create_page, mark_doubtful, read_old_page, read_promise
from lsm.state import State
from lsm.tables import TableSet, open_tables
from lsm.write_ahead_log.header import LOG_HEADER_BYTES, LogHeader
from lsm.write_ahead_log.writer import create_log

_MOST_LOGS = 16
"""With more logs than this to replay, everything is flushed at opening."""


def open_database(
    path: str | PathLike,
    options: Options | None = None,
    *,
    read_only: bool = False,
    environment: Environment | None = None,
) -> Database:
    """Open, or make, the database in the directory `path`.

    Args:
        path: the directory. It belongs to the database alone.
        options: how it behaves; None means all defaults.
        read_only: only read, change nothing on disk and hold no lock. The directory must hold a database that no
            other handle has open for writing; the handle shows it as it is now.
        environment: the outside world; None means the real one. For tests, see `lsm.testing`.

    Returns:
        A handle, usable by any number of threads and as a context manager.

    Raises:
        LockedError: another handle has it open for writing.
        NotADatabaseError: there is none, and none may be created (or, with `error_if_exists`, there is one).
        CorruptionError: files are damaged or missing; FormatError: a newer release wrote them.
        OptionsMismatchError: an option that is fixed on disk differs.
        StorageError: the operating system refused a call.

    Cost: one read of the manifest and the logs, about 0.5 µs a change in the logs, and some syncs.
    """
    chosen = Options() if options is None else options
    world: Environment = PosixEnvironment() if environment is None else environment
    absolute = world.filesystem.absolute(path_text(path))
    return _open_to_read(world, absolute, chosen) if read_only else _open_to_write(world, absolute, chosen)


def _open_to_write(environment: Environment, path: str, options: Options) -> Database:
    directory = open_or_create_directory(environment, path, options)
    locks = None
    try:
        _check_before_anything_is_made(directory, options)
        locks = take_locks(environment, directory)
        parts = _recover(environment, directory, options)
        parts.core.locks = locks
        locks.opened()
        database = Database(parts)
    except BaseException:
        if locks is not None:
            locks.close()
        directory.close()
        raise
    database.start()
    return database


def _check_before_anything_is_made(directory: Directory, options: Options) -> None:
    """Refuse a directory in which no database may be made before the first file is put in it, lock files included."""
    names = directory.names()
    if CURRENT not in names:
        check_creatable(directory, names, options)


def _recover(environment: Environment, directory: Directory, options: Options) -> Parts:
    """Bring the directory, which is ours alone, into a state that takes writes."""
    names = directory.names()
    old_page = _old_page(environment, directory, names)
    manifest, created = _manifest(environment, directory, names, options, old_page.next_file_number)
    core = _new_core(environment, directory, options, read_only=False)
    core.incarnation = new_identity(core)
    replay = _replay(core, manifest, sync=True)
    core.next_file_number = _next_number(directory.path, names, manifest, old_page)
    doubtful = old_page.interrupted or replay.sync_failed
    _begin_log(core, replay, doubtful=doubtful)
    _share(core, manifest, doubtful=doubtful)
    parts = _assemble(core, manifest)
    if doubtful or _is_much(core, replay):
        parts.maintenance.flush_sealed()
    if doubtful:
        end_doubt(core)
    removed = remove_leftovers(core, parts.installer.manifest)
    parts.report = _report(core, replay, created=created, interrupted=doubtful, removed=removed)
    return parts


def _new_core(environment: Environment, directory: Directory, options: Options, *, read_only: bool) -> Core:
    cache = BlockCache(options.cache_bytes(0), environment.lock())
    return Core(environment, directory, options, cache, read_only=read_only)


def _open_to_read(environment: Environment, path: str, options: Options) -> Database:
    try:
        directory = environment.filesystem.open_directory(path)
    except MissingFileError:
        raise NotADatabaseError(path, "there is no such directory") from None
    try:
        check_nobody_writes(directory)
        manifest = _existing_manifest(directory)
        core = _new_core(environment, directory, options, read_only=True)
        core.manifest_number = manifest.number
        replay = _replay(core, manifest, sync=False)
        core.logs = {log.writer.number: log.writer for log in replay.logs}
        parts = _assemble(core, manifest)
        parts.report = _report(core, replay, created=False, interrupted=False, removed=())
    except BaseException:
        directory.close()
        raise
    return Database(parts)


def _existing_manifest(directory: Directory) -> Manifest:
    manifest = read_live_manifest(directory)
    if manifest is None:
        raise NotADatabaseError(directory.path, "there is no database in this directory")
    return manifest


def _old_page(environment: Environment, directory: Directory, names: list[str]) -> OldPage:
    """Return what the page of the incarnation before says, and mark it until this recovery has written its own.

    A sync that fails in here, or whose failure nobody hears of because the process dies, must not be believed to have
    succeeded by the next recovery.
    """
    if SHARED not in names and CURRENT not in names:
        return OldPage(interrupted=False, next_file_number=1)
    file = directory.open(SHARED, "write" if SHARED in names else "create")
    try:
        page = read_old_page(environment, file)
        mark_doubtful(environment, file)
        return page
    finally:
        file.close()


def _manifest(
    environment: Environment, directory: Directory, names: list[str], options: Options, next_file_number: int
) -> tuple[Manifest, bool]:
    """Return the live manifest, and whether the database was made just now."""
    if CURRENT not in names:
        check_creatable(directory, names, options)
        return create_database(environment, directory, names, options, next_file_number=next_file_number), True
    if options.error_if_exists:
        raise NotADatabaseError(directory.path, "there is a database already, and error_if_exists was given")
    manifest = _existing_manifest(directory)
    if manifest.level_count != options.level_count:
        raise OptionsMismatchError(directory.path, "level_count", manifest.level_count, options.level_count)
    return manifest, False


def _replay(core: Core, manifest: Manifest, *, sync: bool) -> Replay:
    """Replay the logs and set the view: the newest log's memtable is active, the others are sealed."""
    salvage = core.options.recovery == "salvage"
    promise = read_promise(core.directory)
    if not salvage:
        check_is_newest(core.directory, manifest, promise.manifest_number)
    tables = _open_tables(core, manifest)
    replay = replay_logs(
        core.directory,
        manifest.oldest_log,
        core.new_memtable,
        last_sequence=manifest.version.last_sequence,
        promised=promise.durable,
        salvage=salvage,
        sync=sync,
    )
    state = State(replay.logs[0].memtable, (), tables)
    for log in replay.logs[1:]:
        state = state.rotated(log.memtable)
    sequence = replay.logs[-1].writer.last_sequence
    core.view = (state, sequence)
    core.history = HistoryLink(state.active)
    core.epochs = ((sequence, decode_integer(state.get(EPOCH_KEY, sequence))),)
    return replay


def _open_tables(core: Core, manifest: Manifest) -> TableSet:
    """Open the tables that the manifest names; nobody else is there who could have removed one."""
    try:
        return open_tables(core.directory, manifest.version, core.cache)
    except MissingFileError as missing:
        raise CorruptionError(missing.path, 0, "the manifest names this table, but it is missing") from missing


def _next_number(path: str, names: list[str], manifest: Manifest, old_page: OldPage) -> int:
    """Return a file number above every one that was ever given out."""
    return max(next_number(path, names), manifest.next_file_number, old_page.next_file_number)


def _begin_log(core: Core, replay: Replay, *, doubtful: bool) -> None:
    """Make the log of this incarnation; its header fixes where the old ones end. Durable when this returns.

    doubtful: what was replayed may not be on the disk, whatever its sync says; nothing is promised about it.
    """
    state, sequence = core.view
    last = replay.logs[-1].writer
    number = core.next_file_number
    core.next_file_number += 1
    header = LogHeader(
        identity=new_identity(core),
        incarnation=core.incarnation,
        number=number,
        predecessor_number=last.number,
        predecessor_identity=last.identity,
        predecessor_end=last.end,
        predecessor_last_sequence=last.last_sequence,
        predecessor_entry_count=last.entry_count,
        predecessor_durable=not doubtful,
    )
    log = create_log(core.directory, header)
    try:
        log.file.sync()
        core.directory.sync()
    except StorageError:
        core.directory.unlink(log_name(number))
        raise
    log.durable_end = LOG_HEADER_BYTES
    core.logs = {entry.writer.number: entry.writer for entry in replay.logs}
    core.logs[number] = log
    core.first_log = number
    core.durable = (0, 0) if doubtful else (number, LOG_HEADER_BYTES)
    core.view = (state.rotated(core.new_memtable(number)), sequence)
    core.history = HistoryLink(core.view[0].active)


def _share(core: Core, manifest: Manifest, *, doubtful: bool) -> None:
    """Rebuild SHARED in place and map it.

    When what was replayed is doubtful, the dirty mark stays until it is saved in tables (`end_doubt`): a recovery after
    a kill in between must know.
    """
    core.doubts = int(doubtful)
    core.manifest_number = manifest.number
    names = core.directory.names()
    file = core.directory.open(SHARED, "write" if SHARED in names else "create")
    log = core.live_log
    record = Record(
        core.incarnation,
        manifest.number,
        log.number,
        log.end,
        log.end,
        *core.durable,
        core.view[1],
        core.next_file_number,
    )
    core.page = create_page(core.environment, file, record, dirty=doubtful)


def _assemble(core: Core, manifest: Manifest) -> Parts:
    installer = Installer(core, manifest)
    maintenance = Maintenance(core, installer)
    room = Room(core, maintenance.relieve)
    return Parts(core, installer, maintenance, room, CommitPipeline(core, room), reopen)


def _is_much(core: Core, replay: Replay) -> bool:
    """Whether what was replayed is better flushed now than replayed once more at the next opening."""
    size_bytes = sum(log.memtable.size_bytes for log in replay.logs)
    return size_bytes >= core.options.active_memtable_bytes // 2 or len(replay.logs) > _MOST_LOGS


def _report(
    core: Core, replay: Replay, *, created: bool, interrupted: bool, removed: tuple[str, ...]
) -> RecoveryReport:
    broken = replay.broken
    return RecoveryReport(
        created=created,
        interrupted=interrupted,
        logs=tuple(log.writer.file.path.rpartition("/")[2] for log in replay.logs if log.frame_count),
        frames=sum(log.frame_count for log in replay.logs),
        entries=sum(log.writer.entry_count for log in replay.logs),
        dropped_bytes=0 if broken is None else broken.dropped_bytes,
        dropped_at=None if broken is None else (broken.name, broken.offset),
        dropped_reason="" if broken is None else broken.reason,
        salvaged=broken is not None and broken.promised,
        files_removed=removed,
        last_sequence=core.view[1],
    )


def reopen(path: str, options: Options, read_only: bool) -> Database:
    """Open a pickled handle's directory in this process."""
    return open_database(path, options, read_only=read_only)
