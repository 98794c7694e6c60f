"""What a load does to rows that are in the table already: the words that its modes share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from quality_platform.lake.merging import FileChange
from quality_platform.lake.query import quote_literal
from quality_platform.lake.table_files import TableFiles, read_parquet
from quality_platform.validation.reference_keys import own

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Places = Mapping[str, NDArray[np.int64]]
"""Rows by their file: positions from 0, ascending."""

FILE, POSITION = own("file"), own("position")
PLACE = f"{FILE}, {POSITION}"
REMOVED = "rows_removed"
"""The session's table of published rows that go: number of the file, position, end of validity."""


@dataclass(frozen=True)
class RowCounts:
    """What became of the rows of a load that were neither held back nor published as new ones.

    Attributes:
        updated: Published rows that took the place of one with the same key.
        unchanged: Rows read that the table had already.
        superseded: Rows read in whose place a newer one with the same key stays, and deletes of
            what was not there.
        deletes: Rows read that deleted what was there.
        deleted: Rows of the table that were removed, or ended, with no other in their place.
    """

    updated: int = 0
    unchanged: int = 0
    superseded: int = 0
    deletes: int = 0
    deleted: int = 0

    @property
    def not_published(self) -> int:
        """The rows read that are neither published nor held back."""
        return self.unchanged + self.superseded + self.deletes


@dataclass(frozen=True)
class Settled:
    """How a load ends: its counts, the changes of published files, and what people must know."""

    counts: RowCounts = RowCounts()
    changes: Sequence[FileChange] = ()
    notes: tuple[str, ...] = ()


class RowChanges(Protocol):
    """What becomes of rows that are in the table already; lives as long as the load's session."""

    @property
    def published(self) -> str:
        """The relation of published rows that stay beside the new ones; "" for none."""
        ...

    @property
    def excluded(self) -> str:
        """The query of the places of staged rows that others supersede; "" for none."""
        ...

    @property
    def versions(self) -> str:
        """The query of the places of held rows that have a good version; "" for none."""
        ...

    def find(self) -> None:
        """Compares the staged rows with each other and with the published ones."""
        ...

    def dropped(self, late: Places) -> dict[str, NDArray[np.int64]]:
        """The staged rows that are neither published nor held back; `late` ones are held back."""
        ...

    def settle(self, late: Places) -> Settled:
        """What is to be done with the published rows, `late` rows being held back."""
        ...


@dataclass(frozen=True)
class Published:
    """The published rows of a table in a session; `current` is a SQL condition, "" for all rows."""

    connection: DuckDBPyConnection
    files: TableFiles
    current: str = ""

    def rows(self, paths: Sequence[str] | None = None, *, ended: bool = False) -> str:
        """The relation of the rows with their places; "" where there is no file."""
        files = self.files if paths is None else self.files.only(paths)
        if not files:
            return ""
        read = read_parquet(files, "filename = 'quality_platform.file'", "file_row_number = true")
        condition = f"NOT ({self.current})" if ended else self.current
        where = f" WHERE {condition}" if condition else ""
        return f"(SELECT *, file_row_number AS {POSITION} FROM {read}{where})"

    def number(self, file: str) -> str:
        """The number of a file in SQL, from 1, where `file` is the column with its path."""
        listed = ", ".join(quote_literal(path) for path in self.files)
        return f"list_position([{listed}], {file})"

    def count(self) -> int:
        """The number of rows."""
        rows = self.rows()
        if not rows:
            return 0
        return int(self.connection.execute(f"SELECT count(*) FROM {rows}").fetchall()[0][0])

    def changes(self, *, dated: bool) -> Iterator[FileChange]:
        """The rows of the table `REMOVED` of the session, file by file."""
        numbers = self.connection.execute(
            f"SELECT DISTINCT file FROM {REMOVED} ORDER BY file"
        ).fetchall()
        for (number,) in numbers:
            found = self.connection.sql(
                f"SELECT position, ends FROM {REMOVED} WHERE file = {number} ORDER BY position"
            ).to_arrow_table()
            positions = np.asarray(_one(found.column("position")), np.int64)
            ends = _one(found.column("ends")) if dated else None
            yield FileChange(self.files[number - 1], positions, ends)


def _one(column: pa.ChunkedArray[Any]) -> pa.Array[Any]:
    return column.combine_chunks()


@dataclass(frozen=True)
class RangeReplacement:
    """A range of the table that is read again: its rows go, whatever takes their place.

    `condition` is SQL, true for the published rows of the range.
    """

    table: Published
    condition: str
    excluded: str = field(default="", init=False)
    versions: str = field(default="", init=False)

    @property
    def published(self) -> str:
        """The rows outside of the range."""
        rows = self.table.rows()
        return f"(SELECT * FROM {rows} WHERE ({self.condition}) IS NOT TRUE)" if rows else ""

    def find(self) -> None:
        """Finds the rows of the range."""
        rows = self.table.rows()
        source = f"FROM {rows} WHERE {self.condition}" if rows else "WHERE FALSE"
        places = f"{self.table.number(FILE)}, {POSITION}" if rows else "0, 0"
        self.table.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {REMOVED} AS SELECT * FROM (SELECT {places}, "
            f"NULL::TIMESTAMPTZ {source}) found(file, position, ends)"
        )

    def dropped(self, late: Places) -> dict[str, NDArray[np.int64]]:  # noqa: ARG002
        """None: all that is read again is published or held back."""
        return {}

    def settle(self, late: Places) -> Settled:  # noqa: ARG002
        """The rows of the range are removed."""
        found = self.table.connection.execute(f"SELECT count(*) FROM {REMOVED}").fetchall()
        counts = RowCounts(deleted=int(found[0][0]))
        return Settled(counts, tuple(self.table.changes(dated=False)))
