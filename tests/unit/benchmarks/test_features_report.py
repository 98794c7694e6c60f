"""What the benchmark of the feature store makes of its results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.features import materialize, online
from benchmarks.features.measure import Measured
from benchmarks.features.parts import PARTS
from benchmarks.features.plan import Case
from benchmarks.features.report import PAGE, page
from benchmarks.features.results import COMMITTED, Result, Run, result_of

OURS = Result("materialize", "redis ours", 1_000_000, wall=10, cpu=8, figures={"server_cpu": 7})
RAW = replace(OURS, variant="redis raw", wall=5)
STOCK = Result("materialize", "redis stock", 100_000, times=0.1, wall=10)
SQLITE = replace(OURS, variant="sqlite ours", wall=15, figures={})
SQLITE_STOCK = replace(STOCK, variant="sqlite stock", wall=13)
READ = Result(
    "online_read",
    "redis raw",
    100_000,
    times=0.1,
    figures={"p50_1": 0.1, "p99_1": 0.2, "p50_100": 3, "p99_100": 4},
)


def run_of(*results: Result) -> Run:
    return Run({"processor": "a fast one"}, {"feast": "0.67"}, 1_000_000, results)


def met(*results: Result) -> list[str]:
    """Whether each bar of materialization is met, in their order."""
    return [bar.met for bar in materialize.bars(run_of(*results))]


def test_what_was_not_measured_or_failed_meets_no_bar() -> None:
    assert met() == ["not measured"] * 3
    assert met(replace(OURS, failure="exit code 1: no"), STOCK, RAW) == ["not measured"] * 3


def test_bars_compare_rows_in_a_second_also_of_runs_of_other_sizes() -> None:
    assert met(OURS, STOCK, RAW, SQLITE, SQLITE_STOCK) == ["yes", "yes", "yes"]
    assert met(replace(OURS, wall=10.1), STOCK, RAW) == ["yes", "no", "not measured"]
    assert met(replace(OURS, wall=12.6), STOCK, RAW)[0] == "no"


def test_the_page_tells_of_every_result_and_of_failures() -> None:
    failed = replace(RAW, failure="did not end within 1 s")
    text = page(run_of(OURS, failed, STOCK, READ))
    assert "| redis ours | 1,000,000 | 100,000 | 10.0 | 8.0 | 7.0 | 0 |" in text
    assert "did not end within 1 s" in text
    assert "| redis raw | 0.10 | 0.20 | 3.00 | 4.00 |" in text
    assert "processor: a fast one." in text


def test_a_case_is_the_median_of_its_runs_and_fails_with_any_of_them() -> None:
    case = Case("materialize", "redis ours", repeats=3)
    runs = [Measured(wall=wall, figures={"rows": 5}) for wall in (3, 1, 2)]
    assert (result_of(case, 5, runs).wall, result_of(case, 5, runs).repeats) == (2, 3)
    failed = result_of(case, 5, [runs[0], Measured(failure="no")])
    assert (failed.failure, failed.figures) == ("no", {})


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    run = run_of(OURS, READ)
    run.save(tmp_path / "results.json")
    assert Run.load(tmp_path / "results.json") == run


@pytest.mark.parametrize("part", PARTS)
def test_every_part_names_its_cases_once(part: object) -> None:
    cases = part.CASES  # type: ignore[attr-defined]
    assert len(set(cases)) == len(cases) > 0


def test_online_reads_promise_nothing() -> None:
    assert list(online.bars(run_of(READ))) == []


def test_the_committed_page_is_of_the_committed_results() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(Run.load(COMMITTED))


def test_the_committed_results_are_of_the_plan() -> None:
    known = {(case.probe, case.variant, case.times) for part in PARTS for case in part.CASES}
    assert {(r.probe, r.variant, r.times) for r in Run.load(COMMITTED).results} <= known
