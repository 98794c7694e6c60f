"""Deleting rows that are too old: from the table, and from every snapshot that still holds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFile
from pyiceberg.types import DateType, PrimitiveType

from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.maintenance.expiry import Expiry, expire, seen_since
from quality_platform.lake.maintenance.references import ManifestReader
from quality_platform.lake.maintenance.removal import FoundRows, Writing, holding, remove_rows
from quality_platform.lake.maintenance.rewriting import rows_of_file

_DAY = 86_400 * 10**6
_INSTANT = pa.timestamp("us")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class RetentionRule:
    """Rows are too old whose first value among `columns` is before this moment.

    The columns are dates or timestamps; a date begins at midnight, and times without a zone are
    UTC. A row without any value is kept.
    """

    columns: tuple[str, ...]
    before: datetime

    @property
    def limit(self) -> int:
        """The moment in microseconds since 1970."""
        return (self.before - _EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True)
class Retention:
    """What was deleted, or would be: rows, files, and what held them in the table's history.

    `files_dropped` had old rows only, `files_rewritten` others too. `refs` are branches and tags
    that held old rows, and are gone. `waiting` are snapshots that hold such rows still, because
    somebody may be reading them.
    """

    rows: int = 0
    files_dropped: int = 0
    files_rewritten: int = 0
    refs: tuple[str, ...] = ()
    history: Expiry = field(default_factory=Expiry)
    waiting: tuple[int, ...] = ()
    snapshot_id: int | None = None


@dataclass(frozen=True)
class RetentionSettings:
    """How rows are deleted.

    Snapshots that readers of `main` saw since `in_use_since` are left alone: a load that is under
    way reads them. They are for the next time.
    """

    in_use_since: datetime
    writing: Writing


def delete_old_rows(
    lake: Lake,
    table: Table,
    rules: Sequence[RetentionRule],
    settings: RetentionSettings,
    *,
    dry_run: bool = False,
) -> Retention:
    """Deletes the rows that are too old by any rule, in one snapshot, and all older copies of them.

    Only files that hold such rows are touched; the others are told by their statistics. Then every
    snapshot that holds such rows is removed with its branches and tags, and their files deleted.

    Raises:
        ConcurrentLoadError: another run changed the same files, or moved a branch, meanwhile.
        StorageError: the warehouse cannot be read or written.
        AccountingError: the files written would not have had the right rows; nothing was done.
    """
    finder = _OldRows(table, tuple(rules))
    live = ManifestReader(table).data_files(table.current_snapshot())
    found = FoundRows.of(finder, (entry.file for entry in live))
    snapshot_id = None
    if found.rows and not dry_run:
        snapshot_id = remove_rows(lake, table, finder, found, settings.writing, "retention")
        table = lake.table(".".join(table.name()))
        finder = _OldRows(table, tuple(rules), finder.counts)
    in_use = seen_since(table, settings.in_use_since)
    held_by = holding(table, finder)
    removed = [snapshot for snapshot in held_by if snapshot.snapshot_id not in in_use]
    ids = {snapshot.snapshot_id for snapshot in removed}
    refs = tuple(sorted(name for name, ref in table.refs().items() if ref.snapshot_id in ids))
    return Retention(
        rows=found.rows,
        files_dropped=len(found.dropped),
        files_rewritten=len(found.rewritten),
        refs=refs,
        history=expire(lake, table, removed, dry_run=dry_run),
        waiting=tuple(s.snapshot_id for s in held_by if s.snapshot_id in in_use),
        snapshot_id=snapshot_id,
    )


@dataclass(frozen=True)
class _OldRows:
    """Counts the rows of data files that are too old; each file at most once."""

    table: Table
    rules: tuple[RetentionRule, ...]
    counts: dict[str, int] = field(default_factory=dict)

    def of(self, file: DataFile) -> int:
        """The number of too old rows of a file."""
        path = file.file_path
        if path not in self.counts:
            if all(self._none(file, rule) for rule in self.rules):
                self.counts[path] = 0
            elif any(self._all(file, rule) for rule in self.rules):
                self.counts[path] = file.record_count
            else:
                masks = (self.mask(batch) for batch in rows_of_file(self.table, file))
                self.counts[path] = sum(mask.true_count for mask in masks)
        return self.counts[path]

    def mask(self, batch: pa.RecordBatch) -> pa.BooleanArray:
        """Which rows are too old."""
        old = pa.array(np.zeros(batch.num_rows, bool))
        for rule in self.rules:
            values = [_microseconds(batch.column(name)) for name in rule.columns]
            moment: Any = pc.coalesce(*values)
            is_old: Any = pc.fill_null(pc.less(moment, pa.scalar(rule.limit, pa.int64())), False)
            old = pc.or_(old, is_old)
        return old

    def _none(self, file: DataFile, rule: RetentionRule) -> bool:
        """Whether the statistics say that no row is too old."""
        lowest = [self._bound(file.lower_bounds, name) for name in rule.columns]
        return all(bound is not None and bound >= rule.limit for bound in lowest)

    def _all(self, file: DataFile, rule: RetentionRule) -> bool:
        """Whether the statistics say that every row is too old."""
        first = rule.columns[0]
        highest = self._bound(file.upper_bounds, first)
        nulls = (file.null_value_counts or {}).get(self._field_id(first))
        return highest is not None and highest < rule.limit and nulls == 0

    def _bound(self, bounds: dict[int, bytes] | None, name: str) -> int | None:
        """A bound in microseconds; None where it is not told, or where no row has a value."""
        stored = (bounds or {}).get(self._field_id(name))
        if stored is None:
            return None
        kind = self.table.schema().find_field(name).field_type
        assert isinstance(kind, PrimitiveType)
        value = int(from_bytes(kind, stored))
        return value * _DAY if isinstance(kind, DateType) else value

    def _field_id(self, name: str) -> int:
        return self.table.schema().find_field(name).field_id


def _microseconds(column: pa.Array[Any]) -> pa.Array[Any]:
    """Dates and times as microseconds since 1970; without a zone they are UTC."""
    if pa.types.is_date(column.type):
        column = column.cast(_INSTANT)
    return column.cast(pa.int64())
