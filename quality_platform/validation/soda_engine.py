"""Soda: run checks in Soda's contract language on a relation in DuckDB.

A check is written as in a Soda contract, one check type with its body, on a column or on the whole
data set (https://docs.soda.io/soda-v4/reference/contract-language-reference)::

    SodaCheck({"missing": {"threshold": {"metric": "percent", "must_be_less_than": 5}}}, "tailnum")
    SodaCheck({"invalid": {"valid_values": ["EWR", "JFK", "LGA"]}}, column="origin")
    SodaCheck({"duplicate": {}}, column="id")
    SodaCheck({"aggregate": {"function": "avg", "threshold": {"must_be_less_than": 60}}}, "delay")
    SodaCheck({"row_count": {"threshold": {"must_be_greater_than": 0}}})
    SodaCheck({"duplicate": {"columns": ["carrier", "flight", "time_hour"]}})
    SodaCheck({"failed_rows": {"expression": "arr_time < 0"}})
    SodaCheck({"metric": {"query": "SELECT max(distance) FROM {object}", "threshold": {...}}})
    SodaCheck({"freshness": {"column": "ts", "threshold": {"unit": "day", "must_be_less_than": 2}}})
    SodaCheck({"schema": {"allow_extra_columns": True}})

In a query `{object}` stands for the relation; other relations of the connection can be named as
they are, in `valid_reference_data` as `duckdb/main/<name>`. Soda's own levels fail and warn both
mean "not passed" here: what follows from that is said by the severity of the check spec.

All checks of a call share one contract and one session, which scans the relation a few times for
all of them. Soda gives counts, never rows (`soda_rows` finds those of row checks). The count of
duplicates is the number of extra rows; over several columns Soda takes NULLs for equal.

The SQL of a definition runs on the connection with the rights that the connection has.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quality_platform.checks.specs import CheckSpec
from quality_platform.errors import EngineError
from quality_platform.lake.query import time_limit
from quality_platform.validation.engine_outcomes import (
    EngineOutcome,
    as_decimal,
    could_not_run,
    one_line,
    without_values,
)
from quality_platform.validation.soda_definitions import definition_problem, soda_claim
from quality_platform.validation.soda_library import load_soda, session_logs

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_DATA_SOURCE = "duckdb"
_SCHEMA = "main"
_COUNTS = {
    "missing": "missing_count",
    "invalid": "invalid_count",
    "duplicate": "duplicate_count",
    "failed_rows": "failed_rows_count",
}
_QUERIES = frozenset({"query", "keys_query", "rows_tested_query"})
# Soda collects errors through process-wide logging: one session at a time.
_LOCK = threading.Lock()


@dataclass(frozen=True)
class _Batch:
    """What the checks run on: a relation of the connection, its columns and its number of rows.

    A session that takes longer than `timeout_seconds` is stopped; None sets no limit.
    """

    connection: DuckDBPyConnection
    relation: str
    columns: tuple[str, ...]
    rows: int
    timeout_seconds: float | None = None


def validate_definition(spec: CheckSpec) -> str:
    """What is wrong with the definition, in one line; empty when nothing is.

    Raises:
        EngineError: Soda cannot be imported.
    """
    with _LOCK:
        load_soda()
        return definition_problem(spec)


def run_soda_checks(
    connection: DuckDBPyConnection,
    relation: str,
    columns: Mapping[str, str],
    specs: Sequence[CheckSpec],
    timeout_seconds: float | None = None,
) -> dict[str, EngineOutcome]:
    """Run the checks on a relation of the connection.

    Args:
        connection: a DuckDB connection, used by nobody else meanwhile, outside of a transaction.
        relation: the name of a table or view in its schema `main` that holds the batch.
        columns: the columns that a `schema` check expects, in order. Only the names are compared:
            the types have been enforced when the batch was read.
        specs: check specs whose claim is a `SodaCheck`.
        timeout_seconds: time after which a session is stopped, and its checks are errors.

    Returns:
        An outcome for each spec, by its name. A check that cannot run, for its definition or for
        the data, has an error; it does not touch the others.

    Raises:
        EngineError: Soda cannot be imported, or there is no such relation.
    """
    if not specs:
        return {}
    rows = _row_count(connection, relation)
    batch = _Batch(connection, relation, tuple(columns), rows, timeout_seconds)
    with _LOCK:
        load_soda()
        problems = {spec.name: definition_problem(spec) for spec in specs}
        outcomes = {
            name: could_not_run(name, batch.rows, problem)
            for name, problem in problems.items()
            if problem
        }
        return outcomes | _judged(batch, [spec for spec in specs if not problems[spec.name]])


def _row_count(connection: DuckDBPyConnection, relation: str) -> int:
    import duckdb

    quoted = _quoted(relation)
    try:
        return int(connection.execute(f"SELECT count(*) FROM {quoted}").fetchall()[0][0])
    except duckdb.Error as error:
        raise EngineError(
            "DuckDB cannot read the relation that Soda is to check",
            received=quoted,
            action=one_line(str(error)),
        ) from error


def _judged(batch: _Batch, specs: Sequence[CheckSpec]) -> dict[str, EngineOutcome]:
    """The outcomes; one bad check spoils the queries it shares, so its half is run again."""
    if not specs:
        return {}
    try:
        with time_limit(batch.connection, batch.timeout_seconds) as late:
            results, error = _session(batch, specs)
            # Soda takes the interrupt for an error of its query.
            if error and late is not None and late.is_set():
                raise EngineError(error)
    except EngineError as stopped:
        reason = stopped.problems[0].message
        return {spec.name: could_not_run(spec.name, batch.rows, reason) for spec in specs}
    if not error:
        return {spec.name: _outcome(spec, batch, results.get(spec.name)) for spec in specs}
    if len(specs) == 1:
        return {specs[0].name: could_not_run(specs[0].name, batch.rows, error)}
    middle = len(specs) // 2
    return _judged(batch, specs[:middle]) | _judged(batch, specs[middle:])


def _session(batch: _Batch, specs: Sequence[CheckSpec]) -> tuple[dict[str, Any], str]:
    """Soda's results by qualifier, which is the spec's name; and what went wrong, if anything."""
    from soda_core.common.exceptions import SodaCoreException
    from soda_core.common.yaml import ContractYamlSource, YamlParser
    from soda_core.contracts.contract_verification import (
        ContractVerificationSession,
        SodaException,
    )
    from soda_duckdb.common.data_sources.duckdb_data_source import DuckDBDataSourceImpl

    # Soda's own writer: what it writes is what its reader reads, also for "1e5", "on" and "\u2028".
    text = YamlParser().dump_to_string(_contract(batch, specs))
    with session_logs() as logs:
        try:
            session = ContractVerificationSession.execute(
                contract_yaml_sources=[ContractYamlSource.from_str(text)],
                data_source_impls=[
                    DuckDBDataSourceImpl.from_existing_cursor(batch.connection, _DATA_SOURCE)
                ],
                logs=logs,
            )
        except (SodaCoreException, SodaException, *_DEFINITION_ERRORS) as error:
            return {}, _told(batch, specs, f"{type(error).__name__}: {error}")
    # `is_failed` alone would call a run whose queries failed a success.
    if session.has_errors:
        told = _told(batch, specs, session.get_errors_str())
        return {}, told or "Soda reports an error without a message"
    found = [r for result in session.contract_verification_results for r in result.check_results]
    return {result.check.qualifier: result for result in found}, ""


def _told(batch: _Batch, specs: Sequence[CheckSpec], message: str) -> str:
    """The error in one line, without values of the data that DuckDB quotes."""
    known = " ".join([batch.relation, *batch.columns, *(str(spec.claim) for spec in specs)])
    return one_line(without_values(message, known))


# What Soda's parser and check types raise on bodies that pass its own JSON schema.
_DEFINITION_ERRORS = (AssertionError, AttributeError, LookupError, TypeError, ValueError)


def _contract(batch: _Batch, specs: Sequence[CheckSpec]) -> dict[str, Any]:
    checks: dict[str | None, list[dict[str, Any]]] = {}
    for spec in specs:
        claim = soda_claim(spec)
        [(kind, body)] = claim.definition.items()
        entry = {**_plain(body or {}, batch.relation), "qualifier": spec.name}
        checks.setdefault(claim.column, []).append({kind: entry})
    names = dict.fromkeys([*batch.columns, *(name for name in checks if name is not None)])
    contract: dict[str, Any] = {"dataset": f"{_DATA_SOURCE}/{_SCHEMA}/{batch.relation}"}
    contract["columns"] = [
        {"name": name, **({"checks": checks[name]} if name in checks else {})} for name in names
    ]
    return contract | ({"checks": checks[None]} if None in checks else {})


def _plain(value: Any, relation: str, key: str = "") -> Any:
    """The definition with `{object}` filled in, and dates as text, which is what Soda reads."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v, relation, str(k)) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, relation) for item in value]
    if isinstance(value, str):
        return value.replace("{object}", _quoted(relation)) if key in _QUERIES else value
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _quoted(relation: str) -> str:
    return f'"{_SCHEMA}"."{relation.replace(chr(34), chr(34) * 2)}"'


