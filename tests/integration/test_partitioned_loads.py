"""Tables that are loaded by partitions: each is read, judged and replaced as a whole."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.partitioned import by_day, by_partition, deliver, held, ids, of_days
from support.project import Project, counts, csv_text, predicate, row_count, rows_of_table, verdicts

from quality_platform.errors import ConfigurationError, RunnerFileError, SourceNotFoundError
from quality_platform.flows.audit_table import audit_table
from quality_platform.flows.decisions import Decision
from quality_platform.flows.load_table import load_table
from quality_platform.flows.maintain import maintain
from quality_platform.flows.partitions import Loaded, partitions_of
from quality_platform.flows.platform import Platform
from quality_platform.flows.publishing import LakeTables
from quality_platform.flows.replay import Replay, discard_rows, release_rows, replay_table
from quality_platform.flows.replay_selection import Selection
from quality_platform.flows.requests import Request
from quality_platform.flows.roll_back import plan_rollback, roll_back
from quality_platform.history.records import CHECK_RESULTS, RUNS
from quality_platform.sources.protocol import Backfill


def loaded_ranges(platform: Platform) -> list[tuple[str, str]]:
    """The days from and until which partitions are loaded."""
    table = platform.tables["orders"]
    position = LakeTables.of(platform, table).position
    ranges = Loaded.of(partitions_of(table), position).ranges
    return [(f"{start:%m-%d}", f"{end:%m-%d}") for start, end in ranges]


def test_a_run_that_is_asked_for_none_loads_all_that_are_closed_and_there(
    project: Project,
) -> None:
    deliver(project, 1, (1, 10), (2, -1))
    deliver(project, 2, (3, 30))
    deliver(project, 4, (4, 40))
    platform = by_day(project).open()

    outcome = load_table(platform, "orders", "r1")

    assert by_partition(outcome) == {
        "2024-01-01": (2, 1, 1),
        "2024-01-02": (1, 1, 0),
        "2024-01-04": (1, 1, 0),
    }
    assert [load.partition for load in outcome.loads] == [
        "2024-01-01...2024-01-02",
        "2024-01-04",
    ]
    assert loaded_ranges(platform) == [("01-01", "01-03"), ("01-04", "01-05")]
    assert load_table(platform, "orders", "r2").state == "nothing_new"
    deliver(project, 3, (5, 50))
    assert by_partition(load_table(platform, "orders", "r3")) == {"2024-01-03": (1, 1, 0)}
    assert loaded_ranges(platform) == [("01-01", "01-05")]
    assert ids(platform) == [1, 3, 4, 5]


def test_a_partition_that_is_loaded_again_is_replaced_with_what_was_held_of_it(
    project: Project,
) -> None:
    deliver(project, 1, (1, 10), (2, -1))
    deliver(project, 2, (3, 30), (4, -1), (5, "no number"))
    platform = by_day(project).open()
    load_table(platform, "orders", "r1", request=of_days(1, 2))
    of_the_second = [("2024-01-02/a.csv", 4), ("2024-01-02/a.csv", 5)]
    assert held(platform) == [("2024-01-01/a.csv", 2), *of_the_second]

    deliver(project, 1, (1, 11), (2, 20), (6, -6))
    for run in ("r2", "r3"):
        outcome = load_table(platform, "orders", run, request=of_days(1))

        assert by_partition(outcome) == {"2024-01-01": (3, 2, 1)}
        assert (outcome.rows_read, outcome.rows_published, outcome.rows_quarantined) == (3, 2, 1)
        assert ids(platform) == [1, 2, 3]
        assert held(platform) == [("2024-01-01/a.csv", 6), *of_the_second]
    carried = [r for r in rows_of_table(platform, "quarantine.orders") if r["id"] == 4]
    assert {row["_run_id"] for row in carried} == {"r1"}


def test_each_is_a_load_of_its_own_where_the_table_says_so(project: Project) -> None:
    for day in (1, 2, 3):
        deliver(project, day, *((10 * day + n, 5) for n in range(day)))
    platform = by_day(project, backfill="each", quality=[row_count(2)]).open()

    outcome = load_table(platform, "orders", "r1")

    assert outcome.state == "blocked"
    assert [load.partition for load in outcome.loads] == ["2024-01-01"]
    outcome = load_table(platform, "orders", "r2", request=of_days(2, 3))
    assert [load.partition for load in outcome.loads] == ["2024-01-02", "2024-01-03"]
    assert [verdicts_of["row_count"] for verdicts_of in map(verdicts, outcome.loads)] == [
        "pass",
        "pass",
    ]
    assert ids(platform) == [20, 21, 30, 31, 32]


def test_a_row_of_another_partition_is_held_and_never_published_by_a_replay(
    project: Project,
) -> None:
    deliver(project, 1, (1, 10))
    deliver(project, 1, (2, 20), (3, -3), file="b", at="2024-01-02T00:00:00Z")
    deliver(project, 2, (4, 40), at="2024-01-02T00:00:00Z")
    deliver(project, 3, (5, 50), at="2024-01-04T00:00:00+01:00")
    platform = by_day(project).open()

    outcome = load_table(platform, "orders", "r1")

    assert ids(platform) == [1, 4, 5]
    assert counts(outcome)["is_in_its_partition"] == 2
    broken = {r["id"]: r["_broken_rules"] for r in rows_of_table(platform, "quarantine.orders")}
    assert broken == {
        2: ["is_in_its_partition"],
        3: ["amount_is_positive", "is_in_its_partition"],
    }
    for flow in (replay_table, lambda r: release_rows(r, Decision.of("because", "Ada"))):
        done = flow(Replay(platform, "orders", "r2", Selection()))
        assert (done.rows_published, done.rows_outdated) == (0, 2)
    discard_rows(Replay(platform, "orders", "r3", Selection()), Decision.of("because", "Ada"))
    assert held(platform) == []
    assert ids(platform) == [1, 4, 5]


def test_what_a_replay_published_is_replaced_with_its_partition(project: Project) -> None:
    deliver(project, 1, (1, 10), (2, -1), (3, "no number"))
    deliver(project, 2, (4, -4))
    load_table(by_day(project).open(), "orders", "r1")
    project.contract(
        "orders",
        {n: c for n, c in _columns().items()},
        quality=[predicate("amount_is_positive", "amount > -3")],
        version="1.1.0",
    )
    platform = project.open()
    done = replay_table(Replay(platform, "orders", "r2", Selection()))
    assert (done.rows_published, ids(platform)) == (1, [1, 2])

    load_table(platform, "orders", "r3", request=of_days(1))

    assert ids(platform) == [1, 2]
    assert held(platform) == [("2024-01-01/a.csv", 3), ("2024-01-02/a.csv", 4)]


def _columns() -> dict[str, dict[str, object]]:
    from support.partitioned import COLUMNS

    return dict(COLUMNS)


def test_a_rollback_brings_back_a_partition_as_it_was_with_what_was_held(
    project: Project,
) -> None:
    deliver(project, 1, (1, 10), (2, -1))
    deliver(project, 2, (3, 30), (4, -4))
    platform = by_day(project).open()
    first = load_table(platform, "orders", "r1").snapshot_id
    before = held(platform)
    deliver(project, 1, (1, 10), (2, 20))
    load_table(platform, "orders", "r2", request=of_days(1))
    assert held(platform) == [("2024-01-02/a.csv", 4)]

    roll_back(platform, plan_rollback(platform, "orders", str(first)), "r3")

    assert ids(platform) == [1, 3]
    assert held(platform) == before


def test_lookback_loads_the_latest_again_and_no_others(project: Project) -> None:
    for day in range(1, 11):
        deliver(project, day, (day, 10))
    platform = by_day(project, lookback=2).open()
    load_table(platform, "orders", "r1")

    deliver(project, 9, (9, 10), (99, 10))
    deliver(project, 8, (8, 10), (88, 10))

    assert by_partition(load_table(platform, "orders", "r2")) == {
        "2024-01-09": (2, 2, 0),
        "2024-01-10": (1, 1, 0),
    }
    assert 88 not in ids(platform)


def test_a_full_refresh_forgets_all_that_was_loaded_and_held(project: Project) -> None:
    deliver(project, 1, (1, 10), (2, -1))
    deliver(project, 2, (3, 30))
    platform = by_day(project).open()
    load_table(platform, "orders", "r1")
    deliver(project, 1, (7, 10))

    outcome = load_table(platform, "orders", "r2", request=Request(full_refresh=True))

    assert by_partition(outcome) == {"2024-01-01": (1, 1, 0), "2024-01-02": (1, 1, 0)}
    assert (ids(platform), held(platform)) == ([3, 7], [])


def test_times_name_partitions_as_dates_do(project: Project) -> None:
    for day in (1, 2, 3, 4):
        deliver(project, day, (day, 10))
    platform = by_day(project).open()
    asked = replace(Request(), backfill=Backfill("2024-01-02", "2024-01-04"))
    outcome = load_table(platform, "orders", "r1", request=asked)
    assert list(by_partition(outcome)) == ["2024-01-02", "2024-01-03"]
    for wrong in (Backfill("2024-01-02T12:00"), Backfill("2023-01-01", "2023-02-01")):
        with pytest.raises(RunnerFileError, match="these are no partitions of orders"):
            load_table(platform, "orders", "r2", request=Request(backfill=wrong))


@pytest.mark.parametrize("key", ["2023-12-31", "2024-01-11", "January", "2024-1-2"])
def test_a_partition_that_is_none_is_refused(project: Project, key: str) -> None:
    platform = by_day(project).open()
    with pytest.raises(ConfigurationError, match="there is no such partition"):
        load_table(platform, "orders", "r1", request=Request(partitions=(key, key)))


def test_a_partition_without_files_that_is_asked_for_is_an_error(project: Project) -> None:
    deliver(project, 1, (1, 10))
    platform = by_day(project).open()
    with pytest.raises(SourceNotFoundError):
        load_table(platform, "orders", "r1", request=of_days(1, 2))
    assert platform.lake.find_table("shop.orders") is None


def test_a_table_that_was_loaded_in_another_way_must_be_loaded_anew(project: Project) -> None:
    deliver(project, 1, (1, 10))
    by_day(project)
    partitions = project.tables["orders"].pop("partitions")
    project.tables["orders"]["source"]["path"] = "landing/orders/*/*.csv"
    load_table(project.open(), "orders", "r1")
    project.tables["orders"]["partitions"] = partitions
    project.tables["orders"]["source"]["path"] = "landing/orders/{partition:%Y-%m-%d}/*.csv"
    platform = project.open()
    with pytest.raises(RunnerFileError, match="was loaded in another way before"):
        load_table(platform, "orders", "r2")
    load_table(platform, "orders", "r3", request=Request(full_refresh=True))
    assert ids(platform) == [1]
    project.tables["orders"]["partitions"] = {**partitions, "timezone": "Asia/Tokyo"}
    with pytest.raises(RunnerFileError, match="was loaded in another way before"):
        load_table(project.open(), "orders", "r4")

    del project.tables["orders"]["partitions"]
    project.tables["orders"]["source"]["path"] = "landing/orders/*/*.csv"
    with pytest.raises(RunnerFileError, match="was loaded by partitions before"):
        load_table(project.open(), "orders", "r5")


def test_the_history_tells_the_results_of_each_load_by_its_partition(project: Project) -> None:
    deliver(project, 1, (1, 10), (2, -1))
    deliver(project, 3, (3, 30))
    platform = by_day(project).open()
    load_table(platform, "orders", "r1")

    results = rows_of_table(platform, CHECK_RESULTS)
    found = {r["partition"]: r["count"] for r in results if r["check"] == "amount_is_positive"}
    assert found == {"2024-01-01": 1, "2024-01-03": 0}
    assert [r["partition"] for r in rows_of_table(platform, RUNS)] == ["2024-01-01...2024-01-03"]


def test_an_audit_judges_some_partitions_as_they_are_now(project: Project) -> None:
    deliver(project, 1, (1, 10), (2, -1), ("x", 5))
    deliver(project, 2, (3, 30))
    platform = by_day(project, quality=[row_count(1)]).open()
    load_table(platform, "orders", "r1")
    load_table(platform, "orders", "r2", request=of_days(1))

    def rows(first: int, last: int) -> object:
        asked = (f"2024-01-0{first}", f"2024-01-0{last}")
        (result,) = audit_table(platform, "orders", {"row_count"}, asked)
        return result.value

    assert (rows(1, 1), rows(2, 2), rows(1, 2), rows(3, 4)) == (3, 1, 4, 0)


HAPPENED = "2023-12-28T22:00:00Z 2023-12-29T00:00:00Z 2023-12-31T23:30:00Z 2024-01-01T01:00:00Z"


def with_times(project: Project, **late: str) -> Platform:
    """Orders that say when they happened beside when they were loaded, in Berlin's days."""
    by_day(project, timezone="Europe/Berlin", late={"column": "happened", **late})
    columns = {
        **_columns(),
        "happened": {"logicalType": "timestamp", "physicalType": "timestamptz"},
    }
    project.contract("orders", columns)
    rows = [(n, 1, "2024-01-01T05:00:00Z", at) for n, at in enumerate([*HAPPENED.split(), ""])]
    text = csv_text("id,amount,at,happened", rows)
    project.deliver("orders/2024-01-01/a.csv", text)
    project.tables["orders"]["source"]["null_strings"] = [""]
    return project.open()


