"""What the flows give back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from quality_platform.checks.results import CheckResult, Verdict, worst

Progress = Callable[[str, str], None]
"""Called with a step's name and a text for people whenever a flow comes to a new step."""

State = Literal["published", "nothing_new", "blocked"]


def silent(step: str, detail: str) -> None:
    """A progress listener that does nothing."""


@dataclass(frozen=True)
class LoadOutcome:
    """One load: one unit of ingest, committed as a whole or not at all."""

    load_id: str
    attempt: str
    files: tuple[str, ...]
    rows_read: int
    rows_published: int
    rows_quarantined: int
    results: tuple[CheckResult, ...]
    snapshot_id: int | None = None
    quarantine_snapshot_id: int | None = None
    branch: str | None = None

    @property
    def blocked(self) -> bool:
        """Whether a check on the batch stopped the publish."""
        return any(result.blocks for result in self.results)


@dataclass(frozen=True)
class TableOutcome:
    """One run of one table."""

    table: str
    identifier: str
    run_id: str
    state: State
    loads: tuple[LoadOutcome, ...]
    results: tuple[CheckResult, ...]
    snapshot_id: int | None
    total_rows: int
    pins: dict[str, int] = field(default_factory=dict, hash=False)

    @property
    def rows_read(self) -> int:
        """Rows read by the loads of this run."""
        return sum(load.rows_read for load in self.loads)

    @property
    def rows_published(self) -> int:
        """Rows that this run published."""
        return sum(load.rows_published for load in self.loads)

    @property
    def rows_quarantined(self) -> int:
        """Rows that this run quarantined."""
        return sum(load.rows_quarantined for load in self.loads)

    def count(self, verdict: Verdict) -> int:
        """The number of checks that ended in this verdict."""
        return sum(result.verdict is verdict for result in self.results)


@dataclass(frozen=True)
class MaterializationOutcome:
    """One materialization of a feature view into the online store; `rows` are entity rows."""

    view: str
    run_id: str
    state: Literal["materialized", "nothing_new"]
    rows: int
    snapshot_id: int


def merged(per_load: Sequence[Sequence[CheckResult]]) -> tuple[CheckResult, ...]:
    """One result for each check over several batches: counts added up, the gravest verdict.

    Value and message are those of the gravest batch.
    """
    by_name: dict[str, list[CheckResult]] = {}
    for results in per_load:
        for result in results:
            by_name.setdefault(result.spec.name, []).append(result)
    return tuple(_merged(results) for results in by_name.values())


def _merged(results: list[CheckResult]) -> CheckResult:
    verdict = worst([result.verdict for result in results])
    gravest = next(result for result in results if result.verdict is verdict)
    counts = [result.count for result in results if result.count is not None]
    samples = [row for result in results for row in result.sample]
    limit = max(len(result.sample) for result in results)
    return replace(
        gravest,
        rows=sum(result.rows for result in results),
        count=sum(counts) if counts else None,
        sample=tuple(samples[:limit]),
    )
