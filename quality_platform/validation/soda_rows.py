"""The rows that Soda's checks count, found by the platform's own predicates.

Soda and the platform judge independently: where their counts differ, the check is an error that
tells both, and no row is labelled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp, parse_one

from quality_platform.checks.soda_kinds import SodaRows, soda_rows
from quality_platform.checks.specs import CheckSpec, SodaCheck
from quality_platform.errors import EngineError
from quality_platform.lake.query import engine_errors, time_limit
from quality_platform.lake.query import quote_identifier as q
from quality_platform.validation.engine_outcomes import EngineOutcome, could_not_run
from quality_platform.validation.sql_predicates import broken

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_ROWS = q("quality_platform.rows")


@dataclass(frozen=True)
class SodaRowFinder:
    """Finds rows in `placed`, a relation with the batch's columns and the two of `place`."""

    connection: DuckDBPyConnection
    placed: str
    place: str
    timeout_seconds: float | None = None

    def agreed(
        self,
        specs: Sequence[CheckSpec],
        outcomes: Mapping[str, EngineOutcome],
        on_broken: Callable[[CheckSpec, pa.Table], None],
    ) -> dict[str, EngineOutcome]:
        """Soda's outcomes of row checks with our rows; an error where the counts differ.

        Args:
            specs: row checks whose claim is a `SodaCheck`, which Soda could run.
            outcomes: what Soda said, by check name.
            on_broken: takes each check's rows: a table of file and position.
        """
        return {s.name: self._with_rows(s, outcomes[s.name], on_broken) for s in specs}

    def _with_rows(
        self,
        spec: CheckSpec,
        said: EngineOutcome,
        on_broken: Callable[[CheckSpec, pa.Table], None],
    ) -> EngineOutcome:
        try:
            with engine_errors(), time_limit(self.connection, self.timeout_seconds):
                rows = self._rows_of(spec)
                counted = self._number(self._counted(rows))
                if counted != said.count:
                    return could_not_run(spec.name, said.rows, _disagreement(said, counted))
                if not counted:
                    return said
                found = self.connection.sql(self._places(rows)).to_arrow_table()
        except EngineError as error:
            return could_not_run(spec.name, said.rows, error.problems[0].message)
        on_broken(spec, found)
        return replace(said, count=found.num_rows)

    def _rows_of(self, spec: CheckSpec) -> SodaRows:
        columns = self.connection.sql(f"SELECT * FROM {self.placed} LIMIT 0").columns
        claim = spec.claim
        rows = soda_rows(claim, columns) if isinstance(claim, SodaCheck) else None
        if rows is None:
            raise EngineError("this check of Soda counts no rows that the platform could find")
        return rows

    def _number(self, statement: str) -> int:
        return int(self.connection.execute(statement).fetchall()[0][0])

    def _counted(self, rows: SodaRows) -> str:
        """SQL for the number that Soda gives: broken rows, or the extra rows of groups."""
        if not rows.key:
            return f"SELECT count(*) FROM {self.placed} WHERE {_condition(rows)}"
        return f"SELECT coalesce(sum({_ROWS} - 1), 0) FROM ({self._repeated(rows)})"

    def _places(self, rows: SodaRows) -> str:
        """SQL for the places of the rows to label: of a group that repeats, every row."""
        if not rows.key:
            return f"SELECT {self.place} FROM {self.placed} WHERE {_condition(rows)}"
        same = " AND ".join(f"b.{q(c)} IS NOT DISTINCT FROM r.{q(c)}" for c in rows.key)
        return (
            f"SELECT {self.place} FROM {self.placed} b SEMI JOIN ({self._repeated(rows)}) r "
            f"ON {same} WHERE {_condition(rows)}"
        )

    def _repeated(self, rows: SodaRows) -> str:
        keys = ", ".join(q(column) for column in rows.key)
        return (
            f"SELECT {keys}, count(*) AS {_ROWS} FROM {self.placed} "
            f"WHERE {_condition(rows)} GROUP BY {keys} HAVING count(*) > 1"
        )


def _condition(rows: SodaRows) -> str:
    """True for the rows that the check counts; of a key, for the rows that are judged."""
    parts: list[exp.Expression] = []
    if rows.condition:
        parts.append(exp.paren(parse_one(rows.condition, read="duckdb")))
    if rows.claims:
        parts.append(exp.paren(exp.or_(*(broken(claim) for claim in rows.claims))))
    if rows.key and not rows.nulls_are_equal:
        parts += [exp.not_(exp.column(c, quoted=True).is_(exp.null())) for c in rows.key]
    return exp.and_(*parts).sql(dialect="duckdb") if parts else "TRUE"


def _disagreement(said: EngineOutcome, counted: int) -> str:
    return (
        f"Soda counts {said.count} rows and the platform {counted}: its rows cannot be told, "
        "so that none is labelled; see docs/semantics.md, or give the check a threshold of its own"
    )
