"""The spans of whole runs: told once they have ended, by the daemon, above those of their steps.

No process of a run lives as long as the run, so that none could tell it. The ids of the spans come
from the run's id: one that is told twice is the same span.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from quality_platform.telemetry.traces import RunSpan, is_traced, traces

RUN_TRACES = "run_traces"
"""The sensor's name."""

LIMIT = 200
"""Runs that one tick tells of at most."""

_ENDS = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def run_traces() -> list[dg.SensorDefinition]:
    """The sensor; none where the environment names no collector."""
    if not is_traced():
        return []

    @dg.sensor(
        name=RUN_TRACES,
        description="Tells OpenTelemetry's collector of runs that have ended.",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        origin = context.code_location_origin
        location = origin.location_name if origin else None
        seen = float(context.cursor or time.time())
        ended = _ended(context.instance, seen)
        own = [record for record in ended if _location_of(record.dagster_run) == location]
        for record in own:
            traces().run(span_of(record))
        traces().flush()
        until = max((record.update_timestamp.timestamp() for record in ended), default=seen)
        # What ended before the first look is told to nobody.
        return dg.SensorResult(skip_reason=f"{len(own)} runs told of", cursor=repr(until))

    return [evaluate]


def span_of(record: dg.RunRecord) -> RunSpan:
    """The span of a run that has ended; one that never began has none of its time."""
    run = record.dagster_run
    ended = record.end_time or record.update_timestamp.timestamp()
    error = "" if run.status is dg.DagsterRunStatus.SUCCESS else run.status.value
    return RunSpan(run.run_id, run.job_name, record.start_time or ended, ended, error)


def _ended(instance: dg.DagsterInstance, since: float) -> Sequence[dg.RunRecord]:
    """The runs that ended after a time, in their order."""
    return instance.get_run_records(
        dg.RunsFilter(statuses=_ENDS, updated_after=datetime.fromtimestamp(since, UTC)),
        limit=LIMIT,
        order_by="update_timestamp",
        ascending=True,
    )


def _location_of(run: dg.DagsterRun) -> str | None:
    origin = run.remote_job_origin
    return None if origin is None else origin.repository_origin.code_location_origin.location_name
