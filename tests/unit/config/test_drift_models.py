"""What a drift test of runner.yaml may say, and how it is told what it may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.problems import problems_of
from support.runner_text import ORDERS, VIEW, load_runner_text

from quality_platform.config.drift_models import (
    DriftConfig,
    ProfileReference,
    ReferencePeriod,
    SnapshotReference,
    TagReference,
    TrailingReference,
    WeekdayReference,
)
from quality_platform.config.drift_texts import reference_text, side_of_text
from quality_platform.errors import RunnerFileError

JANUARY = "{start: 2013-01-01, end: 2013-02-01}"


def drift_of(tmp_path: Path, text: str) -> Any:
    runner = f"{ORDERS}{VIEW}    drift: {{columns: [n], {text}}}\n"
    return load_runner_text(tmp_path, runner).config.feature_views["daily"].drift


@pytest.mark.parametrize(
    ("reference", "model", "told"),
    [
        (JANUARY, ReferencePeriod, "from 2013-01-01 to 2013-02-01 (exclusive)"),
        ("{tag: v1}", TagReference, "in the tag 'v1'"),
        ("{snapshot: 7}", SnapshotReference, "in snapshot 7"),
        ("{days: 28}", TrailingReference, "in the 28 days before"),
        ("{profile: normal}", ProfileReference, "in the profile 'normal'"),
        ("previous_month", str, "in the month before"),
        ("previous_week", str, "in the week before"),
    ],
)
def test_a_reference_has_several_forms(
    tmp_path: Path, reference: str, model: type, told: str
) -> None:
    drift = drift_of(tmp_path, f"reference: {reference}")
    assert type(drift.reference) is model
    assert reference_text(drift.reference) == told


def test_the_same_weekday_is_compared_with_a_day(tmp_path: Path) -> None:
    weekday = "reference: {same_weekday: 4}"
    drift = drift_of(tmp_path, f"{weekday}, current: latest_day")
    assert drift.reference == WeekdayReference(same_weekday=4)
    assert reference_text(drift.reference) == "on the same weekday of the 4 weeks before"
    day = "current: {start: 2013-01-01, end: 2013-01-02}"
    assert drift_of(tmp_path, f"{weekday}, {day}").current.end.day == 2


def test_a_table_has_a_drift_test_as_a_feature_view_has(tmp_path: Path) -> None:
    text = ORDERS + "    drift: {columns: all, reference: previous_month, event_timestamp: at}\n"
    drift = load_runner_text(tmp_path, text).config.tables["orders"].drift
    assert drift is not None
    assert (drift.columns, drift.event_timestamp) == ("all", "at")


@pytest.mark.parametrize(
    ("drift", "field", "message"),
    [
        ("reference: last_month", "reference", "'previous_month' or 'previous_week'"),
        ("reference: {tag: ''}", "reference.tag", "at least 1"),
        ("reference: {snapshot: v1}", "reference.snapshot", "integer"),
        ("reference: {days: 0}", "reference.days", "greater than or equal to 1"),
        ("reference: {profile: '1 2'}", "reference.profile", "match pattern"),
        ("reference: {tag: v1, days: 3}", "reference.days", "unknown key 'days'"),
        ("reference: {same_weekday: 4}", "", "latest_day"),
        ("reference: {days: 3}, current: snapshot", "", "all rows"),
        ("reference: previous_week, current: snapshot", "", "all rows"),
        ("reference: {tag: v}, current: yesterday", "current", "'latest_day'"),
        ("reference: {tag: v}, per_column: {m: {psi: 1}}", "", "not compared: m"),
        ("reference: {tag: v}, per_column: {n: {psi: 0}}", "per_column.n.psi", "greater than 0"),
        ("reference: {tag: v}, too_few: pass", "too_few", "'error' or 'warning'"),
        ("reference: {tag: v}, minimum_rows: 0", "minimum_rows", "greater than or equal"),
        ("reference: {tag: v}, overall: {volume: 0}", "overall.volume", "greater than 0"),
        ("reference: {tag: v}, missing_share: 2", "missing_share", "less than or equal to 1"),
    ],
)
def test_what_cannot_be_is_told_once_by_the_keys_of_the_file(
    tmp_path: Path, drift: str, field: str, message: str
) -> None:
    (problem,) = problems_of(RunnerFileError, lambda: drift_of(tmp_path, drift))
    assert problem.field == f"feature_views.daily.drift.{field}".removesuffix(".")
    assert message in problem.message
    assert problem.location is not None
    assert problem.location.line == 12


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2013-01-01..2013-02-01", {"start": "2013-01-01", "end": "2013-02-01"}),
        ("tag:train:1", {"tag": "train:1"}),
        ("snapshot:7", {"snapshot": "7"}),
        ("profile:normal", {"profile": "normal"}),
        ("days:28", {"days": "28"}),
        ("same_weekday:4", {"same_weekday": "4"}),
        ("latest_week", "latest_week"),
        ("nonsense:4", "nonsense:4"),
    ],
)
def test_a_side_can_be_written_as_an_option(text: str, written: object) -> None:
    assert side_of_text(text) == written


def test_what_runner_yaml_said_before_means_what_it_meant() -> None:
    drift = DriftConfig.model_validate(
        {"columns": ["n"], "reference": {"start": "2013-01-01", "end": "2013-02-01"}}
    )
    assert (drift.current, drift.psi, drift.ks, drift.severity) == (
        "latest_month", 0.2, 0.15, "warning",
    )  # fmt: skip
