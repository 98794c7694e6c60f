"""datacontract-cli: the same ODCS contract, over the same files, by way of its DuckDB and Ibis.

What it cannot read in the contract it gets as `type: sql` rules with the same predicate; so too a
second `invalidValues` of one column, which in version 1.2.8 fails all checks of the table
("Duplicate column name").
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.contract import contract_of
from benchmarks.engines.protocol import Answer, Job, serve
from benchmarks.rules import Kind, Rule, broken_sql


def load() -> Mapping[str, str]:
    """Imports datacontract-cli and the engines that it imports late."""
    import duckdb
    import ibis.backends.duckdb  # noqa: F401
    from datacontract.data_contract import DataContract  # noqa: F401

    return {"datacontract-cli": version("datacontract-cli"), "duckdb": duckdb.__version__}


def run(job: Job) -> Answer:
    """Tests the contract."""
    import yaml
    from datacontract.data_contract import DataContract

    contract = Path(job.scratch) / "orders.odcs.yaml"
    contract.write_text(yaml.safe_dump(_contract(job), sort_keys=False), encoding="utf-8")
    result = DataContract(data_contract_file=str(contract), server="files").test()
    # Checks of one kind on one column come in the contract's order.
    found: dict[tuple[str | None, str], deque[Any]] = defaultdict(deque)
    for check in result.checks:
        if check.model == "orders":
            found[check.field, check.type].append(check)
    answer = Answer()
    for rule in job.rules:
        checks = [found[_field(rule), kind].popleft() for kind in _types(rule)]
        values = [(check.diagnostics or {}).get("value") for check in checks]
        if None in values:
            answer.not_run[rule.name] = "; ".join(str(check.reason) for check in checks)
        else:
            answer.counts[rule.name] = sum(values)
    return answer


def _field(rule: Rule) -> str | None:
    return rule.column if len(rule.columns) == 1 else None


_TYPES = {
    Kind.NOT_NULL: "field_required",
    Kind.UNIQUE: "field_unique",
    Kind.FOREIGN_KEY: "field_relationships",
    Kind.PATTERN: "field_regex",
    Kind.IN_SET: "field_invalid_values",
    Kind.NULL_SHARE: "field_null_values",
    Kind.REPEATED_SHARE: "model_duplicate_values",
}


def _types(rule: Rule) -> list[str]:
    """Which of its checks stand for the rule; a range is two."""
    if rule.kind in _TYPES and not _is_second(rule):
        return [_TYPES[rule.kind]]
    low, high = (
        ("field_min_length", "field_max_length")
        if rule.kind is Kind.LENGTH
        else ("field_minimum", "field_maximum")
    )
    if rule.name in (f"{rule.column}_length", f"{rule.column}_in_range"):
        return [low] * (rule.minimum is not None) + [high] * (rule.maximum is not None)
    return ["field_quality_sql" if _field(rule) else "model_quality_sql"]


def _is_second(rule: Rule) -> bool:
    """Whether the column has a rule of this kind before it."""
    first = (f"{rule.column}_pattern", f"{rule.column}_valid")
    return rule.kind in (Kind.PATTERN, Kind.IN_SET) and rule.name not in first


def _contract(job: Job) -> dict[str, Any]:
    contract = contract_of(job.rules)
    rules = {rule.name: rule for rule in job.rules}
    for entry in _quality(contract):
        rule = rules[entry["name"]]
        if entry["type"] == "text" or _is_second(rule):
            query = f"SELECT count(*) FROM orders WHERE {broken_sql(rule)}"
            entry.clear()
            entry |= {"name": rule.name, "type": "sql", "query": query, "mustBe": 0}
        elif entry["metric"] == "duplicateValues":
            # It has no percentages for repeated rows.
            del entry["unit"], entry["mustBeLessOrEqualTo"]
            entry["mustBe"] = 0
    for column in contract["schema"][0]["properties"]:
        if column["physicalType"] == "timestamptz":
            column["physicalType"] = "timestamp_tz"
    files = str(Path(job.customers).parent / "{model}*.parquet")
    contract["servers"] = [{"server": "files", "type": "local", "path": files, "format": "parquet"}]
    return contract


def _quality(contract: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    orders = contract["schema"][0]
    for owner in (orders, *orders["properties"]):
        yield from owner.get("quality", ())


if __name__ == "__main__":
    serve(load, run)
