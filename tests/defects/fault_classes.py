"""All fault classes by name."""

from __future__ import annotations

from tests.defects import (
    call_faults,
    damage_faults,
    disk_faults,
    document_faults,
    interruption_faults,
    meeting_faults,
    order_faults,
)
from tests.defects.disk_faults import of_class
from tests.defects.fault_class import FaultClass

FAULT_CLASSES = {
    fault_class.name: fault_class
    for fault_class in (
        FaultClass(
            "unsynced lost",
            "power loss; all that was not synced is gone",
            of_class(disk_faults.nothing, verify_every=1),
        ),
        FaultClass("reordered writes", "power loss; single writes are lost or kept", of_class(disk_faults.reordered)),
        FaultClass("lost names", "power loss; names in directories are lost or kept", of_class(disk_faults.lost_names)),
        FaultClass("torn writes", "power loss; a write is cut at sectors and bytes", of_class(disk_faults.torn)),
        FaultClass(
            "length without content", "power loss; zeros or garbage in a write's place", of_class(disk_faults.lengths)
        ),
        FaultClass("kill", "the process is killed, the machine goes on", disk_faults.kill),
        FaultClass("kill, then power loss", "a recovery between two crashes", disk_faults.kill_then_power_loss),
        FaultClass("crash in recovery", "a recovery cut off at each of its calls", disk_faults.crash_in_recovery),
        FaultClass(
            "failed sync, then kill",
            "a failed sync, of which nobody heard or somebody",
            disk_faults.failed_sync_then_kill,
        ),
        FaultClass("EIO on read", "a read fails, once or until it heals", call_faults.reads_fail),
        FaultClass("EIO on write", "a write fails, as a whole or after some bytes", call_faults.writes_fail),
        FaultClass("EIO on sync", "a sync fails and its pages are dropped", call_faults.syncs_fail),
        FaultClass(
            "disk full for a while", "writes fail with ENOSPC until there is space again", call_faults.disk_full
        ),
        FaultClass("short writes", "a write takes only some bytes", call_faults.short_writes),
        FaultClass("too many open files", "a file cannot be opened: EMFILE", call_faults.too_many_files),
        FaultClass("bits at rest", "a bit of a file is another one", damage_faults.bits_at_rest),
        FaultClass("exchanged files", "files and blocks of others in the place of ours", damage_faults.exchanged_files),
        FaultClass("impossible lengths", "lengths of 4 GiB", damage_faults.impossible_lengths),
        FaultClass("two owners", "handles opened and closed in every order", damage_faults.two_owners),
        FaultClass("exceptions", "Ctrl-C between any two steps", interruption_faults.interruptions),
        FaultClass(
            "meetings", "an operation between any two steps of another", meeting_faults.meetings(meeting_faults.SHORT)
        ),
        FaultClass(
            "meetings of maintenance",
            "the same beside scans, flushes and compactions",
            meeting_faults.meetings(meeting_faults.LONG),
        ),
        FaultClass("histories", "random flushes and compactions of one tree", order_faults.histories),
        FaultClass("option sets", "the same operations in many ways", order_faults.option_sets),
        FaultClass("crashes of documents", "rows, entries and references after a crash", document_faults.crashes),
        FaultClass(
            "builds of indexes", "an index build is cut off and gone on with", document_faults.interrupted_builds
        ),
        FaultClass("meetings of documents", "a call between any two steps of another", document_faults.meetings),
    )
}
