"""Soda's checks that are about rows, in claims of the platform.

Soda gives counts, never rows. Where a check says that not a single row may fail, and what it counts
can be said in claims of ours, those find the rows; the engine then holds Soda's count against them.
What a check counts is that of Soda 4.28, `soda_core/contracts/impl` (`MissingAndValidity` and the
check types): NULL is missing, what is missing is never invalid, a filter narrows the rows judged,
and the conditions of one check are alternatives.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from quality_platform.checks.specs import (
    InSet,
    LengthBetween,
    Matches,
    NotMissing,
    NotNull,
    Predicate,
    Satisfies,
    SodaCheck,
)
from quality_platform.checks.sql_guard import checked_predicate
from quality_platform.errors import PredicateError

CHECK_TYPES = frozenset(
    {
        "aggregate",
        "duplicate",
        "failed_rows",
        "freshness",
        "invalid",
        "metric",
        "missing",
        "row_count",
        "schema",
    }
)
"""All check types of Soda 4.28."""

_COMMON = frozenset({"name", "qualifier", "attributes", "threshold", "filter"})
UNDERSTOOD = {
    "missing": frozenset({"missing_values", "missing_format"}),
    "invalid": frozenset(
        {
            "valid_values",
            "valid_format",
            "invalid_values",
            "invalid_format",
            "valid_min",
            "valid_max",
            "valid_length",
            "valid_min_length",
            "valid_max_length",
        }
    ),
    "duplicate": frozenset({"columns"}),
    "failed_rows": frozenset({"expression"}),
}
"""What the checks about rows say, by their type."""


@dataclass(frozen=True)
class SodaRows:
    """The rows that a Soda check counts, among those that satisfy `condition` ("" for all).

    Either the rows that break any of `claims`, or the extra rows of groups that have the same
    values of `key`; `nulls_are_equal` tells whether a NULL in the key makes a group of its own
    or takes its row out. Predicates are SQL of DuckDB that has passed the guard.
    """

    claims: tuple[Predicate, ...] = ()
    key: tuple[str, ...] = ()
    nulls_are_equal: bool = False
    condition: str = ""


def soda_rows(check: SodaCheck, columns: Collection[str]) -> SodaRows | None:
    """The rows that a check of the table's columns counts; None where it is a gate.

    A gate is what allows some rows to fail, judges the batch as a whole, or counts by SQL that is
    not a row predicate.
    """
    kind, body = _parts(check)
    if body.keys() - _COMMON - UNDERSTOOD.get(kind, frozenset()) or kind not in UNDERSTOOD:
        return None
    if not _allows_none(body.get("threshold")):
        return None
    try:
        condition = _checked(body.get("filter"), columns)
        found = _counted(kind, body, check.column, columns)
    except PredicateError:
        return None
    return SodaRows(*found, condition=condition) if any(found[:2]) else None


def labels_rows(check: SodaCheck, columns: Collection[str]) -> bool:
    """Whether the check's failures are single rows, which the platform can find."""
    return soda_rows(check, columns) is not None


def _parts(check: SodaCheck) -> tuple[str, Mapping[str, Any]]:
    """The check's type and body; a definition without form has neither, and is refused later."""
    if len(check.definition) != 1:
        return "", {}
    [(kind, body)] = check.definition.items()
    return (kind, body) if isinstance(body, Mapping) else (kind if body is None else "", {})


def _allows_none(threshold: object) -> bool:
    """Whether not a single row may fail; Soda's own default."""
    if threshold is None:
        return True
    if not isinstance(threshold, Mapping) or threshold.keys() - {"metric", "must_be", "level"}:
        return False
    bound = threshold.get("must_be", 0)
    return bound == 0 and not isinstance(bound, bool)


def _checked(predicate: object, columns: Collection[str]) -> str:
    if predicate is None:
        return ""
    if not isinstance(predicate, str):
        raise PredicateError("the filter must be text")
    return checked_predicate(predicate, columns, None)[0]


