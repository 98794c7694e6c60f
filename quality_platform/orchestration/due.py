"""Loading what is due of partitioned tables, in runs that are asked for no partition.

Dagster runs assets of one partitions definition at a time, and a partitioned one for partitions
that the run names. A schedule, a sensor or `everything` names none. Therefore each partitioned
table has a second asset without partitions: it loads what is due, and tells of each partition.
"""

from collections.abc import Iterator

import dagster as dg

from quality_platform.flows.contracted_tables import ContractedTable, FeatureTable, SourceTable
from quality_platform.flows.outcomes import TableOutcome
from quality_platform.flows.platform import Platform
from quality_platform.orchestration.check_events import log_checks
from quality_platform.orchestration.keys import due_key, is_partitioned, landing_key, table_key
from quality_platform.orchestration.partition_events import log_partitions
from quality_platform.orchestration.steps import Step
from quality_platform.orchestration.table_events import require_good, table_metadata


def due_spec(platform: Platform, table: SourceTable | FeatureTable) -> dg.AssetSpec:
    """The asset that makes what is due."""
    if isinstance(table, FeatureTable):
        reads, sources, group = (*table.config.inputs, *table.references), [], table.namespace
    else:
        reads, sources, group = table.references, [landing_key(table.name)], table.group
    needs = [
        due_key(name) if is_partitioned(platform, name) else table_key(platform.contracted(name))
        for name in dict.fromkeys(reads)
        if name != table.name
    ]
    return dg.AssetSpec(
        due_key(table.name),
        deps=[*sources, *needs],
        description=(
            f"Makes the partitions of {table.identifier} that are due: those that have ended and "
            "are not made, and those of its `lookback`. For partitions of your choice, "
            f"materialize {table_key(table).to_user_string()}."
        ),
        group_name=group,
        kinds={"iceberg"},
    )


def due_events(
    step: Step, table: ContractedTable, outcome: TableOutcome
) -> Iterator[dg.MaterializeResult[None] | dg.AssetObservation]:
    """What a run that was asked for no partition tells of a partitioned table.

    Raises:
        Failure: the publish was blocked, or a check that must hold does not.
    """
    log_partitions(step, table, outcome)
    log_checks(step, table, outcome)
    if outcome.state == "blocked":
        # What was logged is lost where the step fails before it has given anything.
        yield dg.AssetObservation(due_key(table.name), metadata=table_metadata(outcome))
    else:
        yield dg.MaterializeResult(due_key(table.name), metadata=table_metadata(outcome))
    require_good(table, outcome)
