"""The checks of a contract as Dagster's asset checks, and their results."""

from collections.abc import Mapping

import dagster as dg

from quality_platform.checks.results import CheckResult, Verdict
from quality_platform.checks.specs import CheckSpec, Severity
from quality_platform.flows.contracted_tables import ContractedTable, FeatureTable
from quality_platform.flows.skew_checks import skew_check
from quality_platform.orchestration.keys import online_key, table_key
from quality_platform.orchestration.markdown import sql_block

_EXACT = 2**53
"""Whole numbers up to here survive the browser."""


def asset_check_specs(table: ContractedTable) -> list[dg.AssetCheckSpec]:
    """An asset check for every check of the table."""
    return [_asset_check_spec(table_key(table), spec) for spec in table.all_checks]


def online_check_specs(view: FeatureTable) -> list[dg.AssetCheckSpec]:
    """The check of a view's online store, where it has one."""
    spec = skew_check(view)
    return [] if spec is None else [_asset_check_spec(online_key(view.name), spec)]


def _asset_check_spec(key: dg.AssetKey, spec: CheckSpec) -> dg.AssetCheckSpec:
    facts = {
        "severity": spec.severity.value,
        "scope": spec.scope.value,
        "threshold": _threshold(spec),
        "dimension": spec.dimension,
        "columns": ", ".join(spec.columns),
        "contract_location": str(spec.location or ""),
    }
    return dg.AssetCheckSpec(
        name=spec.name,
        asset=key,
        description=spec.description or None,
        blocking=spec.blocks,
        metadata={name: text for name, text in facts.items() if text},
    )


def _threshold(spec: CheckSpec) -> str:
    return "" if spec.threshold.is_none_allowed else str(spec.threshold)


def asset_check_result(
    key: dg.AssetKey, result: CheckResult, provenance: Mapping[str, str]
) -> dg.AssetCheckResult:
    """The result of a check; `provenance` is added to its metadata."""
    warns = result.verdict is Verdict.WARN or (
        result.verdict is Verdict.PASS and result.spec.severity is Severity.WARNING
    )
    return dg.AssetCheckResult(
        passed=result.verdict is Verdict.PASS,
        asset_key=key,
        check_name=result.spec.name,
        severity=dg.AssetCheckSeverity.WARN if warns else dg.AssetCheckSeverity.ERROR,
        description=_told(result) or None,
        metadata={**_facts(result), **_numbers(result), **_texts(result), **provenance},
    )


def _told(result: CheckResult) -> str:
    if result.message or result.count is None:
        return result.message
    return f"{result.count:,} of {result.rows:,} rows fail"


def _facts(result: CheckResult) -> dict[str, dg.MetadataValue]:
    return {name: _fact(fact) for name, fact in result.facts.items()}


def _fact(fact: str | int | float) -> dg.MetadataValue:
    if isinstance(fact, str):
        return dg.MetadataValue.text(fact)
    return dg.MetadataValue.int(fact) if isinstance(fact, int) else dg.MetadataValue.float(fact)


def _numbers(result: CheckResult) -> dict[str, dg.MetadataValue]:
    value = None if result.value is None else float(result.value)
    numbers = {
        "rows_failing": result.count,
        "rows_judged": result.rows,
        "share_failing": result.share,
        "value": value,
    }
    return {
        name: dg.MetadataValue.int(n) if isinstance(n, int) else dg.MetadataValue.float(n)
        for name, n in numbers.items()
        if n is not None
    }


def _texts(result: CheckResult) -> dict[str, dg.MetadataValue]:
    spec = result.spec
    texts = {
        "verdict": result.verdict.value,
        "threshold": _threshold(spec),
        "dimension": spec.dimension,
    }
    metadata: dict[str, dg.MetadataValue] = {
        name: dg.MetadataValue.text(text) for name, text in texts.items() if text
    }
    if result.sample:
        metadata["sample"] = _sample(result)
    if result.query:
        metadata["query"] = dg.MetadataValue.md(sql_block(result.query))
    if result.detail:
        metadata["detail"] = dg.MetadataValue.md(result.detail)
    return metadata


def _sample(result: CheckResult) -> dg.MetadataValue:
    columns = list(dict.fromkeys(name for row in result.sample for name in row))
    return dg.MetadataValue.table(
        records=[dg.TableRecord({c: _cell(row.get(c)) for c in columns}) for row in result.sample],
        schema=dg.TableSchema([dg.TableColumn(name, "") for name in columns]),
    )


def _cell(value: object) -> str | int | float | bool:
    if value is None:
        return "NULL"
    if isinstance(value, bool | str) or (isinstance(value, int) and abs(value) <= _EXACT):
        return value
    return value if isinstance(value, float) else str(value)
