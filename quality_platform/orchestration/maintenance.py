"""Upkeep as assets, one for each table, and rollback as a job."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.flows.platform import Platform
from quality_platform.orchestration.keys import (
    HISTORY_UPKEEP,
    MAINTENANCE,
    maintenance_key,
    maintenance_op,
    table_key,
)
from quality_platform.orchestration.markdown import markdown_table
from quality_platform.orchestration.pools import claimed, pool_of
from quality_platform.orchestration.steps import Nobody, Step, Watcher

if TYPE_CHECKING:
    from quality_platform.flows.maintain import Upkeep

ROLLBACK = "rollback"
"""The job that sets a table back."""


def history_upkeep_asset(platform: Platform, watcher: Watcher) -> dg.AssetsDefinition:
    """The upkeep of the history."""
    history = _spec(HISTORY_UPKEEP, "the history of runs and checks, and of training sets", [])
    # Their names are those of the flow, which is imported when it runs.
    tables_of_history = (
        "history.runs",
        "history.check_results",
        "history.decisions",
        "history.drift_profiles",
        "history.training_sets",
        "training_sets.*",
    )
    return _asset(platform, watcher, history, tables_of_history)


def upkeep_asset(
    platform: Platform, table: ContractedTable, watcher: Watcher
) -> dg.AssetsDefinition:
    """The upkeep of one table or feature view with its quarantine."""
    spec = _spec(table.name, table.identifier, [table_key(table)])
    return _asset(platform, watcher, spec, (table.name,))


def _spec(name: str, what: str, deps: list[dg.AssetKey]) -> dg.AssetSpec:
    return dg.AssetSpec(
        maintenance_key(name),
        deps=deps,
        description=(
            f"Upkeep of {what}: rows past retention are deleted, small files put together, old "
            "snapshots and orphaned files removed. Loads go on meanwhile."
        ),
        group_name=MAINTENANCE,
        kinds={"iceberg"},
    )


def _asset(
    platform: Platform, watcher: Watcher, spec: dg.AssetSpec, names: Sequence[str]
) -> dg.AssetsDefinition:
    name = spec.key.path[-1]
    retries = platform.runner.config.retries

    # Two of one table would only get in each other's way; a load is never kept waiting.
    @dg.multi_asset(name=maintenance_op(name), specs=[spec], pool=f"maintenance-{name}")
    def run(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        step = Step(context, f"maintenance.{name}", retries, watcher, platform)
        with step.translated_errors():
            done = _maintained(platform, names)
        return dg.MaterializeResult(spec.key, metadata=_metadata(done))

    return run


def _maintained(platform: Platform, names: Sequence[str]) -> list["Upkeep"]:
    from quality_platform.flows.maintain import maintain

    done = list(maintain(platform, names))
    for upkeep in done:
        if upkeep.error is not None:
            raise upkeep.error
    return done


def _metadata(done: "Sequence[Upkeep]") -> dict[str, dg.MetadataValue]:
    from quality_platform.flows.upkeep_texts import told

    compacted = [u.compact for u in done if u.compact and u.compact.files_before]
    expired = [u.expire for u in done if u.expire]
    cut = [u.retention for u in done if u.retention]
    swept = [u.orphans for u in done if u.orphans]
    history = [*expired, *(retention.history for retention in cut)]
    numbers = {
        "rows_deleted": sum(retention.rows for retention in cut),
        "rows_purged": sum(u.purge.rows for u in done if u.purge),
        "files_before": sum(compaction.files_before for compaction in compacted),
        "files_after": sum(compaction.files_after for compaction in compacted),
        "snapshots_removed": sum(len(expiry.snapshots) for expiry in history),
        "orphans_removed": sum(len(sweep.files) for sweep in swept),
        "bytes_freed": sum(e.bytes for e in history) + sum(sweep.bytes for sweep in swept),
    }
    rows = [(u.table, task, text) for u in done for task, text in told(u)]
    return {
        "what": dg.MetadataValue.md(markdown_table(("table", "task", "what"), rows)),
        **{name: dg.MetadataValue.int(number) for name, number in numbers.items()},
    }


class RollbackConfig(dg.Config):
    """Which table goes back, and to what: a snapshot id, a tag, or a time such as 2026-05-31."""

    table: str
    to: str


def rollback_job(platform: Platform) -> dg.JobDefinition:
    """A job that sets the table of its configuration back; nobody is asked."""
    retries = platform.runner.config.retries

    @dg.op(name="roll_back")
    def roll_back_table(context: dg.OpExecutionContext, config: RollbackConfig) -> None:
        from quality_platform.flows.roll_back import plan_rollback, roll_back

        known = platform.about([config.table])
        step = Step(context, f"rollback.{config.table}", retries, Nobody(), known)
        with step.translated_errors():
            # Before the pool: there is none for a name that leads nowhere.
            pool = pool_of(known.contracted(config.table).name)
            with claimed(context, pool, step.progress):
                plan = plan_rollback(known, config.table, config.to)
                step.progress("rolling_back", f"rows {plan.now.rows:,} -> {plan.then.rows:,}")
                roll_back(known, plan, step.run_id)

    @dg.job(
        name=ROLLBACK,
        description="Sets a table back to an earlier state; what was loaded since is loaded again.",
    )
    def rollback() -> None:
        roll_back_table()

    return rollback
