"""Row rules over Arrow batches: DuckDB judges the rows, kept as a bit mask for every bad one.

Arrow knows which values are missing, so rules that want one cost nothing where none is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from quality_platform.checks.specs import CheckSpec, NotNull
from quality_platform.errors import EngineError
from quality_platform.lake.query import engine_errors
from quality_platform.lake.query import quote_identifier as q
from quality_platform.validation.bad_rows import BITS
from quality_platform.validation.conditions import Condition, condition_of, judged_rows, why
from quality_platform.validation.reference_keys import ReferenceKeys

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["BITS", "ReferenceKeys", "RowMasks", "RowRules"]

_ROW = "quality_platform.row"
_TOGETHER = BITS // 2
"""Rules in one statement."""
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

    def _statements(self, asked: Sequence[int]) -> Iterator[tuple[str, Sequence[int]]]:
        """Over the relation `batch`, for some of the rules each: row numbers, and what each says.

        Rules are columns, and few are together: the time to plan a statement grows faster than the
        number of its expressions, and DuckDB makes a table of 4 MB of every long list after IN.
        """
        for start in range(0, len(asked), _TOGETHER):
            some = asked[start : start + _TOGETHER]
            yield _statement([self.conditions[n] for n in some]), some

    def tried(self, schema: pa.Schema) -> None:
        """Runs the statements on one row of nothing but NULL.

        Raises:
            EngineError: DuckDB refuses one.
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
            EngineError: a statement fails, but each rule alone does not.
        """
        if not self.specs or not batch.num_rows:
            return RowMasks.none()
        rows = pa.Table.from_batches([batch])
        try:
            with engine_errors():
                return self._run(rows)
        except EngineError:
            if not self._leave_out_failing(rows):
                raise
            return self.masks(batch)

    def judged(self, batch: pa.RecordBatch, without: Sequence[int] = ()) -> dict[str, int]:
        """The rows that each rule with a condition judges, by its name; rows `without` are none.

        A rule whose condition cannot judge a value goes to `failed`.
        """
        pairs = zip(self.specs, self.conditions, strict=True)
        conditions = {spec.name: found for spec, found in pairs if found.judged}
        if not conditions or not batch.num_rows:
            return {}
        keep = ~np.isin(np.arange(batch.num_rows), without)
        rows = batch.filter(pa.array(keep)) if len(without) else batch
        self.connection.register("batch", pa.Table.from_batches([rows]))
        try:
            counts, errors = judged_rows(self.connection, "batch", conditions)
        finally:
            self.connection.unregister("batch")
        for n, spec in enumerate(self.specs):
            if spec.name in errors:
                self._leave_out(n, errors[spec.name])
        return counts

    def _leave_out(self, n: int, error: EngineError) -> None:
        spec = self.specs[n]
        self.failed[spec.name] = f"cannot judge a value: {why(error, spec)}"
        self.conditions[n] = _NEVER

    def _leave_out_failing(self, rows: pa.Table) -> bool:
        """Leaves out the rules that fail on these rows by themselves; whether there are any."""
        before = len(self.failed)
        for n, (spec, condition) in enumerate(zip(self.specs, self.conditions, strict=True)):
            try:
                with engine_errors():
                    RowRules(self.connection, (spec,), [condition])._run(rows)
            except EngineError as error:
                self._leave_out(n, error)
        return len(self.failed) > before

    def _run(self, rows: pa.Table) -> RowMasks:
        plain = self._plain(rows)
        words = [np.zeros(rows.num_rows, np.int64) for _ in range(-(-len(self.specs) // BITS))]
        for n, column in plain.items():
            if column.null_count:
                words[n // BITS][column.is_null().to_numpy()] |= 1 << n % BITS
        if asked := [n for n in range(len(self.specs)) if n not in plain]:
            self._ask(rows, asked, words)
        positions = np.flatnonzero(np.bitwise_or.reduce(words))
        return RowMasks(positions, tuple(word[positions] for word in words))

    def _plain(self, rows: pa.Table) -> Mapping[int, pa.ChunkedArray[Any]]:
        """The rules that want nothing but a value, with the columns that must have it."""
        return {
            n: rows.column(spec.claim.column)
            for n, spec in enumerate(self.specs)
            if isinstance(spec.claim, NotNull)
            and spec.claim.column in rows.column_names
            and self.conditions[n] is not _NEVER
        }

    def _ask(
        self, rows: pa.Table, asked: Sequence[int], words: Sequence[NDArray[np.int64]]
    ) -> None:
        """Adds the bits of these rules, as DuckDB finds them."""
        numbered = rows.append_column(_ROW, pa.array(np.arange(rows.num_rows)))
        self.connection.register("batch", numbered)
        try:
            for statement, rules in self._statements(asked):
                _add_bits(self.connection.sql(statement).to_arrow_table(), rules, words)
        finally:
            self.connection.unregister("batch")


def _statement(conditions: Sequence[Condition]) -> str:
    broken = ", ".join(f"({condition.sql}) IS TRUE" for condition in conditions)
    joins = " ".join(condition.join for condition in conditions if condition.join)
    return f"SELECT b.{q(_ROW)}, {broken} FROM batch b {joins}"


def _add_bits(found: pa.Table, rules: Sequence[int], words: Sequence[NDArray[np.int64]]) -> None:
    """Sets what rules say of every row, in the rows' order, which joins do not keep."""
    rows = found.column(0).to_numpy()
    for n, broken in zip(rules, found.columns[1:], strict=True):
        if pc.any(broken).as_py():
            words[n // BITS][rows[broken.to_numpy()]] |= 1 << n % BITS


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
