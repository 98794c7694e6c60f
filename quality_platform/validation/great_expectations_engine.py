"""Great Expectations: run expectations on Arrow tables and bring back the rows that break them.

An expectation is written as in Great Expectations itself, by type and keyword arguments::

    Expectation("expect_column_values_to_be_in_set", {"column": "origin", "value_set": ["EWR"]})
    Expectation(
        "expect_column_pair_values_a_to_be_greater_than_b",
        {"column_A": "arr_time", "column_B": "dep_time", "ignore_row_if": "neither"},
    )
    Expectation("expect_column_mean_to_be_between", {"column": "dep_delay", "max_value": 60})

Expectations about values of rows ("map" expectations) label rows unless they carry a `mostly` below
1; all others judge the batch. NULL breaks only the expectations about NULL. A pair of columns with
one NULL breaks an expectation about the pair, unless `ignore_row_if` says otherwise.

Where each row decides by itself (`is_row_local`), a batch is judged piece by piece, so that only
one piece of it is in memory as a data frame: `RowLocalRun`. All others need their columns whole.

On a batch without rows a row expectation passes with a count of 0, a row count is 0, and a gate on
a mean or the like fails, as there is nothing to observe.

Types and arguments are those of version 1.24, https://docs.greatexpectations.io/docs/reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from quality_platform.checks.expectation_kinds import (
    EVERY_COLUMN,
    ROW_TYPES,
    SCHEMA_TYPES,
    TYPE_TYPES,
    allowance,
    columns_needed,
    is_row_local,
    labels_rows,
    named_columns,
    refused_arguments,
    runnable_expectation,
)
from quality_platform.checks.specs import CheckSpec, Expectation
from quality_platform.errors import EngineError
from quality_platform.validation.engine_outcomes import (
    EngineOutcome,
    as_decimal,
    could_not_run,
    one_line,
    without_values,
)
from quality_platform.validation.great_expectations_library import (
    LOCK,
    built,
    exception_in,
    library,
    reason_of,
    validated,
)

__all__ = [
    "EVERY_COLUMN",
    "RowLocalRun",
    "columns_needed",
    "is_row_local",
    "labels_rows",
    "run_expectations",
    "validate_definition",
]

CHUNK_ROWS = 500_000
"""Rows that are a data frame at a time where an expectation can be judged piece by piece."""

# An expectation that raises has the library compute all others again, up to four times: it is found
# out on a few rows.
_PROBE_ROWS = 1000

# These compare across columns. Beside a NULL, Arrow answers NULL, which the library cannot take; on
# plain pandas columns the comparison is false, so that the row breaks the expectation.
_ACROSS_COLUMNS = frozenset(
    {
        "expect_column_pair_values_a_to_be_greater_than_b",
        "expect_column_pair_values_to_be_equal",
        "expect_multicolumn_sum_to_equal",
        "expect_multicolumn_values_to_be_equal",
    }
)
_NULLS_LEFT_OUT = frozenset({"any_value_is_missing", "either_value_is_missing"})
# These need a statistic first. Of no values at all Arrow gives NULL, plain pandas columns give NaN.
_AGAINST_A_STATISTIC = frozenset(
    {
        "expect_column_quantile_values_to_be_between",
        "expect_column_value_z_scores_to_be_less_than",
        "expect_column_values_to_not_be_outliers",
    }
)


@dataclass(frozen=True)
class _Run:
    """One expectation ready to run: its spec, and the library's object for it."""

    spec: CheckSpec
    claim: Expectation
    expectation: Any

    @property
    def name(self) -> str:
        return self.spec.name


@dataclass
class _Tally:
    """What has been counted for one row expectation so far, piece by piece."""

    rows: int = 0
    judged: int = 0
    count: int = 0
    positions: list[pa.UInt64Array] = field(default_factory=list)

    def add(self, details: Mapping[str, Any], offset: int) -> pa.Int64Array:
        """Adds a piece's result; its first row has the place `offset`. Gives its broken rows."""
        rows = int(details["element_count"])
        self.rows += rows
        self.judged += rows - int(details.get("missing_count") or 0)
        self.count += int(details["unexpected_count"])
        found = pa.array(details["unexpected_index_list"], pa.int64())
        self.positions.append(cast("pa.UInt64Array", pc.add(found, offset).cast(pa.uint64())))
        return found

    def outcome(self, run: _Run) -> EngineOutcome:
        mostly = allowance(run.claim)
        message = f"{self.count} of {self.rows} rows break {run.claim.type}"
        value, passed = None, self.count == 0
        if mostly is not None:
            share = (self.judged - self.count) / self.judged if self.judged else 1.0
            # The library's own comparison of floats; of no row at all everything holds.
            passed = share >= float(str(mostly))
            if self.judged:
                value = round(Decimal(self.judged - self.count) / self.judged, 9)
            message = f"{message}; {value} hold, expected {mostly}"
        return EngineOutcome(
            name=run.name,
            passed=passed,
            rows=self.rows,
            count=self.count,
            value=value,
            positions=pa.concat_arrays(self.positions or [pa.array([], pa.uint64())]),
            message=message,
        )


