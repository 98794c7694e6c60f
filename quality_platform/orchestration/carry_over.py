"""Check results that still stand when a table has nothing new."""

from collections.abc import Iterable

import dagster as dg

from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.orchestration.keys import table_key

JUDGED = "judged"
"""Metadata of a check result: which rows it is about."""

PARTITION = "partition"
"""Metadata of a check result: the partition that it judged, or the first and the last of them."""

CARRIED_OVER = "result_of_run"
"""Metadata of a check result that was carried over: the run that found it."""

_CONTRACT = "contract"
_LOOK_BACK = 50


def contract_of(table: ContractedTable) -> dict[str, str]:
    """Metadata of a check result: the contract that it judged by."""
    return {_CONTRACT: f"{table.contract.id} {table.contract.version}"}


def provenance_of(table: ContractedTable, judged: str, partition: str) -> dict[str, str]:
    """Metadata of a check result: the rows that it judged, by which contract, of which partition.

    `partition` is "" where the table has none.
    """
    told = {JUDGED: judged, **contract_of(table)}
    return {**told, PARTITION: partition} if partition else told


def latest_standing(
    instance: dg.DagsterInstance, table: ContractedTable, names: Iterable[str]
) -> dict[str, dg.AssetCheckResult]:
    """For each check, its latest result on published rows by the present version of the contract.

    Every one says that it was carried over, and from which run. Checks without such a result are
    missing.
    """
    found = {name: _standing(instance, table, name) for name in names}
    return {name: result for name, result in found.items() if result is not None}


def _standing(
    instance: dg.DagsterInstance, table: ContractedTable, name: str
) -> dg.AssetCheckResult | None:
    key = dg.AssetCheckKey(table_key(table), name)
    history = instance.event_log_storage.get_asset_check_execution_history(key, limit=_LOOK_BACK)
    for record in history:
        evaluation = record.evaluation
        if isinstance(evaluation, dg.AssetCheckEvaluation) and _stands(evaluation, table):
            return _carried(evaluation, record.run_id)
    return None


def _stands(evaluation: dg.AssetCheckEvaluation, table: ContractedTable) -> bool:
    text = {
        name: value.text
        for name, value in evaluation.metadata.items()
        if isinstance(value, dg.TextMetadataValue)
    }
    same_contract = text.get(_CONTRACT) == contract_of(table)[_CONTRACT]
    return same_contract and text.get(JUDGED) in {"batch", "published rows"}


def _carried(evaluation: dg.AssetCheckEvaluation, run_id: str) -> dg.AssetCheckResult:
    if CARRIED_OVER in evaluation.metadata:
        description, metadata = evaluation.description, dict(evaluation.metadata)
    else:
        told = f"Nothing new: still the result of run {run_id[:8]}."
        description = f"{told} {evaluation.description or ''}".strip()
        metadata = {**evaluation.metadata, CARRIED_OVER: dg.MetadataValue.dagster_run(run_id)}
    return dg.AssetCheckResult(
        passed=evaluation.passed,
        asset_key=evaluation.asset_key,
        check_name=evaluation.check_name,
        severity=evaluation.severity,
        description=description,
        metadata=metadata,
    )