def _outcome(spec: CheckSpec, batch: _Batch, result: Any | None) -> EngineOutcome:
    if result is None:
        return could_not_run(spec.name, batch.rows, "Soda gave no result for this check")
    outcome, kind = result.outcome.name, result.check.type
    if outcome not in {"PASSED", "FAILED", "WARN"}:
        reason = f"Soda did not evaluate the {kind} check ({outcome}); see its threshold and filter"
        return could_not_run(spec.name, batch.rows, reason)
    found = result.diagnostic_metric_values or {}
    rows = found.get("check_rows_tested")
    count = found.get(_COUNTS.get(kind, ""))
    return EngineOutcome(
        name=spec.name,
        passed=outcome == "PASSED",
        rows=batch.rows if rows is None else int(rows),
        count=None if count is None else int(count),
        value=as_decimal(result.threshold_value),
        message=one_line(_message(result, outcome)),
    )


def _message(result: Any, outcome: str) -> str:
    threshold = result.check.threshold
    if outcome == "WARN" and result.check.warn_threshold:
        threshold = result.check.warn_threshold
    bounds = [line for line in str(threshold).splitlines() if not line.startswith("level")]
    text = f"{result.check.type}: observed {result.threshold_value}, {', '.join(bounds)}"
    missing = getattr(result, "expected_column_names_not_actual", None)
    extra = getattr(result, "actual_column_names_not_expected", None)
    notes = [("columns missing", missing), ("columns not expected", extra)]
    return "; ".join([text, *(f"{note}: {', '.join(names)}" for note, names in notes if names)])
