"""Why a row breaks a check, in words."""

from __future__ import annotations

from collections.abc import Sequence

from quality_platform.checks.specs import (
    CheckSpec,
    Expectation,
    ForeignKey,
    InRange,
    InSet,
    LengthBetween,
    Matches,
    NotMissing,
    NotNull,
    Satisfies,
    Unique,
)

_SHOWN_VALUES = 10


def reason_text(spec: CheckSpec) -> str:  # noqa: C901, PLR0911 - one case for each kind of claim
    """What is wrong with a row that breaks the check."""
    match spec.claim:
        case NotNull(column):
            return f"{column} is NULL"
        case NotMissing(column, values):
            return f"{column} is missing: one of {_listed(values)}"
        case InSet(column, values):
            return f"{column} is not one of {_listed(values)}"
        case Matches(column, pattern):
            return f"{column} does not match {pattern}"
        case InRange(column):
            return f"{column} is not within {bounds_text(spec.claim)}"
        case LengthBetween(column, minimum, maximum):
            high = "∞)" if maximum is None else f"{maximum}]"
            return f"the length of {column} is not within [{minimum or 0}, {high}"
        case Satisfies(predicate, _):
            return f"not true: {predicate}"
        case ForeignKey(columns, to_table, to_columns):
            return f"({', '.join(columns)}) is not in {to_table} ({', '.join(to_columns)})"
        case Unique(columns):
            return f"another row has the same ({', '.join(columns)})"
        case Expectation(kind, _):
            return f"breaks {kind}"
        case _:
            return spec.description or f"breaks {spec.name}"


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
