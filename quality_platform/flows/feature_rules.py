"""What is wrong with a feature view, beside what its model tells: columns that are not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pyarrow as pa

from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import Location, Problem
from quality_platform.flows.contracted_tables import ContractedTable, FeatureTable

Locate = Callable[..., Location]


def feature_view_problems(
    view: FeatureTable, tables: Mapping[str, ContractedTable], location: Locate
) -> Iterator[Problem]:
    """Why a view cannot be computed, or told about, as runner.yaml says.

    Args:
        view: The view.
        tables: All tables that can be used; nothing is said of inputs that are not among them.
        location: Where a setting below `feature_views.NAME` stands in runner.yaml.
    """
    yield from _created_timestamp(view, location)
    yield from _times(view, tables, location)
    yield from _lineage(view, tables, location)


def _created_timestamp(view: FeatureTable, location: Locate) -> Iterator[Problem]:
    column = view.config.created_timestamp
    if column is None:
        return
    where, field = location("created_timestamp"), f"feature_views.{view.name}.created_timestamp"
    if column == view.config.event_timestamp:
        yield Problem("it is the `event_timestamp` already", where, field, received=column)
    else:
        yield from _time_problems(column, view.schema, view.name, where, field)


def _times(
    view: FeatureTable, tables: Mapping[str, ContractedTable], location: Locate
) -> Iterator[Problem]:
    incremental = view.config.incremental
    if incremental is None:
        return
    name = f"feature_views.{view.name}"
    event = view.config.event_timestamp
    where = location("event_timestamp")
    yield from _time_problems(event, view.schema, view.name, where, f"{name}.event_timestamp")
    if incremental.window == "hour" and _is_date(event, view.schema):
        yield Problem(
            "a date does not tell the hour: windows must be days or longer",
            location("incremental", "window"),
            f"{name}.incremental.window",
            received="hour",
            allowed="day, week, month, year",
        )
    for table, column in incremental.times.items():
        where, field = location("incremental", "times", table), f"{name}.incremental.times.{table}"
        if table not in view.config.inputs:
            yield _no_input(view, table, where, field)
        elif table in tables:
            yield from _time_problems(column, tables[table].schema, table, where, field)


def _lineage(
    view: FeatureTable, tables: Mapping[str, ContractedTable], location: Locate
) -> Iterator[Problem]:
    for column, sources in view.config.lineage.items():
        where, field = location("lineage", column), f"feature_views.{view.name}.lineage.{column}"
        if column not in view.schema.names:
            yield _no_column(column, view.schema, view.name, where, field)
        for source in sources:
            table, _, name = source.partition(".")
            if table not in view.config.inputs:
                yield _no_input(view, table, where, field)
            elif table in tables and name not in tables[table].schema.names:
                yield _no_column(name, tables[table].schema, table, where, field)


def _no_input(view: FeatureTable, table: str, where: Location, field: str) -> Problem:
    inputs = view.config.inputs
    return Problem(
        f"{table!r} is none of the view's inputs",
        where,
        field,
        allowed=", ".join(inputs),
        action=did_you_mean(table, inputs),
    )


def _no_column(column: str, schema: pa.Schema, owner: str, where: Location, field: str) -> Problem:
    return Problem(
        f"the contract of {owner} has no column {column!r}",
        where,
        field,
        allowed=", ".join(schema.names),
        action=did_you_mean(column, schema.names),
    )


def _time_problems(
    column: str, schema: pa.Schema, owner: str, where: Location, field: str
) -> Iterator[Problem]:
    if column not in schema.names:
        yield _no_column(column, schema, owner, where, field)
        return
    kind = schema.field(column).type
    if not (pa.types.is_date(kind) or pa.types.is_timestamp(kind)):
        yield Problem(
            f"the column does not tell when a row of {owner} happened",
            where,
            field,
            received=f"{column}: {kind}",
            allowed="a date or timestamp",
        )


def _is_date(column: str, schema: pa.Schema) -> bool:
    return column in schema.names and pa.types.is_date(schema.field(column).type)
