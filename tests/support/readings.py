"""A table of readings with a drift test: each with a number, a category and a restricted text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from support.project import Project, csv_text, integer, key, number, text

from quality_platform.checks.results import CheckResult
from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform

COLUMNS = {
    "id": key(integer()),
    "at": {
        "logicalType": "timestamp",
        "required": True,
        "customProperties": [{"property": "eventTimestamp", "value": True}],
    },
    "value": number(),
    "kind": text(),
    "owner": text(classification="restricted"),
}
JANUARY = {"start": "2026-01-01", "end": "2026-02-01"}
FEBRUARY = {"start": "2026-02-01", "end": "2026-03-01"}


def readings(project: Project, drift: Mapping[str, Any], **table: Any) -> Project:
    """The table `readings` with this drift test; each delivered file is a load."""
    project.table("readings", COLUMNS, **table)
    project.tables["readings"]["drift"] = dict(drift)
    return project


def calm(day: int, n: int) -> tuple[float, str]:
    """The values of a reading on a day like any other."""
    return (n * 7 + day) % 50, "abc"[n % 3]


def wild(day: int, n: int) -> tuple[float, str]:
    """The values of a reading on a day that is unlike the others."""
    return 500 + (n * 7 + day) % 50, "xyz"[n % 3]


def days_csv(
    first: str,
    days: int,
    values: Callable[[int, int], tuple[float, str]] = calm,
    *,
    each: int = 20,
) -> str:
    """Readings of some days from the first, `each` of them a day."""
    start = datetime.fromisoformat(first).replace(tzinfo=UTC)
    rows = []
    for day in range(days):
        for n in range(each):
            at = start + timedelta(days=day, minutes=n)
            value, kind = values(day, n)
            number_of = int(at.timestamp()) // 60
            rows.append((number_of, at.isoformat(), value, kind, f"person {number_of % 10}"))
    return csv_text("id,at,value,kind,owner", rows)


def loaded(platform: Platform, run_id: str = "run") -> dict[str, CheckResult]:
    """The results of the drift test after a load of what is new, by the name of the check."""
    outcome = load_table(platform, "readings", run_id)
    names = {spec.name for spec in platform.tables["readings"].drift_checks}
    return {r.spec.name: r for r in outcome.results if r.spec.name in names}


def drift_verdicts(results: Mapping[str, CheckResult]) -> dict[str, str]:
    """The verdicts without the endings of the checks' names."""
    return {
        name.removesuffix("_has_not_drifted"): result.verdict.value
        for name, result in results.items()
    }