class RowLocalRun:
    """Judges a batch piece by piece by expectations of which each row decides by itself.

    Raises:
        EngineError: Great Expectations cannot be imported.
    """

    def __init__(self, specs: Sequence[CheckSpec], columns: Sequence[str]) -> None:
        """Prepares specs that are `is_row_local`; `columns` are those that every piece has."""
        self.rows = 0
        self._runs: list[_Run] = []
        self._errors: dict[str, str] = {}
        with LOCK:
            library()
            for spec in specs:
                run, problem = _prepared(spec, columns)
                if run is None:
                    self._errors[spec.name] = problem
                else:
                    self._runs.append(run)
        self._tallies = {run.name: _Tally() for run in self._runs}

    def judge(self, piece: pa.Table) -> dict[str, pa.Int64Array]:
        """The positions in this piece of the rows that break each expectation, by check name."""
        broken: dict[str, pa.Int64Array] = {}
        runs = [run for run in self._runs if run.name not in self._errors]
        with LOCK:
            for run, result in _results(piece, runs):
                problem = result if isinstance(result, str) else _raised(result, run, piece)
                if problem:
                    self._errors[run.name] = problem
                else:
                    broken[run.name] = self._tallies[run.name].add(result.result, self.rows)
        self.rows += piece.num_rows
        return broken

    def outcomes(self) -> dict[str, EngineOutcome]:
        """The outcome of every spec over all pieces, by name."""
        found = {
            run.name: self._tallies[run.name].outcome(run)
            for run in self._runs
            if run.name not in self._errors
        }
        failed = {name: could_not_run(name, self.rows, e) for name, e in self._errors.items()}
        return found | failed


def validate_definition(spec: CheckSpec) -> str:
    """What is wrong with the expectation's type or arguments, in one line; empty when nothing is.

    Raises:
        EngineError: Great Expectations cannot be imported.
    """
    with LOCK:
        library()
        return _prepared(spec)[1]


def run_expectations(
    table: pa.Table, specs: Sequence[CheckSpec], chunk_rows: int = CHUNK_ROWS
) -> dict[str, EngineOutcome]:
    """Run the expectations on a table, all on data frames that share its memory.

    Args:
        table: the batch, with at least the columns that `columns_needed` names.
        specs: check specs whose claim is an `Expectation`.
        chunk_rows: rows that are judged at a time where each row decides by itself.

    Returns:
        An outcome for each spec, by its name. An expectation that cannot run, for its definition
        or for the data, has an error; it does not touch the others.

    Raises:
        EngineError: Great Expectations cannot be imported.
    """
    local = [spec for spec in specs if _is_known_local(spec)]
    rest = [spec for spec in specs if not _is_known_local(spec)]
    outcomes = _whole(table, rest) if rest else {}
    if local:
        run = RowLocalRun(local, table.column_names)
        for start in range(0, max(table.num_rows, 1), chunk_rows):
            run.judge(table.slice(start, chunk_rows))
        outcomes |= run.outcomes()
    return outcomes


def _is_known_local(spec: CheckSpec) -> bool:
    try:
        return is_row_local(spec)
    except EngineError:
        # An unknown type is told as the error of its own check.
        return False


def _whole(table: pa.Table, specs: Sequence[CheckSpec]) -> dict[str, EngineOutcome]:
    """The outcomes of expectations that need their columns whole."""
    with LOCK:
        library()
        outcomes: dict[str, EngineOutcome] = {}
        runs: list[_Run] = []
        for spec in specs:
            run, problem = _prepared(spec, table.column_names)
            if run is None:
                outcomes[spec.name] = could_not_run(spec.name, table.num_rows, problem)
            else:
                runs.append(run)
        for run, result in _results(table, runs):
            outcomes[run.name] = _whole_outcome(run, result, table)
        return outcomes


def _whole_outcome(run: _Run, result: Any, table: pa.Table) -> EngineOutcome:
    problem = result if isinstance(result, str) else _raised(result, run, table)
    if problem:
        return could_not_run(run.name, table.num_rows, problem)
    if run.claim.type in ROW_TYPES:
        tally = _Tally()
        tally.add(result.result, 0)
        return tally.outcome(run)
    observed = result.result.get("observed_value")
    return EngineOutcome(
        name=run.name,
        passed=bool(result.success),
        rows=table.num_rows,
        value=as_decimal(observed),
        message=one_line(_gate_message(run.claim, observed)),
    )


