"""A Soda data contract (version 4) as a contract of one table.

Format: https://docs.soda.io/soda-v4/reference/contract-language-reference. What the standard's own
rules say exactly becomes one of them; any other check stays Soda's, as a `custom` rule.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from quality_platform.exchange.column_types import from_sql
from quality_platform.exchange.entries import Entry
from quality_platform.exchange.importers.sources import yaml_entry
from quality_platform.exchange.odcs import (
    RuleNotes,
    TableDraft,
    document,
    engine_rule,
    library_rule,
)
from quality_platform.exchange.results import Imported, Loss

OPERATORS = {
    "must_be": "mustBe",
    "must_not_be": "mustNotBe",
    "must_be_greater_than": "mustBeGreaterThan",
    "must_be_greater_than_or_equal": "mustBeGreaterOrEqualTo",
    "must_be_less_than": "mustBeLessThan",
    "must_be_less_than_or_equal": "mustBeLessOrEqualTo",
}
"""Soda's comparisons with one number, and the standard's."""

_ENDS = ("greater_than_or_equal", "less_than_or_equal")
_NAMING = ("name", "qualifier", "attributes")


@dataclass(frozen=True)
class _Check:
    """One check: its type, its body without what only names it, and what is said of it."""

    table: TableDraft
    kind: str
    body: dict[str, Any]
    column: str
    notes: RuleNotes

    @property
    def bound(self) -> tuple[str, Any, str] | None:
        """The operator, number and unit of the threshold; None where the standard has none."""
        threshold = dict(self.body.get("threshold") or {"must_be": 0})
        threshold.pop("level", None)
        unit = "percent" if threshold.pop("metric", "count") == "percent" else ""
        between = threshold.get("must_be_between")
        if isinstance(between, Mapping) and between.keys() == set(_ENDS) and len(threshold) == 1:
            return "mustBeBetween", [between[end] for end in _ENDS], unit
        if len(threshold) != 1 or (key := next(iter(threshold))) not in OPERATORS:
            return None
        return OPERATORS[key], threshold[key], unit

    @property
    def allows_none(self) -> bool:
        """Whether not a single row may fail."""
        return self.bound in (("mustBe", 0, ""), ("mustBe", 0, "percent"))

    def has_only(self, *keys: str) -> bool:
        """Whether the body says nothing but its threshold and these."""
        return not set(self.body) - {"threshold", *keys}

    def add(self, rule: Mapping[str, Any]) -> bool:
        """Adds the rule where the check stands."""
        self.table.add_rule(rule, self.notes, self.column)
        return True


def import_soda(path: Path, name: str = "", dialect: str = "") -> Imported:
    """The contract's data set as a table, called `name` or as the data set is.

    `dialect` is sqlglot's name of the data source's SQL, in which the types are written.

    Raises:
        ConfigurationError: the file is no Soda contract.
    """
    losses: list[Loss] = []
    top = yaml_entry(path, losses)
    dataset = top.take_text("dataset")
    table = TableDraft(name or dataset.rpartition("/")[2] or path.stem, str(path), losses)
    table.entry["description"] = top.take_text("description")
    if "/" in dataset:
        table.lose(top.place("dataset"), f"the place {dataset}", "a table's place is in `servers`")
    top.lose("filter", "the contract's rules judge all rows of a batch")
    top.lose("variables", "a contract has no variables")
    columns = list(top.entries("columns"))
    for column in columns:
        _add_column(table, column, dialect)
    for column in columns:
        for check in column.entries("checks"):
            _add_check(table, check, column.take_text("name"))
        column.close()
    for check in top.entries("checks"):
        _add_check(table, check, "")
    top.close("a setting of Soda, not a promise about the data")
    return document(table.name, [table], losses)


def _add_column(table: TableDraft, entry: Entry, dialect: str) -> None:
    name = entry.take_text("name")
    column = table.column(name)
    column["description"] = entry.take_text("description")
    written = entry.take("data_type")
    if isinstance(written, Mapping):
        written = written.get("name")
    if written:
        table.set_type(name, from_sql(str(written), dialect), entry.place("data_type"))
    if length := entry.take("character_maximum_length"):
        table.options(name)["maxLength"] = length
    entry.lose("optional", "a column of a contract is always there; its values may be NULL")


def _add_check(table: TableDraft, entry: Entry, column: str) -> None:
    kind = next(iter(entry.names), "")
    body = entry.below(entry.take(kind, {}), kind)
    where = body.where
    notes = RuleNotes(
        name=body.take_text("qualifier") or body.take_text("name"),
        severity="warning" if _level(body) == "warn" else "",
        description=body.take_text("name"),
        custom=body.take_mapping("attributes"),
    )
    for key in ("threshold", "valid_format", "valid_reference_data"):
        body.take_mapping(key)
    for key in ("valid_values", "invalid_values", "missing_values"):
        body.take_list(key)
    given = {key: body.take(key) for key in body.names if key not in _NAMING}
    rest = {key: value for key, value in given.items() if value is not None}
    entry.close()
    if "${" in json.dumps(rest, default=str):
        table.lose(where, f"the check {kind}", "it holds a variable, which only Soda fills in")
    elif "scope" in rest:
        table.lose(where, f"the check {kind}", "it judges a scope of its own")
    else:
        _add_rule(_Check(table, kind, rest, column, notes))


def _level(body: Entry) -> str:
    return str(body.take_mapping("threshold").get("level", ""))


def _add_rule(check: _Check) -> None:
    same = _SAME.get(check.kind)
    if same is None or not same(check):
        body = {**check.body}
        if isinstance(body.get("threshold"), Mapping):
            # The severity of the rule says it; Soda itself would warn only.
            body["threshold"] = {k: v for k, v in body["threshold"].items() if k != "level"}
        check.add(engine_rule("soda", {check.kind: body}))


def _missing(check: _Check) -> bool:
    bound = check.bound
    if bound is None or not check.has_only("missing_values"):
        return False
    if values := check.body.get("missing_values"):
        # To Soda, NULL is missing always; to the standard, where it is listed.
        rule = library_rule("missingValues", {"missingValues": [None, *values]}, *bound)
        return _values_fit(check, values) and check.add(rule)
    if check.allows_none and check.notes.is_plain:
        check.table.column(check.column)["required"] = True
        return True
    return check.add(library_rule("nullValues", None, *bound))


def _invalid(check: _Check) -> bool:
    if not check.allows_none:
        # Soda leaves missing values out of its percentages.
        return False
    told = sorted(set(check.body) - {"threshold"})
    if told == ["valid_values"]:
        values = check.body["valid_values"]
        rule = library_rule("invalidValues", {"validValues": values})
        return _values_fit(check, values) and check.add(rule)
    if told == ["valid_format"] and check.body["valid_format"].keys() <= {"name", "regex"}:
        return _pattern(check, **check.body["valid_format"])
    if told == ["valid_reference_data"]:
        return _reference(check)
    return check.notes.is_plain and _options(check, told)


def _pattern(check: _Check, regex: str, name: str = "") -> bool:
    notes = replace(check.notes, description=check.notes.description or name)
    rule = library_rule("invalidValues", {"pattern": regex})
    return replace(check, notes=notes).add(rule)


def _options(check: _Check, told: list[str]) -> bool:
    """Bounds of values and of lengths that the column's options can say."""
    column, options = check.table.column(check.column), check.table.options(check.column)
    for names, logical in ((_BOUNDS, ("integer", "number")), (_LENGTHS, ("string",))):
        if told and set(told) <= set(names) and column.get("logicalType") in logical:
            values = {names[key]: check.body[key] for key in told}
            is_number = all(isinstance(value, int | float) for value in values.values())
            if is_number and not values.keys() & options.keys():
                options.update(values)
                return True
    return False


