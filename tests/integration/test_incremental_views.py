"""Feature views that compute only what new rows of their inputs touch."""

from __future__ import annotations

import random
from typing import Any

import pytest
from support.command_line import call
from support.incremental import (
    AT,
    INCREMENTAL,
    SQL,
    TOTALS,
    Order,
    at,
    deliver,
    furnish,
    held,
    published,
)
from support.project import Project, integer, key, text

from quality_platform.errors import ConfigurationError, FeatureViewError
from quality_platform.flows import compute_features
from quality_platform.flows.compute_features import compute_feature_view
from quality_platform.flows.load_table import load_table
from quality_platform.flows.maintain import Wanted, maintain
from quality_platform.flows.outcomes import TableOutcome
from quality_platform.flows.platform import Platform
from quality_platform.flows.requests import Request
from quality_platform.flows.roll_back import plan_rollback, roll_back
from quality_platform.history.records import latest_runs
from quality_platform.lake.position import Position
from quality_platform.lake.reading import snapshot_of


def load(platform: Platform, table: str = "orders", **request: Any) -> None:
    assert load_table(platform, table, "r", request=Request(**request)).state == "published"


def compute(platform: Platform) -> TableOutcome:
    return compute_feature_view(platform, "totals", "r")


def told(outcome: TableOutcome) -> str:
    return " ".join(outcome.notes)


@pytest.fixture
def grown(project: Project) -> Platform:
    """Ten days of orders, and the view computed from them."""
    furnish(project, INCREMENTAL)
    deliver(project, "first", [(day, 1, 10, at(day)) for day in range(1, 11)])
    platform = project.open()
    load(platform)
    assert "nothing was computed before" in told(compute(platform))
    return platform


def deliver_more(platform: Platform, project: Project, file: str, *orders: Order) -> None:
    deliver(project, file, orders)
    load(platform)


def test_new_rows_compute_their_windows_and_those_that_look_back_at_them(
    project: Project, grown: Platform
) -> None:
    before = published(grown)
    deliver_more(grown, project, "late", (11, 2, 7, at(3)))

    outcome = compute(grown)

    assert told(outcome) == "Computed for new rows of orders: 2024-01-03...2024-01-05."
    assert outcome.rows_read == 4
    assert [row for row in published(grown) if row[0] == 1] == before
    assert next(row for row in published(grown) if row[0] == 2)[2:] == (1, 7.0)
    assert compute(grown).state == "nothing_new"


def test_windows_that_are_apart_are_computed_apart(project: Project, grown: Platform) -> None:
    deliver_more(grown, project, "more", (11, 2, 7, at(1)), (12, 2, 7, at(9)))
    assert told(compute(grown)).endswith("2024-01-01...2024-01-03, 2024-01-09...2024-01-11.")


def test_several_loads_between_two_computations_are_one(project: Project, grown: Platform) -> None:
    for day in (2, 3, 20):
        deliver_more(grown, project, f"of{day}", (10 + day, 2, 1, at(day)))
    assert told(compute(grown)).endswith("2024-01-02...2024-01-05, 2024-01-20...2024-01-22.")
    assert len(published(grown)) == 10 + 3


def test_random_appends_end_as_a_whole_computation(project: Project) -> None:
    dice = random.Random(6)
    furnish(project, INCREMENTAL)
    number, platform = 0, project.open()
    for step in range(12):
        late = [dice.randint(1, 40) for _ in range(dice.randint(1, 6))]
        orders = []
        for day in [*late, step * 3 + 1]:
            number += 1
            hour = dice.choice([0, 23, dice.randint(0, 23)])
            orders.append((number, dice.randint(1, 3), dice.choice([20, 30, 60]), at(day, hour)))
        deliver(project, f"file{step:02d}", orders)
        load(platform)
        outcome = compute(platform)
        assert ("as a whole" in told(outcome)) == (step == 0)
        if step in (5, 11):
            incremental, kept = published(platform), held(platform)
            again = recomputed(project, f"other{step}")
            assert incremental == published(again)
            # What was held back stays in the quarantine's history after it was mended.
            assert set(kept) >= set(held(again))


def recomputed(project: Project, name: str) -> Platform:
    """The view computed at once, in a lake of its own, from all that was delivered."""
    project.settings["lake"] = {
        "catalog": {"uri": f"sqlite:///{project.folder}/{name}.db"},
        "warehouse": f"{project.folder}/{name}",
    }
    platform = project.open()
    del project.settings["lake"]
    load(platform)
    compute(platform)
    return platform


