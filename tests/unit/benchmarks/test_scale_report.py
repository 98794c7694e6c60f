"""What the benchmark of scale makes of its results."""

from dataclasses import replace

import pytest

from benchmarks.scale.bars import bars_of, due_seconds
from benchmarks.scale.location import write_location
from benchmarks.scale.measure import Measured
from benchmarks.scale.plan import BAR_TABLES, CHECKS, QUEUED, SIZES, Case, plan
from benchmarks.scale.probes.queue import most_at_once
from benchmarks.scale.report import PAGE, page
from benchmarks.scale.results import COMMITTED, Result, Run, result_of
from quality_platform.flows.platform import open_platform

PARTS = {"imports": 1.0, "definitions": 4.0, "snapshot": 3.0, "snapshot_bytes": 18e6}
LOAD = Result(
    "load",
    BAR_TABLES,
    wall=8.0,
    rss=500_000_000,
    figures={**PARTS, "checks": 20_000, "jobs": 8},
)
TICKS = Result(
    "ticks",
    BAR_TABLES,
    figures={"first_look": 9.0, "idle_look": 0.1, "due_look": 20.1, "due": 20.0},
)
EMPTY = Result("run", 0, "empty", figures={"seconds": 3.0})
TABLE = Result("run", 1, "table", figures={"seconds": 4.75})
QUEUE = Result(
    "queue",
    QUEUED,
    figures={
        "queued": QUEUED,
        "succeeded": QUEUED,
        "most_of_a_tenant": 2,
        "most_of_all": 4,
        "seconds": 150,
    },
)


def met(*results: Result) -> list[str]:
    """Whether each bar is met, in their order."""
    return [bar.met for bar in bars_of(Run({}, {}, results))]


def test_what_was_not_measured_meets_no_bar():
    assert set(met()) == {"not measured"}


def test_what_failed_counts_as_not_measured():
    assert met(replace(LOAD, failure="exit code 1: no"))[0] == "not measured"


def test_all_bars_can_be_met():
    assert met(LOAD, TICKS, EMPTY, TABLE, QUEUE) == ["yes"] * 5


@pytest.mark.parametrize(
    ("wall", "rss", "expected"),
    [(9.9, 999_000_000, ["yes", "yes"]), (10.0, 1_000_000_000, ["no", "no"])],
)
def test_the_location_must_load_in_ten_seconds_and_a_gigabyte(wall, rss, expected):
    assert met(replace(LOAD, wall=wall, rss=rss))[:2] == expected


@pytest.mark.parametrize(("look", "expected"), [(98.0, "yes"), (98.2, "no")])
def test_a_tick_is_a_look_at_which_one_schedule_is_due(look, expected):
    ticks = replace(TICKS, figures={**TICKS.figures, "due_look": look})
    assert met(ticks)[2] == expected
    assert due_seconds(ticks) == pytest.approx((look - 0.1) / 20)


@pytest.mark.parametrize(("seconds", "expected"), [(5.0, "yes"), (5.1, "no")])
def test_a_tiny_run_is_held_against_an_empty_one(seconds, expected):
    assert met(EMPTY, replace(TABLE, figures={"seconds": seconds}))[3] == expected


@pytest.mark.parametrize(("name", "value"), [("succeeded", QUEUED - 1), ("most_of_a_tenant", 3)])
def test_no_run_may_be_lost_and_no_limit_passed(name, value):
    assert met(replace(QUEUE, figures={**QUEUE.figures, name: value}))[4] == "no"


def test_figures_are_medians_and_one_failure_fails_the_result():
    runs = [Measured(wall=wall, figures={"jobs": wall}) for wall in (3.0, 1.0, 2.0)]
    case = Case("load", 100)
    found = result_of(case, runs)
    assert (found.wall, found.figures, found.repeats) == (2.0, {"jobs": 2.0}, 3)
    failed = result_of(case, [*runs, Measured(failure="exit code 1: no")])
    assert (failed.failure, failed.figures) == ("exit code 1: no", {})


def test_the_page_works_out_what_was_not_measured_and_says_from_what():
    large = replace(LOAD, tables=3000, wall=24.0, rss=1_300_000_000)
    text = page(Run({"cores": "2"}, {"dagster": "1.0"}, (LOAD, large, TICKS, QUEUE)))
    assert "**10,000 tables**, from the line through 1,000 and 3,000:\nabout 80 s, 4.1 GB" in text
    assert "| 1,000 | 9.00 | 0.10 | 20.10 | 1.00 |" in text
    assert f"{QUEUED} runs of 5 tenants" in text


def test_the_page_shows_failures():
    text = page(Run({}, {}, (replace(LOAD, failure="did not end within 9 s"),)))
    assert "did not end within 9 s |" in text


def test_only_the_locations_up_to_that_of_the_bars_are_served():
    served = {case.tables for case in plan() if case.probe in {"ui", "ticks", "validate"}}
    assert served == {size for size in SIZES if size <= BAR_TABLES}
    assert {case.tables for case in plan((30,)) if case.probe == "load"} == {30}


def test_overlaps_are_counted_right():
    assert most_at_once([]) == 0
    assert most_at_once([(0, 1), (1, 2)]) == 1
    assert most_at_once([(0, 3), (1, 2), (1.5, 4), (5, 6)]) == 3


def test_a_generated_location_has_what_the_page_says(tmp_path, home):
    platform = open_platform(write_location(tmp_path, 3, due=1), strict=True)
    assert [len(table.all_checks) for table in platform.tables.values()] == [CHECKS] * 3
    schedules = platform.runner.config.schedules
    assert [schedule.cron for schedule in schedules.values()] == [
        "0 3 * * *",
        "30 16 * * *",
        "30 16 * * *",
    ]


def test_tenants_share_the_tables_of_a_generated_location(tmp_path, home):
    platform = open_platform(write_location(tmp_path, 3, tenants=2), strict=True)
    assert [t.config.tenant for t in platform.tables.values()] == [
        "tenant_0",
        "tenant_1",
        "tenant_0",
    ]


def test_the_committed_page_is_of_the_committed_results():
    assert PAGE.read_text(encoding="utf-8") == page(Run.load(COMMITTED))


def test_the_committed_results_are_of_the_plan():
    found = {(r.probe, r.tables, r.variant) for r in Run.load(COMMITTED).results}
    assert found == {(case.probe, case.tables, case.variant) for case in plan()}
    assert ("load", BAR_TABLES, "") in found
