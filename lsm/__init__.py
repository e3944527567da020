"""LayerDB's engine: an ordered key-value store in one directory, log-structured, safe for any number of threads.

    import lsm

    with lsm.open("data") as db:
        db.put(b"key", b"value")
        db.get(b"key")
        for key, value in db.scan(prefix=b"k"):
            ...

Start with `open` and `Database`; `Options` says what can be set, `Error` is the root of all exceptions. The command
line is `layerdb`. `lsm/ARCHITECTURE.md` has a map of the modules, and the way of a write and of a read through them.
"""

from lsm.database import Database
from lsm.dump import dump
from lsm.environment import Environment
from lsm.errors import (
    BackgroundError,
    ClosedError,
    CommitOutcomeUnknownError,
    ConflictError,
    CorruptionError,
    DiskFullError,
    Error,
    ForkedError,
    FormatError,
    InvalidArgumentError,
    LockedError,
    MissingFileError,
    NotADatabaseError,
    OptionsMismatchError,
    ReadOnlyError,
    StorageError,
    SyncFailedError,
    TransactionError,
    TransactionTooLargeError,
)
from lsm.iteration import Scan
from lsm.kernel import kernel_name
from lsm.opening import open_database as open  # noqa: A004  # `lsm.open` reads as the built-in does
from lsm.options import Options
from lsm.recovery_report import RecoveryReport
from lsm.repair.job import repair
from lsm.repair.report import Loss, RepairReport
from lsm.snapshot import Snapshot
from lsm.statistics import LevelStatistics, Statistics
from lsm.transaction import Transaction
from lsm.verify import VerificationReport, verify
from lsm.write_batch import WriteBatch

__all__ = [
    "BackgroundError",
    "ClosedError",
    "CommitOutcomeUnknownError",
    "ConflictError",
    "CorruptionError",
    "Database",
    "DiskFullError",
    "Environment",
    "Error",
    "ForkedError",
    "FormatError",
    "InvalidArgumentError",
    "LevelStatistics",
    "LockedError",
    "Loss",
    "MissingFileError",
    "NotADatabaseError",
    "Options",
    "OptionsMismatchError",
    "ReadOnlyError",
    "RecoveryReport",
    "RepairReport",
    "Scan",
    "Snapshot",
    "Statistics",
    "StorageError",
    "SyncFailedError",
    "Transaction",
    "TransactionError",
    "TransactionTooLargeError",
    "VerificationReport",
    "WriteBatch",
    "dump",
    "kernel_name",
    "open",
    "repair",
    "verify",
]
