"""Sensors looked at on a real instance, and runs as they ask for them."""

from __future__ import annotations

import dagster as dg
from support.dagster_runs import QUIET

from quality_platform.flows.platform import Platform
from quality_platform.orchestration.build import build_definitions
from quality_platform.orchestration.keys import EVERYTHING


def looked(
    platform: Platform, instance: dg.DagsterInstance, name: str, cursor: str | None = None
) -> dg.SensorResult:
    """What a sensor finds at one look."""
    definitions = build_definitions(platform)
    context = dg.build_sensor_context(instance=instance, cursor=cursor, definitions=definitions)
    result = definitions.resolve_sensor_def(name)(context)
    assert isinstance(result, dg.SensorResult)
    return result


def keys_of(result: dg.SensorResult) -> list[str | None]:
    """The run keys of what a sensor asks for."""
    return [request.run_key for request in result.run_requests or ()]


def obeyed(
    platform: Platform, instance: dg.DagsterInstance, request: dg.RunRequest
) -> dg.ExecuteInProcessResult:
    """Runs what a sensor asks for."""
    job = build_definitions(platform).resolve_job_def(request.job_name or EVERYTHING)
    return job.execute_in_process(
        run_config={**QUIET, **(request.run_config or {})},
        instance=instance,
        raise_on_error=False,
        tags=dict(request.tags),
        asset_selection=list(request.asset_selection or ()) or None,
    )
