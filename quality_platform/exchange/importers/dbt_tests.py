"""Tests of dbt as rules of a contract: those of dbt itself, of dbt_utils and of dbt_expectations.

Where a test judges only some rows (`where`), its rule gets a custom property `rowCondition`. A test
that counts its rows (`error_if`) has no equal in the standard and is a loss.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from quality_platform.exchange.entries import Entry
from quality_platform.exchange.importers.expectations import Found, add_expectation
from quality_platform.exchange.importers.predicates import (
    add_predicate,
    in_duckdb,
    predicate_problem,
)
from quality_platform.exchange.odcs import RuleNotes, TableDraft, library_rule
from quality_platform.lake.query import quote_identifier

_REFERENCE = re.compile(r"^\s*(?:\{\{\s*)?(?:ref|source)\(([^)]*)\)(?:\s*\}\})?\s*$")
_CONFIG = ("severity", "where", "error_if", "warn_if", "limit", "store_failures", "fail_calc")
_SEVERITIES = {"error": "", "warn": "warning"}


@dataclass(frozen=True)
class DbtTest:
    """One test of the file: its name, its arguments, and the column it stands at, if any."""

    table: TableDraft
    name: str
    arguments: Entry
    column: str
    dialect: str

    @property
    def where(self) -> str:
        """The test's place in the file."""
        return self.arguments.where

    def lose(self, why: str) -> None:
        """Lists the whole test as lost."""
        self.table.lose(self.where, f"the test {self.name}", why)


@dataclass(frozen=True)
class _Prepared:
    """A test with its settings read: its arguments, and what is said of it."""

    test: DbtTest
    arguments: Entry
    notes: RuleNotes


_Add = Callable[[_Prepared], None]


def add_test(test: DbtTest) -> None:
    """Adds the rule of a test to its table, or lists the test as lost."""
    config = test.arguments.entry("config")
    settings = {key: test.arguments.take(key, config.take(key)) for key in _CONFIG}
    limits = [k for k in ("error_if", "warn_if", "fail_calc") if settings[k] is not None]
    given = test.arguments.entry("arguments") if "arguments" in test.arguments else test.arguments
    severity = str(settings["severity"] or "error").casefold()
    notes = RuleNotes(
        name=test.arguments.take_text("name"),
        severity=_SEVERITIES.get(severity, ""),
        description=test.arguments.take_text("description"),
    )
    known, condition = _known(test.name), str(settings["where"] or "")
    if limits:
        problem = f"a contract has nothing like {', '.join(limits)}"
    elif known is None:
        problem = "a test of the project's own, or of a package that is not known here"
    else:
        problem = _condition_problem(test, known, condition)
    if known is None or problem:
        test.lose(problem)
    else:
        if condition:
            sql = in_duckdb(condition, test.dialect)
            notes = replace(notes, custom={"rowCondition": sql})
        known(_Prepared(test, given, notes))
    _close(test, config, given, is_lost=bool(problem))


def _known(name: str) -> _Add | None:
    return _expectation if name.startswith("dbt_expectations.") else _TESTS.get(name)


def _condition_problem(test: DbtTest, known: _Add, condition: str) -> str:
    """Why the test cannot judge only those rows; "" where it can, or judges all."""
    if not condition:
        return ""
    if known not in _CONDITIONAL:
        return "it judges only some rows (`where`), which its rule cannot"
    return predicate_problem(condition, test.table.columns, test.dialect)


def _close(test: DbtTest, config: Entry, given: Entry, *, is_lost: bool) -> None:
    if is_lost:
        # The test has been listed as a whole.
        for entry in (given, test.arguments):
            for key in entry.names:
                entry.take(key)
    if given is not test.arguments:
        given.close("no argument of this test that is known here")
    test.arguments.close("no argument of this test that is known here")
    config.close("a setting of dbt, not a promise about the data")


def referenced_table(text: str) -> str:
    """The table in `ref('a')` or `source('s', 'a')`; a plain name is its own; "" otherwise."""
    found = _REFERENCE.match(text)
    if not found:
        return text.rpartition(".")[2] if re.fullmatch(r"[\w.]+", text) else ""
    return found[1].rpartition(",")[2].strip().strip("'\"")


def _row_predicate(p: _Prepared, condition: str) -> None:
    add_predicate(p.test.table, condition, p.notes, p.test.where, p.test.dialect)


def _column(p: _Prepared) -> str:
    """The column that the test is about; at a model it is an argument."""
    return p.test.column or p.arguments.take_text("column_name")


def _quoted(p: _Prepared) -> str:
    # Conditions are in the warehouse's dialect, whose quotes may be others.
    from sqlglot import exp

    name = exp.to_identifier(_column(p), quoted=True)
    return name.sql(dialect=p.test.dialect or "duckdb")


def _not_null(p: _Prepared) -> None:
    if p.notes.is_plain:
        p.test.table.column(_column(p))["required"] = True
    else:
        p.test.table.add_rule(library_rule("nullValues"), p.notes, _column(p))


def _unique(p: _Prepared) -> None:
    if p.notes.is_plain:
        p.test.table.column(_column(p))["unique"] = True
    else:
        p.test.table.add_rule(library_rule("duplicateValues"), p.notes, _column(p))


