"""The drift test of a table or feature view, as check results."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from quality_platform.checks.results import CheckResult, Verdict, verdict_of
from quality_platform.checks.specs import CheckSpec
from quality_platform.config.drift_models import DriftConfig
from quality_platform.errors import (
    EngineError,
    FeatureViewError,
    Location,
    QualityPlatformError,
    TableNotFoundError,
    TableSchemaError,
)
from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.flows.drift_measuring import DriftReport, DriftTest
from quality_platform.flows.drift_profiles import Profiled
from quality_platform.flows.outcomes import TableOutcome
from quality_platform.flows.platform import Platform

if TYPE_CHECKING:
    from quality_platform.drift.figures import ColumnDrift

COULD_NOT_RUN = (EngineError, FeatureViewError, TableNotFoundError, TableSchemaError)
"""What makes a drift test end as an error. Others, such as a lake that does not answer, end a run:
it may be tried again."""


def drift_results(platform: Platform, table: ContractedTable) -> tuple[CheckResult, ...]:
    """A result for every drift check of the table, on its published rows; () where it has none.

    Raises:
        LakeError: the lake cannot be used.
    """
    config = table.drift
    if config is None:
        return ()
    return results_of(DriftTest(platform, table, config))


def with_drift(platform: Platform, table: ContractedTable, outcome: TableOutcome) -> TableOutcome:
    """The outcome of a run with the results of the drift test, where it published anything."""
    if not outcome.loads or outcome.state == "blocked":
        return outcome
    return replace(outcome, results=(*outcome.results, *drift_results(platform, table)))


def results_of(test: DriftTest) -> tuple[CheckResult, ...]:
    """Runs a drift test: a result for each of its checks.

    Raises:
        LakeError: the lake cannot be used.
    """
    try:
        report = test.run()
    except COULD_NOT_RUN as error:
        place = None if test.is_asked else test.table.location
        return tuple(_error(spec, error, place) for spec in test.specs)
    if report.too_few is not None:
        return tuple(_too_few(spec, test.config, report) for spec in test.specs)
    *columns, overall = test.specs
    hidden = test.table.object.restricted_columns
    return (
        *(_of_column(spec, report, masked=spec.columns[0] in hidden) for spec in columns),
        _of_all(overall, test.config, report),
    )


def _of_column(spec: CheckSpec, report: DriftReport, *, masked: bool) -> CheckResult:
    from quality_platform.drift.presentation import as_markdown, as_text

    drift = report.columns[spec.columns[0]]
    if isinstance(drift, FeatureViewError):
        return _error(spec, drift)
    return CheckResult(
        spec=spec,
        verdict=verdict_of(spec, not drift.drifted),
        rows=drift.current_rows,
        value=_psi(drift),
        message=as_text(drift),
        detail=f"{as_markdown(drift, masked=masked)}\n\n{_sides(report)}",
        facts={**_figures(drift), **_facts(report)},
    )


def _of_all(spec: CheckSpec, config: DriftConfig, report: DriftReport) -> CheckResult:
    measured = {c: d for c, d in report.columns.items() if not isinstance(d, FeatureViewError)}
    if len(measured) < len(report.columns):
        failed = [name for name in report.columns if name not in measured]
        return _could_not_run(spec, f"columns could not be compared: {', '.join(failed)}")
    drifted = [name for name, drift in measured.items() if drift.drifted]
    volume = report.volume
    share, limit = len(drifted) / len(measured), config.overall.drifted_columns
    passed = share < limit and not (volume and volume.drifted)
    told = f"{len(drifted)} of {len(measured)} columns have drifted (limit {limit:.0%})"
    if volume is not None:
        told += f"; {volume.ratio:.2f} times as many rows{' a day' if report.current.days else ''}"
    psi = [value for drift in measured.values() if (value := _psi(drift)) is not None]
    return CheckResult(
        spec=spec,
        verdict=verdict_of(spec, passed),
        rows=report.current.rows,
        value=max(psi, default=None),
        message=told,
        detail=_overall_markdown(report, measured),
        facts={
            "columns_compared": len(measured),
            "columns_drifted": len(drifted),
            **({"volume_ratio": volume.ratio} if volume else {}),
            **_facts(report),
        },
    )


def _overall_markdown(report: DriftReport, measured: dict[str, ColumnDrift]) -> str:
    from quality_platform.drift.presentation import volume_markdown

    lines = ["| column | | measures above their threshold |", "| --- | --- | --- |"]
    for name, drift in measured.items():
        word = "has drifted" if drift.drifted else "has not drifted"
        above = ", ".join(f"{f.measure} {f.high:.4g}" for f in drift.exceeding)
        lines.append(f"| {_cell(name)} | {word} | {above} |")
    parts = ["\n".join(lines), _sides(report)]
    if report.volume is not None and report.current.days:
        parts.insert(1, volume_markdown(report.volume))
    return "\n\n".join(parts)


def _sides(report: DriftReport) -> str:
    """What was compared, as a table."""
    rows = (("reference", report.reference), ("current", report.current))
    return "\n".join(
        [
            "| | rows | which | snapshot |",
            "| --- | --- | --- | --- |",
            *(f"| {n} | {s.rows:,} | {_cell(s.text)} | {s.snapshot_id} |" for n, s in rows),
        ]
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _facts(report: DriftReport) -> dict[str, str | int | float]:
    return {**_facts_of("reference", report.reference), **_facts_of("current", report.current)}


def _facts_of(name: str, side: Profiled) -> dict[str, str | int | float]:
    return {
        name: side.text,
        f"{name}_rows": side.rows,
        # As text: the number would not survive a browser.
        f"{name}_snapshot": str(side.snapshot_id),
    }


def _figures(drift: ColumnDrift) -> dict[str, str | int | float]:
    """Each measure and its threshold; what is infinite has no number in the UI."""
    found: dict[str, str | int | float] = {}
    for figure in drift.figures:
        told = figure.as_json()
        numbers = {figure.measure: told["high"], f"{figure.measure}_threshold": told["threshold"]}
        if told["low"] != told["high"]:
            numbers[f"{figure.measure}_low"] = told["low"]
        found |= {name: number for name, number in numbers.items() if number is not None}
    return found


def _psi(drift: ColumnDrift) -> Decimal | None:
    figure = drift.figure("psi")
    return None if figure is None else Decimal(f"{figure.high:.6f}")


def _too_few(spec: CheckSpec, config: DriftConfig, report: DriftReport) -> CheckResult:
    told = (
        f"too few rows to compare: {report.reference.rows} in the reference, "
        f"{report.current.rows} current ones, and {report.too_few} are needed on either side"
    )
    found = _could_not_run(spec, told)
    if config.too_few == "warning":
        found = replace(found, verdict=Verdict.WARN, message=told)
    return replace(found, rows=report.current.rows, facts=_facts(report), detail=_sides(report))


def _error(
    spec: CheckSpec, error: QualityPlatformError, location: Location | None = None
) -> CheckResult:
    problem = error.problems[0]
    told = {"allowed": problem.allowed, "to do": problem.action, "in": problem.location or location}
    details = "; ".join(f"{name}: {value}" for name, value in told.items() if value)
    return _could_not_run(spec, f"{problem.message} ({details})" if details else problem.message)


def _could_not_run(spec: CheckSpec, why: str) -> CheckResult:
    return CheckResult(spec=spec, verdict=Verdict.ERROR, rows=0, message=f"could not run: {why}")
