"""Row rules as one DuckDB statement that gives a bit mask for every row that breaks one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from quality_platform.checks.specs import CheckSpec, ForeignKey
from quality_platform.errors import EngineError
from quality_platform.lake.query import engine_errors, quote_literal
from quality_platform.lake.query import quote_identifier as q
from quality_platform.validation.sql_predicates import broken

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BITS = 62
"""Rules in one mask word: a BIGINT without its sign, and one bit to spare for the sum."""


def own(name: str) -> str:
    """A column that the platform adds, as a SQL identifier that no column of a table has."""
    return q(f"quality_platform.{name}")


_ROW = "quality_platform.row"


@dataclass
class ReferenceKeys:
    """The key columns of the tables that foreign keys refer to, read once into the session."""

    connection: DuckDBPyConnection
    files: Mapping[str, Sequence[str]]
    _loaded: dict[tuple[str, tuple[str, ...]], str] = field(default_factory=dict)

    def relation(self, claim: ForeignKey) -> str:
        """The session's table with the distinct keys that the claim refers to.

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

    def _source(self, claim: ForeignKey) -> tuple[list[str], str]:
        """The key columns in SQL, and what they are read from."""
        files = self.files.get(claim.to_table)
        if files is None:
            raise EngineError(f"nothing has been published to {claim.to_table} yet")
        if not files:
            # Published, without a row: no key is found in it.
            return ["CAST(NULL AS VARCHAR)"] * len(claim.to_columns), "range(0)"
        listed = ", ".join(quote_literal(file) for file in files)
        return [q(column) for column in claim.to_columns], f"read_parquet([{listed}])"


@dataclass(frozen=True)
class Condition:
    """A row rule in SQL: the joins that it needs, and what is true for a row that breaks it."""

    sql: str
    join: str = ""


def condition_of(spec: CheckSpec, keys: ReferenceKeys, n: int) -> Condition:
    """The condition of the n-th rule of a statement over a relation aliased `b`."""
    claim = spec.claim
    if isinstance(claim, ForeignKey):
        alias = f"r{n}"
        on = " AND ".join(
            f"b.{q(c)} = {alias}.{own(f'key{i}')}" for i, c in enumerate(claim.columns)
        )
        present = " AND ".join(f"b.{q(c)} IS NOT NULL" for c in claim.columns)
        return Condition(
            sql=f"({alias}.{own('hit')} IS NULL AND {present})",
            join=f"LEFT JOIN {keys.relation(claim)} {alias} ON {on}",
        )
    return Condition(sql=broken(claim).sql(dialect="duckdb"))  # type: ignore[arg-type]


@dataclass(frozen=True)
class RowRules:
    """A compiled statement for the row rules of one table, to be run on batch after batch."""

    connection: DuckDBPyConnection
    specs: tuple[CheckSpec, ...]
    statement: str
    keys: ReferenceKeys

    @classmethod
    def compiled(
        cls, connection: DuckDBPyConnection, specs: Sequence[CheckSpec], keys: ReferenceKeys
    ) -> RowRules:
        """Compiles specs whose claims a single row can break (predicates and foreign keys)."""
        conditions = [condition_of(spec, keys, n) for n, spec in enumerate(specs)]
        words = [
            " + ".join(
                f"CASE WHEN {condition.sql} THEN {1 << bit}::BIGINT ELSE 0 END"
                for bit, condition in enumerate(conditions[start : start + BITS])
            )
            for start in range(0, len(conditions), BITS)
        ]
        masks = ", ".join(f"{word} AS mask{n}" for n, word in enumerate(words))
        joins = " ".join(c.join for c in conditions if c.join)
        some = " OR ".join(f"mask{n} <> 0" for n in range(len(words)))
        statement = (
            f"SELECT * FROM (SELECT b.{q(_ROW)}, {masks} FROM batch b {joins}) "
            f"WHERE {some} ORDER BY {q(_ROW)}"
            if words
            else ""
        )
        return cls(connection, tuple(specs), statement, keys)

    def tried(self, schema: pa.Schema) -> None:
        """Runs the statement on one row of nothing but NULL.

        Raises:
            EngineError: DuckDB refuses it.
        """
        if not self.specs:
            return
        with engine_errors():
            self._run(pa.table([pa.nulls(1, f.type) for f in schema], names=schema.names))

    def masks(self, batch: pa.RecordBatch) -> RowMasks:
        """The rows of a batch that break a rule.

        Raises:
            EngineError: a rule cannot judge a value, such as a text in which it wants a number.
        """
        if not self.specs or not batch.num_rows:
            return RowMasks.none()
        rows = pa.Table.from_batches([batch])
        try:
            with engine_errors():
                found = self._run(rows)
        except EngineError as error:
            raise self._explained(error, rows) from error
        columns = [found.column(n).to_numpy() for n in range(found.num_columns)]
        return RowMasks(columns[0], tuple(columns[1:]))

    def _explained(self, error: EngineError, rows: pa.Table) -> EngineError:
        """The error of the first rule that fails by itself, by its name and place."""
        for spec in self.specs:
            alone = RowRules.compiled(self.connection, [spec], self.keys)
            try:
                with engine_errors():
                    alone._run(rows)
            except EngineError as cause:
                return EngineError(
                    f"the check {spec.name} cannot judge a value: {cause.problems[0].message}",
                    location=spec.location,
                    field=spec.name,
                    action="correct the rule; where values may be of another form, use TRY_CAST",
                )
        return error

    def _run(self, rows: pa.Table) -> pa.Table:
        numbered = rows.append_column(_ROW, pa.array(np.arange(rows.num_rows)))
        self.connection.register("batch", numbered)
        try:
            found: pa.Table = self.connection.sql(self.statement).to_arrow_table()
            return found
        finally:
            self.connection.unregister("batch")


@dataclass(frozen=True)
class RowMasks:
    """Rows that break a rule, in order: their positions, and their bits in words of `BITS`."""

    positions: NDArray[np.int64]
    words: tuple[NDArray[np.int64], ...]

    @classmethod
    def none(cls) -> RowMasks:
        """No row breaks anything."""
        return cls(np.empty(0, np.int64), ())

    def without(self, rows: Sequence[int]) -> RowMasks:
        """The masks of all other rows."""
        keep = ~np.isin(self.positions, rows)
        return RowMasks(self.positions[keep], tuple(word[keep] for word in self.words))

    def breaking(self, rule: int) -> NDArray[np.int64]:
        """The positions of the rows that break the n-th rule."""
        if not self.words:
            return np.empty(0, np.int64)
        word = self.words[rule // BITS]
        found: NDArray[np.int64] = self.positions[(word >> (rule % BITS)) & 1 == 1]
        return found

    def rules_by_row(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """For every row its position and the indexes of the rules that it breaks, ascending."""
        known: dict[tuple[int, ...], tuple[int, ...]] = {}
        for position, *words in zip(
            self.positions.tolist(), *(w.tolist() for w in self.words), strict=True
        ):
            yield position, known.setdefault(tuple(words), _bits(words))


def _bits(words: Sequence[int]) -> tuple[int, ...]:
    return tuple(
        n * BITS + bit for n, word in enumerate(words) for bit in range(BITS) if word >> bit & 1
    )
