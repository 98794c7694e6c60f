"""Sensors of runner.yaml."""

import dagster as dg

from quality_platform.config.sensor_models import (
    ContractChangedSensorConfig,
    FileArrivalSensorConfig,
    SensorConfig,
)
from quality_platform.flows.platform import Platform
from quality_platform.orchestration.arrivals import Arrivals, arrived_files, look
from quality_platform.orchestration.keys import selection_of
from quality_platform.orchestration.replay import contract_changed_sensor


def sensors(platform: Platform) -> list[dg.SensorDefinition]:
    """All sensors."""
    configs = platform.runner.config.sensors
    return [_sensor(platform, name, config) for name, config in configs.items()]


def _sensor(platform: Platform, name: str, config: SensorConfig) -> dg.SensorDefinition:
    match config:
        case FileArrivalSensorConfig():
            return _file_arrival_sensor(platform, name, config)
        case ContractChangedSensorConfig():
            return contract_changed_sensor(platform, name, config)


def _file_arrival_sensor(
    platform: Platform, name: str, config: FileArrivalSensorConfig
) -> dg.SensorDefinition:
    table, status = platform.tables[config.table], dg.DefaultSensorStatus

    @dg.sensor(
        name=name,
        description=f"Runs {config.table} when files appear or change at its source.",
        target=selection_of(platform, (config.table,)),
        minimum_interval_seconds=config.interval_seconds,
        default_status=status.RUNNING if config.enabled else status.STOPPED,
    )
    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        arrivals = look(
            arrived_files(table.source_pattern, table.config.source),
            Arrivals.from_cursor(context.cursor),
            settle_seconds=config.settle_seconds,
            replace=table.config.load.mode == "replace",
        )
        if arrivals.nothing_because:
            return dg.SensorResult(skip_reason=arrivals.nothing_because)
        request = dg.RunRequest(run_key=f"{name}-{arrivals.seen.digest}")
        return dg.SensorResult(run_requests=[request], cursor=arrivals.seen.cursor)

    return evaluate
