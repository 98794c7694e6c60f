"""The part of the benchmark that reads back in time: its bars and what it tells."""

from __future__ import annotations

import pytest

from benchmarks.features import historical
from benchmarks.features.results import Result, Run


def result(variant: str, cpu: float, rss: float = 0.5e9, failure: str = "") -> Result:
    figures = {} if failure else {"rows": 90_000.0, "known": 80_000.0, "sum": 1.0}
    return Result("historical", variant, 1_000_000, 1, 3, cpu, cpu, int(rss), figures, failure)


def run_of(*results: Result) -> Run:
    return Run({}, {}, 1_000_000, results)


@pytest.mark.parametrize(("cpu", "met"), [(0.9, "yes"), (1.0, "yes"), (1.1, "no")])
def test_twice_the_time_of_a_join_by_hand_is_the_limit(cpu: float, met: str) -> None:
    run = run_of(result("10 ours", cpu), result("10 hand-written", 0.5))
    times, _, unmeasured, _ = historical.bars(run)
    assert times.met == met
    assert times.measured == f"{cpu / 0.5:.2f} x ({cpu:.2f} against 0.50 CPU s)"
    assert unmeasured.met == "not measured"


@pytest.mark.parametrize(("rss", "met"), [(0.99e9, "yes"), (1.01e9, "no")])
def test_memory_has_a_limit(rss: float, met: str) -> None:
    _, _, _, memory = historical.bars(run_of(result("1000 ours", 1, rss)))
    assert memory.met == met


def test_the_section_tells_how_many_rows_came_back_and_what_failed() -> None:
    run = run_of(result("10 dask", 3), result("1000 duckdb", 0, failure="did not end"))
    lines = list(historical.section(run))
    assert "| dask | 10 | 1,000,000 | 100,000 | 90,000 | 3.00 | 3.00 | 500 |" in "\n".join(lines)
    assert "| duckdb | 1,000 | 1,000,000 | 100,000 | did not end |  |  |  |" in "\n".join(lines)


def test_nothing_is_told_of_what_was_not_measured() -> None:
    assert list(historical.section(run_of())) == []
