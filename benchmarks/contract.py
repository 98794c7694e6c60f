"""The rules as an ODCS contract, the way a person would write them.

python -m benchmarks.contract      writes benchmarks/contracts/orders.odcs.yaml
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.data import COLUMNS
from benchmarks.rules import Kind, Rule, predicate_sql, range_sql, rules_of

COMMITTED = Path(__file__).parent / "contracts" / "orders.odcs.yaml"

_TYPES = {
    "BIGINT": ("integer", "long"),
    "INTEGER": ("integer", "int"),
    "VARCHAR": ("string", "string"),
    "DECIMAL(12,2)": ("number", "decimal(12, 2)"),
    "DOUBLE": ("number", "double"),
    "TIMESTAMPTZ": ("timestamp", "timestamptz"),
}


def contract_of(rules: Sequence[Rule]) -> dict[str, Any]:
    """The contract of orders and customers with these rules, as the data of a YAML document."""
    columns = {name: _column(name, type_) for name, type_ in COLUMNS.items()}
    table: dict[str, Any] = {
        "name": "orders",
        "logicalType": "object",
        "physicalType": "table",
        "quality": [],
        "properties": list(columns.values()),
    }
    for rule in rules:
        _add(rule, table, columns[rule.column])
    customers = {
        "name": "customers",
        "logicalType": "object",
        "physicalType": "table",
        "properties": [
            _column("customer_id", "BIGINT"),
            _column("name", "VARCHAR"),
            _column("country", "VARCHAR"),
        ],
    }
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "benchmark-orders",
        "name": "orders",
        "version": "1.0.0",
        "status": "active",
        "schema": [_without_empty(table), customers],
    }


def write_contract(path: Path, rules: Sequence[Rule]) -> None:
    """Writes the contract with these rules as YAML."""
    import yaml

    head = f"# Written by benchmarks/contract.py: the {len(rules)} rules of the benchmark.\n"
    body = yaml.safe_dump(contract_of(rules), sort_keys=False, width=100, allow_unicode=True)
    path.write_text(head + body, encoding="utf-8")


def _column(name: str, type_: str) -> dict[str, Any]:
    logical, physical = _TYPES[type_]
    return {"name": name, "logicalType": logical, "physicalType": physical}


def _add(rule: Rule, table: dict[str, Any], column: dict[str, Any]) -> None:
    """Writes the rule where the standard has a place for it, else as a predicate on the row."""
    options = column.setdefault("logicalTypeOptions", {})
    match rule.kind:
        case Kind.NOT_NULL:
            column["required"] = True
        case Kind.UNIQUE:
            column["unique"] = True
        case Kind.FOREIGN_KEY:
            column["relationships"] = [{"to": "customers.customer_id"}]
        case Kind.PATTERN if rule.name == f"{rule.column}_pattern":
            options["pattern"] = rule.pattern
        case Kind.LENGTH if rule.name == f"{rule.column}_length":
            options |= _bounds(rule, "minLength", "maxLength")
        case Kind.IN_RANGE if rule.name == f"{rule.column}_in_range":
            options |= _bounds(rule, "minimum", "maximum")
        case _:
            owner = table if len(rule.columns) > 1 else column
            owner.setdefault("quality", []).append({"name": rule.name} | _quality(rule))
    if not options:
        del column["logicalTypeOptions"]


def _quality(rule: Rule) -> dict[str, Any]:
    match rule.kind:
        case Kind.PATTERN:
            return _invalid_values({"pattern": rule.pattern})
        case Kind.IN_SET:
            return _invalid_values({"validValues": list(rule.values)})
        case Kind.NULL_SHARE:
            return _share("nullValues", rule)
        case Kind.REPEATED_SHARE:
            arguments = {"properties": list(rule.columns)}
            return _share("duplicateValues", rule) | {"arguments": arguments}
        case Kind.LENGTH | Kind.IN_RANGE:
            return _predicate(range_sql(rule))
        case _:
            return _predicate(predicate_sql(rule))


def _invalid_values(arguments: dict[str, Any]) -> dict[str, Any]:
    return {"type": "library", "metric": "invalidValues", "arguments": arguments, "mustBe": 0}


def _share(metric: str, rule: Rule) -> dict[str, Any]:
    bound = {"mustBeLessOrEqualTo": rule.maximum, "unit": "percent"}
    return {"type": "library", "metric": metric} | bound


def _predicate(sql: str) -> dict[str, Any]:
    return {"type": "text", "customProperties": [{"property": "rowPredicate", "value": sql}]}


def _bounds(rule: Rule, low: str, high: str) -> dict[str, Any]:
    both = {low: rule.minimum, high: rule.maximum}
    return {key: bound for key, bound in both.items() if bound is not None}


def _without_empty(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value != []}


if __name__ == "__main__":
    write_contract(COMMITTED, rules_of(20))
