"""Partitions of runner.yaml as Dagster's, and which of them a run is asked for."""

import warnings
from collections.abc import Iterator, Sequence
from datetime import datetime, time

import dagster as dg

from quality_platform.config.partition_models import TimePartitionsConfig
from quality_platform.config.partition_windows import FORMATS, Every
from quality_platform.flows.contracted_tables import ContractedTable, FeatureTable
from quality_platform.flows.platform import Platform
from quality_platform.orchestration.keys import due_key, table_key

_CRONS: dict[Every, str] = {
    "hour": "0 * * * *",
    "day": "0 0 * * *",
    "week": "0 0 * * 1",
    "month": "0 0 1 * *",
    "year": "0 0 1 1 *",
}

Dependency = dg.AssetDep | dg.AssetKey


def config_of(table: ContractedTable) -> TimePartitionsConfig | None:
    """The partitions of a table or feature view; None where it has none."""
    return table.partitions.config if table.partitions else None


def partitions_of(table: ContractedTable) -> dg.TimeWindowPartitionsDefinition | None:
    """The partitions of a table or feature view as Dagster knows them; None where it has none."""
    config = config_of(table)
    return None if config is None else definition_of(config)


def definition_of(config: TimePartitionsConfig) -> dg.TimeWindowPartitionsDefinition:
    """The partitions as Dagster knows them: by the same keys, with the same bounds."""
    return dg.TimeWindowPartitionsDefinition(
        start=datetime.combine(config.start, time()),
        end=None if config.end is None else datetime.combine(config.end, time()),
        fmt=FORMATS[config.every],
        cron_schedule=_CRONS[config.every],
        timezone=config.timezone,
    )


def backfill_policy_of(table: ContractedTable) -> dg.BackfillPolicy | None:
    """Whether partitions that are asked for at once are one run or several."""
    config = config_of(table)
    if config is None:
        return None
    if config.backfill == "each":
        return dg.BackfillPolicy.multi_run()
    return dg.BackfillPolicy.single_run()


def asked_partitions(context: dg.AssetExecutionContext) -> tuple[str, str] | None:
    """The first and the last partition that a run is asked for; None where it is for none."""
    if context.has_partition_key:
        return context.partition_key, context.partition_key
    if context.has_partition_key_range:
        asked = context.partition_key_range
        return asked.start, asked.end
    return None


def dependencies(
    platform: Platform, table: ContractedTable, names: Sequence[str]
) -> Iterator[Dependency]:
    """What a table or view waits for where it reads the tables of these names.

    Of a partitioned table it reads the partitions of the same time, as far as there are any.
    """
    for name in names:
        other = platform.contracted(name)
        if config_of(other) is None:
            yield table_key(other)
        elif config_of(table) is None:
            # The run that loads what is due is what the next step of the same run waits for.
            yield table_key(other)
            yield due_key(name)
        elif name != table.name:
            yield dg.AssetDep(table_key(other), partition_mapping=_same_time(_reads_back(table)))


def _same_time(reads_back: int) -> dg.TimeWindowPartitionMapping:
    with warnings.catch_warnings():
        # Not settled for ever, but in the versions of Dagster that the lock allows.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.TimeWindowPartitionMapping(
            start_offset=-reads_back, allow_nonexistent_upstream_partitions=True
        )


def _reads_back(table: ContractedTable) -> int:
    config = table.config.partitions if isinstance(table, FeatureTable) else None
    return config.reads_back if config else 0
