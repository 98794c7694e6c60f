"""Makes the profiles of a table's columns, from batches or by SQL over files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa

from quality_platform.drift.categories import CategoryCollector, bins_of, category_profile
from quality_platform.drift.numeric_profiles import NumericCollector
from quality_platform.drift.profiles import (
    CategoryProfile,
    ColumnProfile,
    NumericProfile,
    ProfileSettings,
)
from quality_platform.drift.values import Family, comparable_column, kind_of
from quality_platform.errors import FeatureViewError
from quality_platform.lake.query import quote_identifier as q
from quality_platform.lake.query import quote_literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Profiles: TypeAlias = Mapping[str, ColumnProfile]
OpenBatches: TypeAlias = Callable[[], "pa.RecordBatchReader"]

_BATCH_ROWS = 2**20


def profile_relation(
    connection: DuckDBPyConnection,
    relation: str,
    columns: Sequence[str],
    settings: ProfileSettings | None = None,
    like: Profiles | None = None,
) -> dict[str, ColumnProfile]:
    """Profiles of a relation's columns, each read alone; DuckDB counts categories, and may spill.

    Args:
        connection: a session of `lake.query.duckdb_session`.
        relation: SQL of a relation, by the platform's own hand, such as `read_parquet(...)`.
        columns: to be profiled.
        settings: how closely they are looked at.
        like: profiles of the reference, where these are of the rows that are compared with it: the
            points, and the categories counted in any case, are those of the reference.

    Raises:
        FeatureViewError: a column is unknown, or of a type that cannot be compared, or of another
            kind in the reference.
    """
    chosen, known = settings or ProfileSettings(), like or {}
    schema = connection.sql(f"SELECT * FROM {relation} LIMIT 0").to_arrow_table().schema
    profiles: dict[str, ColumnProfile] = {}
    for column in columns:
        type_, family = comparable_column(schema, column)
        if kind_of(family) == "numeric":
            rows = _opener(connection, f"SELECT {q(column)} FROM {relation}")
            profiles |= profile_batches(rows, [column], chosen, known)
            continue
        counted = _by_group(
            connection,
            f"SELECT CAST({q(column)} AS VARCHAR) AS value FROM {relation}",
            chosen.distinct_limit,
            _category_like(known.get(column), column, family),
        )
        are_all = len(counted[2]) <= chosen.distinct_limit
        profiles[column] = category_profile(column, str(type_), family, counted, is_exact=are_all)
    return profiles


def profile_batches(
    open_batches: OpenBatches,
    columns: Sequence[str],
    settings: ProfileSettings | None = None,
    like: Profiles | None = None,
) -> dict[str, ColumnProfile]:
    """Profiles of the columns of a stream of batches.

    The limit of values that are held is shared by the columns.

    Args:
        open_batches: opens the stream; where it is opened again, for a second pass, it must give
            the same rows.
        columns: to be profiled.
        settings: how closely they are looked at.
        like: see `profile_relation`.

    Raises:
        FeatureViewError: see `profile_relation`.
    """
    chosen, known = settings or ProfileSettings(), like or {}
    batches = open_batches()
    schema = batches.schema
    room = chosen.rows_in_memory // max(len(columns), 1)
    collectors = {
        column: _collector(schema, column, chosen, known.get(column), room) for column in columns
    }
    for batch in batches:
        for column, collector in collectors.items():
            collector.add(batch.column(column))
    _second_pass(open_batches, collectors)
    profiles = {}
    for column, collector in collectors.items():
        type_, family = comparable_column(schema, column)
        profiles[column] = collector.profile(column, str(type_), family)
    return profiles


def _opener(connection: DuckDBPyConnection, query: str) -> OpenBatches:
    return lambda: connection.sql(query).to_arrow_reader(_BATCH_ROWS)


def _second_pass(
    open_batches: OpenBatches,
    collectors: Mapping[str, NumericCollector | CategoryCollector],
) -> None:
    again = {name: found for name, found in collectors.items() if found.needs_second_pass}
    if not again:
        return
    for collector in again.values():
        collector.begin_second_pass()
    for batch in open_batches():
        for column, collector in again.items():
            collector.recount(batch.column(column))


def _collector(
    schema: pa.Schema,
    column: str,
    settings: ProfileSettings,
    like: ColumnProfile | None,
    room: int,
) -> NumericCollector | CategoryCollector:
    _, family = comparable_column(schema, column)
    if kind_of(family) == "categorical":
        return CategoryCollector(settings.distinct_limit, _category_like(like, column, family))
    return NumericCollector(settings, _numeric_like(like, column, family), room)


def _by_group(
    connection: DuckDBPyConnection, query: str, limit: int, like: CategoryProfile | None
) -> tuple[int, int, dict[str, int]]:
    """Rows, NULLs, and rows by value: those of the reference's bins, then the most frequent."""
    wanted = ", ".join(quote_literal(value) for value in (bins_of(like) if like else ()))
    first = f"value IN ({wanted}) DESC, " if wanted else ""
    found = connection.sql(
        "WITH counted AS ("
        f"SELECT value, count(*) AS number FROM ({query}) AS texts GROUP BY value) "
        "SELECT value, number, sum(number) OVER () FROM counted "
        f"ORDER BY value IS NULL DESC, {first}number DESC, value LIMIT {limit + 2}"
    ).fetchall()
    rows = int(found[0][2]) if found else 0
    nulls = sum(number for value, number, _ in found if value is None)
    return rows, nulls, {value: number for value, number, _ in found if value is not None}


def _category_like(
    like: ColumnProfile | None, column: str, family: Family
) -> CategoryProfile | None:
    if like is None or isinstance(like, CategoryProfile):
        return like
    raise _unlike(like, column, family)


def _numeric_like(like: ColumnProfile | None, column: str, family: Family) -> NumericProfile | None:
    if like is None or (isinstance(like, NumericProfile) and like.family == family):
        return like
    raise _unlike(like, column, family)


def _unlike(like: ColumnProfile, column: str, family: Family) -> FeatureViewError:
    return FeatureViewError(
        "drift cannot be measured on a column of this type",
        field=column,
        received=f"{like.family} in the reference, {family} in the current rows",
        allowed="the same kind of values on both sides",
    )
