"""Schedules of runner.yaml: cron schedules, and sensors for the intervals that cron cannot say."""

import time
from collections.abc import Iterator

import dagster as dg

from quality_platform.config.schedule_models import ScheduleConfig
from quality_platform.flows.platform import Platform
from quality_platform.orchestration.keys import (
    EVERYTHING,
    MAINTENANCE,
    TRAINING_SETS,
    keys_of,
    maintenance_key,
    training_set_keys,
)
from quality_platform.orchestration.slots import Slots, told
from quality_platform.orchestration.tenants import tenant_tags

SCHEDULE = "quality-platform/schedule"
"""Tag of a run: the schedule that started it."""

DUE = "quality-platform/due"
"""Tag of a run: the slot of its interval, in seconds since 1970-01-01 UTC."""

_SHORT = 600
"""Seconds below which an interval is looked at as often as the daemon looks at sensors."""
_LOOK, _SELDOM = 5, 30

_ENDED = {
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
}
_UNFINISHED = [status for status in dg.DagsterRunStatus if status not in _ENDED]


def schedules(platform: Platform) -> list[dg.ScheduleDefinition]:
    """All schedules that cron can say."""
    configs = platform.runner.config.schedules
    crons = {name: _crons(config) for name, config in configs.items()}
    return [_schedule(platform, name, configs[name], cron) for name, cron in crons.items() if cron]


def interval_sensors(platform: Platform) -> list[dg.SensorDefinition]:
    """A sensor for every interval that cron cannot say."""
    configs = platform.runner.config.schedules
    return [
        _interval_sensor(platform, name, config)
        for name, config in configs.items()
        if not _crons(config)
    ]


def _crons(config: ScheduleConfig) -> tuple[str, ...]:
    return (config.cron,) if config.cron is not None else Slots.of(config).crons


def _schedule(
    platform: Platform, name: str, config: ScheduleConfig, crons: tuple[str, ...]
) -> dg.ScheduleDefinition:
    status = dg.DefaultScheduleStatus

    def evaluate(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        busy = _why_not(context.instance, name, config)
        return dg.SkipReason(busy) if busy else _request(platform, name, config)

    return dg.ScheduleDefinition(
        name=name,
        cron_schedule=crons[0] if len(crons) == 1 else crons,
        # The slots of an interval are told in UTC, whatever zone their anchor is of.
        execution_timezone=config.timezone if config.cron is not None else "UTC",
        job_name=_job(config),
        execution_fn=evaluate,
        description=_description(config),
        default_status=status.RUNNING if config.enabled else status.STOPPED,
    )


def _interval_sensor(platform: Platform, name: str, config: ScheduleConfig) -> dg.SensorDefinition:
    slots, status = Slots.of(config), dg.DefaultSensorStatus

    @dg.sensor(
        name=name,
        job_name=_job(config),
        description=_description(config),
        minimum_interval_seconds=_LOOK if slots.interval < _SHORT else _SELDOM,
        default_status=status.RUNNING if config.enabled else status.STOPPED,
    )
    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        slot = slots.latest(time.time())
        seen = _seen(slots, context)
        if seen is None or slot <= seen:
            due = told(slots.latest(time.time()) + slots.interval)
            cursor = str(slot) if seen is None else None
            return dg.SensorResult(skip_reason=f"the next run is due at {due}", cursor=cursor)
        if busy := _why_not(context.instance, name, config):
            return dg.SensorResult(skip_reason=f"{told(slot)}: {busy}", cursor=str(slot))
        if missed := slots.between(seen, slot):
            context.log.warning(f"{missed} slots were missed: this run stands for them as well")
        request = _request(platform, name, config, slot)
        return dg.SensorResult(run_requests=[request], cursor=str(slot))

    return evaluate


def _seen(slots: Slots, context: dg.SensorEvaluationContext) -> int | None:
    """The last slot that needs no run any more; None before the first look.

    What was due while the sensor was switched off is not made up for, as with a cron schedule.
    """
    if context.cursor is None:
        return None
    switched_on = slots.latest(context.last_sensor_start_time or 0)
    return max(int(context.cursor), switched_on)


def _request(
    platform: Platform, name: str, config: ScheduleConfig, slot: int | None = None
) -> dg.RunRequest:
    """The run of a schedule. The key of an interval's run is its slot: it is started once."""
    due = {} if slot is None else {DUE: str(slot)}
    return dg.RunRequest(
        run_key=None if slot is None else f"{name}-{slot}",
        asset_selection=list(_keys(platform, config)) or None,
        tags={**config.tags, **tenant_tags(platform, config.targets), SCHEDULE: name, **due},
    )


def _keys(platform: Platform, config: ScheduleConfig) -> Iterator[dg.AssetKey]:
    """The assets that the targets mean; none where everything is meant."""
    if config.job == "training_sets" and config.targets:
        yield from training_set_keys(platform, config.targets)
        return
    for target in config.targets:
        if config.job == "maintenance":
            yield maintenance_key(target)
        else:
            yield from keys_of(platform, target)


def _job(config: ScheduleConfig) -> str:
    """One job for all: a job for each schedule would cost seconds at a thousand schedules."""
    return {"maintenance": MAINTENANCE, "training_sets": TRAINING_SETS}.get(config.job, EVERYTHING)


def _description(config: ScheduleConfig) -> str:
    rhythm = "" if config.interval_seconds is None else f"Every {config.interval_seconds} s."
    targets = f"Runs {', '.join(config.targets)}." if config.targets else "Runs everything."
    return " ".join(part for part in (config.description, rhythm, targets) if part)


def _why_not(instance: dg.DagsterInstance, name: str, config: ScheduleConfig) -> str:
    """Why a run must not be started now; "" where it may."""
    unfinished = instance.get_runs_count(
        dg.RunsFilter(tags={SCHEDULE: name}, statuses=_UNFINISHED)
    ) + _to_be_retried(instance, name)
    if unfinished < config.max_concurrent_runs:
        return ""
    runs = "run" if unfinished == 1 else "runs"
    return (
        f"{unfinished} {runs} of this schedule not finished yet, and "
        f"max_concurrent_runs is {config.max_concurrent_runs}"
    )


def _to_be_retried(instance: dg.DagsterInstance, name: str) -> int:
    """Runs that have failed, and whose retry the daemon has not queued yet."""
    tags = {SCHEDULE: name, "dagster/will_retry": "true"}
    failed = instance.get_runs(
        dg.RunsFilter(tags=tags, statuses=[dg.DagsterRunStatus.FAILURE]), limit=20
    )
    return sum("dagster/auto_retry_run_id" not in run.tags for run in failed)
