"""Row rules over Arrow batches: one DuckDB statement gives a bit mask for every bad row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from quality_platform.checks.specs import CheckSpec
from quality_platform.errors import EngineError
from quality_platform.lake.query import engine_errors
from quality_platform.lake.query import quote_identifier as q
from quality_platform.validation.bad_rows import BITS
from quality_platform.validation.conditions import Condition, condition_of, why
from quality_platform.validation.reference_keys import ReferenceKeys

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["BITS", "ReferenceKeys", "RowMasks", "RowRules"]

_ROW = "quality_platform.row"
_NEVER = Condition("FALSE", frozenset())


@dataclass
class RowRules:
    """Compiled row rules of one table, to be run on batch after batch.

    `failed` has the rules that could not judge a value, with the reason, which holds no value.
    From then on they are left out, and what they said before does not count.
    """

    connection: DuckDBPyConnection
    specs: tuple[CheckSpec, ...]
    conditions: list[Condition]
    failed: dict[str, str] = field(default_factory=dict)

    @classmethod
    def compiled(
        cls,
        connection: DuckDBPyConnection,
        specs: Sequence[CheckSpec],
        keys: ReferenceKeys,
        schema: pa.Schema | None = None,
    ) -> RowRules:
        """Compiles specs whose claims a single row can break (predicates and foreign keys).

        With the batches' `schema`, foreign keys of integers need no join.

        Raises:
            EngineError: the table that a foreign key refers to cannot be read.
        """
        conditions = [condition_of(spec, keys, n, schema) for n, spec in enumerate(specs)]
        return cls(connection, tuple(specs), conditions)

    @property
    def statement(self) -> str:
        """The statement over the relation `batch`: a row's number and its mask words."""
        words = [
            " + ".join(
                f"CASE WHEN {condition.sql} THEN {1 << bit}::BIGINT ELSE 0 END"
                for bit, condition in enumerate(self.conditions[start : start + BITS])
            )
            for start in range(0, len(self.conditions), BITS)
        ]
        masks = ", ".join(f"{word} AS mask{n}" for n, word in enumerate(words))
        joins = " ".join(c.join for c in self.conditions if c.join)
        some = " OR ".join(f"mask{n} <> 0" for n in range(len(words)))
        return (
            f"SELECT * FROM (SELECT b.{q(_ROW)}, {masks} FROM batch b {joins}) "
            f"WHERE {some} ORDER BY {q(_ROW)}"
        )

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

        A rule that cannot judge a value, such as a text in which it wants a number, goes to
        `failed`; the others still judge.

        Raises:
            EngineError: the statement fails, but each rule alone does not.
        """
        if not self.specs or not batch.num_rows:
            return RowMasks.none()
        rows = pa.Table.from_batches([batch])
        try:
            with engine_errors():
                found = self._run(rows)
        except EngineError:
            if not self._leave_out_failing(rows):
                raise
            return self.masks(batch)
        columns = [found.column(n).to_numpy() for n in range(found.num_columns)]
        return RowMasks(columns[0], tuple(columns[1:]))

    def _leave_out_failing(self, rows: pa.Table) -> bool:
        """Leaves out the rules that fail on these rows by themselves; whether there are any."""
        before = len(self.failed)
        for n, (spec, condition) in enumerate(zip(self.specs, self.conditions, strict=True)):
            try:
                with engine_errors():
                    RowRules(self.connection, (spec,), [condition])._run(rows)
            except EngineError as error:
                self.failed[spec.name] = f"cannot judge a value: {why(error, spec)}"
                self.conditions[n] = _NEVER
        return len(self.failed) > before

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
