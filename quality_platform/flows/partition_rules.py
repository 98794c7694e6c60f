"""What is wrong with the `partitions` of a table, beside what their model tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa

from quality_platform.config.feature_models import FeatureViewConfig
from quality_platform.config.models import TableConfig
from quality_platform.config.partition_models import PLACEHOLDER, PartitionsConfig, unsaid
from quality_platform.config.source_models import DatabaseSourceConfig, FileSourceConfig
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import Location, Problem

Locate = Callable[..., Location]


def partition_problems(
    name: str, config: TableConfig, schema: pa.Schema, location: Locate
) -> Iterator[Problem]:
    """Why a table cannot be loaded by its partitions.

    Args:
        name: The table's name in runner.yaml.
        config: What runner.yaml says of it.
        schema: The contract's types.
        location: Where a setting below `tables.NAME` stands in runner.yaml.
    """
    path = config.source.path if isinstance(config.source, FileSourceConfig) else ""
    if config.partitions is None:
        if PLACEHOLDER.search(path):
            yield Problem(
                "the path is of partitions, and the table has none",
                location("source", "path"),
                f"tables.{name}.source.path",
                received=path,
                action="write `partitions`, or a path without {partition:...}",
            )
        return
    yield from _load_problems(name, config, location)
    yield from _source_problems(name, config, config.partitions, location)
    yield from _column_problems(name, config.partitions, schema, location)


def view_partition_problems(
    name: str, config: FeatureViewConfig, schema: pa.Schema, location: Locate
) -> Iterator[Problem]:
    """Why a feature view cannot be computed by its partitions; as `partition_problems`."""
    if config.partitions is not None:
        where = location("event_timestamp")
        field = f"feature_views.{name}.event_timestamp"
        is_hour = config.partitions.every == "hour"
        yield from _problems_of_column(config.event_timestamp, schema, where, field, is_hour)


def _load_problems(name: str, config: TableConfig, location: Locate) -> Iterator[Problem]:
    load = config.load
    wrong = {
        "mode": (load.mode != "append", load.mode, "append: a partition is replaced as a whole"),
        "batch": (load.batch != "all", load.batch, "all: a batch is a partition"),
        "incremental": (load.incremental is not None, "a cursor", "nothing: partitions are read"),
    }
    for key, (is_wrong, received, allowed) in wrong.items():
        if is_wrong:
            yield Problem(
                f"a table with `partitions` cannot have this `load.{key}`",
                location("load", key),
                f"tables.{name}.load.{key}",
                received=received,
                allowed=allowed,
            )


def _source_problems(
    name: str, config: TableConfig, partitions: PartitionsConfig, location: Locate
) -> Iterator[Problem]:
    source = config.source
    if isinstance(source, DatabaseSourceConfig):
        return
    if not isinstance(source, FileSourceConfig):
        yield Problem(
            "a source of this type cannot be read by partitions",
            location("source", "type"),
            f"tables.{name}.source.type",
            received=source.type,
            allowed="a database, or files whose path names the partition",
        )
        return
    if missing := unsaid(source.path, partitions.every):
        yield Problem(
            f"the path does not tell a {partitions.every} from others: {', '.join(missing)} "
            "is missing",
            location("source", "path"),
            f"tables.{name}.source.path",
            received=source.path,
            allowed="a path such as landing/orders/{partition:%Y-%m-%d}/*.csv",
        )


def _column_problems(
    name: str, partitions: PartitionsConfig, schema: pa.Schema, location: Locate
) -> Iterator[Problem]:
    places: list[tuple[str, tuple[str, ...], bool]] = [
        (partitions.column, ("partitions", "column"), partitions.every == "hour")
    ]
    if partitions.late is not None:
        places.append((partitions.late.column, ("partitions", "late", "column"), False))
    for column, path, needs_time in places:
        field = ".".join(("tables", name, *path))
        yield from _problems_of_column(column, schema, location(*path), field, needs_time)


def _problems_of_column(
    column: str, schema: pa.Schema, where: Location, field: str, needs_time: bool
) -> Iterator[Problem]:
    if column not in schema.names:
        yield Problem(
            f"the contract has no column {column!r}",
            where,
            field,
            allowed=", ".join(schema.names),
            action=did_you_mean(column, schema.names),
        )
        return
    kind = schema.field(column).type
    is_date = pa.types.is_date(kind) and not needs_time
    if not is_date and not pa.types.is_timestamp(kind):
        yield Problem(
            "the column does not tell the partition of a row",
            where,
            field,
            received=f"{column}: {kind}",
            allowed="a timestamp" if needs_time else "a date or timestamp",
        )