def test_putting_files_together_computes_nothing(project: Project, grown: Platform) -> None:
    for day in (11, 12):
        deliver_more(grown, project, f"of{day}", (day, 1, 10, at(day)))
    compute(grown)
    before = snapshot_of(grown.lake.table("shop.orders"))
    assert all(done.error is None for done in maintain(grown, ["orders"], Wanted(("compact",))))
    assert snapshot_of(grown.lake.table("shop.orders")) != before

    assert compute(grown).state == "nothing_new"
    deliver_more(grown, project, "of13", (13, 1, 10, at(13)))
    assert told(compute(grown)).endswith(": 2024-01-13...2024-01-15.")


def test_rows_that_changed_make_the_whole_view_be_computed(
    project: Project, grown: Platform
) -> None:
    load(grown, full_refresh=True)
    outcome = compute(grown)
    assert "Computed as a whole: of orders, snapshot" in told(outcome)
    assert "changed or removed rows" in told(outcome)
    assert outcome.rows_read == 10


def test_a_rollback_of_an_input_makes_the_whole_view_be_computed(
    project: Project, grown: Platform
) -> None:
    first = snapshot_of(grown.lake.table("shop.orders"))
    assert first is not None
    deliver_more(grown, project, "of11", (11, 1, 10, at(11)))
    compute(grown)
    roll_back(grown, plan_rollback(grown, "orders", str(first.snapshot_id)), "r")
    assert "no longer in its history" in told(compute(grown))
    assert len(published(grown)) == 10


def test_a_full_refresh_computes_the_whole_view_without_a_reason(
    project: Project, grown: Platform
) -> None:
    outcome = compute_feature_view(grown, "totals", "r", full_refresh=True)
    assert told(outcome) == "Computed as a whole: it was asked for."
    assert (outcome.rows_read, len(published(grown))) == (10, 10)
    assert compute(grown).state == "nothing_new"
    assert call("run", "totals", "--full-refresh", "--runner", project.runner).code == 0
    latest = latest_runs(grown.lake, grown.engine)["totals"]
    assert latest["run_id"].startswith("cli-")
    assert latest["message"] == "Computed as a whole: it was asked for."


@pytest.mark.parametrize(
    "change", [{"lookback": "3d"}, {"window": "month"}, {"timezone": "Europe/Berlin"}]
)
def test_another_definition_makes_the_whole_view_be_computed(
    project: Project, grown: Platform, change: dict[str, str]
) -> None:
    project.views["totals"]["incremental"] = {**INCREMENTAL, **change}
    assert "the definition, its contract or its inputs changed" in told(compute(project.open()))
    assert compute(project.open()).state == "nothing_new"


def test_new_rows_of_an_input_without_a_time_make_the_whole_view_be_computed(
    project: Project,
) -> None:
    sql = SQL.replace("FROM orders", "FROM orders JOIN customers c ON c.id = customer")
    furnish(project, INCREMENTAL, sql, inputs=["orders", "customers"])
    project.table("customers", {"id": key(integer()), "name": text()})
    deliver(project, "first", [(1, 1, 10, at(1))])
    project.deliver("customers/a.csv", "id,name\n1,Ada\n")
    platform = project.open()
    for table in ("orders", "customers"):
        load(platform, table)
    compute(platform)
    project.deliver("customers/b.csv", "id,name\n2,Grace\n")
    load(platform, "customers")
    assert "customers has new rows, and no time in `incremental.times`" in told(compute(platform))

    deliver_more(platform, project, "of2", (2, 2, 10, at(2)))
    assert told(compute(platform)).startswith("Computed for new rows of orders:")
    assert len(published(platform)) == 2


def test_new_rows_without_a_time_make_the_whole_view_be_computed(
    project: Project, grown: Platform
) -> None:
    sql = SQL.replace("FROM orders", 'FROM orders WHERE "at" IS NOT NULL')
    furnish(project, INCREMENTAL, sql)
    platform = project.open()
    compute(platform)
    deliver_more(platform, project, "odd", (11, 1, 10, ""))
    assert "orders has new rows without 'at'" in told(compute(platform))


@pytest.mark.parametrize("year", ["9999-12-31", "0001-01-01"])
def test_times_beyond_the_calendar_make_the_whole_view_be_computed(
    project: Project, grown: Platform, year: str
) -> None:
    deliver_more(grown, project, "odd", (11, 1, 10, f"{year}T12:00:00Z"))
    assert "at times beyond all calendars" in told(compute(grown))


def test_features_without_a_time_are_an_error(project: Project) -> None:
    furnish(project, INCREMENTAL, SQL.replace("date_trunc('day', \"at\")", "NULL::TIMESTAMPTZ"))
    project.contract("totals", {**TOTALS, "day": AT})
    deliver(project, "first", [(1, 1, 10, at(1))])
    platform = project.open()
    load(platform)
    with pytest.raises(FeatureViewError, match="there are rows without 'day'"):
        compute(platform)


