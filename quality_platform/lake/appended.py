"""What was appended to a table since a snapshot, by the table's own history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation, Snapshot

from quality_platform.errors import Location, SourceChangedError
from quality_platform.lake.commits import MAINTENANCE
from quality_platform.lake.reading import batches_of_tasks, require_columns, summary_of
from quality_platform.lake.storage_errors import reading

_COMPACTION = "compaction"


@dataclass(frozen=True)
class RowsSince:
    """What became of a table's rows from one snapshot to another.

    Attributes:
        since: The first one.
        head: The second one.
        added: The snapshots that appended rows in between, oldest first.
        broken: Why the rows of the one are not among those of the other, or nobody can tell; ""
            where they all are.
    """

    since: int
    head: int
    added: tuple[Snapshot, ...] = ()
    broken: str = ""

    @property
    def is_same(self) -> bool:
        """Whether both hold the same rows."""
        return not self.added and not self.broken


def rows_since(table: Table, head: Snapshot, since: int) -> RowsSince:
    """What became of the rows of the snapshot `since` by the snapshot `head`.

    Snapshots that only put files together are passed over: they hold no other rows. So are those
    that append nothing.
    """
    found: list[Snapshot] = []
    snapshot: Snapshot | None = head
    while snapshot is not None and snapshot.snapshot_id != since:
        if _changes_rows(snapshot):
            broken = f"snapshot {snapshot.snapshot_id} changed or removed rows"
            return RowsSince(since, head.snapshot_id, broken=broken)
        if _adds_rows(snapshot):
            found.append(snapshot)
        parent = snapshot.parent_snapshot_id
        snapshot = None if parent is None else table.snapshot_by_id(parent)
    if snapshot is None:
        broken = f"snapshot {since}, read last, is no longer in its history"
        return RowsSince(since, head.snapshot_id, broken=broken)
    return RowsSince(since, head.snapshot_id, tuple(found[::-1]))


def appended_since(table: Table, head: Snapshot, since: int, where: Location) -> list[Snapshot]:
    """The snapshots that appended rows after `since` and up to `head`, oldest first.

    Raises:
        SourceChangedError: rows were changed or removed meanwhile, or the snapshot is no longer
            among those that led to `head`.
    """
    found = rows_since(table, head, since)
    if found.broken:
        raise _changed(table, where, found.broken)
    return list(found.added)


def appended_batches(
    table: Table, rows: RowsSince, columns: Sequence[str] = ("*",)
) -> Iterator[pa.RecordBatch]:
    """The rows that were appended, in batches, with the table's columns of today.

    Raises:
        TableSchemaError: the table has no such column.
        StorageError: the table's files cannot be read.
    """
    require_columns(table, columns)
    if not rows.added:
        return
    with reading(table):
        scan = table.incremental_append_scan(
            from_snapshot_id_exclusive=rows.since, to_snapshot_id_inclusive=rows.head
        )
        tasks = list(scan.plan_files())
    yield from batches_of_tasks(table, tasks, columns=columns)


def _operation(snapshot: Snapshot) -> Operation | None:
    return snapshot.summary.operation if snapshot.summary else None


def _changes_rows(snapshot: Snapshot) -> bool:
    """Whether rows may be gone; a compaction of the platform's own is an overwrite to pyiceberg."""
    if summary_of(snapshot).get(MAINTENANCE) == _COMPACTION:
        return False
    return _operation(snapshot) not in (Operation.APPEND, Operation.REPLACE)


def _adds_rows(snapshot: Snapshot) -> bool:
    """Whether it appended rows; one that does not count its rows may have."""
    summary = summary_of(snapshot)
    if _operation(snapshot) is not Operation.APPEND:
        return False
    if "added-records" in summary:
        return summary["added-records"] != "0"
    # pyiceberg leaves out what is zero, but for the totals.
    return "added-data-files" in summary or "total-data-files" not in summary


def _changed(table: Table, where: Location, what: str) -> SourceChangedError:
    return SourceChangedError(
        f"what was added to {'.'.join(table.name())} cannot be told: {what}",
        location=where,
        field="load.mode",
        received="append",
        allowed="merge, replace, snapshot",
        action="use another mode, or run it once with --full-refresh",
    )
