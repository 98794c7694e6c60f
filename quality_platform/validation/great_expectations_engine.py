"""Great Expectations: run expectations on an Arrow table and bring back the rows that break them.

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

On a batch without rows a row expectation passes with a count of 0, a row count is 0, and a gate on
a mean or the like fails, as there is nothing to observe.

Types and arguments are those of version 1.24, https://docs.greatexpectations.io/docs/reference.
"""

from __future__ import annotations

import logging
import os
import threading
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

import pyarrow as pa

from quality_platform.checks.expectation_kinds import (
    EVERY_COLUMN,
    ROW_TYPES,
    SCHEMA_TYPES,
    TYPE_TYPES,
    allowance,
    columns_needed,
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
)

__all__ = [
    "EVERY_COLUMN",
    "columns_needed",
    "labels_rows",
    "run_expectations",
    "validate_definition",
]

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
_RESULT_FORMAT = {
    "result_format": "COMPLETE",
    "return_unexpected_index_query": False,
    "exclude_unexpected_values": True,
    "partial_unexpected_count": 0,
}
_META_NAME = "check"

# The library keeps its current project in a global; it is bound to one CPU anyway.
_LOCK = threading.Lock()


@dataclass(frozen=True)
class _Run:
    """One expectation ready to run: its spec, and the library's object for it."""

    spec: CheckSpec
    claim: Expectation
    expectation: Any


def validate_definition(spec: CheckSpec) -> str:
    """What is wrong with the expectation's type or arguments, in one line; empty when nothing is.

    Raises:
        EngineError: Great Expectations cannot be imported.
    """
    with _LOCK:
        _great_expectations()
        return _prepared(spec)[1]


def run_expectations(table: pa.Table, specs: Sequence[CheckSpec]) -> dict[str, EngineOutcome]:
    """Run the expectations on the table, all on one data frame that shares its memory.

    Args:
        table: the batch, with at least the columns that `columns_needed` names.
        specs: check specs whose claim is an `Expectation`.

    Returns:
        An outcome for each spec, by its name. An expectation that cannot run, for its definition
        or for the data, has an error; it does not touch the others.

    Raises:
        EngineError: Great Expectations cannot be imported.
    """
    if not specs:
        return {}
    with _LOCK:
        _great_expectations()
        outcomes: dict[str, EngineOutcome] = {}
        groups: dict[bool, list[_Run]] = {False: [], True: []}
        for spec in specs:
            run, problem = _prepared(spec, table)
            if run is None:
                outcomes[spec.name] = could_not_run(spec.name, table.num_rows, problem)
            else:
                groups[_needs_plain_columns(run.claim, table)].append(run)
        for plain, runs in groups.items():
            outcomes |= _judged(table, runs, plain)
        return outcomes


def _needs_plain_columns(claim: Expectation, table: pa.Table) -> bool:
    """Whether NULLs in the columns would make the library raise on Arrow's types.

    It is asked beforehand, as an expectation that raises has the library compute all others again.
    """
    nulls = [
        table.column(name).null_count for name in named_columns(claim) if name in table.schema.names
    ]
    if claim.type in _ACROSS_COLUMNS:
        return any(nulls) and claim.kwargs.get("ignore_row_if") not in _NULLS_LEFT_OUT
    return claim.type in _AGAINST_A_STATISTIC and table.num_rows in nulls


def _judged(table: pa.Table, runs: Sequence[_Run], plain: bool) -> dict[str, EngineOutcome]:
    if not runs:
        return {}
    needed = _projected(table, runs)
    try:
        frame = _plain_frame(needed) if plain else _arrow_frame(needed)
    except (pa.ArrowException, ValueError) as error:
        reason = _reason(error)
        return {r.spec.name: could_not_run(r.spec.name, table.num_rows, reason) for r in runs}
    return _outcomes(table.num_rows, runs, frame)


def _outcomes(rows: int, runs: Sequence[_Run], frame: Any) -> dict[str, EngineOutcome]:
    """Run together; one by one where the library gives the whole suite up for one expectation."""
    found, error = _validated(runs, frame)
    if error and len(runs) > 1:
        alone = (_outcomes(rows, [run], frame) for run in runs)
        return {name: outcome for outcomes in alone for name, outcome in outcomes.items()}
    return {
        run.spec.name: _outcome(run, found[run.spec.name], rows)
        if run.spec.name in found
        else could_not_run(run.spec.name, rows, error or "no result came back")
        for run in runs
    }


def _validated(runs: Sequence[_Run], frame: Any) -> tuple[dict[str, Any], str]:
    """The library's results by check name (it reorders them), or why there are none."""
    gx = _great_expectations()
    source = _context().data_sources.add_pandas(uuid.uuid4().hex)
    try:
        asset = source.add_dataframe_asset("batch")
        batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
        suite = gx.ExpectationSuite(name="suite", expectations=[run.expectation for run in runs])
        results = batch.validate(suite, result_format=_RESULT_FORMAT).results
    except _library_errors() as error:
        return {}, _reason(error)
    finally:
        # The data source holds the data frame.
        _context().data_sources.delete(source.name)
    return {result.expectation_config.meta[_META_NAME]: result for result in results}, ""


def _outcome(run: _Run, result: Any, rows: int) -> EngineOutcome:
    error = _exception_in(result.exception_info)
    if error:
        return could_not_run(run.spec.name, rows, error + _null_hint(run.claim))
    if run.claim.type in ROW_TYPES:
        return _row_outcome(run, bool(result.success), result.result)
    observed = result.result.get("observed_value")
    return EngineOutcome(
        name=run.spec.name,
        passed=bool(result.success),
        rows=rows,
        value=as_decimal(observed),
        message=one_line(_gate_message(run.claim, observed)),
    )


