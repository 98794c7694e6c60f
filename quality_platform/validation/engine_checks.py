"""The two external engines over one batch in DuckDB: what they say, and which rows they mean."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from quality_platform.checks.expectation_kinds import EVERY_COLUMN, columns_needed
from quality_platform.checks.specs import CheckSpec, Scope
from quality_platform.errors import EngineError
from quality_platform.lake.query import engine_errors, time_limit
from quality_platform.lake.query import quote_identifier as q
from quality_platform.validation.engine_outcomes import EngineOutcome, could_not_run
from quality_platform.validation.great_expectations_engine import (
    CHUNK_ROWS,
    RowLocalRun,
    is_row_local,
    run_expectations,
)
from quality_platform.validation.soda_engine import run_soda_checks
from quality_platform.validation.soda_rows import SodaRowFinder

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

OnBroken = Callable[[CheckSpec, pa.Table], None]
"""Takes rows that break a row check: a table of two columns, file and position (from 0)."""


@dataclass(frozen=True)
class PlacedRows:
    """The batch in a session: `relation` has its columns, `placed` the rows' places beside them.

    `place` are the two columns of the place in SQL, file and position. A check that runs longer
    than `timeout_seconds` ends as an error; None sets no limit.
    """

    connection: DuckDBPyConnection
    relation: str
    placed: str
    place: str
    schema: pa.Schema
    rows: int
    timeout_seconds: float | None = None


def judge_expectations(
    batch: PlacedRows, specs: Sequence[CheckSpec], on_broken: OnBroken
) -> dict[str, EngineOutcome]:
    """Runs Great Expectations: by pieces of the batch where it can, else on whole columns."""
    local = [spec for spec in specs if is_row_local(spec)]
    whole = [spec for spec in specs if not is_row_local(spec)]
    outcomes: dict[str, EngineOutcome] = {}
    for group, judge in ((local, _by_pieces), (whole, _on_whole_columns)):
        try:
            outcomes |= judge(batch, group, on_broken) if group else {}
        except EngineError as error:
            reason = error.problems[0].message
            outcomes |= {s.name: could_not_run(s.name, batch.rows, reason) for s in group}
    return outcomes


def judge_soda(
    batch: PlacedRows, specs: Sequence[CheckSpec], on_broken: OnBroken
) -> dict[str, EngineOutcome]:
    """Runs Soda, all checks in one session, and finds the rows that its row checks count."""
    types: Mapping[str, str] = {f.name: str(f.type) for f in batch.schema}
    try:
        outcomes = run_soda_checks(
            batch.connection, batch.relation, types, specs, batch.timeout_seconds
        )
    except EngineError as error:
        reason = error.problems[0].message
        return {spec.name: could_not_run(spec.name, batch.rows, reason) for spec in specs}
    finder = SodaRowFinder(batch.connection, batch.placed, batch.place, batch.timeout_seconds)
    rules = [s for s in specs if s.scope is Scope.ROW and not outcomes[s.name].error]
    return outcomes | finder.agreed(rules, outcomes, on_broken)


def _by_pieces(
    batch: PlacedRows, specs: Sequence[CheckSpec], on_broken: OnBroken
) -> dict[str, EngineOutcome]:
    columns = _columns_needed(batch.schema, specs)
    run = RowLocalRun(specs, columns)
    rules = {spec.name: spec for spec in specs if spec.scope is Scope.ROW}
    places: dict[str, list[pa.Table]] = {name: [] for name in rules}
    deadline = _Deadline(batch.timeout_seconds)
    with closing(_pieces(batch, columns)) as pieces:
        for piece in pieces:
            deadline.require()
            broken = run.judge(piece)
            for name in broken.keys() & rules.keys():
                places[name].append(_places(piece, broken[name]))
    outcomes = run.outcomes()
    for name, spec in rules.items():
        # A later piece may have raised: then no row is labelled.
        if outcomes[name].count:
            on_broken(spec, pa.concat_tables(places[name]))
    return outcomes


def _pieces(batch: PlacedRows, columns: Sequence[str]) -> Generator[pa.Table, None, None]:
    """The batch piece by piece with the rows' places; one piece without rows for an empty one."""
    with engine_errors():
        reader = batch.connection.sql(_selected(batch, columns)).to_arrow_reader(CHUNK_ROWS)
    none_yet = True
    try:
        with engine_errors():
            for piece in reader:
                none_yet = False
                yield pa.Table.from_batches([piece])
    finally:
        # An open result keeps the connection from running anything else.
        reader.close()
    if none_yet:
        yield reader.schema.empty_table()


def _on_whole_columns(
    batch: PlacedRows, specs: Sequence[CheckSpec], on_broken: OnBroken
) -> dict[str, EngineOutcome]:
    columns = _columns_needed(batch.schema, specs)
    ordered = f"{_selected(batch, columns)} ORDER BY {batch.place}"
    with engine_errors(), time_limit(batch.connection, batch.timeout_seconds):
        table = batch.connection.sql(ordered).to_arrow_table()
    # The engine counts rows by the columns given; without one it still needs the places.
    outcomes = run_expectations(table.select(columns) if columns else table, specs)
    for spec in specs:
        found = outcomes[spec.name].positions
        if spec.scope is Scope.ROW and found is not None and len(found):
            on_broken(spec, _places(table, found))
    return outcomes


def _places(table: pa.Table, found: pa.Int64Array | pa.UInt64Array) -> pa.Table:
    """The last two columns of these rows: file and position."""
    return table.select(table.column_names[-2:]).take(found)


def _selected(batch: PlacedRows, columns: Sequence[str]) -> str:
    wanted = ", ".join([*(q(column) for column in columns), batch.place])
    return f"SELECT {wanted} FROM {batch.placed}"


def _columns_needed(schema: pa.Schema, specs: Sequence[CheckSpec]) -> list[str]:
    """The batch's columns that the expectations read; one that it lacks is their own error."""
    needed = {column for spec in specs for column in columns_needed(spec)}
    return [name for name in schema.names if name in needed or EVERY_COLUMN in needed]


class _Deadline:
    """The moment at which a check without an interrupt of its own has to end."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._start = time.monotonic()

    def require(self) -> None:
        """Raises EngineError once the time is over."""
        if self._seconds is not None and time.monotonic() - self._start > self._seconds:
            raise EngineError(f"took longer than {self._seconds:g} s and was stopped")
