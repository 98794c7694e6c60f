"""Names in `sensors` and `alerts` of runner.yaml that refer to other parts of it."""

from __future__ import annotations

from collections.abc import Iterator

from quality_platform.config.models import RunnerConfig
from quality_platform.config.sensor_models import (
    CheckFailedSensorConfig,
    DatabaseChangedSensorConfig,
    DriftSensorConfig,
    FileArrivalSensorConfig,
    SensorConfig,
)
from quality_platform.config.source_models import DatabaseSourceConfig, FileSourceConfig
from quality_platform.documents.yaml_documents import YamlDocument
from quality_platform.errors import Problem

Reference = tuple[tuple[str | int, ...], str, list[str], str]
"""Where a name stands, the name, those that are allowed there, and what kind they are."""

AUTOMATION_SENSOR = "automation"
"""The sensor of what automates itself."""

HOOK_SENSOR = "alert_"
"""What the name of a hook's sensor begins with."""


def sensor_references(config: RunnerConfig) -> Iterator[Reference]:
    """The names in sensors and hooks."""
    both = sorted(config.tables) + sorted(config.feature_views)
    for name, sensor in config.sensors.items():
        yield from _references_of(name, sensor, config)
    for name, hook in config.alerts.hooks.items():
        for n, table in enumerate(hook.tables):
            yield ("alerts", "hooks", name, "tables", n), table, both, "table or feature view"


def _references_of(name: str, sensor: SensorConfig, config: RunnerConfig) -> Iterator[Reference]:
    tables, views = sorted(config.tables), sorted(config.feature_views)
    match sensor:
        case CheckFailedSensorConfig():
            for n, table in enumerate(sensor.tables):
                yield ("sensors", name, "tables", n), table, tables + views, "table or feature view"
        case DriftSensorConfig():
            if sensor.view is not None:
                yield ("sensors", name, "view"), sensor.view, views, "feature view"
            if sensor.table is not None:
                yield ("sensors", name, "table"), sensor.table, tables, "table"
            if sensor.hook is not None:
                yield ("sensors", name, "hook"), sensor.hook, sorted(config.alerts.hooks), "hook"
        case _:
            if sensor.table is not None:
                yield ("sensors", name, "table"), sensor.table, tables, "table"


def sensor_problems(config: RunnerConfig, document: YamlDocument) -> Iterator[Problem]:
    """Sensors that watch what they cannot watch, and names that two sensors would have."""
    for name, sensor in config.sensors.items():
        match sensor:
            case FileArrivalSensorConfig():
                yield from _problems_of_files(name, sensor, config, document)
            case DatabaseChangedSensorConfig():
                yield from _problems_of_database(name, sensor, config, document)
            case DriftSensorConfig():
                yield from _problems_of_drift(name, sensor, config, document)
    if AUTOMATION_SENSOR in config.sensors and _automates(config):
        yield Problem(
            f"{AUTOMATION_SENSOR!r} is the name of the sensor of what says `automate`",
            document.location(("sensors", AUTOMATION_SENSOR)),
            f"sensors.{AUTOMATION_SENSOR}",
            action="rename it",
        )
    for hook in config.alerts.hooks:
        if HOOK_SENSOR + hook in config.sensors:
            yield Problem(
                f"{HOOK_SENSOR + hook!r} is the name of the sensor of the hook {hook!r}",
                document.location(("sensors", HOOK_SENSOR + hook)),
                f"sensors.{HOOK_SENSOR}{hook}",
                action="rename one of them",
            )


def _problems_of_files(
    name: str, sensor: FileArrivalSensorConfig, config: RunnerConfig, document: YamlDocument
) -> Iterator[Problem]:
    watched = config.tables.get(sensor.table)
    if watched is not None and not isinstance(watched.source, FileSourceConfig):
        yield Problem(
            message="a file_arrival sensor watches files, and this table's source is none",
            location=document.location(("sensors", name, "table")),
            field=f"sensors.{name}.table",
            received=f"a source of type {watched.source.type}",
            allowed="a table whose source has a `path`",
            action="use a schedule, or for a database a sensor of type database_changed",
        )


def _problems_of_database(
    name: str, sensor: DatabaseChangedSensorConfig, config: RunnerConfig, document: YamlDocument
) -> Iterator[Problem]:
    watched = config.tables.get(sensor.table)
    if watched is None:
        return
    if not isinstance(watched.source, DatabaseSourceConfig):
        yield Problem(
            message="a database_changed sensor asks a database, and this table's source is none",
            location=document.location(("sensors", name, "table")),
            field=f"sensors.{name}.table",
            received=f"a source of type {watched.source.type}",
            allowed="a table whose source has a `connection`",
            action="use a schedule, or for files a sensor of type file_arrival",
        )
    elif sensor.query is None and watched.load.incremental is None:
        yield Problem(
            message="this table has no incremental cursor that would tell whether it has changed",
            location=document.location(("sensors", name)),
            field=f"sensors.{name}.query",
            allowed="a SELECT of one column, such as SELECT max(changed_at) FROM orders",
        )


def _problems_of_drift(
    name: str, sensor: DriftSensorConfig, config: RunnerConfig, document: YamlDocument
) -> Iterator[Problem]:
    key, section = ("view", "feature_views") if sensor.table is None else ("table", "tables")
    watched = getattr(config, section).get(sensor.tested)
    if watched is not None and watched.drift is None:
        yield Problem(
            message=f"this {'feature view' if key == 'view' else 'table'} has no drift test",
            location=document.location(("sensors", name, key)),
            field=f"sensors.{name}.{key}",
            received=sensor.tested,
            action=f"give {section}.{sensor.tested} a `drift`",
        )


def _automates(config: RunnerConfig) -> bool:
    tables, views = config.tables.values(), config.feature_views.values()
    return any(table.automate for table in tables) or any(view.automate for view in views)
