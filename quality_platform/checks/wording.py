"""Why a row breaks a check, in words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from quality_platform.checks.specs import (
    CheckSpec,
    Claim,
    Expectation,
    ForeignKey,
    HasFormat,
    InRange,
    InSet,
    ItemCount,
    LengthBetween,
    Matches,
    MultipleOf,
    Nested,
    NotMissing,
    NotNull,
    PropertyCount,
    Satisfies,
    SodaCheck,
    Unique,
    UniqueItems,
    When,
)

_SHOWN_VALUES = 10


def reason_text(spec: CheckSpec) -> str:
    """What is wrong with a row that breaks the check."""
    return _reason(spec.claim) or spec.description or f"breaks {spec.name}"


def _reason(claim: Claim) -> str:
    match claim:
        case ForeignKey(columns, to_table, to_columns):
            return f"({', '.join(columns)}) is not in {to_table} ({', '.join(to_columns)})"
        case Unique(columns, where, written):
            among = f" among the rows with {_one_line(written or where)}" if where else ""
            return f"another row{among} has the same ({', '.join(columns)})"
        case Satisfies(predicate, _, written):
            return f"not true: {_one_line(written or predicate)}"
        case Nested(_, _, inner):
            return _reason_of_value(inner)
        case When(condition, _, inner, written):
            return f"{_reason(inner)}, where {_one_line(written or condition)}"
        case Expectation(kind, _):
            return f"breaks {kind}"
        case SodaCheck():
            return _reason_of_soda(claim)
        case _:
            return _reason_of_value(claim)


def _reason_of_value(claim: Claim) -> str:  # noqa: C901, PLR0911 - one case for each kind of claim
    match claim:
        case NotNull(column):
            return f"{column} is NULL"
        case NotMissing(column, values):
            return f"{column} is missing: one of {_listed(values)}"
        case InSet(column, values):
            return f"{column} is not one of {_listed(values)}"
        case Matches(column, pattern):
            return f"{column} does not match {pattern}"
        case HasFormat(column, form):
            return f"{column} has not the form {form}"
        case InRange(column):
            return f"{column} is not within {bounds_text(claim)}"
        case MultipleOf(column, factor):
            return f"{column} is not a multiple of {factor}"
        case LengthBetween(column, minimum, maximum):
            return f"the length of {column} is not within {_counts(minimum, maximum)}"
        case ItemCount(column, minimum, maximum):
            return f"the number of items of {column} is not within {_counts(minimum, maximum)}"
        case PropertyCount(column, _, minimum, maximum):
            return f"the number of values in {column} is not within {_counts(minimum, maximum)}"
        case UniqueItems(column):
            return f"{column} has an item twice"
        case _:
            return ""


def _reason_of_soda(claim: SodaCheck) -> str:
    """What a row check of Soda says, in the words of the check itself; "" for any other form."""
    if len(claim.definition) != 1:
        return ""
    [(kind, body)] = claim.definition.items()
    details = body if isinstance(body, Mapping) else {}
    match kind:
        case "missing":
            words = f"{claim.column} is missing"
        case "invalid":
            words = f"{claim.column} is not valid"
        case "duplicate":
            columns = details.get("columns") or (claim.column,)
            words = f"another row has the same ({_joined(columns)})"
        case "failed_rows":
            return f"true, and should not be: {_one_line(str(details.get('expression')))}"
        case _:
            return ""
    from quality_platform.checks.soda_kinds import UNDERSTOOD

    known = UNDERSTOOD[kind] - {"columns"}
    told = [f"{key} {_joined(value)}" for key, value in details.items() if key in known]
    where = f", where {_one_line(str(details['filter']))}" if details.get("filter") else ""
    shown = f" ({'; '.join(told)})" if told else ""
    return f"{words}{shown}{where}"


def _joined(value: object) -> str:
    """A value, the values of a list, or the pattern of a format."""
    match value:
        case Mapping():
            return str(value.get("regex") or value.get("name"))
        case list() | tuple():
            return _listed(value)
        case _:
            return str(value)


def _one_line(sql: str) -> str:
    return " ".join(sql.split())


def _counts(minimum: int | None, maximum: int | None) -> str:
    return f"[{minimum or 0}, {'∞)' if maximum is None else f'{maximum}]'}"


def bounds_text(claim: InRange) -> str:
    """The range in interval notation."""
    left = "(" if claim.exclusive_minimum or claim.minimum is None else "["
    right = ")" if claim.exclusive_maximum or claim.maximum is None else "]"
    low = "-∞" if claim.minimum is None else _bound_text(claim.minimum)
    high = "∞" if claim.maximum is None else _bound_text(claim.maximum)
    return f"{left}{low}, {high}{right}"


def _bound_text(bound: object) -> str:
    """A bound; one in time with its zone, since all are compared as UTC."""
    is_instant = isinstance(bound, str) and _INSTANT.match(bound)
    return f"{bound} UTC" if is_instant else str(bound)


_INSTANT = re.compile(r"\d{4}-\d\d-\d\d \d\d:")


def _listed(values: Sequence[object]) -> str:
    shown = ", ".join(_shown(value) for value in values[:_SHOWN_VALUES])
    return shown if len(values) <= _SHOWN_VALUES else f"{shown}, ... ({len(values)} in all)"


def _shown(value: object) -> str:
    """A value as it can be told from its absence."""
    return "NULL" if value is None else str(value) or "''"
