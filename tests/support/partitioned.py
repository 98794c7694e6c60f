"""Orders whose files lie in a folder for each day, loaded by days."""

from __future__ import annotations

from typing import Any

from support.project import Project, csv_text, integer, key, number, predicate, rows_of_table

from quality_platform.flows.outcomes import TableOutcome
from quality_platform.flows.platform import Platform
from quality_platform.flows.publishing import LakeTables
from quality_platform.flows.requests import Request

AT = {"logicalType": "timestamp", "physicalType": "timestamptz", "required": True}
COLUMNS = {"id": key(integer()), "amount": number(), "at": AT}
PARTITIONS = {"every": "day", "start": "2024-01-01", "end": "2024-01-11", "column": "at"}
PATH = "landing/orders/{partition:%Y-%m-%d}/*.csv"
POSITIVE = predicate("amount_is_positive", "amount > 0")


def by_day(project: Project, *, path: str = PATH, quality: Any = (), **partitions: Any) -> Project:
    """A table of the first ten days of 2024."""
    project.table(
        "orders", COLUMNS, path=path, load={"mode": "append"}, quality=[POSITIVE, *quality]
    )
    project.tables["orders"]["partitions"] = {**PARTITIONS, **partitions}
    return project


def deliver(
    project: Project, day: int, *rows: tuple[object, object], file: str = "a", at: str = ""
) -> None:
    """A file of orders of one day: their ids and amounts; `at` is the time of all of them."""
    folder = f"2024-01-{day:02d}"
    lines = [(n, amount, at or f"{folder}T12:00:00Z") for n, amount in rows]
    project.deliver(f"orders/{folder}/{file}.csv", csv_text("id,amount,at", lines))


def of_days(first: int, last: int = 0) -> Request:
    """The request of some days."""
    return Request(partitions=(f"2024-01-{first:02d}", f"2024-01-{last or first:02d}"))


def ids(platform: Platform) -> list[int]:
    """The orders that are published."""
    return sorted(row["id"] for row in rows_of_table(platform, "shop.orders"))


def held(platform: Platform) -> list[tuple[str, int]]:
    """The quarantined orders that count: what they were read from, and their id."""
    counted = set(LakeTables.of(platform, platform.tables["orders"]).position.attempts)
    rows = rows_of_table(platform, "quarantine.orders")
    return sorted((r["_source_file"], r["id"]) for r in rows if r["_attempt"] in counted)


def by_partition(outcome: TableOutcome) -> dict[str, tuple[int, int, int]]:
    """Rows read, published and quarantined of each partition."""
    return {
        count.key: (count.rows_read, count.rows_published, count.rows_quarantined)
        for load in outcome.loads
        for count in load.partitions
    }
