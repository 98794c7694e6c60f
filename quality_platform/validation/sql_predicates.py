"""Claims about a row as SQL: the expression that is true for a row that breaks the claim."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import assert_never

from sqlglot import exp, parse_one

from quality_platform.checks.specs import (
    ITEMS,
    KEYS,
    VALUES,
    Claim,
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
    Predicate,
    PropertyCount,
    RowCount,
    Satisfies,
    Unique,
    UniqueItems,
    ValueClaim,
    When,
)
from quality_platform.checks.string_formats import FORMATS
from quality_platform.validation.pattern_rewrites import matched

_PLAIN_DIGITS = 18
"""Zeros up to which a number is written without an exponent: with one, SQL reads a double."""


def broken(claim: Predicate) -> exp.Expr:
    """True for a row that breaks the claim; NULL or false for one that keeps it."""
    match claim:
        case Satisfies(predicate, _):
            return exp.not_(exp.paren(_parsed(predicate)))
        case Nested(column, steps, inner):
            return _within(_column(column), steps, inner)
        case When(condition, _, inner):
            return exp.and_(exp.paren(_parsed(condition)), exp.paren(broken(inner)))
        case _:
            return _breaks(_column(claim.column), claim)


def judged(claim: Claim) -> exp.Expr | None:
    """True for a row that the claim judges, the whole of a percentage; None where it judges all."""
    match claim:
        case When(condition) | Unique(_, condition) | RowCount(condition):
            return exp.paren(_parsed(condition)) if condition else None
        case _:
            return None


def literal(value: object) -> exp.Expr:
    """A value of a contract as a SQL literal; numbers keep all their digits."""
    if value is None:
        return exp.null()
    if isinstance(value, bool):
        return exp.true() if value else exp.false()
    if isinstance(value, int | float | Decimal):
        return exp.Literal.number(_digits(value))
    return exp.Literal.string(str(value))


def _digits(value: float | Decimal) -> str:
    """The number without an exponent where that is not absurdly long."""
    number = Decimal(str(value))
    exponent = number.as_tuple().exponent
    is_plain = isinstance(exponent, int) and abs(exponent) <= _PLAIN_DIGITS
    return f"{number:f}" if is_plain else str(value)


def _breaks(  # noqa: C901, PLR0911 - one case for each kind of claim
    value: exp.Expr, claim: ValueClaim
) -> exp.Expr:
    """True for a value that breaks the claim."""
    match claim:
        case NotNull():
            return value.is_(exp.null())
        case NotMissing(_, values):
            return _among(value, values)
        case InSet(_, values):
            present = [v for v in values if v is not None]
            is_there = exp.not_(value.is_(exp.null()))
            return exp.not_(_among(value, present)) if present else is_there
        case Matches(_, pattern):
            return exp.not_(_found(value, pattern))
        case HasFormat(_, name):
            return _misses_format(value, name)
        case InRange():
            return _any(_outside(value, claim))
        case LengthBetween(_, minimum, maximum):
            return _any(_uncounted(exp.Length(this=_text(value)), minimum, maximum))
        case MultipleOf(_, factor):
            return _leaves_rest(value, factor)
        case ItemCount(_, minimum, maximum):
            return _any(_uncounted(exp.func("length", value), minimum, maximum))
        case UniqueItems():
            return exp.GT(
                this=_call("list_count", value), expression=_call("list_unique", value.copy())
            )
        case PropertyCount(_, names, minimum, maximum):
            counted = _properties_present(value, names)
            is_there = exp.not_(value.copy().is_(exp.null()))
            return exp.and_(is_there, _any(_uncounted(counted, minimum, maximum)))
        case _:
            assert_never(claim)


def _within(value: exp.Expr, steps: Sequence[str], claim: ValueClaim, depth: int = 0) -> exp.Expr:
    """True where any value at the end of the steps breaks the claim; a missing parent does not."""
    if not steps:
        return _breaks(value, claim)
    step, rest = steps[0], steps[1:]
    lists = {ITEMS: value, KEYS: _call("map_keys", value), VALUES: _call("map_values", value)}
    if step not in lists:
        child = _call("struct_extract", value, exp.Literal.string(step))
        inner = _within(child, rest, claim, depth)
        return exp.and_(exp.not_(value.copy().is_(exp.null())), exp.paren(inner))
    item = f"item{depth}"
    inner = _within(exp.to_identifier(item), rest, claim, depth + 1)
    chosen = exp.Lambda(this=inner, expressions=[exp.to_identifier(item)])
    breaking = exp.func("length", _call("list_filter", lists[step], chosen))
    return exp.GT(this=breaking, expression=literal(0))


def _parsed(sql: str) -> exp.Expr:
    return parse_one(sql, read="duckdb")


def _column(name: str) -> exp.Column:
    return exp.column(name, quoted=True)


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    """A function of DuckDB under its own name, which sqlglot leaves alone."""
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def _text(value: exp.Expr) -> exp.Expr:
    return exp.cast(value.copy(), "text")


def _among(value: exp.Expr, values: Iterable[object]) -> exp.Expr:
    listed = list(values)
    parts: list[exp.Expr] = []
    if present := [literal(v) for v in listed if v is not None]:
        parts.append(exp.In(this=value.copy(), expressions=present))
    if len(present) < len(listed):
        parts.append(value.copy().is_(exp.null()))
    return _any(parts)


def _found(value: exp.Expr, pattern: str) -> exp.Expr:
    return matched(_text(value), pattern)


def _misses_format(value: exp.Expr, name: str) -> exp.Expr:
    form = FORMATS[name]
    parts: list[exp.Expr] = [exp.not_(_found(value, form.pattern))]
    if form.longest is not None:
        parts += _uncounted(exp.Length(this=_text(value)), None, form.longest)
    if form.begins_with_date:
        day = exp.func("left", _text(value), literal(len("2020-01-01")))
        no_date = exp.TryCast(this=day, to=exp.DataType.build("date")).is_(exp.null())
        parts.append(exp.and_(exp.not_(value.copy().is_(exp.null())), no_date))
    return _any(parts)


def _outside(value: exp.Expr, claim: InRange) -> list[exp.Expr]:
    parts: list[exp.Expr] = []
    if claim.minimum is not None:
        below = exp.LTE if claim.exclusive_minimum else exp.LT
        parts.append(below(this=value.copy(), expression=literal(claim.minimum)))
    if claim.maximum is not None:
        above = exp.GTE if claim.exclusive_maximum else exp.GT
        parts.append(above(this=value.copy(), expression=literal(claim.maximum)))
    elif isinstance(claim.minimum, int | float | Decimal):
        # To the engine NaN is the greatest number: no minimum alone would find it.
        parts.append(_is_nan(value))
    return parts


def _is_nan(value: exp.Expr) -> exp.Expr:
    """The engine knows a column's type before it runs: on other types this is nothing to do."""
    double = exp.TryCast(this=value.copy(), to=exp.DataType.build("double"))
    return exp.and_(_has_type(value, "DOUBLE", "FLOAT"), exp.func("isnan", double))


