"""Every flow leaves a record of how it ended, and starts over where another run was faster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TypeVar

from quality_platform.checks.results import Verdict
from quality_platform.errors import ConcurrentLoadError, LakeError, QualityPlatformError
from quality_platform.flows.outcomes import MaterializationOutcome, TableOutcome
from quality_platform.flows.platform import Platform
from quality_platform.history.records import RunRecord, record_run

ATTEMPTS = 8
"""How often a flow starts over after another run was faster."""

Outcome = TypeVar("Outcome", TableOutcome, MaterializationOutcome)
Anything = TypeVar("Anything")


def starting_over(flow: Callable[[], Anything]) -> Anything:
    """Runs a flow again from the new position when another run was faster."""
    for _ in range(ATTEMPTS - 1):
        with suppress(ConcurrentLoadError):
            return flow()
    return flow()


@contextmanager
def recorded(platform: Platform, name: str, run_id: str) -> Iterator[Callable[[Outcome], Outcome]]:
    """Records the outcome that is passed to the function it gives, or the error that ends it.

    A run that found nothing new is no event: it leaves no record.
    """
    started = datetime.now(UTC)

    def record(outcome: Outcome) -> Outcome:
        if outcome.state != "nothing_new":
            _record_outcome(platform, name, started, outcome)
        return outcome

    try:
        yield record
    except QualityPlatformError as error:
        run = RunRecord(name, run_id, "failed", started, datetime.now(UTC), message=str(error))
        # The lake may be what failed; the error itself matters more than its record.
        with suppress(LakeError):
            starting_over(lambda: record_run(platform.lake, run))
        raise


def _record_outcome(
    platform: Platform, name: str, started: datetime, outcome: TableOutcome | MaterializationOutcome
) -> None:
    ended = datetime.now(UTC)
    if isinstance(outcome, MaterializationOutcome):
        run = RunRecord(
            table=f"online.{name}",
            run_id=outcome.run_id,
            state=outcome.state,
            started_at=started,
            ended_at=ended,
            rows_published=outcome.rows,
            snapshot_id=outcome.snapshot_id,
        )
        starting_over(lambda: record_run(platform.lake, run))
        return
    run = RunRecord(
        table=name,
        run_id=outcome.run_id,
        state=outcome.state,
        started_at=started,
        ended_at=ended,
        rows_read=outcome.rows_read,
        rows_published=outcome.rows_published,
        rows_quarantined=outcome.rows_quarantined,
        checks_passed=outcome.count(Verdict.PASS),
        checks_warned=outcome.count(Verdict.WARN),
        checks_failed=outcome.count(Verdict.FAIL),
        checks_in_error=outcome.count(Verdict.ERROR),
        snapshot_id=outcome.snapshot_id,
    )
    starting_over(lambda: record_run(platform.lake, run, outcome.results))
