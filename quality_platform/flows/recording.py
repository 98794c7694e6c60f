"""Every flow leaves a record of how it ended, and starts over where another run was faster."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from quality_platform.checks.results import CheckResult, Verdict
from quality_platform.errors import ConcurrentLoadError, LakeError, QualityPlatformError
from quality_platform.flows.outcomes import (
    LoadOutcome,
    MaterializationOutcome,
    TableOutcome,
    merged,
)
from quality_platform.flows.platform import Platform
from quality_platform.flows.tenant_names import tenant_named
from quality_platform.history.records import RunRecord, record_run

ATTEMPTS = 20
"""How often a flow is tried before it gives up: another run is faster once for every file."""

LONGEST_PAUSE_SECONDS = 2.0
"""The longest pause after another run was faster; the first one is about a tenth of a second."""

Outcome = TypeVar("Outcome", TableOutcome, MaterializationOutcome)
Anything = TypeVar("Anything")


def starting_over(flow: Callable[[], Anything]) -> Anything:
    """Runs a flow again from the new position when another run was faster.

    It waits longer each time, and not for the same time as another that waits: two runs that start
    over at once would only stop each other again.
    """
    for attempt in range(ATTEMPTS - 1):
        with suppress(ConcurrentLoadError):
            return flow()
        pause = min(0.1 * 2**attempt, LONGEST_PAUSE_SECONDS)
        time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - no secret
    return flow()


@contextmanager
def recorded(
    platform: Platform, name: str, run_id: str, loads: Sequence[LoadOutcome] = ()
) -> Iterator[Callable[[Outcome], Outcome]]:
    """Records the outcome that is passed to the function it gives, or the error that ends it.

    `loads` are those that were published before the error; the list may be filled meanwhile. A run
    that found nothing new is no event: it leaves no record.
    """
    started = datetime.now(UTC)

    def record(outcome: Outcome) -> Outcome:
        if outcome.state != "nothing_new":
            _record_outcome(platform, name, started, outcome)
        return outcome

    try:
        yield record
    except QualityPlatformError as error:
        done = _before_the_error(name, run_id, loads)
        run = _table_run(platform, name, started, done)
        run = replace(run, state="failed", message=str(error))
        # The lake may be what failed; the error itself matters more than its record.
        with suppress(LakeError):
            record_run(platform.lake, run, *_results_of(done))
        raise


def _record_outcome(
    platform: Platform, name: str, started: datetime, outcome: TableOutcome | MaterializationOutcome
) -> None:
    if isinstance(outcome, TableOutcome):
        run = _table_run(platform, name, started, outcome)
        record_run(platform.lake, run, *_results_of(outcome))
        return
    run = RunRecord(
        table=name,
        run_id=outcome.run_id,
        state=outcome.state,
        started_at=started,
        ended_at=datetime.now(UTC),
        rows_published=outcome.rows,
        snapshot_id=outcome.snapshot_id,
        tenant=tenant_named(platform, name),
    )
    record_run(platform.lake, run)


def _results_of(
    outcome: TableOutcome,
) -> tuple[Sequence[CheckResult], Mapping[str, Sequence[CheckResult]]]:
    """The results of the whole run, and those of each load of partitions."""
    by_partition = {load.partition: load.results for load in outcome.loads if load.partition}
    told = {result.spec.name for results in by_partition.values() for result in results}
    return [r for r in outcome.results if r.spec.name not in told], by_partition


def _before_the_error(name: str, run_id: str, loads: Sequence[LoadOutcome]) -> TableOutcome:
    return TableOutcome(
        table=name,
        identifier="",
        run_id=run_id,
        state="published",
        loads=tuple(loads),
        results=merged([load.results for load in loads]),
        snapshot_id=loads[-1].snapshot_id if loads else None,
        total_rows=0,
    )


def _table_run(
    platform: Platform, name: str, started: datetime, outcome: TableOutcome
) -> RunRecord:
    return RunRecord(
        table=name,
        run_id=outcome.run_id,
        state=outcome.state,
        started_at=started,
        ended_at=datetime.now(UTC),
        rows_read=outcome.rows_read,
        rows_published=outcome.rows_published,
        rows_quarantined=outcome.rows_quarantined,
        checks_passed=outcome.count(Verdict.PASS),
        checks_warned=outcome.count(Verdict.WARN),
        checks_failed=outcome.count(Verdict.FAIL),
        checks_in_error=outcome.count(Verdict.ERROR),
        snapshot_id=outcome.snapshot_id,
        message=" ".join(outcome.told),
        partition=outcome.partition or None,
        bytes_read=outcome.bytes_read,
        bytes_written=outcome.bytes_written,
        tenant=tenant_named(platform, name),
        **{f"rows_{word}": number for word, number in outcome.row_counts.items()},
    )
