"""`quality-platform drift`, on a real lake."""

from __future__ import annotations

import json

import pytest
from support.command_line import call
from support.project import Project
from support.readings import JANUARY, days_csv, loaded, readings, wild


@pytest.fixture
def moved(project: Project) -> Project:
    """Readings that are others in February than in January."""
    drift = {"columns": ["value", "kind"], "reference": JANUARY}
    platform = readings(project, drift).open()
    project.deliver("readings/1.csv", days_csv("2026-01-01", 31))
    project.deliver("readings/2.csv", days_csv("2026-02-01", 10, wild))
    loaded(platform)
    return project


def test_the_configured_test_is_run_on_what_is_published(moved: Project) -> None:
    ended = call("drift", "readings", "--runner", moved.runner)
    assert ended.code == 1
    assert "warn  value_has_not_drifted  PSI " in ended.out
    assert "warn  no_drift_overall  2 of 2 columns have drifted" in ended.out
    assert "reference: 2026-01-01 to 2026-02-01 (exclusive), 620 rows" in ended.out


def test_other_rows_and_columns_can_be_asked_for(moved: Project) -> None:
    rows = ("--reference", "2026-01-01..2026-01-16", "--current", "2026-01-16..2026-02-01")
    ended = call("drift", "test", "readings", *rows, "--columns", "value", "-r", moved.runner)
    assert ended.code == 0, ended.text
    assert "pass  value_has_not_drifted" in ended.out
    assert "kind_has_not_drifted" not in ended.out


def test_json_has_every_figure(moved: Project) -> None:
    ended = call("drift", "readings", "--json", "--runner", moved.runner)
    value, kind, overall = json.loads(ended.out)
    assert (value["check"], value["verdict"], value["columns"]) == (
        "value_has_not_drifted", "warn", ["value"],
    )  # fmt: skip
    assert value["ks"] == 1.0
    assert value["ks_threshold"] == 0.15
    assert kind["new_share"] == 1.0
    assert (overall["columns_drifted"], overall["reference_rows"]) == (2, 620)


def test_a_table_without_a_drift_test_needs_a_reference(moved: Project) -> None:
    del moved.tables["readings"]["drift"]
    moved.write_runner()
    ended = call("drift", "readings", "--runner", moved.runner)
    assert ended.code == 2
    assert "readings has no drift test" in ended.err
    asked = ("--reference", "previous_month", "--current", "latest_month")
    ended = call("drift", "readings", *asked, "--runner", moved.runner)
    assert ended.code == 1
    assert "owner_has_not_drifted" in ended.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--reference", "last_year"), "previous_month"),
        (("--reference", "2026-02-01..2026-01-01"), "must be before"),
        (("--reference", "days:many"), "valid integer"),
        (("--current", "tag:x"), "allowed: 2013-01-01..2013-02-01, latest_month"),
        (("--columns", "valu"), "no column 'valu'"),
        (("--reference", "tag:x", "--current", "snapshot"), "no branch or tag 'x'"),
    ],
)
def test_what_cannot_be_asked_for_is_told(
    moved: Project, options: tuple[str, ...], message: str
) -> None:
    ended = call("drift", "readings", *options, "--runner", moved.runner)
    assert ended.code == 2
    assert message in ended.text


@pytest.mark.parametrize(
    ("options", "option"),
    [
        (("--columns", "valu"), "--columns"),
        (("--reference", "last_year"), "--reference"),
        (("--reference", "profile:x", "--columns", "owner", "--current", "snapshot"), "owner"),
        (("--current", "tag:x"), "--current"),
        (("--reference", "tag:x", "--current", "snapshot"), "no branch or tag"),
    ],
)
def test_what_an_option_says_is_told_of_the_option_and_of_no_line_of_the_file(
    moved: Project, options: tuple[str, ...], option: str
) -> None:
    ended = call("drift", "readings", *options, "--runner", moved.runner)
    assert ended.code == 2
    assert option in ended.text
    assert "runner.yaml" not in ended.text


def test_what_keeps_the_whole_test_from_running_is_told_once(moved: Project) -> None:
    asked = ("--reference", "tag:x", "--current", "snapshot")
    ended = call("drift", "readings", *asked, "--runner", moved.runner)
    assert ended.code == 2
    assert ended.out.count("no branch or tag 'x'") == 1
    assert "all 3 checks" in ended.out
    assert "allowed: main" in ended.out


def test_a_run_tells_once_what_kept_a_whole_test_from_running(moved: Project) -> None:
    moved.tables["readings"]["drift"] |= {"reference": {"tag": "x"}, "current": "snapshot"}
    moved.deliver("readings/3.csv", days_csv("2026-03-01", 1))
    moved.write_runner()
    ended = call("run", "readings", "--runner", moved.runner)
    assert ended.out.count("no branch or tag 'x'") == 1
    assert "error value_has_not_drifted and 2 more could not run: " in ended.out


def test_the_subcommands_are_told_by_the_help(home: object) -> None:
    ended = call("drift", "--help")
    assert (ended.code, "freeze" in ended.out, "test" in ended.out) == (0, True, True)
