"""Parts of runner.yaml that cannot be used, shown as what they would be, and failing as that.

A broken table stays in the asset graph under its own key, and its materialization fails with what
is wrong; a broken schedule or sensor stays in its list, and so does each of its ticks. Nothing that
is declared is ever left out in silence.
"""

from collections.abc import Iterator
from typing import NoReturn
from zoneinfo import available_timezones

import dagster as dg

from quality_platform.config.broken import HOOKS, BrokenPart
from quality_platform.config.references import is_cron
from quality_platform.config.sensor_references import HOOK_SENSOR
from quality_platform.flows.broken_tables import error_of
from quality_platform.flows.platform import Platform
from quality_platform.orchestration.keys import (
    BROKEN,
    EVERYTHING,
    broken_key,
    broken_op,
    maintenance_key,
    maintenance_op,
    word_of,
)
from quality_platform.orchestration.steps import Step, Watcher

_HOURLY = "0 * * * *"
_SENSORS = {"sensors": "", HOOKS: HOOK_SENSOR}
"""What becomes sensors, and what their names begin with."""
_TICKING = ("schedules", *_SENSORS)


def broken_assets(platform: Platform, watcher: Watcher) -> list[dg.AssetsDefinition]:
    """An asset for each broken part but schedules and sensors, and the upkeep of broken tables."""
    return [
        _asset(platform, part, op, key, watcher)
        for part in platform.broken
        if part.section not in _TICKING
        for op, key in _assets_of(platform, part)
    ]


def _assets_of(platform: Platform, part: BrokenPart) -> Iterator[tuple[str, dg.AssetKey]]:
    yield broken_op(part), broken_key(part)
    if part.name in platform.broken_tables:
        yield maintenance_op(part.name), maintenance_key(part.name)


def _asset(
    platform: Platform, part: BrokenPart, op: str, key: dg.AssetKey, watcher: Watcher
) -> dg.AssetsDefinition:
    needed = [platform.broken_tables[name] for name in part.needs if name in platform.broken_tables]
    spec = dg.AssetSpec(
        key,
        deps=[broken_key(other) for other in needed],
        description=_description(part),
        group_name=BROKEN,
        kinds={BROKEN},
    )

    @dg.multi_asset(name=op, specs=[spec])
    def run(context: dg.AssetExecutionContext) -> None:
        step = Step(context, part.name, platform.runner.config.retries, watcher, platform)
        with step.translated_errors():
            raise error_of(part)

    return run


def _description(part: BrokenPart) -> str:
    problems = "\n\n".join(str(problem) for problem in part.error.problems)
    return (
        f"**This {part.noun} is broken**: nothing is done for it until it is mended and the code "
        f"location is reloaded.\n\n```\n{problems}\n```"
    )


def broken_schedules(platform: Platform) -> list[dg.ScheduleDefinition]:
    """The broken schedules: every tick fails with what is wrong."""
    return [_schedule(part) for part in platform.broken if part.section == "schedules"]


def _schedule(part: BrokenPart) -> dg.ScheduleDefinition:
    status, cron = dg.DefaultScheduleStatus, part.written.get("cron")
    zone = part.written.get("timezone")

    def evaluate(_: dg.ScheduleEvaluationContext) -> NoReturn:
        raise error_of(part)

    return dg.ScheduleDefinition(
        name=word_of(part.name),
        cron_schedule=cron if isinstance(cron, str) and is_cron(cron) else _HOURLY,
        execution_timezone=zone if zone in available_timezones() else "UTC",
        job_name=EVERYTHING,
        execution_fn=evaluate,
        description=_description(part),
        default_status=status.RUNNING if _is_enabled(part) else status.STOPPED,
    )


def broken_sensors(platform: Platform) -> list[dg.SensorDefinition]:
    """The broken sensors, and those of broken hooks: every tick fails with what is wrong."""
    return [_sensor(part) for part in platform.broken if part.section in _SENSORS]


def _sensor(part: BrokenPart) -> dg.SensorDefinition:
    status = dg.DefaultSensorStatus

    @dg.sensor(
        name=word_of(_SENSORS[part.section] + part.name),
        description=_description(part),
        job_name=EVERYTHING,
        minimum_interval_seconds=60,
        default_status=status.RUNNING if _is_enabled(part) else status.STOPPED,
    )
    def evaluate(_: dg.SensorEvaluationContext) -> NoReturn:
        raise error_of(part)

    return evaluate


def _is_enabled(part: BrokenPart) -> bool:
    return part.written.get("enabled", part.section == HOOKS) is True
