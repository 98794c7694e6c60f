"""Commits: the moments at which staged files become readable, with the position beside them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.io.pyarrow import parquet_file_to_data_file
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.table.update.snapshot import UpdateSnapshot

from quality_platform.errors import AccountingError
from quality_platform.lake.catalog import Lake, translated
from quality_platform.lake.data_files import StagedFile
from quality_platform.lake.position import Position
from quality_platform.lake.reading import summary_of

LOAD_ID = "quality-platform.load-id"
ATTEMPT = "quality-platform.attempt"
ROWS_READ = "quality-platform.rows-read"
ROWS_QUARANTINED = "quality-platform.rows-quarantined"


def publish(
    lake: Lake,
    table: Table,
    files: Sequence[StagedFile],
    position: Position,
    summary: Mapping[str, str],
    *,
    replace: bool = False,
) -> Snapshot:
    """Makes the files the newest of `main`, together with the position; returns the snapshot.

    Compare-and-swap on `main` as `table` saw it. With `replace`, the files take the place of all
    that `main` held.

    Raises:
        ConcurrentLoadError: `main` has moved since `table` was loaded; nothing was committed.
    """
    with translated(lake), table.transaction() as transaction:
        transaction.set_properties(position.as_properties())
        update = transaction.update_snapshot(snapshot_properties=dict(summary))
        _apply(update, table, files, _live_files(table) if replace else ())
    return _head(table)


def append(
    lake: Lake, table: Table, files: Sequence[StagedFile], summary: Mapping[str, str]
) -> Snapshot:
    """Adds the files to `main`; returns the snapshot.

    Raises:
        ConcurrentLoadError: `main` has moved since `table` was loaded; nothing was committed.
    """
    with translated(lake), table.transaction() as transaction:
        _apply(transaction.update_snapshot(snapshot_properties=dict(summary)), table, files, ())
    return _head(table)


def stage_on_branch(
    lake: Lake,
    table: Table,
    branch: str,
    files: Sequence[StagedFile],
    summary: Mapping[str, str],
    *,
    replace: bool = False,
) -> int:
    """Puts the files on a branch that starts at `main`, for inspection; returns the snapshot id.

    The branch holds what `main` would have held had the files been published, with `replace` in
    place of all that it holds now. A branch of the same name is replaced.

    Raises:
        ConcurrentLoadError: another run committed to the table at the same moment.
    """
    with translated(lake):
        _ensure_head(table)
        if branch in table.refs():
            table.manage_snapshots().remove_branch(branch).commit()
        # Without an explicit branch point the first snapshot on it would have no parent.
        table.manage_snapshots().create_branch(_head(table).snapshot_id, branch).commit()
        with table.transaction() as transaction:
            update = transaction.update_snapshot(branch=branch, snapshot_properties=dict(summary))
            _apply(update, table, files, _live_files(table) if replace else ())
    head = table.snapshot_by_name(branch)
    assert head is not None
    return int(head.snapshot_id)


def remove_branch(lake: Lake, table: Table, branch: str) -> None:
    """Removes the branch where there is one."""
    if branch in table.refs():
        with translated(lake):
            table.manage_snapshots().remove_branch(branch).commit()


def has_uncommitted_attempts(quarantine: Table, committed: Collection[str]) -> bool:
    """Whether the quarantine holds rows of attempts that never reached their main table."""
    return bool(_uncommitted(quarantine, committed))


def drop_uncommitted_attempts(lake: Lake, table: Table, quarantine: Table) -> int:
    """Removes the files of attempts that never reached `table`; returns their rows.

    The quarantine is committed first and main second: an attempt that main does not know died in
    between, and its rows do not count. Main gets an empty snapshot before anything is removed, so
    that an attempt that is still alive fails its compare-and-swap and starts over.

    Raises:
        ConcurrentLoadError: `table` has moved since it was loaded; nothing was removed.
    """
    publish(lake, table, (), Position.of(table.properties), {})
    committed = Position.of(table.properties).attempts
    stale = _uncommitted(quarantine, committed)
    if not stale:
        return 0
    with translated(lake), quarantine.transaction() as transaction:
        _apply(transaction.update_snapshot(), quarantine, (), stale)
    return sum(file.record_count for file in stale)


def _uncommitted(quarantine: Table, committed: Collection[str]) -> list[DataFile]:
    return [f for f in _live_files(quarantine) if attempt_of(f.file_path) not in committed]


def attempt_of(uri: str) -> str:
    """The attempt that wrote a data file: its name is `<load id>-<attempt>-<number>.parquet`."""
    parts = uri.rpartition("/")[2].split("-")
    return parts[1] if len(parts) > 2 else ""


def of_attempts(batch: pa.RecordBatch, committed: Collection[str]) -> pa.RecordBatch:
    """The rows of a quarantine batch (with its column `_attempt`) whose attempt was committed."""
    known = pc.is_in(batch.column("_attempt"), value_set=pa.array(list(committed), pa.string()))
    return batch.filter(known)


def assert_accounted(
    rows_read: int, published: Snapshot | None, quarantined: Snapshot | None
) -> None:
    """Checks by the snapshots' own counts that every row read is in exactly one of the two.

    Raises:
        AccountingError: the counts differ.
    """
    main, held = _added_records(published), _added_records(quarantined)
    if rows_read != main + held:
        raise AccountingError(
            f"{rows_read} rows were read, but {main} published and {held} quarantined",
            action="keep the run's logs and report this: it is a defect of the platform",
        )


def _added_records(snapshot: Snapshot | None) -> int:
    return 0 if snapshot is None else int(summary_of(snapshot).get("added-records", 0))


def _apply(
    update: UpdateSnapshot,
    table: Table,
    added: Iterable[StagedFile],
    removed: Iterable[DataFile],
) -> None:
    gone = list(removed)
    producer = update.overwrite() if gone else update.fast_append()
    for data_file in gone:
        producer.delete_data_file(data_file)
    for staged in added:
        producer.append_data_file(parquet_file_to_data_file(table.io, table.metadata, staged.uri))
    producer.commit()


def _live_files(table: Table) -> list[DataFile]:
    return [task.file for task in table.scan().plan_files()] if table.current_snapshot() else []


def _head(table: Table) -> Snapshot:
    snapshot = table.current_snapshot()
    assert snapshot is not None
    return snapshot


def _ensure_head(table: Table) -> None:
    """A table that nothing was published to has no snapshot for a branch to start from."""
    if table.current_snapshot() is None:
        with table.transaction() as transaction:
            transaction.update_snapshot().fast_append().commit()
