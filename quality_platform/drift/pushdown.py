"""Profiles by SQL alone, where the rows stay in another engine: one query counts them all.

The query is an AST of sqlglot and renders to any dialect. It counts rows at and between the points
of a reference, and rows by category. What it counts is what the batches count, so all that follows
from counts is equal to the last digit: PSI, Jensen-Shannon, Cramer's V, shares, and the interval of
the Kolmogorov-Smirnov distance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from sqlglot import exp

from quality_platform.drift.categories import category_profile
from quality_platform.drift.profiles import CategoryProfile, ColumnProfile, NumericProfile
from quality_platform.drift.values import Numbers
from quality_platform.errors import FeatureViewError

CountRow: TypeAlias = tuple[str, int, str | None, int, float | None, float | None]
"""Column, bucket, category, rows, least and greatest value: a row of the query's result."""

_NULL, _NAN, _CATEGORY = -1, -2, -3
"""Buckets of rows without a value, of NaN, and of rows that have a category. Those of numbers: 2 i
between the points i - 1 and i, and 2 i + 1 at the point i."""


def coarser(profile: NumericProfile, points: int = 64) -> NumericProfile:
    """The profile with fewer points, for shorter SQL: at equal shares, and where bins are cut."""
    ranks = np.linspace(0, profile.points.size - 1, points).round().astype(np.int64)
    cut = np.searchsorted(profile.points, profile.cuts.values)
    kept = np.unique(np.concatenate([ranks, cut]))
    upto, below = profile.upto[kept], profile.below[kept]
    between = below - np.append(0, upto[:-1])
    return replace(profile, points=profile.points[kept], at=profile.at[kept], between=between)


def count_query(relation: exp.Expr, reference: Mapping[str, ColumnProfile]) -> exp.Query:
    """The query that counts the rows of a relation for comparison with a reference.

    Args:
        relation: a table, or a subquery with an alias.
        reference: profiles of the columns that are counted, best made `coarser`.

    Raises:
        FeatureViewError: a column holds timestamps or times of day, which engines write and cast
            in different ways.
    """
    queries = [_counted(relation, profile) for profile in reference.values()]
    united: exp.Query = queries[0]
    for query in queries[1:]:
        united = exp.union(united, query, distinct=False)
    return united


def profiles_from_counts(
    rows: Iterable[CountRow], reference: Mapping[str, ColumnProfile]
) -> dict[str, ColumnProfile]:
    """The profiles of the rows that `count_query` has counted for this reference."""
    by_column: dict[str, list[CountRow]] = {column: [] for column in reference}
    for row in rows:
        by_column[row[0]].append(row)
    return {
        column: _categories(reference[column], counted)
        if isinstance(reference[column], CategoryProfile)
        else _numbers(reference[column], counted)
        for column, counted in by_column.items()
    }


def _counted(relation: exp.Expr, profile: ColumnProfile) -> exp.Select:
    column: exp.Expr = exp.column(exp.to_identifier(profile.column, quoted=True))
    nothing = exp.cast(exp.null(), "DOUBLE")
    if isinstance(profile, CategoryProfile):
        text = exp.cast(column, "TEXT")
        bucket = exp.case().when(column.copy().is_(exp.null()), _number(_NULL))
        buckets = bucket.else_(_number(_CATEGORY))
        shown: list[exp.Expr] = [text, nothing, nothing.copy()]
    else:
        column = exp.cast(column, "DOUBLE") if _is_cast(profile) else column
        buckets = _bucket_of(column, profile)
        ends = [column] if profile.family == "number" else [_days(column)]
        shown = [exp.cast(exp.null(), "TEXT")]
        shown += [
            exp.cast(function(this=end.copy()), "DOUBLE")
            for function in (exp.Min, exp.Max)
            for end in ends
        ]
    keys: list[exp.Expr] = [buckets.copy()]
    keys += [shown[0].copy()] if isinstance(profile, CategoryProfile) else []
    named = zip(("category", "least", "greatest"), shown, strict=True)
    category, least, greatest = (exp.alias_(value, name) for name, value in named)
    return (
        exp.select(
            exp.alias_(exp.Literal.string(profile.column), "column_name"),
            exp.alias_(buckets, "bucket"),
            category,
            exp.alias_(exp.Count(this=exp.Star()), "number_of_rows"),
            least,
            greatest,
        )
        .from_(relation.copy())
        .group_by(*keys)
    )


