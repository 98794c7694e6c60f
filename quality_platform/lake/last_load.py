"""What the last load added to a table, by the table's own history."""

from __future__ import annotations

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from quality_platform.errors import TableNotFoundError
from quality_platform.lake.commits import KIND, LOAD_ID
from quality_platform.lake.reading import added_files_of, files_of, summary_of
from quality_platform.lake.table_files import TableFiles


def files_of_last_load(table: Table, head: Snapshot) -> tuple[Snapshot, TableFiles]:
    """The snapshot of the last load up to `head`, and the files that it added.

    Upkeep, replays and releases are passed over: they are no loads.

    Raises:
        TableNotFoundError: upkeep has removed the snapshot of the last load.
    """
    snapshot: Snapshot | None = head
    while snapshot is not None and not _is_load(snapshot):
        parent = snapshot.parent_snapshot_id
        snapshot = None if parent is None else table.snapshot_by_id(parent)
    if snapshot is None:
        raise TableNotFoundError(
            f"what the last load added to {'.'.join(table.name())} cannot be told any more",
            received="its snapshot has been removed",
            action="load again, or raise maintenance.keep_snapshots",
        )
    files = files_of(table, snapshot.snapshot_id)
    return snapshot, files.only(added_files_of(table, snapshot))


def _is_load(snapshot: Snapshot) -> bool:
    summary = summary_of(snapshot)
    return LOAD_ID in summary and KIND not in summary