def test_days_begin_in_the_time_zone(project: Project) -> None:
    clock = "timezone('Europe/Berlin', \"at\")"
    day = f"timezone('Europe/Berlin', date_trunc('day', {clock}))"
    local = SQL.replace("date_trunc('day', \"at\")", day).replace("2 DAYS", "0 DAYS")
    furnish(project, {**INCREMENTAL, "lookback": "0s", "timezone": "Europe/Berlin"}, local)
    deliver(project, "first", [(1, 1, 10, at(5)), (2, 1, 10, at(7))])
    platform = project.open()
    load(platform)
    compute(platform)
    # In Berlin it is the sixth of January already.
    deliver_more(platform, project, "late", (3, 1, 5, at(5, 23)))
    assert told(compute(platform)).endswith(": 2024-01-06.")
    assert [row[-1] for row in published(platform)] == [10.0, 5.0, 10.0]


def test_a_local_day_may_be_called_by_a_time_before_its_rows(project: Project) -> None:
    clock = "timezone('America/New_York', \"at\")"
    day = f"timezone('UTC', date_trunc('day', {clock}))"
    sql = SQL.replace("date_trunc('day', \"at\")", day).replace("2 DAYS", "0 DAYS")
    furnish(project, {"times": {"orders": "at"}, "lookahead": "1d"}, sql)
    deliver(project, "first", [(1, 1, 10, at(5)), (2, 1, 20, at(6))])
    platform = project.open()
    load(platform)
    compute(platform)
    # In New York it is still the fifth of January.
    deliver_more(platform, project, "late", (3, 1, 5, at(6, 2)))
    assert told(compute(platform)).endswith(": 2024-01-05...2024-01-06.")
    assert [row[-1] for row in published(platform)] == [15.0, 20.0]


def test_the_notes_say_what_was_done_to_many_stretches(project: Project, grown: Platform) -> None:
    orders = [(100 + n, 2, 1, at(20 + 4 * n)) for n in range(5)]
    deliver_more(grown, project, "wide", *orders)
    assert told(compute(grown)).endswith("2024-01-28...2024-01-30 and 2 more.")


def test_what_tells_outdated_rows_is_kept_only_while_rows_are_held_and_does_not_grow(
    project: Project, grown: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outdated() -> str:
        return Position.of(grown.lake.table("features.totals").properties).outdated

    deliver_more(grown, project, "a", (11, 2, 1, at(20)))
    compute(grown)
    assert outdated() == ""
    deliver_more(grown, project, "b", (12, 2, 60, at(30)))
    assert compute(grown).rows_quarantined == 1
    assert outdated() == ""
    deliver_more(grown, project, "c", (13, 2, 1, at(20)))
    compute(grown)
    assert '"day" >= ' in outdated()
    monkeypatch.setattr(compute_features, "LONGEST_CONDITION", 10)
    deliver_more(grown, project, "d", (14, 2, 1, at(21)))
    compute(grown)
    assert outdated().startswith("_quarantined_at < ")
    assert "day" not in outdated()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"times": {"orders": "when"}}, "the contract of orders has no column 'when'"),
        ({"times": {"orders": "amount"}}, "does not tell when a row of orders happened"),
        ({"times": {"order": "at"}}, "'order' is none of the view's inputs"),
        ({"times": {}}, "must have at least one entry"),
        ({"window": "decade"}, "Input should be 'hour', 'day'"),
        ({"lookback": "soon"}, "write a whole number of s, m, h or d"),
    ],
)
def test_what_cannot_be_computed_incrementally_is_told_with_its_line(
    project: Project, change: dict[str, Any], message: str
) -> None:
    furnish(project, {**INCREMENTAL, **change})
    with pytest.raises(ConfigurationError, match=message) as caught:
        project.open()
    problem = caught.value.problems[0]
    assert problem.field.startswith("feature_views.totals.incremental")
    assert problem.location is not None
    assert problem.location.line


def test_a_date_has_no_hours(project: Project) -> None:
    furnish(project, {**INCREMENTAL, "window": "hour"})
    project.contract("totals", {**TOTALS, "day": key({"logicalType": "date"}, 2)})
    with pytest.raises(ConfigurationError, match="a date does not tell the hour"):
        project.open()


def test_partitions_and_incremental_exclude_each_other(project: Project) -> None:
    furnish(project, INCREMENTAL, partitions={"every": "day", "start": "2024-01-01"})
    with pytest.raises(ConfigurationError, match="not both"):
        project.open()
