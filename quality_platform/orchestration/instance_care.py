"""The sensor that looks after the Dagster instance itself: limits, and runs that are lost."""

import json

import dagster as dg

from quality_platform.flows.platform import Platform
from quality_platform.orchestration.lost_runs import end_lost_runs
from quality_platform.orchestration.pools import apply_limits, pool_limits
from quality_platform.orchestration.run_queue import store_limits

INSTANCE_CARE = "instance_care"
"""The sensor's name."""


def instance_care(platform: Platform) -> dg.SensorDefinition:
    """Gives pools and tenants the limits of runner.yaml, and ends runs whose process is gone.

    Its cursor holds the limits that were applied, so that one that a person has changed in the UI
    stays until the file changes.
    """
    wanted, of_tenants = pool_limits(platform), _tenant_limits(platform)

    @dg.sensor(
        name=INSTANCE_CARE,
        description="Gives pools and tenants the limits of runner.yaml; ends runs whose process is "
        "gone, so that they are retried.",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        changed = apply_limits(context.instance, wanted, json.loads(context.cursor or "{}"))
        origin = context.code_location_origin
        location = origin.location_name if origin else None
        if store_limits(context.instance, location or "", of_tenants):
            changed.append("tenants")
        lost = end_lost_runs(context.instance, location)
        told = [f"limits applied: {', '.join(changed)}"] if changed else []
        told += [f"ended, as their process is gone: {', '.join(lost)}"] if lost else []
        reason = "; ".join(told) or "nothing to do"
        return dg.SensorResult(skip_reason=reason, cursor=json.dumps(wanted, sort_keys=True))

    return evaluate


def _tenant_limits(platform: Platform) -> dict[str, int]:
    """How many runs of a tenant may be under way at once, by tenant."""
    return {
        name: tenant.max_concurrent_runs
        for name, tenant in platform.runner.config.tenants.items()
        if tenant.max_concurrent_runs is not None
    }