def _row_outcome(run: _Run, passed: bool, details: Mapping[str, Any]) -> EngineOutcome:
    rows, count = int(details["element_count"]), int(details["unexpected_count"])
    judged = rows - int(details.get("missing_count") or 0)
    mostly = allowance(run.claim)
    held = round(Decimal(judged - count) / judged, 9) if judged else None
    message = f"{count} of {rows} rows break {run.claim.type}"
    return EngineOutcome(
        name=run.spec.name,
        passed=passed,
        rows=rows,
        count=count,
        value=None if mostly is None else held,
        positions=pa.array(details["unexpected_index_list"], pa.uint64()),
        message=message if mostly is None else f"{message}; {held} hold, expected {mostly}",
    )


def _gate_message(claim: Expectation, observed: object) -> str:
    """What was observed, unless it is a list of the column's values, which may be personal data."""
    limits = ", ".join(f"{key}={value}" for key, value in claim.kwargs.items() if key != "column")
    shown = claim.type in SCHEMA_TYPES | TYPE_TYPES or as_decimal(observed) is not None
    lead = f"observed {observed}, " if shown and observed is not None else ""
    return f"{lead}expected {claim.type}({limits})"


def _exception_in(info: Mapping[str, Any]) -> str:
    """The message of an exception; the library nests it by metric for some failures."""
    if "raised_exception" in info:
        return (info["exception_message"] or "exception") if info["raised_exception"] else ""
    nested = [_exception_in(inner) for inner in info.values() if isinstance(inner, Mapping)]
    return next((message for message in nested if message), "")


def _null_hint(claim: Expectation) -> str:
    if claim.type not in _ACROSS_COLUMNS:
        return ""
    return " (if the columns hold NULL, ignore_row_if leaves such rows out)"


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
    """The table as plain pandas columns; integers with NULL stay exact, as Python objects."""
    return table.to_pandas(ignore_metadata=True, date_as_object=False, integer_object_nulls=True)


def _prepared(spec: CheckSpec, table: pa.Table | None = None) -> tuple[_Run | None, str]:
    """The expectation ready to run, or what is wrong with its definition."""
    try:
        claim = runnable_expectation(spec)
    except EngineError as error:
        problem = error.problems[0]
        return None, one_line(f"{problem.message}: {problem.received}; {problem.action}")
    refused = refused_arguments(claim) or _missing_columns(claim, table)
    if refused:
        return None, refused
    expectation, reason = _build(spec, claim)
    return (None, reason) if reason else (_Run(spec, claim, expectation), "")


def _missing_columns(claim: Expectation, table: pa.Table | None) -> str:
    if table is None or claim.type in SCHEMA_TYPES:
        return ""
    missing = [name for name in named_columns(claim) if name not in table.schema.names]
    if not missing:
        return ""
    return f"no column {', '.join(missing)}; there are {', '.join(table.schema.names)}"


def _build(spec: CheckSpec, claim: Expectation) -> tuple[Any, str]:
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from pydantic.v1 import ValidationError

    try:
        configuration = ExpectationConfiguration(
            type=claim.type, kwargs=dict(claim.kwargs), meta={_META_NAME: spec.name}
        )
        return configuration.to_domain_obj(), ""
    except ValidationError as error:
        found = {".".join(map(str, e["loc"])): e["msg"] for e in error.errors()}
        return None, one_line("; ".join(f"{place}: {reason}" for place, reason in found.items()))
    except _library_errors() as error:
        return None, _reason(error)


def _reason(error: BaseException) -> str:
    return one_line(f"{type(error).__name__}: {error}")


@lru_cache(maxsize=1)
def _library_errors() -> tuple[type[Exception], ...]:
    """What building or running a suite raises; exceptions of one metric come back as results."""
    from great_expectations.exceptions.exceptions import GreatExpectationsError

    return (
        GreatExpectationsError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        NotImplementedError,
    )


@lru_cache(maxsize=1)
def _context() -> Any:
    """One context for the process, in memory, which shows no progress bars and writes no files."""
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    # The context of the library's own making has a site of documents in a temporary folder.
    in_memory = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    config = DataContextConfig(
        store_backend_defaults=in_memory,
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    return _great_expectations().get_context(mode="ephemeral", project_config=config)


@lru_cache(maxsize=1)
def _great_expectations() -> Any:
    # The library reads its switch from the environment, and at import only.
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    try:
        with _quiet_import():
            import great_expectations as gx
    # Importing it ends the process where pyspark is installed without its connect dependencies.
    except (ImportError, SystemExit) as error:
        raise EngineError(
            "Great Expectations cannot be imported",
            received=_reason(error),
            action="install the package great-expectations; remove a partial pyspark",
        ) from error
    # Results come back as values; nothing of the library is meant for the terminal.
    library = logging.getLogger("great_expectations")
    library.addHandler(logging.NullHandler())
    library.propagate = False
    return gx


@contextmanager
def _quiet_import() -> Iterator[None]:
    """Undo what the import changes for the whole process, and hide what it deprecates itself."""
    show = warnings.showwarning
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message=r"module 'sre_\w+' is deprecated", category=DeprecationWarning
        )
        yield
        if warnings.showwarning is not show:
            # The library redirects every warning of the process to logging.
            logging.captureWarnings(False)
