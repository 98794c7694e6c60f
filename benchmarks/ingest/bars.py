"""The bars that the platform sets itself for ingestion, and how far a run meets them."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bars import Bar
from benchmarks.ingest.plan import GROWTH, LIMIT, OURS, PSYCOPG, UPSERT
from benchmarks.ingest.results import Result, Run

POSTGRES_LIMITS = 2.2
NAIVE_TIMES = 10
MYSQL_LIMITS = 1.2
CSV_BYTES = 150e6
PEAK_BYTES = 450e6
FLAT = 1.15
"""Memory counts as flat while four times the rows take at most this much more."""
UPSERT_TIMES = 4


def bars_of(run: Run) -> Iterator[Bar]:
    """All bars."""
    postgres, copy = run.find(OURS, "postgres"), run.find(LIMIT, "postgres")
    text = f"PostgreSQL: at most {POSTGRES_LIMITS} x COPY, reader and server together"
    yield _most(text, _both(postgres), _both(copy), POSTGRES_LIMITS)
    text = f"PostgreSQL: at least {NAIVE_TIMES} x less than psycopg with pandas, reader alone"
    yield _least(text, _cpu(run.find(PSYCOPG, "postgres")), _cpu(postgres), NAIVE_TIMES)
    mysql, client = run.find(OURS, "mysql"), run.find(LIMIT, "mysql")
    text = f"MariaDB: at most {MYSQL_LIMITS} x its client, reader alone"
    yield _most(text, _cpu(mysql), _cpu(client), MYSQL_LIMITS)
    yield _csv(run.find(OURS, "csv"))
    yield from _memory(run)
    text = f"merge: at least {UPSERT_TIMES} x less than pyiceberg's upsert"
    yield _least(text, _cpu(run.find(UPSERT, "merge")), _cpu(run.find(OURS, "merge")), UPSERT_TIMES)


def megabytes_per_cpu_second(result: Result) -> float:
    """How much of a CSV file a loader takes in one second of CPU."""
    return result.source_bytes / 1e6 / result.cpu


def _cpu(result: Result | None) -> float | None:
    return None if result is None else result.cpu


def _both(result: Result | None) -> float | None:
    return None if result is None else result.cpu_both


def _most(text: str, one: float | None, other: float | None, most: float) -> Bar:
    if one is None or other is None:
        return Bar(text, "", "not measured")
    return Bar(text, _times(one, other), _yes(one <= most * other))


def _least(text: str, one: float | None, other: float | None, least: float) -> Bar:
    if one is None or other is None:
        return Bar(text, "", "not measured")
    return Bar(text, _times(one, other), _yes(one >= least * other))


def _times(one: float, other: float) -> str:
    return f"{one / other:.2f} x ({one:.2f} against {other:.2f} CPU s)"


def _csv(result: Result | None) -> Bar:
    text = f"clean CSV: at least {CSV_BYTES / 1e6:g} MB per CPU second"
    if result is None:
        return Bar(text, "", "not measured")
    speed = megabytes_per_cpu_second(result)
    return Bar(text, f"{speed:.0f} MB per CPU second", _yes(speed * 1e6 >= CSV_BYTES))


def _memory(run: Run) -> Iterator[Bar]:
    for source in ("postgres", "mysql", "csv"):
        small, large = run.find(OURS, source), run.find(OURS, source, times=GROWTH)
        text = f"{source}: peak memory under {PEAK_BYTES / 1e6:g} MB, flat to {GROWTH} x the rows"
        if small is None or large is None:
            yield Bar(text, "", "not measured")
            continue
        is_met = max(small.rss, large.rss) < PEAK_BYTES and large.rss <= FLAT * small.rss
        yield Bar(text, f"{small.rss / 1e6:.0f} MB, {large.rss / 1e6:.0f} MB", _yes(is_met))


def _yes(is_met: bool) -> str:
    return "yes" if is_met else "no"