def _accepted_values(p: _Prepared) -> None:
    values, _ = p.arguments.take_list("values"), p.arguments.take("quote")
    logical = p.test.table.guess_type(_column(p), "string")
    fitting = [_fitting(value, logical) for value in values]
    rule = library_rule("invalidValues", {"validValues": fitting})
    p.test.table.add_rule(rule, p.notes, _column(p))


def _fitting(value: Any, logical: str) -> Any:
    """Texts are what dbt compares unless told otherwise: the value as the column has it."""
    if logical in ("integer", "number") and isinstance(value, str):
        number = _number(value)
        if number is None:
            return value
        return int(number) if number == number.to_integral_value() else float(number)
    if logical == "boolean" and isinstance(value, str):
        return value.casefold() == "true"
    return value if logical in ("integer", "number", "boolean") else _as_text(value)


def _number(value: Any) -> Decimal | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _relationships(p: _Prepared) -> None:
    target = referenced_table(p.arguments.take_text("to"))
    column = p.arguments.take_text("field")
    if not target or not column:
        p.test.lose("what it refers to cannot be told")
        return
    said = {"name": p.notes.name, "severity": p.notes.severity}
    link: dict[str, Any] = {"type": "foreignKey", "to": f"{target}.{column}"}
    if custom := [{"property": k, "value": v} for k, v in said.items() if v]:
        link["customProperties"] = custom
    p.test.table.column(_column(p)).setdefault("relationships", []).append(link)


def _expression_is_true(p: _Prepared) -> None:
    expression = p.arguments.take_text("expression")
    _row_predicate(p, f"{_quoted(p)} {expression}" if p.test.column else expression)


def _unique_combination(p: _Prepared) -> None:
    columns = p.arguments.take_texts("combination_of_columns")
    for column in columns:
        p.test.table.column(column)
    p.test.table.add_rule(library_rule("duplicateValues", {"properties": columns}), p.notes)


def _accepted_range(p: _Prepared) -> None:
    inclusive = p.arguments.take("inclusive", True)
    low, high = p.arguments.take("min_value"), p.arguments.take("max_value")
    parts = [
        f"{_quoted(p)} {sign}{'=' if inclusive else ''} {bound}"
        for sign, bound in ((">", low), ("<", high))
        if bound is not None
    ]
    _row_predicate(p, " AND ".join(parts))


def _not_empty(p: _Prepared) -> None:
    trims = p.arguments.take("trim_whitespace", True)
    text = f"TRIM({_quoted(p)})" if trims else _quoted(p)
    _row_predicate(p, f"{text} <> ''")


def _proportion_of_nulls(p: _Prepared) -> None:
    at_least = _number(p.arguments.take("at_least", 1))
    if at_least is None or p.arguments.take("at_most", 1) != 1:
        p.test.lose("a rule has one bound, a number")
        return
    share = 100 - 100 * at_least
    value = int(share) if share == share.to_integral_value() else float(share)
    rule = library_rule("nullValues", None, "mustBeLessOrEqualTo", value, "percent")
    p.test.table.add_rule(rule, p.notes, _column(p))


def _counted(query: str, operator: str, value: int) -> _Add:
    """A test of a statistic, as a query of which the number is compared."""

    def add(p: _Prepared) -> None:
        sql = query.format(column=quote_identifier(_column(p)))
        rule = {"type": "sql", "query": f"SELECT {sql} FROM {{object}}", operator: value}
        p.test.table.add_rule(rule, p.notes, _column(p))

    return add


def _expectation(p: _Prepared) -> None:
    """dbt_expectations has the names and the arguments of Great Expectations."""
    kind = p.test.name.partition(".")[2]
    kwargs = {key: p.arguments.take(key) for key in p.arguments.names if key not in _OF_DBT}
    kwargs = {key: value for key, value in kwargs.items() if value is not None}
    if unknown := kwargs.keys() & {"group_by", "strictly", "flags", "is_raw"}:
        p.test.lose(f"Great Expectations has no argument {', '.join(sorted(unknown))}")
        return
    if p.test.column:
        kwargs.setdefault("column", p.test.column)
    add_expectation(Found(p.test.table, kind, kwargs, p.notes, p.test.where))


_OF_DBT = (*_CONFIG, "name", "description", "config", "arguments", "tags", "meta", "test_name")
_CONDITIONAL: tuple[_Add, ...] = (
    _not_null, _unique, _accepted_values, _expression_is_true, _unique_combination,
    _accepted_range, _not_empty, _proportion_of_nulls,
)  # fmt: skip
_TESTS: dict[str, _Add] = {
    "not_null": _not_null,
    "unique": _unique,
    "accepted_values": _accepted_values,
    "relationships": _relationships,
    "dbt_utils.expression_is_true": _expression_is_true,
    "dbt_utils.unique_combination_of_columns": _unique_combination,
    "dbt_utils.accepted_range": _accepted_range,
    "dbt_utils.not_empty_string": _not_empty,
    "dbt_utils.not_null_proportion": _proportion_of_nulls,
    "dbt_utils.at_least_one": _counted("count({column})", "mustBeGreaterThan", 0),
    "dbt_utils.not_constant": _counted("count(DISTINCT {column})", "mustBeGreaterThan", 1),
}
