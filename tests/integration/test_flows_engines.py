"""Great Expectations and Soda entries within the flow: real engines, real consequences."""

from __future__ import annotations

from typing import Any

import pytest
from support.project import Project, column_of, integer, key, text, verdicts

from quality_platform.flows.load_table import load_table
from quality_platform.flows.table_status import quarantined_rows

HEADER = "id,start,end,name"


def expectation(name: str, kind: str, severity: str = "error", **kwargs: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": "custom",
        "engine": "greatExpectations",
        "severity": severity,
        "implementation": {"type": kind, "kwargs": kwargs},
    }


def soda(name: str, implementation: dict[str, Any], severity: str = "error") -> dict[str, Any]:
    return {
        "name": name,
        "type": "custom",
        "engine": "soda",
        "severity": severity,
        "implementation": implementation,
    }


def trips(project: Project, *rules: dict[str, Any], start: dict[str, Any] | None = None) -> Project:
    columns = {
        "id": key(integer()),
        "start": integer(**(start or {})),
        "end": integer(),
        "name": text(required=True),
    }
    return project.table("trips", columns, quality=rules)


ENDS_LATER = expectation(
    "ends_later",
    "expect_column_pair_values_a_to_be_greater_than_b",
    column_A="end",
    column_B="start",
    ignore_row_if="either_value_is_missing",
)


def test_rows_that_break_an_expectation_are_held_and_the_others_published(
    project: Project,
) -> None:
    platform = trips(project, ENDS_LATER).open()
    project.deliver(
        "trips/a.csv", f"{HEADER}\n1,1,2,a\n2,5,3,b\n3,,1,c\n4,2,2,\n5,9,10,e\n6,x,1,f\n"
    )
    outcome = load_table(platform, "trips", "run-1")
    assert column_of(platform, "shop.trips", "id") == [1, 3, 5]
    results = {result.spec.name: result for result in outcome.results}
    # Row 6 could not be read: there is nothing to judge.
    assert (results["ends_later"].count, results["ends_later"].rows) == (2, 5)
    assert results["ends_later"].verdict == "fail"
    assert {row["id"] for row in results["ends_later"].sample} == {2, 4}
    assert {"id": 2, "end": 3, "start": 5} in results["ends_later"].sample
    rows = {row["_source_line"]: row for row in quarantined_rows(platform, "trips")}
    assert rows[3]["_broken_rules"] == ["ends_later"]
    assert rows[5]["_broken_rules"] == ["name_not_null", "ends_later"]
    assert sorted(rows) == [3, 5, 7]


def test_an_expectation_of_severity_warning_lets_its_rows_pass(project: Project) -> None:
    platform = trips(project, {**ENDS_LATER, "severity": "warning"}).open()
    project.deliver("trips/a.csv", f"{HEADER}\n1,1,2,a\n2,5,3,b\n")
    outcome = load_table(platform, "trips", "run-1")
    assert (outcome.rows_published, verdicts(outcome)["ends_later"]) == (2, "warn")


def rows_equal(value: int, severity: str = "error") -> dict[str, Any]:
    return expectation("g", "expect_table_row_count_to_equal", severity, value=value)


def greatest(column: str) -> dict[str, Any]:
    return expectation("g", "expect_column_max_to_be_between", column=column, max_value=5)


def rows_must_be(value: int, severity: str = "error") -> dict[str, Any]:
    return soda("g", {"row_count": {"threshold": {"must_be": value}}}, severity)


@pytest.mark.parametrize(
    ("rule", "state", "verdict"),
    [
        (rows_equal(3), "published", "pass"),
        (rows_equal(2), "blocked", "fail"),
        (rows_equal(2, "warning"), "published", "warn"),
        (greatest("end"), "blocked", "fail"),
        (greatest("name"), "blocked", "error"),
        (rows_must_be(3), "published", "pass"),
        (rows_must_be(2), "blocked", "fail"),
        (rows_must_be(2, "warning"), "published", "warn"),
    ],
)
def test_a_gate_of_either_engine_has_the_consequence_of_its_severity(
    project: Project, rule: dict[str, Any], state: str, verdict: str
) -> None:
    platform = trips(project, rule).open()
    project.deliver("trips/a.csv", f"{HEADER}\n1,1,2,a\n2,5,7,b\n3,1,1,\n")
    outcome = load_table(platform, "trips", "run-1")
    assert (outcome.state, verdicts(outcome)["g"]) == (state, verdict)
    published = [1, 2] if state == "published" else []
    assert column_of(platform, "shop.trips", "id") == published


def test_a_soda_check_with_a_threshold_judges_the_whole_batch(project: Project) -> None:
    early = soda("early", {"invalid": {"valid_min": 0, "threshold": {"must_be_less_than": 2}}})
    platform = trips(project, start={"quality": [early]}).open()
    project.deliver("trips/a.csv", f"{HEADER}\n1,-1,2,a\n2,5,7,b\n3,-3,1,\n")
    outcome = load_table(platform, "trips", "run-1")
    result = next(r for r in outcome.results if r.spec.name == "early")
    assert (outcome.state, result.count) == ("blocked", 2)


def test_a_soda_check_without_a_threshold_holds_the_rows_that_break_it(project: Project) -> None:
    early = soda("early", {"invalid": {"valid_min": 0}})
    platform = trips(project, start={"quality": [early]}).open()
    project.deliver("trips/a.csv", f"{HEADER}\n1,-1,2,a\n2,5,7,b\n3,-3,1,\n")
    outcome = load_table(platform, "trips", "run-1")
    result = next(r for r in outcome.results if r.spec.name == "early")
    assert (outcome.state, result.verdict, result.count) == ("published", "fail", 2)
    assert column_of(platform, "shop.trips", "id") == [2]
    rows = {row["_source_line"]: row for row in quarantined_rows(platform, "trips")}
    assert {n: row["_broken_rules"] for n, row in rows.items()} == {
        2: ["early"],
        4: ["name_not_null", "early"],
    }


def test_a_soda_check_that_cannot_run_blocks(project: Project) -> None:
    platform = trips(project, soda("odd", {"missing": {"threshold": {"must_be": 0}}})).open()
    project.deliver("trips/a.csv", f"{HEADER}\n1,1,2,a\n")
    outcome = load_table(platform, "trips", "run-1")
    assert (outcome.state, verdicts(outcome)["odd"]) == ("blocked", "error")
