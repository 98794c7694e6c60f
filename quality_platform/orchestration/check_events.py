"""Results of checks from steps that have no checks of their own in Dagster."""

import dagster as dg

from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.flows.outcomes import TableOutcome
from quality_platform.orchestration.asset_checks import asset_check_result
from quality_platform.orchestration.carry_over import provenance_of
from quality_platform.orchestration.keys import table_key
from quality_platform.orchestration.steps import Step


def log_checks(step: Step, table: ContractedTable, outcome: TableOutcome) -> None:
    """Logs the results of a run that judged rows.

    They are lost where the step fails before it has given anything else.
    """
    judged = "blocked batch" if outcome.state == "blocked" else "batch"
    provenance = provenance_of(table, judged, outcome.partition)
    for result in outcome.results if outcome.loads else ():
        told = asset_check_result(table_key(table), result, provenance)
        evaluation = dg.AssetCheckEvaluation(
            asset_key=table_key(table),
            check_name=result.spec.name,
            passed=told.passed,
            metadata=told.metadata,
            severity=told.severity,
            description=told.description,
            blocking=result.spec.blocks,
        )
        # Dagster takes it; only its annotation does not say so.
        step.context.log_event(evaluation)  # type: ignore[arg-type]
