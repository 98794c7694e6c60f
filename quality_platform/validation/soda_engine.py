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
all of them. Soda gives counts, never rows. The count of duplicates is the number of extra rows;
over several columns Soda takes NULLs for equal.

The SQL of a definition runs on the connection with the rights that the connection has.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from quality_platform.checks.specs import CheckSpec, SodaCheck
from quality_platform.errors import EngineError
from quality_platform.validation.engine_outcomes import (
    EngineOutcome,
    as_decimal,
    could_not_run,
    one_line,
)

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
# Soda's engine takes these on every check, its JSON schema only on some.
_ALWAYS_ALLOWED = frozenset({"attributes", "column_expression", "filter", "qualifier"})
_ENVIRONMENT = re.compile(r"\$\{ *env\.")

# Soda collects errors through process-wide logging: one session at a time.
_LOCK = threading.Lock()


@dataclass(frozen=True)
class _Batch:
    """What the checks run on: a relation of the connection, its columns and its number of rows."""

    connection: DuckDBPyConnection
    relation: str
    columns: tuple[str, ...]
    rows: int


def validate_definition(spec: CheckSpec) -> str:
    """What is wrong with the definition, in one line; empty when nothing is.

    Raises:
        EngineError: Soda cannot be imported.
    """
    with _LOCK:
        _load_soda()
        return _problem(spec)


def run_soda_checks(
    connection: DuckDBPyConnection,
    relation: str,
    columns: Mapping[str, str],
    specs: Sequence[CheckSpec],
) -> dict[str, EngineOutcome]:
    """Run the checks on a relation of the connection.

    Args:
        connection: a DuckDB connection, used by nobody else meanwhile, outside of a transaction.
        relation: the name of a table or view in its schema `main` that holds the batch.
        columns: the columns that a `schema` check expects, in order. Only the names are compared:
            the types have been enforced when the batch was read.
        specs: check specs whose claim is a `SodaCheck`.

    Returns:
        An outcome for each spec, by its name. A check that cannot run, for its definition or for
        the data, has an error; it does not touch the others.

    Raises:
        EngineError: Soda cannot be imported, or there is no such relation.
    """
    if not specs:
        return {}
    batch = _Batch(connection, relation, tuple(columns), _row_count(connection, relation))
    with _LOCK:
        _load_soda()
        problems = {spec.name: _problem(spec) for spec in specs}
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
    results, error = _session(batch, specs)
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
    with _session_logs() as logs:
        try:
            session = ContractVerificationSession.execute(
                contract_yaml_sources=[ContractYamlSource.from_str(text)],
                data_source_impls=[
                    DuckDBDataSourceImpl.from_existing_cursor(batch.connection, _DATA_SOURCE)
                ],
                logs=logs,
            )
        except (SodaCoreException, SodaException, *_DEFINITION_ERRORS) as error:
            return {}, one_line(f"{type(error).__name__}: {error}")
    # `is_failed` alone would call a run whose queries failed a success.
    if session.has_errors:
        return {}, one_line(session.get_errors_str()) or "Soda reports an error without a message"
    found = [r for result in session.contract_verification_results for r in result.check_results]
    return {result.check.qualifier: result for result in found}, ""


# What Soda's parser and check types raise on bodies that pass its own JSON schema.
_DEFINITION_ERRORS = (AssertionError, AttributeError, LookupError, TypeError, ValueError)


def _contract(batch: _Batch, specs: Sequence[CheckSpec]) -> dict[str, Any]:
    checks: dict[str | None, list[dict[str, Any]]] = {}
    for spec in specs:
        claim = _claim(spec)
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


