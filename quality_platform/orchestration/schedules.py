"""Schedules of runner.yaml."""

import dagster as dg

from quality_platform.config.schedule_models import ScheduleConfig
from quality_platform.flows.platform import Platform
from quality_platform.orchestration.keys import (
    EVERYTHING,
    MAINTENANCE,
    maintenance_of,
    selection_of,
)


def schedules(platform: Platform) -> list[dg.ScheduleDefinition]:
    """All schedules; those without targets run the job `everything`, or `maintenance`."""
    configs = platform.runner.config.schedules
    return [_schedule(platform, name, config) for name, config in configs.items()]


def _schedule(platform: Platform, name: str, config: ScheduleConfig) -> dg.ScheduleDefinition:
    status = dg.DefaultScheduleStatus
    is_upkeep = config.job == "maintenance"
    selection = maintenance_of if is_upkeep else selection_of
    everything = MAINTENANCE if is_upkeep else EVERYTHING
    return dg.ScheduleDefinition(
        name=name,
        cron_schedule=config.cron,
        execution_timezone=config.timezone,
        job_name=None if config.targets else everything,
        target=selection(platform, config.targets) if config.targets else None,
        description=config.description or None,
        default_status=status.RUNNING if config.enabled else status.STOPPED,
    )
