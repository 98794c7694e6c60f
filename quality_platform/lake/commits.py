"""Commits: the moments at which staged files become readable, with the position beside them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.exceptions import ValidationException
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.table.update.snapshot import UpdateSnapshot

from quality_platform.errors import AccountingError, ConcurrentLoadError
from quality_platform.lake.catalog import Lake, translated
from quality_platform.lake.data_files import StagedFile
from quality_platform.lake.file_entries import data_file_of
from quality_platform.lake.merging import Rewritten
from quality_platform.lake.position import PROPERTY, Position
from quality_platform.lake.position_history import replayed_attempts, undo_summary
from quality_platform.lake.reading import summary_of, tasks_of

LOAD_ID = "quality-platform.load-id"
ATTEMPT = "quality-platform.attempt"
ROWS_READ = "quality-platform.rows-read"
ROWS_QUARANTINED = "quality-platform.rows-quarantined"
KIND = "quality-platform.kind"
"""Summary property of what was done to quarantined rows: `replay`, `release` or `discard`."""

MAINTENANCE = "quality-platform.maintenance"
"""Summary property of snapshots that upkeep made: `compaction`, `retention` or `purge`."""

COMPACTED = "compacted"
"""What the names of data files begin with that hold the rows of several attempts."""


def publish(
    lake: Lake,
    table: Table,
    files: Sequence[StagedFile],
    position: Position,
    summary: Mapping[str, str],
    *,
    replace: bool | Collection[str] = False,
) -> Snapshot:
    """Makes the files the newest of `main`, together with the position; returns the snapshot.

    Compare-and-swap on `main` as `table` saw it; snapshots that upkeep made since then are no
    obstacle. With `replace`, the files take the place of all that `main` held, or of the data
    files of these URIs.

    Raises:
        ConcurrentLoadError: `main` has moved since `table` was loaded; nothing was committed.
    """
    told = {**summary, **undo_summary(Position.of(table.properties), position)}
    while True:
        seen = (table.metadata.current_snapshot_id, table.properties.get(PROPERTY))
        try:
            with translated(lake), table.transaction() as transaction:
                transaction.set_properties(position.as_properties())
                update = transaction.update_snapshot(snapshot_properties=told)
                gone = _replaced(table, replace)
                _apply(update, table, files, gone)
            return _head(table)
        except ConcurrentLoadError:
            if not _only_maintained_since(lake, table, *seen):
                raise


def _only_maintained_since(
    lake: Lake, table: Table, snapshot_id: int | None, position: str | None
) -> bool:
    """Looks at the table again: whether all that has happened since is upkeep, but something has.

    Upkeep changes neither what was loaded nor, but for rows that are too old, the rows.
    """
    with translated(lake):
        table.refresh()
    newer = table.current_snapshot()
    moved = newer is not None and newer.snapshot_id != snapshot_id
    while newer is not None and newer.snapshot_id != snapshot_id:
        if MAINTENANCE not in summary_of(newer):
            return False
        newer = table.snapshot_by_id(newer.parent_snapshot_id or -1)
    return newer is not None and moved and table.properties.get(PROPERTY) == position


def swap(
    lake: Lake,
    table: Table,
    removed: Sequence[DataFile],
    added: Sequence[StagedFile],
    summary: Mapping[str, str],
) -> Snapshot:
    """Puts files in the place of others; the position stays as it is. Returns the snapshot.

    What was committed meanwhile is no obstacle as long as the removed files are still there, and
    the table's columns and layout are the same.

    Raises:
        ConcurrentLoadError: they are not; nothing was committed.
    """
    shape = _shape(table)
    while True:
        seen = table.metadata_location
        try:
            with translated(lake), table.transaction() as transaction:
                update = transaction.update_snapshot(snapshot_properties=dict(summary))
                _apply(update, table, added, removed)
            return _head(table)
        except (ConcurrentLoadError, ValidationException) as error:
            with translated(lake):
                table.refresh()
            gone = {file.file_path for file in removed} - {f.file_path for f in _live_files(table)}
            if gone or _shape(table) != shape or table.metadata_location == seen:
                raise ConcurrentLoadError(
                    "another run changed the same files meanwhile; nothing of this one was done",
                    action="try again later",
                ) from error


def _shape(table: Table) -> tuple[int, int, int]:
    metadata = table.metadata
    return (
        metadata.current_schema_id,
        metadata.default_spec_id,
        metadata.default_sort_order_id,
    )


def append(
    lake: Lake, table: Table, files: Sequence[StagedFile], summary: Mapping[str, str]
) -> Snapshot:
    """Adds the files to `main`; returns the snapshot.

    Snapshots that upkeep made since `table` was loaded are no obstacle.

    Raises:
        ConcurrentLoadError: `main` has moved since `table` was loaded; nothing was committed.
    """
    while True:
        seen = (table.metadata.current_snapshot_id, table.properties.get(PROPERTY))
        try:
            with translated(lake), table.transaction() as transaction:
                update = transaction.update_snapshot(snapshot_properties=dict(summary))
                _apply(update, table, files, ())
            return _head(table)
        except ConcurrentLoadError:
            if not _only_maintained_since(lake, table, *seen):
                raise


def stage_on_branch(
    lake: Lake,
    table: Table,
    branch: str,
    files: Sequence[StagedFile],
    summary: Mapping[str, str],
    *,
    replace: bool | Collection[str] = False,
) -> int:
    """Puts the files on a branch that starts at `main`, for inspection; returns the snapshot id.

    The branch holds what `main` would have held had the files been published; `replace` is as in
    `publish`. A branch of the same name is replaced.

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
            gone = _replaced(table, replace)
            _apply(update, table, files, gone)
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


