"""What a contract means, row by row in plain Python: nothing of the platform is used here.

It knows the part of the standard that `contracts` of test_random_contracts.py writes, and takes it
from the document itself, so that a mistake in any step from YAML to SQL shows.
"""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

Row = Mapping[str, Any]

_OPERATORS: dict[str, Callable[[Decimal, Any], bool]] = {
    "mustBe": operator.eq,
    "mustNotBe": operator.ne,
    "mustBeGreaterThan": operator.gt,
    "mustBeGreaterOrEqualTo": operator.ge,
    "mustBeLessThan": operator.lt,
    "mustBeLessOrEqualTo": operator.le,
    "mustBeBetween": lambda value, bounds: bounds[0] <= value <= bounds[1],
    "mustNotBeBetween": lambda value, bounds: not bounds[0] <= value <= bounds[1],
}


def verdicts(document: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, tuple[bool, int]]:
    """For every check by name whether it holds, and the number of rows that break it.

    Checks of thresholds other than "none" have the number of failing (or extra) rows; row counts
    have the number of rows.
    """
    (obj,) = document["schema"]
    found: dict[str, tuple[bool, int]] = {}
    key = [column["name"] for column in obj["properties"] if column.get("primaryKey")]
    if key:
        found["primary_key_unique"] = _none(_in_groups(rows, key))
    for column in obj["properties"]:
        for name, breaks in _implied(column).items():
            found[name] = _none(sum(breaks(row[column["name"]]) for row in rows))
        if column.get("unique"):
            found[f"{column['name']}_unique"] = _none(_in_groups(rows, [column["name"]]))
        for rule in column.get("quality", ()):
            found[rule["name"]] = _stated(rule, rows, column["name"])
    for rule in obj.get("quality", ()):
        found[rule["name"]] = _stated(rule, rows, None)
    return found


def _none(count: int) -> tuple[bool, int]:
    return count == 0, count


def _implied(column: Mapping[str, Any]) -> dict[str, Callable[[Any], bool]]:
    name, options = column["name"], column.get("logicalTypeOptions", {})
    checks: dict[str, Callable[[Any], bool]] = {}
    if column.get("required") or column.get("primaryKey"):
        checks[f"{name}_not_null"] = lambda value: value is None
    if {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"} & options.keys():
        checks[f"{name}_in_range"] = lambda value: value is not None and not _within(value, options)
    if "pattern" in options:
        checks[f"{name}_pattern"] = lambda value: (
            value is not None and re.search(options["pattern"], value) is None
        )
    if {"minLength", "maxLength"} & options.keys():
        checks[f"{name}_length"] = lambda value: (
            value is not None
            and not options.get("minLength", 0) <= len(value) <= options.get("maxLength", 10**9)
        )
    if "multipleOf" in options:
        checks[f"{name}_multiple_of"] = lambda value: (
            value is not None and value % options["multipleOf"] != 0
        )
    return checks


def _within(value: Any, options: Mapping[str, Any]) -> bool:
    return (
        value >= options.get("minimum", value)
        and value <= options.get("maximum", value)
        and ("exclusiveMinimum" not in options or value > options["exclusiveMinimum"])
        and ("exclusiveMaximum" not in options or value < options["exclusiveMaximum"])
    )


def _stated(rule: Mapping[str, Any], rows: Sequence[Row], column: str | None) -> tuple[bool, int]:
    count = _metric(rule, rows, column)
    written = next(name for name in _OPERATORS if name in rule)
    if rule["metric"] == "duplicateValues" and written == "mustBe" and rule[written] == 0:
        return _none(_in_groups(rows, [column] if column else rule["arguments"]["properties"]))
    value = Decimal(count)
    if rule.get("unit") == "percent":
        value = 100 * value / len(rows) if rows else Decimal(0)
    return _OPERATORS[written](value, rule[written]), count


def _metric(rule: Mapping[str, Any], rows: Sequence[Row], column: str | None) -> int:
    arguments = rule.get("arguments", {})
    values = [row[column] for row in rows] if column else []
    match rule["metric"]:
        case "rowCount":
            return len(rows)
        case "nullValues":
            return sum(value is None for value in values)
        case "missingValues":
            return sum(value in arguments["missingValues"] for value in values)
        case "duplicateValues":
            keys = [column] if column else arguments["properties"]
            groups = Counter(t for row in rows if None not in (t := tuple(row[k] for k in keys)))
            return sum(n - 1 for n in groups.values())
    valid = arguments.get("validValues")
    if valid is not None:
        return sum(value is not None and value not in valid for value in values)
    return sum(value is not None and not re.search(arguments["pattern"], value) for value in values)


def _in_groups(rows: Sequence[Row], keys: Sequence[str]) -> int:
    """Rows whose key, without any NULL, stands in another row, too."""
    groups = Counter(tuple(row[key] for key in keys) for row in rows)
    return sum(n for key, n in groups.items() if n > 1 and None not in key)
