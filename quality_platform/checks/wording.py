"""Why a row breaks a check, in words."""

from __future__ import annotations

from collections.abc import Sequence

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
        case Unique(columns, where):
            among = f" among the rows with {where}" if where else ""
            return f"another row{among} has the same ({', '.join(columns)})"
        case Satisfies(predicate, _):
            return f"not true: {predicate}"
        case Nested(_, _, inner):
            return _reason_of_value(inner)
        case When(condition, _, inner):
            return f"{_reason(inner)}, where {condition}"
        case Expectation(kind, _):
            return f"breaks {kind}"
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


def _counts(minimum: int | None, maximum: int | None) -> str:
    return f"[{minimum or 0}, {'∞)' if maximum is None else f'{maximum}]'}"


def bounds_text(claim: InRange) -> str:
    """The range in interval notation."""
    left = "(" if claim.exclusive_minimum or claim.minimum is None else "["
    right = ")" if claim.exclusive_maximum or claim.maximum is None else "]"
    low = "-∞" if claim.minimum is None else claim.minimum
    high = "∞" if claim.maximum is None else claim.maximum
    return f"{left}{low}, {high}{right}"


def _listed(values: Sequence[object]) -> str:
    shown = ", ".join(str(value) for value in values[:_SHOWN_VALUES])
    return shown if len(values) <= _SHOWN_VALUES else f"{shown}, ... ({len(values)} in all)"
