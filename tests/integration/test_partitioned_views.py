"""Feature views that are computed by partitions of their event timestamp."""

from __future__ import annotations

import pytest
from support.partitioned import by_day, by_partition, deliver, of_days
from support.project import Project, integer, key, number, predicate, rows_of_table

from quality_platform.errors import FeatureViewError
from quality_platform.flows.compute_features import compute_feature_view
from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform
from quality_platform.flows.publishing import LakeTables

AT = {"logicalType": "timestamp", "physicalType": "timestamptz"}
COLUMNS = {"id": key(integer()), "at": AT, "total": number()}
SQL = 'SELECT id, "at", sum(amount) OVER (ORDER BY "at", id) AS total FROM orders'


def totals(project: Project, sql: str = SQL, **partitions: object) -> Platform:
    """A running total of all orders before, by days; a total of 60 breaks its rule."""
    days = {"every": "day", "start": "2024-01-01", "end": "2024-01-11", **partitions}
    settings = {
        "inputs": ["orders"],
        "entities": [{"name": "order", "join_key": "id"}],
        "event_timestamp": "at",
        "online": False,
        "partitions": days,
    }
    rule = predicate("total_is_not_60", "total <> 60")
    project.view("totals", sql, COLUMNS, settings, quality=[rule])
    return by_day(project).open()


def published(platform: Platform) -> dict[int, float]:
    """The totals by order."""
    return {row["id"]: row["total"] for row in rows_of_table(platform, "features.totals")}


def held_totals(platform: Platform) -> list[int]:
    """The orders whose totals are held back, and count."""
    counted = set(LakeTables.of(platform, platform.feature_tables["totals"]).position.attempts)
    rows = rows_of_table(platform, "quarantine.totals")
    return sorted(row["id"] for row in rows if row["_attempt"] in counted)


def test_only_the_rows_of_a_partition_are_computed_again(project: Project) -> None:
    for day in (1, 2, 3, 4):
        deliver(project, day, (day, 10 * day))
    platform = totals(project)
    load_table(platform, "orders", "r1")

    first = compute_feature_view(platform, "totals", "r1")

    assert published(platform) == {1: 10, 2: 30, 4: 100}
    assert held_totals(platform) == [3]
    assert by_partition(first)["2024-01-03"] == (1, 0, 1)
    assert compute_feature_view(platform, "totals", "r2").state == "nothing_new"

    deliver(project, 1, (1, 5))
    load_table(platform, "orders", "r2", request=of_days(1))
    again = compute_feature_view(platform, "totals", "r3", partitions=("2024-01-02", "2024-01-03"))

    assert by_partition(again) == {"2024-01-02": (1, 1, 0), "2024-01-03": (1, 1, 0)}
    assert published(platform) == {1: 10, 2: 25, 3: 55, 4: 100}
    assert held_totals(platform) == []


def test_another_sql_makes_every_partition_due(project: Project) -> None:
    deliver(project, 1, (1, 10))
    deliver(project, 2, (2, 20))
    platform = totals(project)
    load_table(platform, "orders", "r1")
    compute_feature_view(platform, "totals", "r1")

    platform = totals(project, SQL.replace("sum(amount)", "2 * sum(amount)"))
    compute_feature_view(platform, "totals", "r2", partitions=("2024-01-02", "2024-01-02"))
    assert published(platform) == {1: 10}
    compute_feature_view(platform, "totals", "r3")
    assert (published(platform), held_totals(platform)) == ({1: 20}, [2])

    platform = totals(project)
    compute_feature_view(platform, "totals", "r4")
    assert (published(platform), held_totals(platform)) == ({1: 10, 2: 30}, [])


def test_a_full_refresh_computes_every_partition_that_has_ended(project: Project) -> None:
    deliver(project, 1, (1, 10))
    platform = totals(project, end="2024-01-04")
    load_table(platform, "orders", "r1")
    compute_feature_view(platform, "totals", "r1")
    outcome = compute_feature_view(platform, "totals", "r2", full_refresh=True)
    assert [*by_partition(outcome)] == ["2024-01-01", "2024-01-02", "2024-01-03"]
    assert published(platform) == {1: 10}


def test_other_partitions_of_a_view_begin_anew(project: Project) -> None:
    deliver(project, 1, (1, 10))
    deliver(project, 2, (2, 50))
    platform = totals(project)
    load_table(platform, "orders", "r1")
    compute_feature_view(platform, "totals", "r1")

    platform = totals(project, every="month", end="2024-03-01")
    outcome = compute_feature_view(platform, "totals", "r2")

    assert by_partition(outcome) == {"2024-01-01": (2, 1, 1), "2024-02-01": (0, 0, 0)}
    assert (published(platform), held_totals(platform)) == ({1: 10}, [2])


def test_a_view_that_was_computed_as_a_whole_begins_anew_with_partitions(
    project: Project,
) -> None:
    deliver(project, 1, (1, 10))
    deliver(project, 2, (2, 50))
    totals(project)
    partitions = project.views["totals"].pop("partitions")
    platform = project.open()
    load_table(platform, "orders", "r1")
    compute_feature_view(platform, "totals", "r1")
    assert (published(platform), held_totals(platform)) == ({1: 10}, [2])

    project.views["totals"]["partitions"] = partitions
    compute_feature_view(project.open(), "totals", "r2")
    assert (published(platform), held_totals(platform)) == ({1: 10}, [2])

    del project.views["totals"]["partitions"]
    compute_feature_view(project.open(), "totals", "r3")
    assert published(platform) == {1: 10}


def test_a_row_without_its_time_is_an_error_and_not_left_out(project: Project) -> None:
    deliver(project, 1, (1, 10))
    sql = 'SELECT id, CASE WHEN id > 1 THEN "at" END AS "at", amount AS total FROM orders'
    platform = totals(project, sql)
    load_table(platform, "orders", "r1")
    with pytest.raises(FeatureViewError, match="there are rows without 'at'"):
        compute_feature_view(platform, "totals", "r2")
