"""The keys that foreign keys refer to: read once, looked up in the cheapest way that is exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from quality_platform.checks.specs import ForeignKey
from quality_platform.errors import EngineError
from quality_platform.lake.query import engine_errors
from quality_platform.lake.query import quote_identifier as q
from quality_platform.lake.table_files import read_parquet

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
_MOST_BITS = 2**24
"""Longest range of keys that is held as a bitmap: 2 MB, which every statement carries along."""
_SPARSEST = 64
"""Bits a key up to which a bitmap is no larger than the keys themselves."""


def unquoted(name: str) -> str:
    """The name of a column that the platform adds, which no column of a table has."""
    return f"quality_platform.{name}"


def own(name: str) -> str:
    """A column that the platform adds, as a SQL identifier."""
    return q(unquoted(name))


@dataclass(frozen=True)
class IntegerKeys:
    """Distinct integer keys: their bounds, and the session's variable that holds them as bits.

    `bits` is "" where every integer between the bounds is a key.
    """

    minimum: int
    maximum: int
    bits: str = ""

    def lacks(self, column: str) -> str:
        """SQL true for an integer that is no key; NULL or false for a key and for NULL."""
        if not self.bits:
            return f"({column} < {self.minimum} OR {column} > {self.maximum})"
        place = f"({column}::BIGINT - {self.minimum})::INTEGER"
        return (
            f"(CASE WHEN {column} BETWEEN {self.minimum} AND {self.maximum} "
            f"THEN get_bit(getvariable('{self.bits}'), {place}) = 0 "
            f"ELSE {column} IS NOT NULL END)"
        )


@dataclass
class ReferenceKeys:
    """The key columns of the tables that foreign keys refer to, read once into the session.

    `own_table` is the name of the table that is checked: a foreign key to it finds the keys of the
    rows of the batch as well (`BatchChecks` judges it).
    """

    connection: DuckDBPyConnection
    files: Mapping[str, Sequence[str]]
    own_table: str = ""
    _loaded: dict[tuple[str, tuple[str, ...]], str] = field(default_factory=dict)
    _integers: dict[tuple[str, tuple[str, ...]], IntegerKeys | None] = field(default_factory=dict)

    def is_own(self, claim: ForeignKey) -> bool:
        """Whether the claim refers to the very table that is checked."""
        return bool(self.own_table) and claim.to_table == self.own_table

    def relation(self, claim: ForeignKey) -> str:
        """The session's table with the distinct keys that the claim refers to.

        Its columns are `own("key0")` and so on, and `own("hit")`, which is true.

        Raises:
            EngineError: nothing has been published under that name, or without such columns.
        """
        key = (claim.to_table, claim.to_columns)
        if key not in self._loaded:
            name = f"reference_{len(self._loaded)}"
            columns, source = self._source(claim)
            keys = ", ".join(f"{c} AS {own(f'key{n}')}" for n, c in enumerate(columns))
            with engine_errors():
                self.connection.execute(
                    f"CREATE TEMP TABLE {name} AS "
                    f"SELECT DISTINCT {keys}, TRUE AS {own('hit')} FROM {source}"
                )
            self._loaded[key] = name
        return self._loaded[key]

    def integers(self, claim: ForeignKey) -> IntegerKeys | None:
        """The keys of a claim on one integer column, where they lie close together; else None.

        Raises:
            EngineError: as `relation`.
        """
        key = (claim.to_table, claim.to_columns)
        if key not in self._integers:
            with engine_errors():
                self._integers[key] = self._close_together(claim)
        return self._integers[key]

    def _close_together(self, claim: ForeignKey) -> IntegerKeys | None:
        """Reads the keys without a table of them: its memory would grow with their number."""
        columns, source = self._source(claim)
        if len(columns) != 1 or self._type(columns[0], source) not in _INTEGERS:
            return None
        key = columns[0]
        low, high, count = self.connection.execute(
            f"SELECT min({key}), max({key}), count({key}) FROM {source}"
        ).fetchall()[0]
        if not count or high - low + 1 > min(_MOST_BITS, _SPARSEST * count):
            return None
        name = f"reference_bits_{len(self._integers)}"
        self.connection.execute(
            f"SET VARIABLE {name} = (SELECT bitstring_agg({key}, {low}, {high}) FROM {source})"
        )
        counted = self.connection.execute(f"SELECT bit_count(getvariable('{name}'))").fetchall()
        is_complete = counted[0][0] == high - low + 1
        return IntegerKeys(low, high, "" if is_complete else name)

    def _type(self, column: str, source: str) -> str:
        described = self.connection.execute(f"DESCRIBE SELECT {column} FROM {source}").fetchall()
        return str(described[0][1])

    def _source(self, claim: ForeignKey) -> tuple[list[str], str]:
        """The key columns in SQL, and what they are read from."""
        files = self.files.get(claim.to_table)
        if files is None:
            raise EngineError(f"nothing has been published to {claim.to_table} yet")
        if not files:
            # Published, without a row: no key is found in it.
            return ["CAST(NULL AS VARCHAR)"] * len(claim.to_columns), "range(0)"
        return [q(column) for column in claim.to_columns], read_parquet(files)