def _results(table: pa.Table, runs: Sequence[_Run]) -> Iterator[tuple[_Run, Any]]:
    """The library's result for each run, or why there is none."""
    for plain in (False, True):
        group = [run for run in runs if _needs_plain_columns(run.claim, table) is plain]
        if not group:
            continue
        needed = _projected(table, group)
        try:
            frame = _plain_frame(needed) if plain else _arrow_frame(needed)
        except (pa.ArrowException, ValueError) as error:
            reason = without_values(reason_of(error), " ".join(needed.column_names))
            yield from ((run, reason) for run in group)
            continue
        found = _judged(group, frame)
        yield from ((run, found.get(run.name, "no result came back")) for run in group)


def _judged(runs: Sequence[_Run], frame: Any) -> dict[str, Any]:
    """Results by name; what raises on a few rows does not share a pass with the others."""
    is_short = len(frame) <= _PROBE_ROWS
    few = frame if is_short else frame.head(_PROBE_ROWS).copy()
    found, problem = validated([run.expectation for run in runs], few)
    if is_short and (found or len(runs) == 1):
        return found or {runs[0].name: problem}
    shared = [r for r in runs if r.name in found and not exception_in(found[r.name].exception_info)]
    results: dict[str, Any] = {}
    for group in ([shared] if shared else []) + [[run] for run in runs if run not in shared]:
        passed, problem = validated([run.expectation for run in group], frame)
        results |= passed or {run.name: problem for run in group}
    return results


def _needs_plain_columns(claim: Expectation, table: pa.Table) -> bool:
    """Whether NULLs in the columns would make the library raise on Arrow's types."""
    nulls = [
        table.column(name).null_count for name in named_columns(claim) if name in table.schema.names
    ]
    if claim.type in _ACROSS_COLUMNS:
        return any(nulls) and claim.kwargs.get("ignore_row_if") not in _NULLS_LEFT_OUT
    return claim.type in _AGAINST_A_STATISTIC and table.num_rows in nulls


def _gate_message(claim: Expectation, observed: object) -> str:
    """What was observed, unless it is a list of the column's values, which may be personal data."""
    limits = ", ".join(f"{key}={value}" for key, value in claim.kwargs.items() if key != "column")
    shown = claim.type in SCHEMA_TYPES | TYPE_TYPES or as_decimal(observed) is not None
    lead = f"observed {observed}, " if shown and observed is not None else ""
    return f"{lead}expected {claim.type}({limits})"


def _raised(result: Any, run: _Run, table: pa.Table) -> str:
    """Why the library could not judge the data, without a value of it; "" when it could."""
    error = exception_in(result.exception_info)
    if not error:
        return ""
    known = f"{run.claim.type} {dict(run.claim.kwargs)} {' '.join(table.column_names)}"
    hint = " (if the columns hold NULL, ignore_row_if leaves such rows out)"
    return without_values(error, known) + (hint if run.claim.type in _ACROSS_COLUMNS else "")


def _projected(table: pa.Table, runs: Sequence[_Run]) -> pa.Table:
    needed = {name for run in runs for name in columns_needed(run.spec)}
    if EVERY_COLUMN in needed:
        return table
    return table.select([name for name in table.column_names if name in needed])


def _arrow_frame(table: pa.Table) -> Any:
    """The table as a data frame on the same memory, with a positional index."""
    import pandas as pd

    return table.to_pandas(types_mapper=pd.ArrowDtype, ignore_metadata=True)


def _plain_frame(table: pa.Table) -> Any:
    """The table as plain pandas columns; integers are Python objects: exact beside NULL.

    All of them, as plain integers cannot be compared with objects among which is a NULL.
    """
    frame = table.to_pandas(ignore_metadata=True, date_as_object=False, integer_object_nulls=True)
    integers = [f.name for f in table.schema if pa.types.is_integer(f.type)]
    return frame.astype(dict.fromkeys(integers, object))


def _prepared(spec: CheckSpec, columns: Sequence[str] | None = None) -> tuple[_Run | None, str]:
    """The expectation ready to run, or what is wrong with its definition."""
    try:
        claim = runnable_expectation(spec)
    except EngineError as error:
        problem = error.problems[0]
        return None, one_line(f"{problem.message}: {problem.received}; {problem.action}")
    refused = refused_arguments(claim) or _missing_columns(spec, claim, columns)
    if refused:
        return None, refused
    expectation, reason = built(spec, claim)
    return (None, reason) if reason else (_Run(spec, claim, expectation), "")


def _missing_columns(spec: CheckSpec, claim: Expectation, columns: Sequence[str] | None) -> str:
    if columns is None or claim.type in SCHEMA_TYPES:
        return ""
    missing = [name for name in columns_needed(spec) if name not in columns]
    if not missing:
        return ""
    return f"no column {', '.join(missing)}; there are {', '.join(columns)}"