def _counted(
    kind: str, body: Mapping[str, Any], column: str | None, columns: Collection[str]
) -> tuple[tuple[Predicate, ...], tuple[str, ...], bool]:
    """Claims, key, and whether its NULLs are equal."""
    match kind, column:
        case "missing", str():
            return (tuple(_missing(column, body)), (), False)
        case "invalid", str():
            return (tuple(_invalid(column, body)), (), False)
        case "duplicate", str():
            return ((), (column,), False)
        case "duplicate", None:
            return ((), _listed(body.get("columns"), columns), True)
        case "failed_rows", _:
            return (_failing(body.get("expression"), columns), (), False)
        case _:
            return ((), (), False)


def _missing(column: str, body: Mapping[str, Any]) -> Iterator[Predicate]:
    yield NotNull(column)
    if body.get("missing_values"):
        yield NotMissing(column, _values(body["missing_values"]))
    if pattern := _pattern(body.get("missing_format")):
        yield _lacks(column, pattern)


def _invalid(column: str, body: Mapping[str, Any]) -> Iterator[Predicate]:
    if "valid_values" in body:
        yield InSet(column, _values(body["valid_values"]))
    if body.get("invalid_values"):
        yield NotMissing(column, _values(body["invalid_values"]))
    if pattern := _pattern(body.get("valid_format")):
        yield Matches(column, pattern)
    if pattern := _pattern(body.get("invalid_format")):
        yield _lacks(column, pattern)
    for key, beyond in (("valid_min", exp.LT), ("valid_max", exp.GT)):
        if body.get(key) is not None:
            yield _not(beyond(this=_column(column), expression=_literal(body[key])), column)
    exact = body.get("valid_length")
    for low, high in (
        (exact, exact),
        (body.get("valid_min_length"), body.get("valid_max_length")),
    ):
        if low is not None or high is not None:
            yield LengthBetween(column, _whole(low), _whole(high))


def _failing(expression: object, columns: Collection[str]) -> tuple[Predicate, ...]:
    """A row fails where the expression is true; a NULL is no failure."""
    if not isinstance(expression, str):
        return ()
    sql, used = checked_predicate(expression, columns, None)
    return (Satisfies(f"NOT ({sql})", used),)


def _lacks(column: str, pattern: str) -> Satisfies:
    """The claim that the pattern is not found in the column."""
    found = exp.RegexpLike(this=_column(column), expression=exp.Literal.string(pattern))
    return _not(found, column)


def _not(condition: exp.Expression, column: str) -> Satisfies:
    """The claim that the condition is not true: in Soda's own words, to the last NaN."""
    return Satisfies(exp.not_(exp.paren(condition)).sql(dialect="duckdb"), (column,))


def _column(name: str) -> exp.Column:
    return exp.column(name, quoted=True)


def _literal(bound: object) -> exp.Expression:
    [value] = _values([bound])
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return exp.Literal.number(str(value)) if is_number else exp.Literal.string(str(value))


def _pattern(form: object) -> str:
    regex = form.get("regex") if isinstance(form, Mapping) else None
    return regex if isinstance(regex, str) else ""


def _values(values: object) -> tuple[object, ...]:
    """The values as Soda reads them: dates and the like become text."""
    if not isinstance(values, list | tuple):
        return ()
    return tuple(v if v is None or isinstance(v, bool | int | float) else str(v) for v in values)


def _listed(names: object, columns: Collection[str]) -> tuple[str, ...]:
    listed = tuple(names) if isinstance(names, list | tuple) else ()
    return listed if all(name in columns for name in listed) else ()


def _whole(length: object) -> int | None:
    """A length of text; what is none leaves the check to Soda alone."""
    if length is None:
        return None
    if not isinstance(length, int) or isinstance(length, bool):
        raise PredicateError("a length is a whole number")
    return length