@pytest.mark.parametrize(("after", "late"), [("0s", [0, 1]), ("71h", [0]), ("73h", [])])
def test_late_rows_are_held_back_and_stay_there(
    project: Project, after: str, late: list[int]
) -> None:
    platform = with_times(project, after=after, then="quarantine")

    outcome = load_table(platform, "orders", "r1")

    assert counts(outcome)["is_not_late"] == len(late)
    assert [order for _, order in held(platform)] == late
    done = replay_table(Replay(platform, "orders", "r2", Selection()))
    assert (done.rows_published, done.rows_outdated) == (0, len(late))


def test_late_rows_that_are_accepted_are_told_by_their_time(project: Project) -> None:
    platform = with_times(project)

    outcome = load_table(platform, "orders", "r1")

    assert ids(platform) == [0, 1, 2, 3, 4]
    assert verdicts(outcome)["is_not_late"] == "warn"
    assert outcome.notes == ("2 rows came late: 1 of 2023-12-28, 1 of 2023-12-29.",)


def test_held_rows_that_upkeep_put_together_are_told_apart_by_their_partition(
    project: Project,
) -> None:
    for day in (1, 2, 3):
        deliver(project, day, (day, 10), (10 * day, -1))
    platform = by_day(project, backfill="each").open()
    load_table(platform, "orders", "r1")
    list(maintain(platform, ["orders"]))
    deliver(project, 2, (2, 10), (22, -1), (20, 5))

    outcome = load_table(platform, "orders", "r2", request=of_days(2))

    assert (outcome.rows_read, outcome.rows_published, outcome.rows_quarantined) == (3, 2, 1)
    assert ids(platform) == [1, 2, 3, 20]
    assert [order for _, order in held(platform)] == [10, 22, 30]
    (result,) = audit_table(platform, "orders", {"amount_is_positive"})
    assert (result.rows, result.count) == (4, 0)
