"""The bars that the platform sets itself for scale, and how far a run meets them."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bars import Bar
from benchmarks.scale.plan import BAR_TABLES, CHECKS, QUEUED, TENANT_LIMIT
from benchmarks.scale.results import Result, Run

LOAD_SECONDS = 10
LOAD_BYTES = 1e9
TICK_SECONDS = 5
RUN_SECONDS = 2


def bars_of(run: Run) -> Iterator[Bar]:
    """All bars."""
    size = f"{BAR_TABLES:,} tables x {CHECKS} checks"
    load = run.find("load")
    text = f"{size}: the code location loads in under {LOAD_SECONDS} s"
    yield _bar(text, load and f"{load.wall:.1f} s", bool(load and load.wall < LOAD_SECONDS))
    text = f"{size}: in under {LOAD_BYTES / 1e9:g} GB"
    yield _bar(text, load and f"{load.rss / 1e6:.0f} MB", bool(load and load.rss < LOAD_BYTES))
    ticks = run.find("ticks")
    text = f"{BAR_TABLES:,} schedules: a tick in which one is due, in under {TICK_SECONDS} s"
    seconds = tick_seconds(ticks) if ticks else 0
    yield _bar(text, ticks and f"{seconds:.1f} s", seconds < TICK_SECONDS)
    yield _tiny_run(run)
    yield _queue(run.find("queue", QUEUED))


def tick_seconds(ticks: Result) -> float:
    """A look at all schedules of which one is due."""
    return ticks.figures["idle_look"] + due_seconds(ticks)


def due_seconds(ticks: Result) -> float:
    """What one schedule that is due adds to a look."""
    figures = ticks.figures
    return (figures["due_look"] - figures["idle_look"]) / figures["due"]


def run_seconds(found: Result) -> float:
    """From the start of a run's worker to its end."""
    return found.figures["seconds"]


def _tiny_run(run: Run) -> Bar:
    empty, table = run.find("run", 0, "empty"), run.find("run", 1, "table")
    text = f"the run of a tiny table: at most {RUN_SECONDS} s over an empty run of Dagster's"
    if empty is None or table is None:
        return Bar(text, "", "not measured")
    seconds, least = run_seconds(table), run_seconds(empty)
    more = seconds - least
    measured = f"{more:.1f} s ({seconds:.1f} against {least:.1f} s)"
    return _bar(text, measured, more <= RUN_SECONDS)


def _queue(found: Result | None) -> Bar:
    text = (
        f"{QUEUED} queued runs on PostgreSQL, {TENANT_LIMIT} at once of a tenant: none lost, none "
        "over the limit"
    )
    if found is None:
        return Bar(text, "", "not measured")
    figures = found.figures
    measured = (
        f"{figures['succeeded']:g} of {figures['queued']:g} succeeded, at most "
        f"{figures['most_of_a_tenant']:g} at once"
    )
    is_met = (
        figures["queued"] == figures["succeeded"] == QUEUED
        and figures["most_of_a_tenant"] <= TENANT_LIMIT
    )
    return _bar(text, measured, is_met)


def _bar(text: str, measured: str | Result | None, is_met: bool) -> Bar:
    if not isinstance(measured, str):
        return Bar(text, "", "not measured")
    return Bar(text, measured, "yes" if is_met else "no")
