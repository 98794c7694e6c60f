"""Drift tests of a table by every kind of reference, on a real lake."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from support.problems import problems_of
from support.project import Project, csv_text, number
from support.readings import (
    FEBRUARY,
    JANUARY,
    calm,
    days_csv,
    drift_verdicts,
    loaded,
    readings,
    wild,
)

from quality_platform.errors import ConfigurationError
from quality_platform.flows.audit_table import audit_table
from quality_platform.flows.maintain import Wanted, maintain
from quality_platform.flows.platform import Platform, open_platform
from quality_platform.lake.catalog import Table

BOTH = {"columns": ["value", "kind"]}
DRIFTED = {"value": "warn", "kind": "warn", "no_drift_overall": "warn"}
UNDRIFTED = {"value": "pass", "kind": "pass", "no_drift_overall": "pass"}


def table_of(platform: Platform) -> Table:
    return platform.lake.table("shop.readings")


def test_a_period_is_compared_with_the_latest_month(project: Project) -> None:
    platform = readings(project, {**BOTH, "reference": JANUARY}).open()
    project.deliver("readings/1.csv", days_csv("2026-01-01", 31))
    assert drift_verdicts(loaded(platform)) == UNDRIFTED
    project.deliver("readings/2.csv", days_csv("2026-02-01", 10, wild))
    results = loaded(platform)
    assert drift_verdicts(results) == DRIFTED
    value = results["value_has_not_drifted"]
    assert value.rows == 200
    assert value.facts["reference"] == "2026-01-01 to 2026-02-01 (exclusive)"
    assert value.facts["current"] == "latest month, 2026-02-01 to 2026-03-01 (exclusive)"
    assert (value.facts["reference_rows"], value.facts["current_rows"]) == (620, 200)
    head = table_of(platform).current_snapshot()
    assert head is not None
    assert value.facts["current_snapshot"] == str(head.snapshot_id)


@pytest.mark.parametrize(
    ("drift", "days", "later", "rows"),
    [
        ({"reference": "previous_month"}, 31, 5, (620, 100)),
        # The first of February 2026 is a Sunday.
        ({"reference": "previous_week", "current": "latest_week"}, 32, 5, (140, 100)),
        ({"reference": {"days": 7}, "current": "latest_day"}, 27, 1, (140, 20)),
        ({"reference": {"same_weekday": 3}, "current": "latest_day"}, 27, 1, (60, 20)),
        ({"reference": {"days": 31}, "current": FEBRUARY}, 31, 5, (620, 100)),
        ({"reference": {"days": 3}, "current": "new_rows"}, 31, 5, (60, 100)),
    ],
)
def test_windows_lie_before_the_current_rows(
    project: Project, drift: dict[str, object], days: int, later: int, rows: tuple[int, int]
) -> None:
    platform = readings(project, {**BOTH, **drift, "ks": 0.9, "psi": 4}).open()
    project.deliver("readings/1.csv", days_csv("2026-01-01", days))
    next_day = date(2026, 1, 1) + timedelta(days=days)
    project.deliver("readings/2.csv", days_csv(next_day.isoformat(), later, wild))
    results = loaded(platform)
    facts = results["value_has_not_drifted"].facts
    assert (facts["reference_rows"], facts["current_rows"]) == rows
    assert drift_verdicts(results) == DRIFTED


def test_a_tag_is_what_the_table_was_whatever_it_is_now(project: Project) -> None:
    settings = {**BOTH, "reference": {"tag": "train"}, "current": "snapshot"}
    platform = readings(project, settings, load={"mode": "replace", "batch": "all"}).open()
    project.deliver("readings/1.csv", days_csv("2026-01-01", 31))
    first = loaded(platform)
    assert {result.verdict.value for result in first.values()} == {"error"}
    assert "no branch or tag 'train'" in first["value_has_not_drifted"].message
    table = table_of(platform)
    snapshot = table.current_snapshot()
    assert snapshot is not None
    table.manage_snapshots().create_tag(snapshot.snapshot_id, "train").commit()
    project.deliver("readings/1.csv", days_csv("2026-01-01", 30, wild))
    results = loaded(platform)
    assert drift_verdicts(results) == DRIFTED
    assert results["value_has_not_drifted"].facts["reference"] == "the tag 'train'"
    settings["reference"] = {"snapshot": snapshot.snapshot_id}
    again = readings(project, settings, load={"mode": "replace", "batch": "all"}).open()
    audited = audit_table(again, "readings", ["value_has_not_drifted"])
    assert [result.facts["reference_snapshot"] for result in audited] == [str(snapshot.snapshot_id)]
    assert [result.verdict.value for result in audited] == ["warn"]


def test_new_rows_are_those_of_the_last_load_alone(project: Project) -> None:
    settings = {**BOTH, "reference": JANUARY, "current": "new_rows"}
    platform = readings(project, settings).open()
    project.deliver("readings/1.csv", days_csv("2026-01-01", 31))
    project.deliver("readings/2.csv", days_csv("2026-02-01", 5, wild))
    assert loaded(platform)["value_has_not_drifted"].rows == 100
    project.deliver("readings/3.csv", days_csv("2026-02-06", 6, calm))
    results = loaded(platform)
    assert results["value_has_not_drifted"].rows == 120
    assert drift_verdicts(results) == UNDRIFTED
    compacted = next(maintain(platform, ["readings"], Wanted(["compact"])))
    assert compacted.compact is not None
    assert compacted.compact.files_before > 1
    (again,) = audit_table(platform, "readings", ["value_has_not_drifted"])
    assert (again.rows, again.verdict) == (120, "pass")


def test_present_rows_alone_count_where_a_table_keeps_older_versions(project: Project) -> None:
    load = {"mode": "snapshot", "batch": "all"}
    settings = {"columns": ["value"], "reference": JANUARY, "current": "snapshot"}
    platform = readings(project, settings, load=load).open()
    project.deliver("readings/1.csv", days_csv("2026-01-01", 5))
    assert loaded(platform)["value_has_not_drifted"].rows == 100
    project.deliver("readings/1.csv", days_csv("2026-01-01", 5, wild))
    found = loaded(platform)["value_has_not_drifted"]
    assert (found.rows, found.facts["reference_rows"]) == (100, 100)
    assert found.verdict == "pass"


def test_columns_that_moved_are_told_by_their_own_threshold_and_severity(project: Project) -> None:
    settings = {
        "columns": "all",
        "reference": JANUARY,
        "severity": "error",
        "per_column": {
            "kind": {"psi": 100, "severity": "warning"},
            "value": {"severity": "warning"},
            "owner": {"severity": "warning"},
        },
        "overall": {"drifted_columns": 0.9, "severity": "warning"},
    }
    platform = readings(project, settings).open()
    project.deliver("readings/1.csv", days_csv("2026-01-01", 31))
    project.deliver("readings/2.csv", days_csv("2026-02-01", 10, wild))
    results = loaded(platform)
    assert drift_verdicts(results) == {
        "value": "warn", "kind": "pass", "owner": "pass", "no_drift_overall": "pass",
    }  # fmt: skip
    assert results["no_drift_overall"].facts["columns_drifted"] == 1
    settings["per_column"] = {"kind": {"psi": 100}}
    stricter = readings(project, settings).open()
    audited = {result.spec.name: result for result in audit_table(stricter, "readings")}
    assert audited["value_has_not_drifted"].verdict == "fail"
    assert audited["value_has_not_drifted"].blocks


def test_the_number_of_rows_is_compared_by_the_day(project: Project) -> None:
    settings = {"columns": ["kind"], "reference": JANUARY, "overall": {"volume": 0.3}}
    platform = readings(project, settings).open()
    project.deliver("readings/1.csv", days_csv("2026-01-01", 31))
    # A month that has begun is no smaller than one that is over.
    project.deliver("readings/2.csv", days_csv("2026-02-01", 10))
    assert loaded(platform)["no_drift_overall"].verdict == "pass"
    project.deliver("readings/3.csv", days_csv("2026-03-01", 10, each=10))
    found = loaded(platform)["no_drift_overall"]
    assert (found.verdict, found.facts["volume_ratio"]) == ("warn", pytest.approx(0.5))
    assert "0.50 times as many rows a day" in found.message


def test_too_few_rows_are_an_error_or_a_warning_and_never_a_pass(project: Project) -> None:
    settings = {**BOTH, "reference": JANUARY, "minimum_rows": 100}
    platform = readings(project, settings).open()
    project.deliver("readings/1.csv", days_csv("2026-01-01", 31))
    project.deliver("readings/2.csv", days_csv("2026-02-01", 4))
    results = loaded(platform)
    assert {result.verdict.value for result in results.values()} == {"error"}
    assert "620 in the reference, 80 current ones, and 100 are needed" in (
        results["no_drift_overall"].message
    )
    lenient = readings(project, settings | {"too_few": "warning"}).open()
    audited = audit_table(lenient, "readings", results)
    assert {result.verdict.value for result in audited} == {"warn"}
    nowhere = {"start": "2020-01-01", "end": "2020-02-01"}
    empty = readings(project, {**BOTH, "reference": nowhere}).open()
    audited = audit_table(empty, "readings", ["value_has_not_drifted"])
    assert [result.verdict.value for result in audited] == ["error"]
    assert "0 in the reference" in audited[0].message


def test_restricted_values_are_masked_in_all_that_people_see(project: Project) -> None:
    platform = readings(project, {"columns": ["owner"], "reference": JANUARY}).open()
    project.deliver("readings/1.csv", days_csv("2026-01-01", 31))
    moved = days_csv("2026-02-01", 10).replace("person", "stranger")
    project.deliver("readings/2.csv", moved)
    results = loaded(platform)
    assert results["owner_has_not_drifted"].verdict == "warn"
    for result in results.values():
        told = f"{result.message} {result.detail} {result.facts}"
        assert "person" not in told
        assert "stranger" not in told


@pytest.mark.parametrize(
    ("drift", "table", "field", "message"),
    [
        ({"columns": ["valu"]}, {}, "columns", "no column 'valu'"),
        ({"columns": ["value"], "event_timestamp": "kind"}, {}, "event_timestamp", "no column"),
        ({"columns": "all", "per_column": {"id": {"psi": 1}}}, {}, "per_column.id", "is compared"),
        (
            {"columns": ["value"], "current": "new_rows"},
            {"load": {"mode": "merge", "batch": "all"}},
            "current",
            "cannot be told",
        ),
        (
            {"columns": ["value"], "current": "new_rows", "overall": {"volume": 0.1}},
            {},
            "overall.volume",
            "says nothing",
        ),
        (
            {"columns": ["owner"], "reference": {"profile": "p"}},
            {},
            "reference",
            "never kept in a profile",
        ),
    ],
)
def test_a_test_that_cannot_be_run_is_told_with_its_place(
    project: Project,
    drift: dict[str, object],
    table: dict[str, object],
    field: str,
    message: str,
) -> None:
    readings(project, {"reference": JANUARY, **drift}, **table)
    (problem,) = problems_of(ConfigurationError, project.open)
    assert problem.field == f"tables.readings.drift.{field}"
    assert message in problem.message
    assert problem.location is not None
    assert problem.location.line


def test_a_table_without_a_time_needs_one_for_periods_only(project: Project) -> None:
    columns = {"id": {"logicalType": "integer"}, "n": {"logicalType": "integer"}}
    project.table("things", columns)
    project.tables["things"]["drift"] = {"columns": "all", "reference": {"tag": "x"}}
    (problem,) = problems_of(ConfigurationError, project.open)
    assert problem.field == "tables.things.drift.event_timestamp"
    project.tables["things"]["drift"]["current"] = "snapshot"
    assert len(project.open().tables["things"].drift_checks) == 3


@pytest.mark.parametrize(
    ("column", "format_"),
    [
        ({"logicalType": "date"}, "%Y-%m-%d"),
        ({"logicalType": "timestamp", "physicalType": "timestamp_ntz"}, "%Y-%m-%dT12:00:00"),
        ({"logicalType": "timestamp", "physicalType": "timestamptz"}, "%Y-%m-%dT23:59:59Z"),
    ],
)
def test_periods_are_of_days_whatever_type_tells_them(
    project: Project, column: dict[str, object], format_: str
) -> None:
    project.table("readings", {"happened": column, "value": number()})
    project.tables["readings"]["drift"] = {
        "columns": ["value"],
        "event_timestamp": "happened",
        "reference": {"days": 7},
        "current": "latest_day",
        "overall": {"volume": 0.5},
    }
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(10)]
    for part, some in enumerate((days[:5], days[5:])):
        # No event of the last day of the calendar has happened.
        rows = [(day.strftime(format_), n) for day in (*some, date.max) for n in range(10)]
        project.deliver(f"readings/{part}.csv", csv_text("happened,value", rows))
    results = loaded(project.open())
    facts = results["value_has_not_drifted"].facts
    assert (facts["reference_rows"], facts["current_rows"]) == (70, 10)
    assert facts["reference"] == "2026-01-03 to 2026-01-10 (exclusive)"
    assert facts["current"] == "latest day, 2026-01-10 to 2026-01-11 (exclusive)"
    assert results["no_drift_overall"].facts["volume_ratio"] == 1


@pytest.mark.parametrize("drift", [{"columns": ["valu"]}, {"columns": ["value"], "psi": 0}])
def test_a_drift_test_that_cannot_be_run_takes_no_other_table_down(
    project: Project, drift: dict[str, object]
) -> None:
    readings(project, {"reference": JANUARY, **drift})
    project.table("others", {"n": number()})
    platform = open_platform(project.write_runner())
    assert (list(platform.broken_tables), list(platform.tables)) == (["readings"], ["others"])
