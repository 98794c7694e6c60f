"""Soda on DuckDB: one contract in its own language; counts, no rows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from benchmarks.data import COLUMNS
from benchmarks.engines.protocol import MEMORY_LIMIT_MB, THREADS, Answer, Job, serve
from benchmarks.rules import Kind, Rule, predicate_sql, range_sql


def load() -> Mapping[str, str]:
    """Imports Soda, which would otherwise report its use."""
    os.environ |= {"SODA_CORE_TELEMETRY_ENABLED": "false", "PYTHON_DOTENV_DISABLED": "1"}
    import soda_core.contracts.contract_verification  # noqa: F401
    import soda_duckdb.common.data_sources.duckdb_data_source  # noqa: F401

    return {"soda-core": version("soda-core"), "duckdb": version("duckdb")}


def run(job: Job) -> Answer:
    """Verifies the contract over a view of the files."""
    import duckdb
    import yaml
    from soda_core.common.yaml import ContractYamlSource
    from soda_core.contracts.contract_verification import ContractVerificationSession
    from soda_duckdb.common.data_sources.duckdb_data_source import DuckDBDataSourceImpl

    limits = {"memory_limit": f"{MEMORY_LIMIT_MB}MB", "threads": str(THREADS)}
    connection = duckdb.connect(config=limits)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"CREATE VIEW orders AS FROM read_parquet({list(job.orders)})")
    connection.execute(f"CREATE VIEW customers AS FROM read_parquet('{job.customers}')")
    result = ContractVerificationSession.execute(
        contract_yaml_sources=[ContractYamlSource.from_str(yaml.safe_dump(_contract(job)))],
        data_source_impls=[DuckDBDataSourceImpl.from_existing_cursor(connection, name="duckdb")],
    )
    return _answer(result, job)


def _answer(result: Any, job: Job) -> Answer:
    answer = Answer()
    by_name = {
        check.check.name: check
        for verified in result.contract_verification_results
        for check in verified.check_results
    }
    for rule in job.rules:
        check = by_name.get(rule.name)
        values = (check.diagnostic_metric_values or {}) if check else {}
        count = values.get(f"{_check(rule)[0]}_count") if check else None
        if count is None:
            answer.not_run[rule.name] = "Soda gave no count"
        else:
            answer.counts[rule.name] = int(count)
    return answer


def _contract(job: Job) -> dict[str, Any]:
    columns: dict[str, list[dict[str, Any]]] = {name: [] for name in COLUMNS}
    whole: list[dict[str, Any]] = []
    for rule in job.rules:
        kind, body = _check(rule)
        owner = whole if kind == "failed_rows" or len(rule.columns) > 1 else columns[rule.column]
        # Several checks of one type need to be told apart.
        owner.append({kind: {"name": rule.name, "qualifier": rule.name, **body}})
    listed = [
        {"name": name, "checks": checks} if checks else {"name": name}
        for name, checks in columns.items()
    ]
    contract = {"dataset": "duckdb/main/orders", "columns": listed}
    return {**contract, "checks": whole} if whole else contract


_TYPES = {
    Kind.NOT_NULL: "missing",
    Kind.NULL_SHARE: "missing",
    Kind.UNIQUE: "duplicate",
    Kind.REPEATED_SHARE: "duplicate",
    Kind.WITHIN_TOTAL: "failed_rows",
    Kind.CANCELLED: "failed_rows",
}


def _check(rule: Rule) -> tuple[str, dict[str, Any]]:
    """The type of the check, and its body."""
    # Soda's bounds on values are numbers.
    if isinstance(rule.minimum, str):
        return "failed_rows", {"expression": f"NOT ({range_sql(rule)})"}
    return _TYPES.get(rule.kind, "invalid"), _body(rule)


def _body(rule: Rule) -> dict[str, Any]:
    share = {"threshold": {"metric": "percent", "must_be_less_than_or_equal": rule.maximum}}
    match rule.kind:
        case Kind.NULL_SHARE:
            return share
        case Kind.REPEATED_SHARE:
            return {"columns": list(rule.columns), **share}
        case Kind.FOREIGN_KEY:
            reference = {"dataset": "duckdb/main/customers", "column": "customer_id"}
            return {"valid_reference_data": reference}
        case Kind.WITHIN_TOTAL | Kind.CANCELLED:
            return {"expression": f"NOT ({predicate_sql(rule)})"}
        case Kind.LENGTH:
            return _bounds(rule, "valid_min_length", "valid_max_length")
        case Kind.IN_RANGE:
            return _bounds(rule, "valid_min", "valid_max")
        case _:
            return _valid(rule)


def _valid(rule: Rule) -> dict[str, Any]:
    if rule.kind is Kind.PATTERN:
        return {"valid_format": {"name": rule.name, "regex": rule.pattern}}
    return {"valid_values": list(rule.values)} if rule.kind is Kind.IN_SET else {}


def _bounds(rule: Rule, low: str, high: str) -> dict[str, Any]:
    both = {low: rule.minimum, high: rule.maximum}
    return {key: bound for key, bound in both.items() if bound is not None}


if __name__ == "__main__":
    serve(load, run)
