"""From the platform to Dagster's definitions."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import dagster as dg

from quality_platform.flows.contracted_tables import ContractedTable, FeatureTable, SourceTable
from quality_platform.flows.platform import Platform
from quality_platform.orchestration.assets import (
    due_assets,
    feature_assets,
    landing_assets,
    table_assets,
)
from quality_platform.orchestration.backfill import BACKFILL, backfill_job
from quality_platform.orchestration.broken_parts import (
    broken_assets,
    broken_schedules,
    broken_sensors,
)
from quality_platform.orchestration.executor import executor
from quality_platform.orchestration.instance_care import instance_care
from quality_platform.orchestration.keys import (
    EVERYTHING,
    HISTORY_UPKEEP,
    MAINTENANCE,
    maintenance_of,
    selection_of,
)
from quality_platform.orchestration.maintenance import (
    ROLLBACK,
    history_upkeep_asset,
    rollback_job,
    upkeep_asset,
)
from quality_platform.orchestration.online_assets import online_assets
from quality_platform.orchestration.replay import DISCARD, RELEASE, REPLAY, replay_jobs
from quality_platform.orchestration.run_traces import run_traces
from quality_platform.orchestration.schedules import interval_sensors, schedules
from quality_platform.orchestration.sensors import sensors
from quality_platform.orchestration.steps import Nobody, Watcher
from quality_platform.orchestration.training_sets import training_set_assets, training_set_jobs

_EVERYTHING = "Every table and feature view: load what is new, check, publish, compute."
_UPKEEP = "Upkeep of all tables: retention, small files, old snapshots, orphans."


def build_definitions(platform: Platform, watcher: Watcher | None = None) -> dg.Definitions:
    """All assets, checks, jobs, schedules and sensors of a platform.

    `watcher` is told of everything that runs in this process.
    """
    told = watcher or Nobody()
    tables: Sequence[ContractedTable] = (
        *platform.tables.values(),
        *platform.feature_tables.values(),
    )
    return dg.Definitions(
        assets=[
            *_assets(platform, tables, told),
            *training_set_assets(platform, told),
            *broken_assets(platform, told),
        ],
        jobs=[
            dg.define_asset_job(EVERYTHING, selection_of(platform, ()), description=_EVERYTHING),
            dg.define_asset_job(MAINTENANCE, maintenance_of(platform, ()), description=_UPKEEP),
            *training_set_jobs(platform),
            *_launchpad_jobs(platform),
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


LAUNCHPAD = (ROLLBACK, BACKFILL, REPLAY, RELEASE, DISCARD)
"""The jobs without assets: each run names the table that it is about in its configuration."""


def build_launchpad(platform: Platform) -> dg.Definitions:
    """The jobs without assets, as `build_definitions` has them."""
    return dg.Definitions(jobs=_launchpad_jobs(platform), executor=executor())


def _launchpad_jobs(platform: Platform) -> list[dg.JobDefinition]:
    return [rollback_job(platform), backfill_job(platform), *replay_jobs(platform)]


def build_part(platform: Platform, names: Collection[str]) -> dg.Definitions:
    """The assets and checks of these tables and views, and of all that they need, with their jobs.

    What `build_definitions` says of them, this says too, and nothing of all others.
    """
    upkeep = maintenance_of(platform, (*names, HISTORY_UPKEEP))
    jobs = [dg.define_asset_job(MAINTENANCE, upkeep, description=_UPKEEP)]
    if names:
        loads = selection_of(platform, tuple(names))
        jobs.append(dg.define_asset_job(EVERYTHING, loads, description=_EVERYTHING))
    return dg.Definitions(
        assets=_assets(platform, _with_needed(platform, names), Nobody()),
        jobs=jobs,
        executor=executor(),
    )


def repository_of(definitions: dg.Definitions) -> dg.RepositoryDefinition:
    """The repository of these definitions, as Dagster names it.

    Its own way would first bind resources to every asset. None has any. (Measured: 0.3 of 2.5 s
    at a thousand tables.)
    """
    found = (definitions.assets, definitions.jobs, definitions.schedules, definitions.sensors)

    @dg.repository(name="__repository__", default_executor_def=executor())
    def repository() -> list[Any]:
        return [definition for kind in found for definition in kind or ()]

    return repository


def _with_needed(platform: Platform, names: Iterable[str]) -> list[ContractedTable]:
    """These tables and views, and those that they refer to or compute from, at any distance."""
    found: dict[str, ContractedTable] = {}
    waiting = [*names]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = table = platform.contracted(name)
            inputs = table.config.inputs if isinstance(table, FeatureTable) else ()
            waiting += (*inputs, *table.references)
    return [*found.values()]


def _assets(
    platform: Platform, known: Iterable[ContractedTable], watcher: Watcher
) -> list[dg.AssetsDefinition]:
    """The assets of these tables and views, and the upkeep of the history."""
    tables = [table for table in known if isinstance(table, SourceTable)]
    views = [table for table in known if isinstance(table, FeatureTable)]
    assets = [landing_assets(tables)] if tables else []
    assets += [table_assets(platform, table, watcher) for table in tables]
    both: tuple[SourceTable | FeatureTable, ...] = (*tables, *views)
    assets += [due_assets(platform, table, watcher) for table in both if table.partitions]
    for view in views:
        assets.append(feature_assets(platform, view, watcher))
        if view.config.online:
            assets.append(online_assets(platform, view, watcher))
    assets += [upkeep_asset(platform, table, watcher) for table in both]
    return [*assets, history_upkeep_asset(platform, watcher)]
