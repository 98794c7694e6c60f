"""Claims about a row as SQL conditions that a row satisfies: what a CHECK constraint says.

A CHECK passes where its condition is true or NULL, as a row rule does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlglot import exp, parse_one

from quality_platform.checks.specs import (
    Claim,
    InRange,
    InSet,
    LengthBetween,
    Matches,
    NotMissing,
    NotNull,
    Satisfies,
    When,
)


def condition_of(  # noqa: PLR0911 - one case for each kind of claim
    claim: Claim, texts: Collection[str]
) -> exp.Expr | None:
    """The condition in sqlglot's terms; None for a claim that is no condition on one row.

    `texts` are the columns whose type is text: others are cast where text is judged.
    """
    match claim:
        case NotNull(column):
            return _is_present(column)
        case InSet(column, values):
            return _within(column, values)
        case NotMissing(column, values):
            present = _within(column, values)
            parts = [exp.not_(present)] if present is not None else []
            return exp.and_(*parts, *([_is_present(column)] if None in values else []))
        case Matches(column, pattern):
            return exp.RegexpLike(this=_text(column, texts), expression=exp.Literal.string(pattern))
        case InRange(column, minimum, maximum, is_above, is_below):
            low = (exp.GT if is_above else exp.GTE, minimum)
            high = (exp.LT if is_below else exp.LTE, maximum)
            return _bounded(_column(column), low, high)
        case LengthBetween(column, minimum, maximum):
            length = exp.Length(this=_text(column, texts))
            return _bounded(length, (exp.GTE, minimum), (exp.LTE, maximum))
        case Satisfies(predicate, _):
            return parse_one(predicate, read="duckdb")
        case When(condition, _, inner):
            judged = condition_of(inner, texts)
            is_other = exp.not_(exp.paren(parse_one(condition, read="duckdb")))
            return None if judged is None else exp.or_(is_other, judged)
        case _:
            return None


def _column(name: str) -> exp.Column:
    return exp.column(name, quoted=True)


def _text(name: str, texts: Collection[str]) -> exp.Expr:
    return _column(name) if name in texts else exp.cast(_column(name), "text")


def _is_present(column: str) -> exp.Expr:
    return exp.not_(exp.Is(this=_column(column), expression=exp.null()))


def _within(column: str, values: Iterable[object]) -> exp.Expr | None:
    present = [exp.convert(value) for value in values if value is not None]
    return exp.In(this=_column(column), expressions=present) if present else None


def _bounded(measured: exp.Expr, *bounds: tuple[type[exp.Binary], object]) -> exp.Expr:
    parts = [
        compare(this=measured.copy(), expression=exp.convert(bound))
        for compare, bound in bounds
        if bound is not None
    ]
    return exp.and_(*parts)
