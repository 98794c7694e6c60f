"""Expectations of Great Expectations as rules of a contract.

What means exactly the same in the standard becomes that (a field of the property, or a rule of the
library); any other expectation that the engine runs stays one, as a `custom` rule.

Kinds and arguments: https://greatexpectations.io/expectations, and the registry of version 1.24.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from quality_platform.checks.expectation_kinds import (
    RUNNABLE_TYPES,
    SQL_ONLY_TYPES,
    named_columns,
    refused_arguments,
)
from quality_platform.checks.specs import Expectation
from quality_platform.exchange.odcs import RuleNotes, TableDraft, engine_rule, library_rule

# RE2 has neither: a pattern with one of them runs in Python only.
_ORDERED = "expect_table_columns_to_match_ordered_list"
_NOT_RE2 = re.compile(r"\(\?[=!]|\(\?<[=!]|\\[1-9]|\(\?P=")


@dataclass(frozen=True)
class Found:
    """An expectation of the input, for the table that it is about."""

    table: TableDraft
    kind: str
    kwargs: Mapping[str, Any]
    notes: RuleNotes
    where: str

    @property
    def column(self) -> str:
        """The column that it judges."""
        return str(self.kwargs["column"])

    def has_only(self, *names: str) -> bool:
        """Whether it has no argument but its column and these."""
        return not set(self.kwargs) - {"column", *names}

    def add(self, rule: Mapping[str, Any], column: str = "") -> bool:
        """Adds the rule; True, as what is added needs no other form."""
        self.table.add_rule(rule, self.notes, column)
        return True


def add_expectation(found: Found) -> None:
    """Adds the rule of an expectation to its table, or lists it as lost."""
    kwargs = {key: value for key, value in found.kwargs.items() if value is not None}
    mostly = kwargs.get("mostly")
    if mostly == 1:
        del kwargs["mostly"]
    clean = Found(found.table, found.kind, kwargs, found.notes, found.where)
    if problem := _problem(clean):
        found.table.lose(found.where, found.kind, problem)
        return
    for name in named_columns(Expectation(clean.kind, dict(kwargs))):
        found.table.column(name)
    same = _SAME.get(clean.kind)
    if same is None or not same(clean):
        implementation = {"type": clean.kind, "kwargs": kwargs}
        clean.add(engine_rule("greatExpectations", implementation), _only_column(kwargs))


def _problem(found: Found) -> str:
    if found.kind in SQL_ONLY_TYPES:
        return "Great Expectations runs it on SQL databases only"
    if found.kind not in RUNNABLE_TYPES:
        return "no expectation of Great Expectations 1.24"
    if found.kind in _OF_A_COLUMN and not isinstance(found.kwargs.get("column"), str):
        return "it names no column"
    return refused_arguments(Expectation(found.kind, dict(found.kwargs)))


def _only_column(kwargs: Mapping[str, Any]) -> str:
    column = kwargs.get("column")
    return column if isinstance(column, str) else ""


def _not_null(found: Found) -> bool:
    if not found.has_only("mostly"):
        return False
    if "mostly" in found.kwargs:
        if not _is_number(found.kwargs["mostly"]):
            return False
        share = 100 - 100 * Decimal(str(found.kwargs["mostly"]))
        rule = library_rule("nullValues", None, "mustBeLessOrEqualTo", _number(share), "percent")
        return found.add(rule, found.column)
    if found.notes.is_plain:
        found.table.column(found.column)["required"] = True
        return True
    return found.add(library_rule("nullValues"), found.column)


def _unique(found: Found) -> bool:
    if not found.has_only():
        return False
    if found.notes.is_plain:
        found.table.column(found.column)["unique"] = True
        return True
    return found.add(library_rule("duplicateValues"), found.column)


def _unique_together(found: Found) -> bool:
    # By default Great Expectations judges rows with some NULLs, which the standard's rule does not.
    columns = listed_columns(found.kwargs)
    if not columns or set(found.kwargs) - {"column_list", "ignore_row_if"}:
        return False
    if found.kwargs.get("ignore_row_if") != "any_value_is_missing":
        return False
    return found.add(library_rule("duplicateValues", {"properties": columns}))


def _in_set(found: Found) -> bool:
    values = found.kwargs.get("value_set")
    if not found.has_only("value_set") or not isinstance(values, list) or not values:
        return False
    if not _are_of_type(found, values):
        return False
    return found.add(library_rule("invalidValues", {"validValues": values}), found.column)


def _matches(found: Found) -> bool:
    pattern = found.kwargs.get("regex")
    if not found.has_only("regex") or not isinstance(pattern, str) or _NOT_RE2.search(pattern):
        return False
    options = found.table.options(found.column)
    if found.notes.is_plain and _is_text(found) and "pattern" not in options:
        options["pattern"] = pattern
        return True
    return found.add(library_rule("invalidValues", {"pattern": pattern}), found.column)


def _is_within(found: Found) -> bool:
    bounds = {key: found.kwargs.get(key) for key in ("min_value", "max_value")}
    given = {key: value for key, value in bounds.items() if value is not None}
    if not found.has_only("min_value", "max_value", "strict_min", "strict_max") or not given:
        return False
    if not all(_is_number(value) for value in given.values()) or not found.notes.is_plain:
        return False
    logical = found.table.guess_type(found.column, "number")
    options = found.table.options(found.column)
    if logical not in ("integer", "number") or _bounded(options):
        return False
    for key, strict, name in (
        ("min_value", "strict_min", "inimum"), ("max_value", "strict_max", "aximum")
    ):  # fmt: skip
        if key in given:
            prefix = "exclusiveM" if found.kwargs.get(strict) else "m"
            options[prefix + name] = given[key]
    return True


def _bounded(options: Mapping[str, Any]) -> bool:
    return any("imum" in key for key in options)


def _has_length(found: Found) -> bool:
    if found.kind == "expect_column_value_lengths_to_equal":
        low = high = found.kwargs.get("value")
        is_simple = found.has_only("value")
    else:
        low, high = found.kwargs.get("min_value"), found.kwargs.get("max_value")
        is_simple = found.has_only("min_value", "max_value")
    given = {"minLength": low, "maxLength": high}
    bounds = {key: value for key, value in given.items() if isinstance(value, int)}
    if not is_simple or not bounds or not found.notes.is_plain or not _is_text(found):
        return False
    options = found.table.options(found.column)
    if bounds.keys() & options.keys():
        return False
    options.update(bounds)
    return True


def _row_count(found: Found) -> bool:
    if found.kind == "expect_table_row_count_to_equal":
        bound = ("mustBe", found.kwargs.get("value"))
        return set(found.kwargs) == {"value"} and found.add(library_rule("rowCount", None, *bound))
    if set(found.kwargs) - {"min_value", "max_value"}:
        return False
    low, high = found.kwargs.get("min_value"), found.kwargs.get("max_value")
    if low is not None and high is not None:
        return found.add(library_rule("rowCount", None, "mustBeBetween", [low, high]))
    operator = "mustBeGreaterOrEqualTo" if high is None else "mustBeLessOrEqualTo"
    bound_value = low if high is None else high
    return bound_value is not None and found.add(
        library_rule("rowCount", None, operator, bound_value)
    )


def _exists(found: Found) -> bool:
    # That there is such a column is what a property says; its place is said by the order.
    return found.has_only() and found.notes.is_plain


def _columns_are(found: Found) -> bool:
    for name in listed_columns(found.kwargs):
        found.table.column(name)
    return found.kwargs.keys() == {"column_list"} and found.notes.is_plain


def listed_columns(kwargs: Mapping[str, Any]) -> list[str]:
    """The columns that a list or a set among the arguments names."""
    listed = kwargs.get("column_list") or kwargs.get("column_set")
    return [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []


def _is_text(found: Found) -> bool:
    return found.table.guess_type(found.column, "string") == "string"


def _are_of_type(found: Found, values: list[Any]) -> bool:
    """Whether the column can have these values; a column without a type gets theirs."""
    kinds = {type(value) for value in values if value is not None}
    fitting: dict[str, set[Any]] = {
        "string": {str},
        "boolean": {bool},
        "integer": {int},
        "number": {int, float},
    }
    guess = next((name for name, allowed in fitting.items() if kinds and kinds <= allowed), "")
    if not guess:
        return False
    logical = found.table.guess_type(found.column, guess)
    return kinds <= fitting.get(logical, {str})


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


_SAME: dict[str, Callable[[Found], bool]] = {
    "expect_column_values_to_not_be_null": _not_null,
    "expect_column_values_to_be_unique": _unique,
    "expect_compound_columns_to_be_unique": _unique_together,
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_values_to_match_regex": _matches,
    "expect_column_values_to_be_between": _is_within,
    "expect_column_value_lengths_to_be_between": _has_length,
    "expect_column_value_lengths_to_equal": _has_length,
    "expect_table_row_count_to_be_between": _row_count,
    "expect_table_row_count_to_equal": _row_count,
    "expect_column_to_exist": _exists,
    _ORDERED: _columns_are,
    "expect_table_columns_to_match_set": _columns_are,
}
_OF_A_COLUMN = frozenset(_SAME) - {
    "expect_compound_columns_to_be_unique",
    "expect_table_row_count_to_be_between",
    "expect_table_row_count_to_equal",
    "expect_table_columns_to_match_set",
    _ORDERED,
}
