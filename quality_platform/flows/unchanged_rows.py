"""Rows of a merge that are just like the published ones in whose place they would come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from quality_platform.flows.row_changes import FILE, PLACE, POSITION, Published
from quality_platform.lake.query import quote_identifier as q

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ASKED = 16
"""Pairs of rows that are asked which column tells them apart."""


@dataclass(frozen=True)
class UnchangedRows:
    """The search for them in the session of a merge, of which some rows have a published one.

    Attributes:
        table: The published rows that are compared.
        batch: The relation of the staged rows, with all columns and their places.
        pairs: The relation of their places, each beside `old_file` (a number of `table`)
            and `old_position` of the published row with its key.
        key: The columns that tell rows apart.
        schema: The contract's columns.
    """

    table: Published
    batch: str
    pairs: str
    key: Sequence[str]
    schema: pa.Schema

    def put_into(self, name: str) -> None:
        """Makes a table of the session that has their places.

        A row of a key that the table has more than once is not among them: it puts that right.
        """
        files = self._touched
        rows = self.table.rows([self.table.files[number - 1] for number in files])
        fast = self._fast
        some = self._telling(files[0]) or fast
        self._create(name, self._alike(rows, self.batch, some))
        if len(some) < len(self._columns) and self._has_rows(name):
            left = f"(SELECT * FROM {self.batch} SEMI JOIN {name} USING ({PLACE}))"
            self._create(name, self._alike(rows, left, self._columns))
        once = f"SELECT {PLACE} FROM {self.pairs} GROUP BY ALL HAVING count(*) = 1"
        self._create(name, f"SELECT * FROM {name} SEMI JOIN ({once}) USING ({PLACE})")

    @property
    def _connection(self) -> DuckDBPyConnection:
        return self.table.connection

    @cached_property
    def _touched(self) -> list[int]:
        """The numbers of the files with such a row."""
        found = self._connection.execute(f"SELECT DISTINCT old_file FROM {self.pairs}").fetchall()
        return sorted(number for (number,) in found)

    @cached_property
    def _columns(self) -> list[pa.Field[Any]]:
        return [field for field in self.schema if field.name not in self.key]

    @property
    def _fast(self) -> list[pa.Field[Any]]:
        """Numbers and times: they are read fast, and most changes show in one of them."""
        return [
            field
            for field in self._columns
            if pa.types.is_primitive(field.type) or pa.types.is_decimal(field.type)
        ]

    def _telling(self, file: int) -> list[pa.Field[Any]]:
        """A fast column in which some of the pairs all differ, as the others may too; or none."""
        fast = self._fast
        places = self._connection.execute(
            f"SELECT old_position FROM {self.pairs} WHERE old_file = {file} "
            f"ORDER BY old_position LIMIT {_ASKED}"
        ).fetchall()
        # Equations, and places that lie together: few row groups are read.
        asked = " OR ".join(f"{POSITION} = {place}" for (place,) in places)
        rows = f"SELECT * FROM {self.table.rows([self.table.files[file - 1]])} WHERE {asked}"
        differ = [f"count_if(NOT ({_is_same(field)}))" for field in fast]
        total, *counts = self._connection.execute(
            f"SELECT {', '.join(['count(*)', *differ])} FROM ({rows}) p "
            f"JOIN {self.batch} b ON {self._same_key}"
        ).fetchall()[0]
        return [field for field, count in zip(fast, counts, strict=True) if count == total][:1]

    @property
    def _same_key(self) -> str:
        return " AND ".join(f"p.{q(column)} = b.{q(column)}" for column in self.key)

    def _alike(self, rows: str, batch: str, columns: Sequence[pa.Field[Any]]) -> str:
        """The places of rows of the batch with a published one that is the same in the columns."""
        return (
            f"SELECT b.{FILE} AS {FILE}, b.{POSITION} AS {POSITION} "
            f"FROM {rows} p JOIN {batch} b ON {self._same_key} "
            f"WHERE {' AND '.join(map(_is_same, columns)) or 'TRUE'}"
        )

    def _create(self, name: str, query: str) -> None:
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")

    def _has_rows(self, name: str) -> bool:
        return bool(self._connection.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchall())


def _is_same(field: pa.Field[Any]) -> str:
    return f"p.{q(field.name)} IS NOT DISTINCT FROM b.{q(field.name)}"
