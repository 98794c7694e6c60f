"""What is wrong with the `drift` of a table or feature view, beside what its model tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from quality_platform.config.drift_models import (
    DriftConfig,
    ProfileReference,
    SnapshotReference,
    TagReference,
)
from quality_platform.config.feature_models import FeatureViewConfig
from quality_platform.config.models import TableConfig
from quality_platform.contracts.models import SchemaObject
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import Location, Problem

EVENT_TIMESTAMP = "eventTimestamp"
"""The custom property of the column that tells when the event of a row happened."""

Locate = Callable[..., Location]


@dataclass(frozen=True)
class Tested:
    """A table or feature view as far as a drift test needs to know it.

    Attributes:
        object: Its object in the contract.
        schema: Its types.
        event_timestamp: A feature view's column; "" for a table.
        keys: Columns that identify rows, beside the contract's primary key.
        takes_place: Why the rows of the last load cannot be told from others; "" where they can.
    """

    object: SchemaObject
    schema: pa.Schema
    event_timestamp: str = ""
    keys: tuple[str, ...] = ()
    takes_place: str = ""

    def time_of(self, config: DriftConfig) -> str:
        """The column that the test's periods are of; "" where none is known."""
        marked = [c.name for c in self.object.properties if c.custom.get(EVENT_TIMESTAMP) is True]
        return config.event_timestamp or self.event_timestamp or next(iter(marked), "")

    def columns_of(self, config: DriftConfig) -> tuple[str, ...]:
        """The columns that the test compares."""
        if config.columns != "all":
            return config.columns
        left_out = {*self.keys, *self.object.primary_key, self.time_of(config)}
        return tuple(
            field.name
            for field in self.schema
            if field.name not in left_out and is_compared(field.type)
        )


def tested_table(config: TableConfig, obj: SchemaObject, schema: pa.Schema) -> Tested:
    """A table of runner.yaml, as a drift test needs to know it."""
    takes_place = ""
    if config.load.mode in ("merge", "snapshot"):
        takes_place = f"load.mode: {config.load.mode}"
    elif config.partitions is not None:
        takes_place = "partitions"
    return Tested(obj, schema, takes_place=takes_place)


def tested_view(config: FeatureViewConfig, obj: SchemaObject, schema: pa.Schema) -> Tested:
    """A feature view of runner.yaml, as a drift test needs to know it."""
    keys = [entity.join_key for entity in config.entities]
    times = (config.event_timestamp, config.created_timestamp or "")
    replaced = {"partitions": config.partitions, "incremental": config.incremental}
    takes_place = next((name for name, value in replaced.items() if value is not None), "")
    return Tested(obj, schema, config.event_timestamp, (*keys, *times), takes_place)


def is_compared(kind: pa.DataType) -> bool:
    """Whether columns of this type can be compared."""
    types = pa.types
    bytes_of = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary)
    others = (types.is_nested, types.is_duration, types.is_null)
    return not any(is_one(kind) for is_one in (*bytes_of, *others))


def needs_time(config: DriftConfig) -> bool:
    """Whether the test needs to know when the events of rows happened."""
    whole = isinstance(config.reference, TagReference | SnapshotReference | ProfileReference)
    return not whole or config.current not in ("new_rows", "snapshot")


def drift_problems(
    field: str, config: DriftConfig | None, tested: Tested, locate: Locate
) -> Iterator[Problem]:
    """Why a drift test cannot be run.

    Args:
        field: What its keys begin with: `feature_views.NAME.drift`.
        config: The drift test; None where there is none.
        tested: What it is of.
        locate: Where a setting below `tables.NAME` or `feature_views.NAME` stands in runner.yaml.
    """
    if config is None:
        return
    columns = tested.columns_of(config)
    for name in columns:
        yield from _column_problems(f"{field}.columns", name, tested, locate("drift", "columns"))
    for name in (name for name in config.per_column if name not in columns):
        yield Problem(
            f"no column {name!r} is compared",
            locate("drift", "per_column", name),
            f"{field}.per_column.{name}",
            allowed=", ".join(columns),
            action=did_you_mean(name, columns),
        )
    if not columns:
        yield Problem(
            "the contract has no column that can be compared",
            locate("drift", "columns"),
            f"{field}.columns",
            received="all",
        )
    yield from _time_problems(field, config, tested, locate)
    yield from _reference_problems(field, config, tested, locate)


def _column_problems(field: str, name: str, tested: Tested, where: Location) -> Iterator[Problem]:
    if name not in tested.schema.names:
        yield Problem(
            f"the contract has no column {name!r}",
            where,
            field,
            allowed=", ".join(tested.schema.names),
            action=did_you_mean(name, tested.schema.names),
        )
    elif not is_compared(kind := tested.schema.field(name).type):
        yield Problem(
            f"the column {name!r} is of a type that cannot be compared",
            where,
            field,
            received=str(kind),
            allowed="numbers, text, booleans, dates and times",
        )


def _time_problems(
    field: str, config: DriftConfig, tested: Tested, locate: Locate
) -> Iterator[Problem]:
    name = tested.time_of(config)
    where = locate("drift", "event_timestamp") if config.event_timestamp else locate("drift")
    if not name:
        if needs_time(config):
            yield Problem(
                "the test compares periods, and nothing says which column they are of",
                where,
                f"{field}.event_timestamp",
                allowed=", ".join(f.name for f in tested.schema if _is_time(f.type)),
                action="name the column, or give it the custom property "
                f"`{EVENT_TIMESTAMP}: true` in the contract",
            )
        return
    if name not in tested.schema.names or not _is_time(tested.schema.field(name).type):
        yield Problem(
            "this is no column with a date or timestamp",
            where,
            f"{field}.event_timestamp",
            received=name,
            allowed=", ".join(f.name for f in tested.schema if _is_time(f.type)),
        )


def _reference_problems(
    field: str, config: DriftConfig, tested: Tested, locate: Locate
) -> Iterator[Problem]:
    if config.current == "new_rows" and tested.takes_place:
        yield Problem(
            "the rows of the last load cannot be told from those that it wrote again",
            locate("drift", "current"),
            f"{field}.current",
            received=f"new_rows, with {tested.takes_place}",
            allowed="a period, latest_month, latest_week, latest_day, snapshot",
        )
    if config.overall.volume is not None and config.current == "new_rows":
        yield Problem(
            "the number of rows of a load says nothing about that of other rows",
            locate("drift", "overall", "volume"),
            f"{field}.overall.volume",
            received="current: new_rows",
            action="leave `volume` out, or judge a period",
        )
    hidden = tested.object.restricted_columns & set(tested.columns_of(config))
    if isinstance(config.reference, ProfileReference) and hidden:
        yield Problem(
            "values of restricted columns are never kept in a profile",
            locate("drift", "reference"),
            f"{field}.reference",
            received=", ".join(sorted(hidden)),
            action="leave these columns out, or use a reference by tag or period",
        )


def _is_time(kind: pa.DataType) -> bool:
    return pa.types.is_date(kind) or pa.types.is_timestamp(kind)
