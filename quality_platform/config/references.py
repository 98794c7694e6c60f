"""Names in runner.yaml that refer to other parts of it: every one must lead somewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from croniter import CroniterBadDateError, croniter

from quality_platform.config.broken import HOOKS, Part
from quality_platform.config.feature_store_references import (
    VIEW_OF_A_SERVICE,
    feature_store_problems,
    feature_store_references,
)
from quality_platform.config.models import RunnerConfig, TableConfig
from quality_platform.config.schedule_references import schedule_problems
from quality_platform.config.sensor_references import sensor_problems, sensor_references
from quality_platform.config.source_models import DatabaseSourceConfig, PostgresSourceConfig
from quality_platform.config.tenant_references import tenant_problems, tenant_references
from quality_platform.config.tenant_warehouses import warehouse_problems
from quality_platform.config.training_set_references import (
    SERVICE,
    training_set_problems,
    training_set_references,
)
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.documents.yaml_documents import YamlDocument
from quality_platform.errors import Problem


def reference_problems(
    config: RunnerConfig, document: YamlDocument, broken: Collection[Part | None] = ()
) -> list[Problem]:
    """Every name that leads nowhere or to the wrong kind of thing.

    `broken` are parts that the file has, but the models do not. The field of each problem begins
    with the section and the name of the entry that has it.
    """
    problems = [
        *_names_that_lead_nowhere(config, document, broken),
        *_names_used_twice(config, document),
    ]
    for name, table in config.tables.items():
        problems += _problems_of_database(name, table, document)
    for name, schedule in config.schedules.items():
        if schedule.cron is not None:
            problems += _cron_problems(name, schedule.cron, document)
    problems += sensor_problems(config, document)
    problems += schedule_problems(config, document)
    problems += feature_store_problems(config, document)
    problems += training_set_problems(config, document, broken)
    problems += tenant_problems(config, document, references(config))
    problems += warehouse_problems(config, document)
    return problems


def references(
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
            if schedule.job == "training_sets":
                yield path_of_target, target, sorted(config.training_sets), "training set"
            else:
                yield path_of_target, target, tables + views, "table or feature view"
    yield from sensor_references(config)
    yield from feature_store_references(config)
    yield from training_set_references(config)
    yield from tenant_references(config)


SECTIONS = {
    "connection": ("connections",),
    "feature view": ("feature_views",),
    "hook": (HOOKS,),
    "table": ("tables",),
    "tenant": ("tenants",),
    "table or feature view": ("tables", "feature_views"),
    VIEW_OF_A_SERVICE: ("feature_views", "on_demand_feature_views"),
    SERVICE: ("feature_services",),
    "training set": ("training_sets",),
}
"""Where the things of a kind stand."""


def is_broken(name: str, kind: str, broken: Collection[Part | None]) -> bool:
    """Whether a name leads to a part of this kind that the file has, and that is broken."""
    return any((section, name) in broken for section in SECTIONS.get(kind, ()))


def _names_that_lead_nowhere(
    config: RunnerConfig, document: YamlDocument, broken: Collection[Part | None]
) -> list[Problem]:
    return [
        Problem(
            message=f"there is no such {kind} in this file",
            location=document.location(path),
            field=".".join(str(step) for step in path),
            received=received_text(document.data, path),
            allowed=", ".join(allowed),
            action=did_you_mean(name, allowed),
        )
        for path, name, allowed, kind in references(config)
        if name not in allowed and not is_broken(name, kind, broken)
    ]


def _names_used_twice(config: RunnerConfig, document: YamlDocument) -> list[Problem]:
    return [
        Problem(
            message=f"{view!r} is the name of a table and of a feature view",
            location=document.location(("feature_views", view)),
            field=f"feature_views.{view}",
            action="rename one of them",
        )
        for view in config.feature_views
        if view in config.tables
    ]


def _problems_of_database(
    name: str, table: TableConfig, document: YamlDocument
) -> Iterator[Problem]:
    source, load = table.source, table.load
    if not isinstance(source, DatabaseSourceConfig):
        return
    if load.mode == "append" and load.incremental is None and table.partitions is None:
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
    if is_cron(cron):
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


@cache
def is_cron(text: str) -> bool:
    """Whether a text is a cron expression of a time that comes, in the form that Dagster takes."""
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
