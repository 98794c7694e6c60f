"""The results of a contract's checks for other programs: JSON and JUnit XML."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from quality_platform.checks.results import CheckResult, Verdict
from quality_platform.checks.specs import Scope
from quality_platform.flows.check_data import CheckReport
from quality_platform.reports.junit import Case, junit_document


def as_json(report: CheckReport) -> dict[str, Any]:
    """The report as plain values for `json.dumps(..., default=str)`.

    Numbers that must keep their digits (values, thresholds) are texts, and so are NaN and the
    infinities.
    """
    return {
        "contract": {
            "id": report.contract.id,
            "version": report.contract.version,
            "file": str(report.contract.path),
            "object": report.object.name,
        },
        "data": report.data,
        "rows": report.rows,
        "bad_rows": report.bad_rows,
        "verdict": report.verdict.value,
        "checks": [_result(result) for result in report.results],
        "skipped": [spec.name for spec in report.skipped],
        "notes": [{"name": spec.name, "text": spec.description} for spec in report.notes],
    }


def _result(result: CheckResult) -> dict[str, Any]:
    spec = result.spec
    return {
        "name": spec.name,
        "verdict": result.verdict.value,
        "severity": spec.severity.value,
        "scope": spec.scope.value,
        "dimension": spec.dimension,
        "columns": list(spec.columns),
        "description": spec.description,
        "location": str(spec.location or ""),
        "threshold": str(spec.threshold) if spec.scope is Scope.GATE else "",
        "rows": result.rows,
        "broken_rows": result.count,
        "share": result.share,
        "value": None if result.value is None else str(result.value),
        "message": result.message,
        "sample": [_plain(row) for row in result.sample],
    }


def _plain(value: Any) -> Any:
    """The value without what JSON has no number for: NaN and the infinities become texts."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def write_junit(report: CheckReport, path: Path) -> None:
    """Writes JUnit XML: a test suite for the object, a test case for each check.

    A check that could not run is an error, a failed one a failure; warnings are cases that passed
    with an output. Format: https://github.com/testmoapp/junitxml

    Raises:
        OSError: the file cannot be written.
    """
    suite = f"{report.contract.id}.{report.object.name}"
    properties = {
        "contract.version": report.contract.version,
        "data": report.data,
        "rows": str(report.rows),
        "bad_rows": str(report.bad_rows),
    }
    cases = [_case(suite, result) for result in report.results]
    cases += [Case(spec.name, suite, skipped="asked not to run") for spec in report.skipped]
    document = junit_document("quality-platform check", suite, cases, properties)
    document.write(str(path), pretty=True)


def _case(suite: str, result: CheckResult) -> Case:
    spec = result.spec
    match result.verdict:
        case Verdict.ERROR:
            return Case(spec.name, suite, error=result.message)
        case Verdict.FAIL:
            return Case(spec.name, suite, finding(result), spec.dimension or "failure")
        case Verdict.WARN:
            return Case(spec.name, suite, output=f"warning: {finding(result)}")
        case Verdict.PASS:
            return Case(spec.name, suite)


def finding(result: CheckResult) -> str:
    """What was found, in one line, without a value of any row."""
    count = "" if result.count is None else f"{result.count:,} of {result.rows:,} rows"
    parts = [part for part in (count, result.message, result.spec.description) if part]
    return "; ".join(parts)
