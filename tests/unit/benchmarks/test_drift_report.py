"""What the drift benchmark makes of its results."""

import pyarrow.parquet as pq
import pytest

from benchmarks.drift import rows
from benchmarks.drift.bars import bars_of
from benchmarks.drift.measure import Measured
from benchmarks.drift.plan import (
    EVIDENTLY,
    METHODS,
    OURS,
    PLAN,
    PROFILES,
    SCIPY,
    Case,
)
from benchmarks.drift.protocol import Answer
from benchmarks.drift.report import PAGE, page
from benchmarks.drift.results import COMMITTED, Result, Run, result_of
from benchmarks.environments import PEERS

SIZE = 10_000_000


def result(method, columns="numeric", *, cpu=5.0, ks=0.1, area=2.0, rows_=SIZE, **more) -> Result:
    low_high = ks if isinstance(ks, tuple) else (ks, ks)
    return Result(
        method.name,
        columns,
        rows_,
        1,
        cpu,
        ks={"x": low_high},
        wasserstein={"x": (area, area)},
        **more,
    )


def met(*results: Result) -> list[str]:
    return [bar.met for bar in bars_of(Run({}, SIZE, results))]


def test_what_was_not_measured_meets_no_bar():
    assert met() == ["not measured"] * 4


@pytest.mark.parametrize(("cpu", "expected"), [(10.0, "yes"), (10.1, "no")])
def test_a_numeric_column_must_cost_at_most_a_second(cpu, expected):
    assert met(result(OURS, cpu=cpu))[0] == expected


def test_a_smaller_run_does_not_tell_what_a_column_costs():
    run = Run({}, SIZE // 10, (result(OURS, cpu=1.1, rows_=SIZE // 10),))
    assert next(bar.met for bar in bars_of(run)) == "not measured"


@pytest.mark.parametrize(
    ("ks", "area", "expected"),
    [
        (0.1, 2.0, ["yes", "yes"]),
        (0.1 + 1e-11, 2.0, ["no", "yes"]),
        (0.1, 2.0 + 1e-8, ["yes", "no"]),
    ],
)
def test_the_distances_must_be_those_of_scipy(ks, area, expected):
    assert met(result(OURS, ks=ks, area=area), result(SCIPY))[1:3] == expected


@pytest.mark.parametrize(
    ("interval", "expected"), [((0.09, 0.11), "yes"), ((0.11, 0.12), "no"), ((0.08, 0.09), "no")]
)
def test_the_intervals_must_hold_the_exact_distance(interval, expected):
    found = met(result(PROFILES, "all", ks=interval), result(SCIPY, "all"))
    assert found[3] == expected


def test_the_first_run_that_failed_decides():
    runs = [Measured(cpu=1.0), Measured(failure="exit code 1")]
    assert result_of(Case(OURS), SIZE, runs).failure == "exit code 1"
    fine = [Measured(cpu=cpu, answer=Answer(ks={"x": (0.1, 0.1)})) for cpu in (1.0, 2.0, 9.0)]
    assert result_of(Case(OURS, is_part=True), SIZE, fine).cpu == 2.0
    assert result_of(Case(OURS, is_part=True), SIZE, fine).rows == SIZE // 10


def test_the_page_shows_failures_and_ratios():
    part = SIZE // 10
    text = page(
        Run(
            {"processor": "any"},
            SIZE,
            (
                result(OURS, "all", cpu=2.0, rows_=part),
                result(EVIDENTLY, "all", cpu=30.0, rows_=part, versions={"evidently": "1"}),
                result(SCIPY, "all", failure="exit code 1"),
            ),
        )
    )
    assert "| Evidently | 15 | 30.00 | 15.0 | 0.0 | 0 |" in text
    assert "| scipy | 15 |  |  |  | exit code 1 |" in text
    assert "- Evidently: evidently 1" in text


def test_every_peer_has_its_pins_and_every_method_is_measured():
    assert {case.method for case in PLAN} == set(METHODS)
    for method in METHODS:
        if method.environment:
            assert "==" in (PEERS / f"{method.environment}.txt").read_text(encoding="utf-8")


def test_the_samples_are_the_same_each_time(tmp_path):
    once = rows.parquet_files(tmp_path / "a", 300)
    again = rows.parquet_files(tmp_path / "b", 300)
    tables = [[pq.read_table(file) for file in files] for files in (once, again)]
    assert tables[0] == tables[1]
    assert tables[0][0] != tables[0][1]
    assert set(tables[0][0].column_names) == {*rows.NUMERIC, *rows.CATEGORICAL}
    assert once == rows.parquet_files(tmp_path / "a", 300)


def test_the_committed_page_is_that_of_the_committed_results():
    if COMMITTED.exists() or PAGE.exists():
        assert PAGE.read_text(encoding="utf-8") == page(Run.load(COMMITTED))