def must_drop_attempts(table: Table, quarantine: Table) -> bool:
    """Whether the quarantine holds rows of attempts that do not count, and cannot again."""
    committed = Position.of(table.properties).attempts
    # What can come back is looked for only where there is something to remove.
    return has_uncommitted_attempts(quarantine, committed) and has_uncommitted_attempts(
        quarantine, {*committed, *replayed_attempts(table)}
    )


def drop_uncommitted_attempts(lake: Lake, table: Table, quarantine: Table) -> int:
    """Removes the files of attempts that never reached `table`; returns their rows.

    Files of attempts that a replay has taken the place of stay while a rollback can need them.
    The quarantine is committed first and main second: an attempt that main does not know died in
    between, and its rows do not count. Main gets an empty snapshot before anything is removed, so
    that an attempt that is still alive fails its compare-and-swap and starts over.

    Raises:
        ConcurrentLoadError: `table` has moved since it was loaded; nothing was removed.
    """
    publish(lake, table, (), Position.of(table.properties), {})
    committed = {*Position.of(table.properties).attempts, *replayed_attempts(table)}
    stale = _uncommitted(quarantine, committed)
    if not stale:
        return 0
    with translated(lake), quarantine.transaction() as transaction:
        _apply(transaction.update_snapshot(), quarantine, (), stale)
    return sum(file.record_count for file in stale)


def _uncommitted(quarantine: Table, committed: Collection[str]) -> list[DataFile]:
    """Files of one attempt that is not committed.

    All attempts of a file that was put together were committed once: what a rollback has undone
    since then is told by the rows (`of_attempts`).
    """
    return [
        file
        for file in _live_files(quarantine)
        if not is_compacted(file.file_path) and attempt_of(file.file_path) not in committed
    ]


def is_compacted(uri: str) -> bool:
    """Whether a data file may hold rows of several attempts."""
    return uri.rpartition("/")[2].startswith(f"{COMPACTED}-")


def attempt_of(uri: str) -> str:
    """The attempt that wrote a data file: its name is `<load id>-<attempt>-<number>.parquet`."""
    parts = uri.rpartition("/")[2].split("-")
    return parts[1] if len(parts) > 2 else ""


def of_attempts(batch: pa.RecordBatch, committed: Collection[str]) -> pa.RecordBatch:
    """The rows of a quarantine batch (with its column `_attempt`) whose attempt was committed."""
    known = pc.is_in(batch.column("_attempt"), value_set=pa.array(list(committed), pa.string()))
    return batch.filter(known)


def row_counts(counts: Mapping[str, int]) -> dict[str, str]:
    """Summary properties that tell what became of rows, by a word for each; none for zero."""
    return {f"quality-platform.rows-{word}": str(n) for word, n in counts.items() if n}


def assert_accounted(
    rows_read: int,
    published: Snapshot | None,
    quarantined: Snapshot | None,
    rewrite: Rewritten | None = None,
) -> None:
    """Checks by the snapshots' own counts that every row read is in exactly one of the two.

    `rows_read` are the rows that must be; `rewrite` what the published snapshot wrote anew.

    Raises:
        AccountingError: the counts differ.
    """
    main, held = _added_records(published), _added_records(quarantined)
    kept, removed = (rewrite.kept, rewrite.rows) if rewrite else (0, 0)
    if rows_read != main - kept + held:
        raise AccountingError(
            f"{rows_read} rows were read, but {main - kept} published and {held} quarantined",
            action="keep the run's logs and report this: it is a defect of the platform",
        )
    gone = int(summary_of(published).get("deleted-records", 0)) if published else 0
    if removed and removed != gone:
        raise AccountingError(
            f"{removed} rows were written anew or removed, but {gone} are gone",
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
        producer.append_data_file(data_file_of(table, staged))
    producer.commit()


def _replaced(table: Table, replace: bool | Collection[str]) -> list[DataFile]:
    """All data files of `main`, none, or those with these URIs.

    Raises:
        ConcurrentLoadError: one is gone: upkeep has put others in its place.
    """
    if isinstance(replace, bool):
        return _live_files(table) if replace else []
    wanted = set(replace)
    found = [file for file in _live_files(table) if file.file_path in wanted] if wanted else []
    if len(found) != len(wanted):
        raise ConcurrentLoadError(
            "upkeep of the table changed the same files meanwhile; nothing of this was published",
            action="run it again: it starts from the new files",
        )
    return found


def _live_files(table: Table) -> list[DataFile]:
    return [task.file for task in tasks_of(table)] if table.current_snapshot() else []


def _head(table: Table) -> Snapshot:
    snapshot = table.current_snapshot()
    assert snapshot is not None
    return snapshot


def _ensure_head(table: Table) -> None:
    """A table that nothing was published to has no snapshot for a branch to start from."""
    if table.current_snapshot() is None:
        with table.transaction() as transaction:
            transaction.update_snapshot().fast_append().commit()