def _has_type(value: exp.Expr, *names: str) -> exp.Expr:
    return _call("typeof", value).isin(*names)


def _leaves_rest(value: exp.Expr, factor: Decimal) -> exp.Expr:
    """True for no multiple of the factor p / q.

    An exact number leaves a rest. A float v is not the one nearest to n * p / q, where n is the
    whole number nearest to v * q / p: up to n * p = 2**53 the product is exact and the quotient
    correctly rounded.
    """
    p, q = factor.as_integer_ratio()
    double = exp.TryCast(this=value.copy(), to=exp.DataType.build("double"))
    top, bottom = (exp.cast(literal(n), "double") for n in (p, q))
    nearest = exp.Round(this=exp.paren(double * bottom / top.copy()))
    multiple = exp.paren(nearest * top / bottom.copy())
    finite = _call("isfinite", double)
    cases = exp.Case()
    for name in ("DOUBLE", "FLOAT"):
        off = exp.NEQ(
            this=exp.cast(multiple.copy(), name),
            expression=exp.TryCast(this=value.copy(), to=exp.DataType.build(name)),
        )
        cases = cases.when(_has_type(value, name), _any([exp.not_(finite.copy()), off]))
    rest = exp.Mod(this=value.copy(), expression=literal(factor))
    return cases.else_(exp.NEQ(this=rest, expression=literal(0)))


def _properties_present(value: exp.Expr, names: Sequence[str]) -> exp.Expr:
    parts = [
        exp.cast(
            exp.not_(_call("struct_extract", value, exp.Literal.string(name)).is_(exp.null())),
            "int",
        )
        for name in names
    ]
    total: exp.Expr = literal(0)
    for part in parts:
        total = total + part
    return exp.paren(total)


def _uncounted(count: exp.Expr, minimum: int | None, maximum: int | None) -> list[exp.Expr]:
    """The parts of "the count is outside the bounds"."""
    too_few = [exp.LT(this=count, expression=literal(minimum))] if minimum else []
    too_many = (
        [exp.GT(this=count.copy(), expression=literal(maximum))] if maximum is not None else []
    )
    return [*too_few, *too_many]


def _any(parts: list[exp.Expr]) -> exp.Expr:
    return exp.paren(exp.or_(*parts)) if parts else exp.false()
