"""Checks that need the whole batch: gates, uniqueness, and the two external engines.

They read the files just written, only the columns that they need, before anybody else can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa

from quality_platform.checks.expectation_kinds import EVERY_COLUMN, columns_needed
from quality_platform.checks.specs import (
    CheckSpec,
    Expectation,
    RowCount,
    Scope,
    SodaCheck,
    SqlMetric,
    Unique,
)
from quality_platform.errors import EngineError
from quality_platform.lake.query import engine_errors, quote_literal
from quality_platform.lake.query import quote_identifier as q
from quality_platform.validation.engine_outcomes import EngineOutcome, as_decimal
from quality_platform.validation.row_rules import ReferenceKeys, condition_of, own

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BATCH = "batch"
_FILE, _POSITION = own("file"), own("position")
_PLACE = f"{_FILE}, {_POSITION}"


@dataclass(frozen=True)
class BatchFiles:
    """The files of one batch: rows that have passed every row rule so far, and rows held back.

    `unconformed` is the SQL condition that tells held rows that have no typed values; they are
    counted as rows, but no other check can judge them.
    """

    schema: pa.Schema
    good: Sequence[str]
    held: Sequence[str] = ()
    unconformed: str = "FALSE"


@dataclass(frozen=True)
class BrokenRow:
    """A row that breaks a check on the whole batch: its file, and its position in it from 0."""

    file: str
    position: int
    check: CheckSpec


@dataclass
class BatchChecks:
    """Runs checks over one batch in one session.

    `published` are the files of the rows that a unique key must not repeat. `rows_read` is what a
    row count counts, all records of the source; where left out, all records of the files.
    Rows that break a row rule are gathered in `broken_rows`; `rows` is the number of rows judged.
    """

    connection: DuckDBPyConnection
    files: BatchFiles
    keys: ReferenceKeys
    published: Sequence[str] = ()
    rows_read: int | None = None
    broken_rows: list[BrokenRow] = field(default_factory=list)
    rows: int = 0

    def run(self, specs: Sequence[CheckSpec]) -> dict[str, EngineOutcome]:
        """The outcome of every spec, by name; a check that cannot run has an `error`."""
        self._create_view()
        rows = self.rows = self._rows()
        outcomes: dict[str, EngineOutcome] = {}
        outcomes |= self._counted([s for s in specs if _is_countable(s)], rows)
        for spec in specs:
            match spec.claim:
                case Unique():
                    outcomes[spec.name] = self._guarded(spec, rows, self._unique)
                case SqlMetric():
                    outcomes[spec.name] = self._guarded(spec, rows, self._sql_metric)
                case RowCount():
                    outcomes[spec.name] = _measured(spec, rows, None, Decimal(self._records()))
        outcomes |= self._expectations([s for s in specs if isinstance(s.claim, Expectation)])
        outcomes |= self._soda([s for s in specs if isinstance(s.claim, SodaCheck)])
        return outcomes

    @property
    def readable(self) -> tuple[str, ...]:
        """All files that the checks may read."""
        references = [file for files in self.keys.files.values() for file in files]
        return (*self.files.good, *self.files.held, *self.published, *references)

    def failing_rows(
        self, spec: CheckSpec, columns: Sequence[str], limit: int
    ) -> list[dict[str, object]]:
        """Up to `limit` rows that break the check, the first ones; [] where none can be told."""
        shown = ", ".join(f"b.{q(column)}" for column in columns)
        try:
            with engine_errors():
                found = self.connection.sql(
                    f"SELECT {shown} FROM {BATCH}_rows b {self._where_broken(spec, limit)} "
                    f"ORDER BY {_PLACE} LIMIT {limit}"
                ).to_arrow_table()
        except EngineError:
            # A check that cannot run has no rows to show; its outcome tells the error.
            return []
        return found.to_pylist()  # type: ignore[no-any-return]

    def _where_broken(self, spec: CheckSpec, limit: int) -> str:
        if _is_countable(spec):
            condition = condition_of(spec, self.keys, 0)
            return f"{condition.join} WHERE {condition.sql}"
        broken = [(r.file, r.position) for r in self.broken_rows if r.check.name == spec.name]
        places = ", ".join(f"({quote_literal(f)}, {n})" for f, n in sorted(broken)[:limit])
        return f"WHERE ({_PLACE}) IN ({places})" if places else "WHERE FALSE"

    def _create_view(self) -> None:
        columns = ", ".join(q(name) for name in self.files.schema.names)
        parts = [
            f"SELECT {columns}, {_FILE}, file_row_number AS {_POSITION} FROM read_parquet("
            f"{_listed(files)}, filename = 'quality_platform.file', file_row_number = true)"
            f"{condition}"
            for files, condition in (
                (self.files.good, ""),
                (self.files.held, f" WHERE NOT ({self.files.unconformed})"),
            )
            if files
        ]
        if not parts:
            empty = pa.table(
                [pa.array([], f.type) for f in self.files.schema], names=self.files.schema.names
            )
            self.connection.register("nothing", empty)
            parts = [f"SELECT {columns}, '' AS {_FILE}, 0::BIGINT AS {_POSITION} FROM nothing"]
        self.connection.execute(
            f"CREATE OR REPLACE TEMP VIEW {BATCH}_rows AS {' UNION ALL '.join(parts)}"
        )
        self.connection.execute(
            f"CREATE OR REPLACE VIEW {BATCH} AS SELECT {columns} FROM {BATCH}_rows"
        )

    def _rows(self) -> int:
        return int(self.connection.execute(f"SELECT count(*) FROM {BATCH}").fetchall()[0][0])

    def _records(self) -> int:
        """All records of the batch, also those that have no typed values."""
        files = [*self.files.good, *self.files.held]
        if self.rows_read is not None or not files:
            return self.rows_read or 0
        counted = f"SELECT sum(num_rows)::BIGINT FROM parquet_file_metadata({_listed(files)})"
        return int(self.connection.execute(counted).fetchall()[0][0])

    def _counted(self, specs: Sequence[CheckSpec], rows: int) -> dict[str, EngineOutcome]:
        """Counts rows that break a condition, all conditions in one statement."""
        try:
            return self._count_statement(specs, rows)
        except EngineError as error:
            if len(specs) == 1:
                return {specs[0].name: _failed(specs[0], rows, error)}
        # One of them is at fault: alone, the others still give their counts.
        results: dict[str, EngineOutcome] = {}
        for spec in specs:
            results |= self._counted([spec], rows)
        return results

    def _count_statement(self, specs: Sequence[CheckSpec], rows: int) -> dict[str, EngineOutcome]:
        if not specs:
            return {}
        with engine_errors():
            conditions = [condition_of(spec, self.keys, n) for n, spec in enumerate(specs)]
            counts = ", ".join(f"count(*) FILTER (WHERE {c.sql})" for c in conditions)
            joins = " ".join(c.join for c in conditions if c.join)
            found = self.connection.execute(f"SELECT {counts} FROM {BATCH} b {joins}").fetchall()[0]
        return {
            spec.name: _counted_outcome(spec, rows, int(count))
            for spec, count in zip(specs, found, strict=True)
        }

    def _guarded(self, spec: CheckSpec, rows: int, run: object) -> EngineOutcome:
        try:
            with engine_errors():
                return run(spec, rows)  # type: ignore[operator, no-any-return]
        except EngineError as error:
            return _failed(spec, rows, error)

    def _unique(self, spec: CheckSpec, rows: int) -> EngineOutcome:
        """All rows of a group with more than one, and rows whose key is published already."""
        claim = spec.claim
        assert isinstance(claim, Unique)
        keys = ", ".join(q(c) for c in claim.columns)
        present = " AND ".join(f"{q(c)} IS NOT NULL" for c in claim.columns)
        extra = self.connection.execute(
            f"SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM {BATCH} "
            f"WHERE {present} GROUP BY {keys} HAVING count(*) > 1)"
        ).fetchall()[0][0]
        repeated = f"SELECT {keys} FROM {BATCH} WHERE {present} GROUP BY {keys} HAVING count(*) > 1"
        if self.published:
            repeated += f" UNION SELECT {keys} FROM read_parquet({_listed(self.published)})"
        broken = self.connection.execute(
            f"SELECT {_PLACE} FROM {BATCH}_rows SEMI JOIN ({repeated}) USING ({keys})"
            if int(extra) or self.published
            else f"SELECT {_PLACE} FROM {BATCH}_rows WHERE FALSE"
        ).fetchall()
        if spec.scope is Scope.ROW:
            self.broken_rows += [BrokenRow(file, int(n), spec) for file, n in broken]
            return _counted_outcome(spec, rows, len(broken))
        value = Decimal(int(extra))
        if spec.threshold.percent:
            value = _percent(int(extra), rows)
        return _measured(spec, rows, int(extra), value)

    def _sql_metric(self, spec: CheckSpec, rows: int) -> EngineOutcome:
        claim = spec.claim
        assert isinstance(claim, SqlMetric)
        found = self.connection.execute(claim.query).fetchall()
        value = as_decimal(found[0][0]) if len(found) == 1 and len(found[0]) == 1 else None
        if value is None:
            raise EngineError(f"the query must give one finite number, not {_described(found)}")
        return _measured(spec, rows, None, value)

    def _expectations(self, specs: Sequence[CheckSpec]) -> dict[str, EngineOutcome]:
        if not specs:
            return {}
        from quality_platform.validation.great_expectations_engine import run_expectations

        columns = self._columns_needed(specs)
        wanted = ", ".join([*(q(c) for c in columns), _PLACE])
        table = self.connection.sql(
            f"SELECT {wanted} FROM {BATCH}_rows ORDER BY {_PLACE}"
        ).to_arrow_table()
        # The engine counts rows by the columns given; without one it still needs the places.
        outcomes = run_expectations(table.select(columns) if columns else table, specs)
        for spec in specs:
            if spec.scope is Scope.ROW:
                self._gather(spec, outcomes[spec.name], table)
        return outcomes

    def _columns_needed(self, specs: Sequence[CheckSpec]) -> list[str]:
        """The batch's columns that the expectations read; one that it lacks is their own error."""
        needed = {column for spec in specs for column in columns_needed(spec)}
        return [c for c in self.files.schema.names if c in needed or EVERY_COLUMN in needed]

    def _gather(self, spec: CheckSpec, outcome: EngineOutcome, table: pa.Table) -> None:
        if outcome.positions is None or not len(outcome.positions):
            return
        places = table.select(table.column_names[-2:]).take(outcome.positions).to_pylist()
        for file, position in (place.values() for place in places):
            self.broken_rows.append(BrokenRow(file, int(position), spec))

    def _soda(self, specs: Sequence[CheckSpec]) -> dict[str, EngineOutcome]:
        if not specs:
            return {}
        from quality_platform.validation.soda_engine import run_soda_checks

        types: Mapping[str, str] = {f.name: str(f.type) for f in self.files.schema}
        return run_soda_checks(self.connection, BATCH, types, specs)


