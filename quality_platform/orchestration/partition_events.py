"""What Dagster is told of partitions: each has materializations, with counts of its own."""

from collections.abc import Iterator

import dagster as dg

from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.flows.outcomes import PartitionCounts, TableOutcome
from quality_platform.orchestration.keys import quarantine_key, table_key
from quality_platform.orchestration.lineage import lineage_metadata
from quality_platform.orchestration.steps import Step

Metadata = dict[str, dg.MetadataValue]


def published_partitions(outcome: TableOutcome) -> Iterator[PartitionCounts]:
    """The partitions that a run published."""
    for load in outcome.loads:
        if not load.blocked:
            yield from load.partitions


def add_partition_metadata(step: Step, table: ContractedTable, outcome: TableOutcome) -> None:
    """Gives the materialization of each partition, which Dagster makes, the counts of it."""
    context = step.context
    if not isinstance(context, dg.AssetExecutionContext):
        return
    for counts in published_partitions(outcome):
        if table_key(table) in context.selected_asset_keys:
            context.add_asset_metadata(
                _of_table(counts), table_key(table), partition_key=counts.key
            )
        if quarantine_key(table) in context.selected_asset_keys:
            context.add_asset_metadata(
                _of_quarantine(counts), quarantine_key(table), partition_key=counts.key
            )


def log_partitions(step: Step, table: ContractedTable, outcome: TableOutcome) -> None:
    """Tells of every published partition, and its quarantine, where Dagster asked for none."""
    lineage = lineage_metadata(step.platform, table)
    for counts in published_partitions(outcome):
        for key, metadata in (
            (table_key(table), _of_table(counts) | lineage),
            (quarantine_key(table), _of_quarantine(counts)),
        ):
            told = dg.AssetMaterialization(key, partition=counts.key, metadata=metadata)
            step.context.log_event(told)


def log_materialized(
    step: Step, key: dg.AssetKey, metadata: Metadata, outcome: TableOutcome
) -> None:
    """Tells of an asset that was not selected, and was materialized with another all the same."""
    keys: list[str | None] = [counts.key for counts in published_partitions(outcome)]
    for partition in keys or [None]:
        told = dg.AssetMaterialization(key, partition=partition, metadata=metadata)
        step.context.log_event(told)


def _of_table(counts: PartitionCounts) -> Metadata:
    return {
        "dagster/partition_row_count": dg.MetadataValue.int(counts.rows_published),
        "rows_read": dg.MetadataValue.int(counts.rows_read),
        "rows_published": dg.MetadataValue.int(counts.rows_published),
        "rows_quarantined": dg.MetadataValue.int(counts.rows_quarantined),
    }


def _of_quarantine(counts: PartitionCounts) -> Metadata:
    return {"rows_quarantined": dg.MetadataValue.int(counts.rows_quarantined)}
