"""Reading pinned snapshots: as file lists for DuckDB, as Arrow for everybody else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import unquote, urlparse

import pyarrow as pa
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from quality_platform.errors import TableNotFoundError
from quality_platform.lake.position import Position


def local_path(uri: str) -> str:
    """What DuckDB opens: a plain path for a `file:` URI, any other URI as it is."""
    parsed = urlparse(uri)
    return unquote(parsed.path) if parsed.scheme == "file" else uri


def snapshot_of(table: Table, ref: str = "main") -> Snapshot | None:
    """The head of a branch or tag; None for `main` of a table that nothing was published to.

    Raises:
        TableNotFoundError: there is no such branch or tag.
    """
    snapshot = table.snapshot_by_name(ref)
    if snapshot is None and ref != "main":
        raise TableNotFoundError(
            f"{'.'.join(table.name())} has no branch or tag {ref!r}", allowed=sorted(table.refs())
        )
    return snapshot


def published_snapshot(table: Table | None) -> Snapshot | None:
    """The head of `main`; None where no load has been published.

    That the table has a snapshot is not enough: a blocked first load leaves an empty one, for its
    branch to start from.
    """
    if table is None or not Position.of(table.properties).attempts:
        return None
    return snapshot_of(table)


def files_of(table: Table, snapshot_id: int | None) -> list[str]:
    """The data files of a snapshot, as paths or URIs that DuckDB and pyarrow open; [] for None."""
    if snapshot_id is None:
        return []
    tasks = table.scan(snapshot_id=snapshot_id).plan_files()
    return [local_path(task.file.file_path) for task in tasks]


def added_files_of(table: Table, snapshot: Snapshot) -> list[str]:
    """The data files that the snapshot itself added, as paths or URIs."""
    manifests = [
        m for m in snapshot.manifests(table.io) if m.added_snapshot_id == snapshot.snapshot_id
    ]
    return [
        local_path(entry.data_file.file_path)
        for manifest in manifests
        for entry in manifest.fetch_manifest_entry(table.io)
        if entry.snapshot_id == snapshot.snapshot_id
    ]


def batches_of(
    table: Table,
    snapshot_id: int | None,
    *,
    columns: Sequence[str] = ("*",),
    row_filter: str = "",
) -> Iterator[pa.RecordBatch]:
    """The rows of a snapshot in batches; nothing for None. `row_filter` is pyiceberg's."""
    if snapshot_id is None:
        return
    scan = table.scan(snapshot_id=snapshot_id, selected_fields=tuple(columns))
    if row_filter:
        scan = scan.filter(row_filter)
    yield from scan.to_arrow_batch_reader()


def rows_of(snapshot: Snapshot | None) -> int:
    """The rows that the snapshot holds, by its own summary; 0 for None."""
    return 0 if snapshot is None else int(summary_of(snapshot).get("total-records", 0))


def summary_of(snapshot: Snapshot) -> dict[str, str]:
    """The snapshot's summary properties."""
    return dict(snapshot.summary.additional_properties) if snapshot.summary else {}
