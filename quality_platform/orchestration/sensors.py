"""Sensors of runner.yaml."""

import dagster as dg

from quality_platform.config.sensor_models import (
    CheckFailedSensorConfig,
    ContractChangedSensorConfig,
    DatabaseChangedSensorConfig,
    DriftSensorConfig,
    FileArrivalSensorConfig,
    SensorConfig,
)
from quality_platform.flows.platform import Platform
from quality_platform.orchestration.alert_sensors import alert_sensors, drift_alert_sensor
from quality_platform.orchestration.arrivals import Arrivals, arrived_files, look
from quality_platform.orchestration.automation import automation_sensors
from quality_platform.orchestration.keys import EVERYTHING, keys_of
from quality_platform.orchestration.replay import contract_changed_sensor
from quality_platform.orchestration.rerun_sensors import check_failed_sensor, drift_rerun_sensor
from quality_platform.orchestration.tenants import tenant_tags
from quality_platform.orchestration.ticks import clear_errors


def sensors(platform: Platform) -> list[dg.SensorDefinition]:
    """All sensors, those of the hooks and of what automates itself among them."""
    configs = platform.runner.config.sensors
    named = [_sensor(platform, name, config) for name, config in configs.items()]
    return [*named, *alert_sensors(platform), *automation_sensors(platform)]


def _sensor(platform: Platform, name: str, config: SensorConfig) -> dg.SensorDefinition:
    match config:
        case FileArrivalSensorConfig():
            return _file_arrival_sensor(platform, name, config)
        case ContractChangedSensorConfig():
            return contract_changed_sensor(platform, name, config)
        case DatabaseChangedSensorConfig():
            return _database_changed_sensor(platform, name, config)
        case CheckFailedSensorConfig():
            return check_failed_sensor(platform, name, config)
        case DriftSensorConfig(action="alert"):
            return drift_alert_sensor(platform, name, config)
        case DriftSensorConfig():
            return drift_rerun_sensor(platform, name, config)


def _file_arrival_sensor(
    platform: Platform, name: str, config: FileArrivalSensorConfig
) -> dg.SensorDefinition:
    table, status = platform.tables[config.table], dg.DefaultSensorStatus

    @dg.sensor(
        name=name,
        description=f"Runs {config.table} when files appear or change at its source.",
        job_name=EVERYTHING,
        minimum_interval_seconds=config.interval_seconds,
        default_status=status.RUNNING if config.enabled else status.STOPPED,
    )
    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        arrivals = look(
            arrived_files(table.source_pattern, table.config.source, table.fence),
            Arrivals.from_cursor(context.cursor),
            settle_seconds=config.settle_seconds,
            replace=table.config.load.mode == "replace",
        )
        if arrivals.nothing_because:
            return dg.SensorResult(skip_reason=arrivals.nothing_because)
        request = _request(platform, f"{name}-{arrivals.seen.changes}", config.table)
        return dg.SensorResult(run_requests=[request], cursor=arrivals.seen.cursor)

    return evaluate


def _database_changed_sensor(
    platform: Platform, name: str, config: DatabaseChangedSensorConfig
) -> dg.SensorDefinition:
    status = dg.DefaultSensorStatus

    @dg.sensor(
        name=name,
        description=f"Runs {config.table} when its database has changed.",
        job_name=EVERYTHING,
        minimum_interval_seconds=config.interval_seconds,
        default_status=status.RUNNING if config.enabled else status.STOPPED,
    )
    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        from quality_platform.flows.high_water import HighWater, high_water

        before = HighWater.from_cursor(context.cursor)
        with clear_errors():
            now = before.then(high_water(platform, config, name))
        if now == before:
            return dg.SensorResult(skip_reason="nothing has changed at the database")
        request = _request(platform, f"{name}-{now.changes}", config.table)
        return dg.SensorResult(run_requests=[request], cursor=now.cursor)

    return evaluate


def _request(platform: Platform, key: str, table: str) -> dg.RunRequest:
    """A run of one table within the job of everything: a job of its own costs seconds to load."""
    tags = tenant_tags(platform, [table])
    return dg.RunRequest(run_key=key, asset_selection=keys_of(platform, table), tags=tags)