def _described(found: Sequence[Sequence[object]]) -> str:
    """A query's answer without its content, which may be personal data."""
    if len(found) != 1 or len(found[0]) != 1:
        return f"{len(found)} rows of {len(found[0]) if found else 0} columns"
    value = found[0][0]
    return "NULL" if value is None else f"a value of type {type(value).__name__}"


def _is_countable(spec: CheckSpec) -> bool:
    """Whether one condition on a row decides it: a predicate or a foreign key."""
    return not isinstance(spec.claim, Unique | SqlMetric | RowCount | Expectation | SodaCheck)


def _counted_outcome(spec: CheckSpec, rows: int, count: int) -> EngineOutcome:
    value = _percent(count, rows) if spec.threshold.percent else Decimal(count)
    return _measured(spec, rows, count, value)


def _percent(count: int, rows: int) -> Decimal:
    """100 * count / rows; 0 for a batch without rows, in which no row can break anything."""
    return Decimal(0) if not rows else Decimal(100) * count / rows


def _measured(spec: CheckSpec, rows: int, count: int | None, value: Decimal) -> EngineOutcome:
    return EngineOutcome(
        name=spec.name,
        passed=spec.threshold.holds(value),
        rows=rows,
        count=count,
        value=value,
        message=f"{_shown(spec, value)}, must be {spec.threshold}",
    )


def _shown(spec: CheckSpec, value: Decimal) -> str:
    """The value for people; it was compared with all its digits."""
    if not spec.threshold.percent:
        return f"{value.normalize():f}"
    return f"{Decimal(f'{value:.6g}').normalize():f}%"


def _failed(spec: CheckSpec, rows: int, error: EngineError) -> EngineOutcome:
    return EngineOutcome(
        name=spec.name, passed=False, rows=rows, count=None, error=error.problems[0].message
    )


def _listed(files: Sequence[str]) -> str:
    return f"[{', '.join(quote_literal(file) for file in files)}]"
