"""Reading a table again as a job, for the launchpad: a range of its cursor, or everything."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from quality_platform.flows.contracted_tables import SourceTable
from quality_platform.flows.platform import Platform
from quality_platform.orchestration.assets import LOAD_CONFIG
from quality_platform.orchestration.check_events import log_checks
from quality_platform.orchestration.keys import quarantine_key, table_key
from quality_platform.orchestration.launchpad import choice_of_table
from quality_platform.orchestration.partition_events import log_partitions
from quality_platform.orchestration.pools import claimed, pool_of
from quality_platform.orchestration.steps import Nobody, Step
from quality_platform.orchestration.table_events import (
    quarantine_metadata,
    require_good,
    table_metadata,
)

if TYPE_CHECKING:
    from quality_platform.flows.outcomes import TableOutcome

BACKFILL = "backfill"
"""The job that reads a table again; its op is called `backfill_rows`."""

REASON = "reason"
"""Metadata of a materialization, and tag of the run: why somebody asked for it."""

_Event = dg.AssetMaterialization | dg.AssetObservation | dg.Output[None]


def backfill_job(platform: Platform) -> dg.JobDefinition:
    """A job that loads one table, as its asset does; the launchpad offers the tables there are."""
    tables = choice_of_table(platform, "LoadedTable")
    schema = {
        "table": dg.Field(tables, description="The table."),
        **LOAD_CONFIG,
        REASON: dg.Field(str, default_value="", description="Why; it is shown with the table."),
    }

    @dg.op(name=f"{BACKFILL}_rows", config_schema=schema, out=dg.Out(dg.Nothing))
    def do(context: dg.OpExecutionContext) -> Iterator[_Event]:
        config = context.op_config
        known = platform.about([config["table"]])
        table = known.tables[config["table"]]
        step = Step(context, f"{BACKFILL}.{table.name}", table.retries, Nobody(), known)
        with step.translated_errors(), claimed(context, pool_of(table.name), step.progress):
            outcome = _loaded(known, step, config)
            step.ended(outcome)
        log_checks(step, table, outcome)
        yield from _events(step, table, outcome, config[REASON])
        require_good(table, outcome)
        yield dg.Output(None)

    @dg.job(name=BACKFILL, description="Reads a table again: a range of its cursor, or everything.")
    def job() -> None:
        do()

    return job


def _loaded(platform: Platform, step: Step, config: Mapping[str, Any]) -> "TableOutcome":
    from dataclasses import replace

    from quality_platform.flows.load_table import load_table
    from quality_platform.flows.requests import Request

    request = Request.of(
        full_refresh=config["full_refresh"], start=config["from"], end=config["to"]
    )
    request = replace(request, retry=step.context.retry_number)
    return load_table(platform, config["table"], step.run_id, step.progress, request)


def _events(
    step: Step, table: SourceTable, outcome: "TableOutcome", reason: str
) -> Iterator[dg.AssetMaterialization | dg.AssetObservation]:
    metadata = table_metadata(outcome)
    if reason:
        metadata[REASON] = dg.MetadataValue.text(reason)
    published = any(not load.blocked for load in outcome.loads)
    if published and table.config.partitions is not None:
        log_partitions(step, table, outcome)
    if not published or table.config.partitions is not None:
        yield dg.AssetObservation(table_key(table), metadata=metadata)
        return
    version = {"dagster/data_version": str(outcome.snapshot_id)}
    yield dg.AssetMaterialization(table_key(table), metadata=metadata, tags=version)
    held = quarantine_metadata(table, outcome)
    yield dg.AssetMaterialization(quarantine_key(table), metadata=held)
