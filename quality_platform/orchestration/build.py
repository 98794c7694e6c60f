"""From the platform to Dagster's definitions."""

import dagster as dg

from quality_platform.flows.contracted_tables import FeatureTable, SourceTable
from quality_platform.flows.platform import Platform
from quality_platform.orchestration.assets import (
    due_assets,
    feature_assets,
    landing_assets,
    online_assets,
    table_assets,
)
from quality_platform.orchestration.backfill import backfill_job
from quality_platform.orchestration.broken_parts import (
    broken_assets,
    broken_schedules,
    broken_sensors,
)
from quality_platform.orchestration.executor import executor
from quality_platform.orchestration.instance_care import instance_care
from quality_platform.orchestration.keys import (
    EVERYTHING,
    MAINTENANCE,
    maintenance_of,
    selection_of,
)
from quality_platform.orchestration.maintenance import (
    maintenance_assets,
    rollback_job,
)
from quality_platform.orchestration.replay import replay_jobs
from quality_platform.orchestration.run_traces import run_traces
from quality_platform.orchestration.schedules import interval_sensors, schedules
from quality_platform.orchestration.sensors import sensors
from quality_platform.orchestration.steps import Nobody, Watcher


def build_definitions(platform: Platform, watcher: Watcher | None = None) -> dg.Definitions:
    """All assets, checks, jobs, schedules and sensors of a platform.

    `watcher` is told of everything that runs in this process.
    """
    everything = dg.define_asset_job(
        EVERYTHING,
        selection=selection_of(platform, ()),
        description="Every table and feature view: load what is new, check, publish, compute.",
    )
    upkeep = dg.define_asset_job(
        MAINTENANCE,
        selection=maintenance_of(platform, ()),
        description="Upkeep of all tables: retention, small files, old snapshots, orphans.",
    )
    return dg.Definitions(
        assets=_assets(platform, watcher or Nobody()),
        jobs=[
            everything,
            upkeep,
            rollback_job(platform),
            backfill_job(platform),
            *replay_jobs(platform),
        ],
        schedules=[*schedules(platform), *broken_schedules(platform)],
        sensors=[
            *sensors(platform),
            *interval_sensors(platform),
            *broken_sensors(platform),
            instance_care(platform),
            *run_traces(),
        ],
        executor=executor(),
    )


def _assets(platform: Platform, watcher: Watcher) -> list[dg.AssetsDefinition]:
    assets = [landing_assets(platform)] if platform.tables else []
    assets += [table_assets(platform, table, watcher) for table in platform.tables.values()]
    made: list[SourceTable | FeatureTable] = [*platform.tables.values()]
    made += platform.feature_tables.values()
    assets += [due_assets(platform, table, watcher) for table in made if table.partitions]
    for view in platform.feature_tables.values():
        assets.append(feature_assets(platform, view, watcher))
        if view.config.online:
            assets.append(online_assets(platform, view, watcher))
    assets += broken_assets(platform, watcher)
    return [*assets, *maintenance_assets(platform, watcher)]