def _bucket_of(column: exp.Expr, profile: NumericProfile) -> exp.Case:
    points = [_literal(point, profile) for point in profile.points]
    found = exp.case().when(column.copy().is_(exp.null()), _number(_NULL))
    if profile.family == "number" and _is_cast(profile):
        # By comparison: the engines agree that NaN equals NaN, and not on a function's name.
        nan = exp.cast(exp.Literal.string("NaN"), "DOUBLE")
        found = found.when(exp.EQ(this=column.copy(), expression=nan), _number(_NAN))
    return found.else_(_search(column, points, 0))


def _search(column: exp.Expr, points: Sequence[exp.Expr], first: int) -> exp.Expr:
    """The bucket of a value by halving; `first` is the number of the first point."""
    if not points:
        return _number(2 * first)
    middle = len(points) // 2
    point = points[middle]
    return (
        exp.case()
        .when(
            exp.LT(this=column.copy(), expression=point.copy()),
            _search(column, points[:middle], first),
        )
        .when(
            exp.EQ(this=column.copy(), expression=point.copy()),
            _number(2 * (first + middle) + 1),
        )
        .else_(_search(column, points[middle + 1 :], first + middle + 1))
    )


def _is_cast(profile: NumericProfile) -> bool:
    return profile.points.dtype.kind == "f"


def _number(value: int) -> exp.Expr:
    return exp.convert(value)


def _literal(point: Any, profile: NumericProfile) -> exp.Expr:
    if profile.family == "date":
        return exp.cast(exp.Literal.string(str(np.datetime64(int(point), "D"))), "DATE")
    if profile.family != "number":
        raise FeatureViewError(
            "drift cannot be counted by the SQL of another engine on a column of this type",
            field=profile.column,
            received=profile.family,
            allowed="numbers, dates, texts and booleans",
        )
    if profile.points.dtype.kind == "i":
        return exp.convert(int(point))
    # As text: a literal with a point is an exact decimal in some engines.
    return exp.cast(exp.Literal.string(_spelled(float(point))), "DOUBLE")


def _spelled(value: float) -> str:
    if np.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value)


def _days(column: exp.Expr) -> exp.Expr:
    epoch = exp.cast(exp.Literal.string("1970-01-01"), "DATE")
    return exp.DateDiff(this=column.copy(), expression=epoch, unit=exp.var("DAY"))


def _categories(reference: ColumnProfile, rows: Iterable[CountRow]) -> CategoryProfile:
    counts: dict[str, int] = {}
    nulls = 0
    for _, bucket, category, number, _, _ in rows:
        if bucket == _NULL or category is None:
            nulls += number
        else:
            counts[category] = number
    counted = (nulls + sum(counts.values()), nulls, counts)
    return category_profile(reference.column, reference.type, reference.family, counted)


def _numbers(reference: ColumnProfile, rows: Sequence[CountRow]) -> NumericProfile:
    assert isinstance(reference, NumericProfile)
    counted = {bucket: number for _, bucket, _, number, _, _ in rows}
    ends = {bucket: (least, greatest) for _, bucket, _, _, least, greatest in rows}
    size = reference.points.size
    buckets = np.array([counted.get(n, 0) for n in range(2 * size + 1)], dtype=np.int64)
    points, at, between = reference.points, buckets[1::2], buckets[:-1:2]
    # Rows beyond the points lie before, or behind, a point that no row reaches.
    if buckets[0]:
        outer = _beyond(points, ends[0][0], -np.inf)
        points, at = np.append(outer, points), np.append(0, at)
        between = np.append(0, between)
    if buckets[-1]:
        outer = _beyond(points, ends[2 * size][1], np.inf)
        points, at = np.append(points, outer), np.append(at, 0)
        between = np.append(between, buckets[-1])
    return replace(
        reference,
        rows=sum(counted.values()),
        nulls=counted.get(_NULL, 0),
        nans=counted.get(_NAN, 0),
        points=points,
        at=at.astype(np.int64),
        between=between.astype(np.int64),
    )


def _beyond(points: Numbers, end: float | None, towards: float) -> Numbers:
    assert end is not None
    if points.dtype.kind == "f":
        return np.array([np.nextafter(end, towards)])
    return np.array([int(end) + (1 if towards > 0 else -1)], dtype=points.dtype)
