"""Claims about a row as SQL: the expression that is true for a row that breaks the claim."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp, parse_one

from quality_platform.checks.specs import (
    InRange,
    InSet,
    LengthBetween,
    Matches,
    NotMissing,
    NotNull,
    Predicate,
    Satisfies,
)


def broken(claim: Predicate) -> exp.Expression:
    """True for a row that breaks the claim; NULL or false for one that keeps it."""
    match claim:
        case NotNull(column):
            return _column(column).is_(exp.null())
        case NotMissing(column, values):
            return _among(column, values)
        case InSet(column, values):
            present = [v for v in values if v is not None]
            is_there = exp.not_(_column(column).is_(exp.null()))
            return exp.not_(_among(column, present)) if present else is_there
        case Matches(column, pattern):
            return exp.not_(
                exp.RegexpLike(this=_text(column), expression=exp.Literal.string(pattern))
            )
        case InRange():
            return _any(_outside(claim))
        case LengthBetween(column, minimum, maximum):
            length = exp.Length(this=_text(column))
            too_short = [exp.LT(this=length, expression=literal(minimum))] if minimum else []
            too_long = (
                [exp.GT(this=length.copy(), expression=literal(maximum))]
                if maximum is not None
                else []
            )
            return _any([*too_short, *too_long])
        case Satisfies(predicate, _):
            return exp.not_(exp.paren(parse_one(predicate, read="duckdb")))


def literal(value: object) -> exp.Expression:
    """A value of a contract as a SQL literal; numbers keep all their digits."""
    if value is None:
        return exp.null()
    if isinstance(value, bool):
        return exp.true() if value else exp.false()
    if isinstance(value, int | float):
        return exp.Literal.number(str(value))
    return exp.Literal.string(str(value))


def _column(name: str) -> exp.Column:
    return exp.column(name, quoted=True)


def _text(name: str) -> exp.Expression:
    return exp.cast(_column(name), "text")


def _among(column: str, values: Iterable[object]) -> exp.Expression:
    listed = list(values)
    parts: list[exp.Expression] = []
    if present := [literal(v) for v in listed if v is not None]:
        parts.append(exp.In(this=_column(column), expressions=present))
    if len(present) < len(listed):
        parts.append(_column(column).is_(exp.null()))
    return _any(parts)


def _outside(claim: InRange) -> list[exp.Expression]:
    parts: list[exp.Expression] = []
    if claim.minimum is not None:
        below = exp.LTE if claim.exclusive_minimum else exp.LT
        parts.append(below(this=_column(claim.column), expression=literal(claim.minimum)))
    if claim.maximum is not None:
        above = exp.GTE if claim.exclusive_maximum else exp.GT
        parts.append(above(this=_column(claim.column), expression=literal(claim.maximum)))
    return parts


def _any(parts: list[exp.Expression]) -> exp.Expression:
    return exp.paren(exp.or_(*parts)) if parts else exp.false()
