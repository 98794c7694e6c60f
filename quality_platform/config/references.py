"""Names in runner.yaml that refer to other parts of it: every one must lead somewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from croniter import CroniterBadDateError, croniter

from quality_platform.config.models import RunnerConfig, TableConfig
from quality_platform.config.sensor_models import FileArrivalSensorConfig
from quality_platform.config.source_models import (
    DatabaseSourceConfig,
    FileSourceConfig,
    PostgresSourceConfig,
)
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.documents.yaml_documents import YamlDocument
from quality_platform.errors import Problem


def reference_problems(config: RunnerConfig, document: YamlDocument) -> list[Problem]:
    """Every name that leads nowhere or to the wrong kind of thing."""
    problems = [
        *_names_that_lead_nowhere(config, document),
        *_names_used_twice(config, document),
    ]
    for name, table in config.tables.items():
        problems += _problems_of_database(name, table, document)
    for name, schedule in config.schedules.items():
        problems += _cron_problems(name, schedule.cron, document)
    for name, watch in config.sensors.items():
        if isinstance(watch, FileArrivalSensorConfig):
            problems += _problems_of_watched(name, watch.table, config, document)
    return problems


def _references(
    config: RunnerConfig,
) -> Iterator[tuple[tuple[str | int, ...], str, list[str], str]]:
    """Where a name stands, the name, those that are allowed there, and what kind they are."""
    tables, views = sorted(config.tables), sorted(config.feature_views)
    for name, table in config.tables.items():
        connection = getattr(table.source, "connection", None)
        if connection is not None:
            path = ("tables", name, "source", "connection")
            yield path, connection, sorted(config.connections), "connection"
    for name, view in config.feature_views.items():
        for n, table_name in enumerate(view.inputs):
            yield ("feature_views", name, "inputs", n), table_name, tables, "table"
    for name, schedule in config.schedules.items():
        for n, target in enumerate(schedule.targets):
            path_of_target = ("schedules", name, "targets", n)
            yield path_of_target, target, tables + views, "table or feature view"
    for name, watch in config.sensors.items():
        if watch.table is not None:
            yield ("sensors", name, "table"), watch.table, tables, "table"


def _names_that_lead_nowhere(config: RunnerConfig, document: YamlDocument) -> list[Problem]:
    return [
        Problem(
            message=f"there is no such {kind} in this file",
            location=document.location(path),
            field=".".join(str(step) for step in path),
            received=received_text(document.data, path),
            allowed=", ".join(allowed),
            action=did_you_mean(name, allowed),
        )
        for path, name, allowed, kind in _references(config)
        if name not in allowed
    ]


def _names_used_twice(config: RunnerConfig, document: YamlDocument) -> list[Problem]:
    return [
        Problem(
            message=f"{view!r} is the name of a table and of a feature view",
            location=document.location(("feature_views", view)),
            action="rename one of them",
        )
        for view in config.feature_views
        if view in config.tables
    ]


def _problems_of_watched(
    sensor: str, table: str, config: RunnerConfig, document: YamlDocument
) -> list[Problem]:
    watched = config.tables.get(table)
    if watched is None or isinstance(watched.source, FileSourceConfig):
        return []
    return [
        Problem(
            message="a file_arrival sensor watches files, and this table's source is none",
            location=document.location(("sensors", sensor, "table")),
            field=f"sensors.{sensor}.table",
            received=f"a source of type {watched.source.type}",
            allowed="a table whose source has a `path`",
            action="use a schedule",
        )
    ]


def _problems_of_database(
    name: str, table: TableConfig, document: YamlDocument
) -> Iterator[Problem]:
    source, load = table.source, table.load
    if not isinstance(source, DatabaseSourceConfig):
        return
    if load.mode == "append" and load.incremental is None:
        yield Problem(
            message="every run would add all rows of the database once more",
            location=document.location(("tables", name, "load")),
            field=f"tables.{name}.load",
            received="mode: append without incremental",
            allowed="incremental with a cursor, or mode: merge, replace, snapshot",
        )
    if isinstance(source, PostgresSourceConfig) and source.parallel > 1 and source.query:
        yield Problem(
            message="only a table can be read by several connections at once",
            location=document.location(("tables", name, "source", "parallel")),
            field=f"tables.{name}.source.parallel",
            received=f"parallel: {source.parallel} with a query",
            action="leave `parallel` out, or name a `table`",
        )


def _cron_problems(schedule: str, cron: str, document: YamlDocument) -> list[Problem]:
    if _is_cron(cron):
        return []
    path = ("schedules", schedule, "cron")
    return [
        Problem(
            message="not a cron expression",
            location=document.location(path),
            field=".".join(path),
            received=received_text(document.data, path),
            allowed="five fields (minute hour day month weekday) of a time that comes, @hourly, "
            "@daily, @weekly, @monthly",
        )
    ]


def _is_cron(text: str) -> bool:
    # Dagster takes five fields; croniter alone would also take six.
    if not croniter.is_valid(text) or not (text.startswith("@") or len(text.split()) == 5):
        return False
    try:
        croniter(text, datetime(2024, 1, 1)).get_next()
    except CroniterBadDateError:
        # Such as a 31st of February.
        return False
    return True


def received_text(data: Any, path: Sequence[str | int]) -> str:
    """The value as it stands in the file: a `${VAR}` is shown, never its content."""
    try:
        found = value_at(data, path)
    except (KeyError, IndexError, TypeError):
        return ""
    return "" if found is None or isinstance(found, dict | list) else repr(found)


def value_at(data: Any, path: Sequence[str | int]) -> Any:
    """The value at a place of the file.

    Raises:
        KeyError, IndexError, TypeError: there is no such place.
    """
    for step in path:
        data = data[step]
    return data
