"""What was appended to a table since a snapshot, by the table's own history."""

from __future__ import annotations

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation, Snapshot

from quality_platform.errors import Location, SourceChangedError


def appended_since(table: Table, head: Snapshot, since: int, where: Location) -> list[Snapshot]:
    """The snapshots that appended rows after `since` and up to `head`, oldest first.

    Those that only put files together are passed over: they hold no other rows.

    Raises:
        SourceChangedError: rows were changed or removed meanwhile, or the snapshot is no longer
            among those that led to `head`.
    """
    found: list[Snapshot] = []
    snapshot: Snapshot | None = head
    while snapshot is not None and snapshot.snapshot_id != since:
        operation = snapshot.summary.operation if snapshot.summary else None
        if operation not in (Operation.APPEND, Operation.REPLACE):
            raise _changed(table, where, f"snapshot {snapshot.snapshot_id} changed or removed rows")
        if operation is Operation.APPEND:
            found.append(snapshot)
        parent = snapshot.parent_snapshot_id
        snapshot = None if parent is None else table.snapshot_by_id(parent)
    if snapshot is None:
        raise _changed(table, where, f"snapshot {since}, read last, is no longer in its history")
    return found[::-1]


def _changed(table: Table, where: Location, what: str) -> SourceChangedError:
    return SourceChangedError(
        f"what was added to {'.'.join(table.name())} cannot be told: {what}",
        location=where,
        field="load.mode",
        received="append",
        allowed="merge, replace, snapshot",
        action="use another mode, or run it once with --full-refresh",
    )
