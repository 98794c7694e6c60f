"""Mode snapshot: every version of a row is kept, with the times between which it was valid."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from support.loads import loaded, told
from support.project import Project, foreign_key, integer, key, rows_of_table, text

from quality_platform.errors import ConfigurationError
from quality_platform.flows.audit_table import audit_table
from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform

TIME = {"logicalType": "timestamp", "logicalTypeOptions": {"timezone": True}}
COLUMNS = {"id": key(integer()), "at": TIME, "city": text(), "op": text()}
DATED = {
    "mode": "snapshot",
    "batch": "file",
    "order_by": "at",
    "deletes": {"by": "flag", "column": "op", "value": "D"},
}


def versions(platform: Platform, *, dated: bool = True) -> list[tuple[Any, ...]]:
    rows = rows_of_table(platform, "shop.orders")
    told_dates = [
        (r["id"], r["city"], *((short(r["_valid_from"]), short(r["_valid_to"])) * dated))
        for r in rows
    ]
    return sorted(told_dates, key=str)


def short(instant: datetime | None) -> str:
    return "" if instant is None else f"{instant.astimezone(UTC):%m-%d}"


def at(day: int) -> str:
    return f"2024-01-{day:02}T00:00:00Z"


def test_a_changed_row_ends_the_version_before_it(project: Project) -> None:
    project.table("orders", COLUMNS, load=DATED)
    project.deliver("orders/a.csv", f"id,at,city,op\n1,{at(1)},Rome,\n2,{at(1)},Bonn,\n")
    platform = project.open()
    assert told(loaded(platform)) == {"read": 2, "published": 2}
    project.deliver("orders/b.csv", f"id,at,city,op\n1,{at(5)},Oslo,\n2,{at(1)},Bonn,\n")
    counts = {"read": 2, "published": 1, "updated": 1, "unchanged": 1}
    assert told(loaded(platform)) == counts
    project.deliver("orders/c.csv", f"id,at,city,op\n1,{at(9)},,D\n2,{at(9)},Kiel,\n")
    assert told(loaded(platform)) == {"read": 2, "published": 1, "updated": 1, "deleted": 1}
    assert versions(platform) == [
        (1, "Oslo", "01-05", "01-09"),
        (1, "Rome", "01-01", "01-05"),
        (2, "Bonn", "01-01", "01-09"),
        (2, "Kiel", "01-09", ""),
    ]


def test_no_version_begins_before_the_end_of_another(project: Project) -> None:
    project.table("orders", COLUMNS, load=DATED)
    project.deliver("orders/a.csv", f"id,at,city,op\n1,{at(3)},Rome,\n")
    project.deliver("orders/b.csv", f"id,at,city,op\n1,{at(6)},,D\n")
    # Rows from before the delete, and one that says nothing of its time.
    project.deliver("orders/c.csv", f"id,at,city,op\n1,{at(4)},Oslo,\n2,,Oslo,\n")
    project.deliver("orders/d.csv", f"id,at,city,op\n1,{at(8)},Kiel,\n")
    platform = project.open()
    outcome = load_table(platform, "orders", "run")
    assert told(outcome.loads[2]) == {"read": 2, "superseded": 1, "quarantined": 1}
    assert versions(platform) == [(1, "Kiel", "01-08", ""), (1, "Rome", "01-03", "01-06")]


def test_without_a_time_of_the_source_versions_begin_with_the_load(project: Project) -> None:
    project.table("orders", COLUMNS, load={"mode": "snapshot", "batch": "file"})
    project.deliver("orders/a.csv", f"id,at,city,op\n1,{at(1)},Rome,\n")
    project.deliver("orders/b.csv", f"id,at,city,op\n1,{at(1)},Oslo,\n")
    platform = project.open()
    begun = datetime.now(UTC)
    load_table(platform, "orders", "run")
    old, new = sorted(rows_of_table(platform, "shop.orders"), key=lambda r: r["_valid_from"])
    assert begun <= old["_valid_from"] < old["_valid_to"] == new["_valid_from"]
    assert (old["city"], new["city"], new["_valid_to"]) == ("Rome", "Oslo", None)


def test_rules_and_other_tables_see_the_present_versions_only(project: Project) -> None:
    columns = {**COLUMNS, "city": text(unique=True)}
    project.table("orders", columns, load=DATED)
    project.deliver("orders/a.csv", f"id,at,city,op\n1,{at(1)},Rome,\n")
    platform = project.open()
    loaded(platform)
    # Rome is free again once 1 has moved to Oslo.
    project.deliver("orders/b.csv", f"id,at,city,op\n1,{at(2)},Oslo,\n2,{at(2)},Rome,\n")
    assert told(loaded(platform)) == {"read": 2, "published": 2, "updated": 1}
    project.deliver("orders/c.csv", f"id,at,city,op\n2,{at(3)},,D\n")
    loaded(platform)
    assert all(result.count in (0, None) for result in audit_table(platform, "orders"))
    lines = {"order": {**integer(), **foreign_key("orders.id", "order_known")}}
    project.table("lines", lines).deliver("lines/a.csv", "order\n1\n2\n")
    outcome = load_table(project.open(), "lines", "run")
    assert (outcome.rows_published, outcome.rows_quarantined) == (1, 1)


def test_a_contract_cannot_have_the_columns_of_the_versions(project: Project) -> None:
    project.table("orders", {**COLUMNS, "_valid_to": text()}, load=DATED)
    with pytest.raises(ConfigurationError, match="'_valid_to' has the name of one that"):
        project.open()


def test_versions_outlive_a_new_column(project: Project) -> None:
    project.table("orders", COLUMNS, load=DATED)
    project.deliver("orders/a.csv", f"id,at,city,op\n1,{at(1)},Rome,\n2,{at(1)},Bonn,\n")
    loaded(project.open())
    project.contract("orders", {**COLUMNS, "zip": text()}, version="1.1.0")
    project.deliver("orders/b.csv", f"id,at,city,op,zip\n1,{at(2)},Rome,,00042\n2,{at(2)},,D,\n")
    platform = project.open()
    assert told(loaded(platform)) == {"read": 2, "published": 1, "updated": 1, "deleted": 1}
    assert versions(platform) == [
        (1, "Rome", "01-01", "01-02"),
        (1, "Rome", "01-02", ""),
        (2, "Bonn", "01-01", "01-02"),
    ]
    zips = {r["_valid_to"]: r["zip"] for r in rows_of_table(platform, "shop.orders")}
    assert zips[None] == "00042"


def test_a_table_of_rows_becomes_a_table_of_versions(project: Project) -> None:
    project.table("orders", COLUMNS, load={"mode": "merge", "batch": "file"})
    project.deliver("orders/a.csv", f"id,at,city,op\n1,{at(1)},Rome,\n2,{at(1)},Bonn,\n")
    loaded(project.open())
    project.tables["orders"]["load"] = DATED
    project.deliver("orders/b.csv", f"id,at,city,op\n1,{at(2)},Oslo,\n")
    platform = project.open()
    assert told(loaded(platform)) == {"read": 1, "published": 1, "updated": 1}
    assert versions(platform) == [
        (1, "Oslo", "01-02", ""),
        (1, "Rome", "", "01-02"),
        (2, "Bonn", "", ""),
    ]