_BOUNDS = {"valid_min": "minimum", "valid_max": "maximum"}
_LENGTHS = {"valid_min_length": "minLength", "valid_max_length": "maxLength"}


def _reference(check: _Check) -> bool:
    reference = check.body["valid_reference_data"]
    if reference.keys() != {"dataset", "column"} or check.notes.custom:
        return False
    table = str(reference["dataset"]).rpartition("/")[2]
    said = {"name": check.notes.name, "severity": check.notes.severity}
    link: dict[str, Any] = {"type": "foreignKey", "to": f"{table}.{reference['column']}"}
    if custom := [{"property": k, "value": v} for k, v in said.items() if v]:
        link["customProperties"] = custom
    check.table.column(check.column).setdefault("relationships", []).append(link)
    return True


def _duplicate(check: _Check) -> bool:
    # Over several columns Soda takes NULLs for equal, the standard's rule does not judge them.
    bound = check.bound
    if bound is None or bound[2] or not check.column or not check.has_only():
        return False
    if check.allows_none and check.notes.is_plain:
        check.table.column(check.column)["unique"] = True
        return True
    return check.add(library_rule("duplicateValues", None, *bound))


def _row_count(check: _Check) -> bool:
    bound = check.bound if "threshold" in check.body else ("mustBeGreaterThan", 0, "")
    if bound is None or not check.has_only():
        return False
    return check.add(library_rule("rowCount", None, *bound[:2]))


def _schema(check: _Check) -> bool:
    # That the columns are these is what the contract's properties say.
    return check.has_only() and check.notes.is_plain


def _values_fit(check: _Check, values: list[Any]) -> bool:
    """Whether the column can have these values; one without a type gets theirs."""
    kinds = {type(value) for value in values}
    guess = "string" if kinds == {str} else "integer" if kinds == {int} else "number"
    logical = check.table.guess_type(check.column, guess)
    return (kinds <= {str}) == (logical not in ("integer", "number", "boolean"))


_SAME = {
    "missing": _missing,
    "invalid": _invalid,
    "duplicate": _duplicate,
    "row_count": _row_count,
    "schema": _schema,
}
