"""Taking the rows of one thing or person out of a table, by the value of a column."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFile
from pyiceberg.types import PrimitiveType

from quality_platform.errors import TableSchemaError
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.maintenance.references import ManifestReader
from quality_platform.lake.maintenance.removal import FoundRows, Writing, holding, remove_rows
from quality_platform.lake.maintenance.rewriting import rows_of_file


@dataclass(frozen=True)
class HoldingSnapshot:
    """An older snapshot that still has such rows, and the branches and tags at it."""

    snapshot_id: int
    refs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Erasure:
    """What was taken out of a table, or would be.

    `files_dropped` had such rows only, `files_rewritten` others too. `held_by` are older snapshots
    that still show the rows to whoever reads them, until they expire; those with a tag or a branch
    do not expire. `snapshot_id` is None where nothing was done.
    """

    rows: int = 0
    files_dropped: int = 0
    files_rewritten: int = 0
    held_by: tuple[HoldingSnapshot, ...] = ()
    snapshot_id: int | None = None


def erase_rows(
    lake: Lake, table: Table, column: str, value: str | int, writing: Writing, *, dry_run: bool
) -> Erasure:
    """Deletes the rows that have the value in the column, in one snapshot.

    Older snapshots keep them; retention and expiry take those away.

    Raises:
        TableSchemaError: the table has no such column, or none that can hold the value.
        ConcurrentLoadError: another run changed the same files meanwhile; nothing was done.
        StorageError: the warehouse cannot be read or written.
        AccountingError: the files written would not have had the right rows; nothing was done.
    """
    finder = _RowsOf(table, column, _value_of(table, column, value))
    live = ManifestReader(table).data_files(table.current_snapshot())
    found = FoundRows.of(finder, (entry.file for entry in live))
    snapshot_id, head = None, table.metadata.current_snapshot_id
    if found.rows and not dry_run:
        snapshot_id = remove_rows(lake, table, finder, found, writing, "erasure")
        table = lake.table(".".join(table.name()))
        finder = _RowsOf(table, column, finder.value, finder.counts)
    held = [snapshot.snapshot_id for snapshot in holding(table, finder)]
    if found.rows and dry_run and head is not None:
        held.append(head)
    return Erasure(
        rows=found.rows,
        files_dropped=len(found.dropped),
        files_rewritten=len(found.rewritten),
        held_by=tuple(HoldingSnapshot(number, _refs_at(table, number)) for number in held),
        snapshot_id=snapshot_id,
    )


def _refs_at(table: Table, snapshot_id: int) -> tuple[str, ...]:
    refs = table.refs().items()
    return tuple(sorted(n for n, ref in refs if ref.snapshot_id == snapshot_id and n != "main"))


def _value_of(table: Table, column: str, value: str | int) -> pa.Scalar[Any]:
    schema = table.schema().as_arrow()
    if column not in schema.names:
        raise TableSchemaError(
            f"{'.'.join(table.name())} has no column {column!r}",
            field=column,
            allowed=schema.names,
        )
    type_ = schema.field(column).type
    try:
        found: pa.Scalar[Any] = pa.scalar(value).cast(type_)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        # Not the value itself: it may name a person.
        raise TableSchemaError(
            "the value cannot be one of the column",
            field=column,
            allowed=type_,
        ) from error
    return found


@dataclass(frozen=True)
class _RowsOf:
    """Counts the rows of data files with a value in a column; each file at most once."""

    table: Table
    column: str
    value: pa.Scalar[Any]
    counts: dict[str, int] = field(default_factory=dict)

    def of(self, file: DataFile) -> int:
        """The number of such rows of a file; its statistics may tell that there is none."""
        path = file.file_path
        if path not in self.counts:
            masks = (self.mask(batch) for batch in rows_of_file(self.table, file))
            self.counts[path] = 0 if self._none(file) else sum(m.true_count for m in masks)
        return self.counts[path]

    def mask(self, batch: pa.RecordBatch) -> pa.BooleanArray:
        """Which rows of a batch are such."""
        same: Any = pc.equal(batch.column(self.column), self.value)
        filled: pa.BooleanArray = pc.fill_null(same, False)
        return filled

    def _none(self, file: DataFile) -> bool:
        column = self.table.schema().find_field(self.column)
        lowest = (file.lower_bounds or {}).get(column.field_id)
        highest = (file.upper_bounds or {}).get(column.field_id)
        if lowest is None or highest is None or not isinstance(column.field_type, PrimitiveType):
            return False
        kind, value = column.field_type, self.value.as_py()
        # Bounds of long texts are cut short, the upper one upwards.
        return bool(value < from_bytes(kind, lowest) or value > from_bytes(kind, highest))