def _problem(spec: CheckSpec) -> str:
    """What is wrong with the definition before any data: its form, by Soda's own JSON schema."""
    claim = _claim(spec)
    if len(claim.definition) != 1:
        return f"a check has one type as its only key; received {sorted(claim.definition)}"
    [(kind, body)] = claim.definition.items()
    known = _body_schemas()["column" if claim.column else "dataset"]
    if kind not in known:
        level = f"the column {claim.column!r}" if claim.column else "the data set"
        near = get_close_matches(kind, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"no check type {kind!r} on {level}; there are {', '.join(sorted(known))}{hint}"
    if body is not None and not isinstance(body, Mapping):
        return f"{kind}: the body must be a mapping; received {type(body).__name__}"
    # Soda would fill it in from the environment, secrets included.
    if _ENVIRONMENT.search(json.dumps(body, default=str)):
        return f"{kind}: ${{env...}} is not allowed in a check; write the value itself"
    return _schema_problem(kind, body or {}, known[kind])


def _schema_problem(kind: str, body: Mapping[str, Any], schema: dict[str, Any]) -> str:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    stripped = {key: value for key, value in body.items() if key not in _ALWAYS_ALLOWED}
    validator = Draft202012Validator(schema)
    error = best_match(validator.iter_errors(json.loads(json.dumps(stripped, default=str))))
    if error is None:
        return ""
    return one_line(".".join([kind, *map(str, error.absolute_path)]) + f": {error.message}")


@lru_cache(maxsize=1)
def _body_schemas() -> dict[str, dict[str, dict[str, Any]]]:
    """Soda's JSON schemas of the check bodies, by level ("column", "dataset") and check type."""
    name = "soda_data_contract_json_schema_1_0_0.json"
    schema = json.loads((files("soda_core.contracts") / name).read_text(encoding="utf-8"))
    of_contract = schema["properties"]
    of_column = of_contract["columns"]["items"]["allOf"][0]["properties"]
    return {
        level: {
            kind: {**body, "$defs": schema["$defs"]}
            for form in properties["checks"]["items"]["anyOf"]
            for kind, body in form["properties"].items()
        }
        for level, properties in (("column", of_column), ("dataset", of_contract))
    }


def _claim(spec: CheckSpec) -> SodaCheck:
    if isinstance(spec.claim, SodaCheck):
        return spec.claim
    raise EngineError(
        "not a check of Soda",
        location=spec.location,
        field=spec.name,
        received=type(spec.claim).__name__,
        action="hand over only check specs whose claim is a SodaCheck",
    )


@contextmanager
def _session_logs() -> Iterator[Any]:
    """Soda's collector of errors, for one session.

    Soda hangs it on the root logger for good, where it also takes other libraries' errors for its
    own and keeps `logging.basicConfig` from working. It is moved to Soda's logger, and removed
    after; meanwhile nothing reaches the handlers of the process, so the terminal stays clean.
    """
    from soda_core.common.logs import Logs

    logger, logs = logging.getLogger("soda"), Logs()
    collectors = [h for h in logging.root.handlers if type(h).__module__ == Logs.__module__]
    level, propagate = logger.level, logger.propagate
    for handler in collectors:
        logging.root.removeHandler(handler)
        logger.addHandler(handler)
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    try:
        yield logs
    finally:
        logger.setLevel(level)
        logger.propagate = propagate
        for handler in collectors:
            logger.removeHandler(handler)
        logs.close()


@lru_cache(maxsize=1)
def _load_soda() -> None:
    """Import Soda without telemetry, and without the .env file that it would load.

    Raises:
        EngineError: Soda cannot be imported.
    """
    os.environ.setdefault("SODA_CORE_TELEMETRY_ENABLED", "false")
    try:
        with _without_dotenv(), warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message="Not fully supported", category=DeprecationWarning
            )
            # In this order: the plug-in imported first is circular.
            import soda_core.common.env_config_helper as settings
            import soda_duckdb.common.data_sources.duckdb_data_source  # noqa: F401

            settings.EnvConfigHelper()
    except ImportError as error:
        raise EngineError(
            "Soda cannot be imported",
            received=one_line(str(error)),
            action="install the packages soda-core and soda-duckdb",
        ) from error


@contextmanager
def _without_dotenv() -> Iterator[None]:
    """Keep Soda's first import from loading the nearest .env into the process's environment."""
    key = "PYTHON_DOTENV_DISABLED"
    before = os.environ.get(key)
    os.environ[key] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[key]
        else:
            os.environ[key] = before
