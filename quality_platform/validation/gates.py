"""Gates: numbers of the batch as a whole, all in one statement that aggregates it once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa

from quality_platform.checks.specs import CheckSpec, Fresh, Retained, RowCount, SqlMetric
from quality_platform.errors import EngineError
from quality_platform.lake.query import engine_errors, time_limit
from quality_platform.lake.query import quote_identifier as q
from quality_platform.validation.conditions import Condition, condition_of
from quality_platform.validation.engine_outcomes import EngineOutcome, as_decimal
from quality_platform.validation.measures import counted, failed, measured
from quality_platform.validation.reference_keys import ReferenceKeys

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class _Metric:
    """Two aggregates of a gate, and how its outcome follows from their values."""

    sql: tuple[str, str]
    outcome: Callable[[int | None, int], EngineOutcome]
    join: str = ""


@dataclass(frozen=True)
class Gates:
    """Measures the relation `batch` of a session.

    It has `rows` rows and the columns of `schema`. Ages are taken at `evaluated_at`.
    """

    connection: DuckDBPyConnection
    batch: str
    schema: pa.Schema
    keys: ReferenceKeys
    rows: int
    evaluated_at: datetime
    timeout_seconds: float | None = None

    def outcomes(self, specs: Sequence[CheckSpec]) -> dict[str, EngineOutcome]:
        """The outcomes of gates that one aggregate decides: predicates, keys, row counts, ages.

        A gate that cannot run is told as an error, and takes no other down.
        """
        if not specs:
            return {}
        try:
            return self._aggregated(specs)
        except EngineError as error:
            if len(specs) == 1:
                return {specs[0].name: failed(specs[0], self.rows, error)}
        middle = len(specs) // 2
        return self.outcomes(specs[:middle]) | self.outcomes(specs[middle:])

    def _aggregated(self, specs: Sequence[CheckSpec]) -> dict[str, EngineOutcome]:
        with engine_errors(), time_limit(self.connection, self.timeout_seconds):
            metrics = [self._metric(spec, n) for n, spec in enumerate(specs)]
            values = ", ".join(sql for metric in metrics for sql in metric.sql)
            joins = " ".join(metric.join for metric in metrics if metric.join)
            found = self.connection.execute(
                f"SELECT {values} FROM {self.batch} b {joins}"
            ).fetchall()[0]
        pairs = zip(found[::2], found[1::2], strict=True)
        return {
            spec.name: metric.outcome(*pair)
            for spec, metric, pair in zip(specs, metrics, pairs, strict=True)
        }

    def _metric(self, spec: CheckSpec, n: int) -> _Metric:
        claim = spec.claim
        match claim:
            case RowCount(where):
                return _Metric(
                    (f"count(*) FILTER (WHERE {where})", "count(*)"),
                    lambda value, rows: measured(spec, rows, None, value or 0),
                )
            case Fresh(column):
                newest = f"epoch_us(max({q(column)})::TIMESTAMP)"
                return _Metric((newest, "count(*)"), lambda *found: self._age(spec, *found))
        condition = self.condition(spec, n)
        whole = f" FILTER (WHERE {condition.judged})" if condition.judged else ""
        return _Metric(
            (f"count(*) FILTER (WHERE {condition.sql})", f"count(*){whole}"),
            _share(spec),
            condition.join,
        )

    def condition(self, spec: CheckSpec, n: int = 0) -> Condition:
        """What is true for a row that the n-th gate counts.

        Raises:
            EngineError: the table that a foreign key refers to cannot be read.
        """
        if isinstance(spec.claim, Retained):
            before = self._before(spec.claim.max_age_seconds)
            old = f"b.{q(spec.claim.column)}::TIMESTAMP < {before}"
            return Condition(old, frozenset({spec.claim.column}))
        return condition_of(spec, self.keys, n, self.schema)

    def _age(self, spec: CheckSpec, newest: int | None, rows: int) -> EngineOutcome:
        if newest is None:
            message = "there is no value to tell the age by"
            return EngineOutcome(name=spec.name, passed=False, rows=rows, message=message)
        age = Decimal(_microseconds(self.evaluated_at) - newest) / 1_000_000
        return measured(spec, rows, None, age)

    def _before(self, seconds: int) -> str:
        """The instant this long before the evaluation; what is before all time is never reached."""
        try:
            instant = self.evaluated_at - timedelta(seconds=seconds)
        except OverflowError:
            return "TIMESTAMP '-infinity'"
        return f"make_timestamp({_microseconds(instant)})"

    def metric(self, spec: CheckSpec, claim: SqlMetric) -> EngineOutcome:
        """The outcome of a query that gives one number."""
        try:
            with engine_errors(), time_limit(self.connection, self.timeout_seconds):
                found = self.connection.execute(claim.query).fetchall()
            value = as_decimal(found[0][0]) if len(found) == 1 and len(found[0]) == 1 else None
            if value is None:
                given = _described(found)
                raise EngineError(f"the query must give one finite number, not {given}")
        except EngineError as error:
            return failed(spec, self.rows, error)
        return measured(spec, self.rows, None, value)


def _share(spec: CheckSpec) -> Callable[[int | None, int], EngineOutcome]:
    return lambda count, rows: counted(spec, rows, count or 0)


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _described(found: Sequence[Sequence[object]]) -> str:
    """A query's answer without its content, which may be personal data."""
    if len(found) != 1 or len(found[0]) != 1:
        return f"{len(found)} rows of {len(found[0]) if found else 0} columns"
    value = found[0][0]
    return "NULL" if value is None else f"a value of type {type(value).__name__}"
