"""Feature views over orders that come day after day, computed as a whole or incrementally."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from support.project import Project, csv_text, integer, key, number, predicate, rows_of_table

from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.flows.platform import Platform
from quality_platform.flows.publishing import LakeTables

AT = {"logicalType": "timestamp", "physicalType": "timestamptz"}
ORDERS = {"id": key(integer()), "customer": integer(), "amount": number(), "at": AT}
TOTALS = {"customer": key(integer()), "day": key(AT, 2), "orders": integer(), "total": number()}
SQL = """
WITH days AS (
    SELECT customer, date_trunc('day', "at") AS day, count(*) AS orders, sum(amount) AS spent
    FROM orders GROUP BY ALL
)
SELECT
    customer, day, CAST(orders AS BIGINT) AS orders,
    sum(spent) OVER (
        PARTITION BY customer ORDER BY day
        RANGE BETWEEN INTERVAL 2 DAYS PRECEDING AND CURRENT ROW
    ) AS total
FROM days
"""
"""For each customer and day the orders of the day, and what was spent in three days."""

INCREMENTAL: dict[str, Any] = {"times": {"orders": "at"}, "window": "day", "lookback": "2d"}

Order = tuple[int, int, float, str]
"""Id, customer, amount, time."""


def furnish(
    project: Project, incremental: Mapping[str, Any] | None = None, sql: str = SQL, **view: Any
) -> Project:
    """A table of orders, and the view `totals`; a total of 60 breaks its rule."""
    project.table("orders", ORDERS)
    settings: dict[str, Any] = {
        "inputs": ["orders"],
        "entities": [{"name": "customer", "join_key": "customer"}],
        "event_timestamp": "day",
        "online": False,
        **view,
    }
    if incremental is not None:
        settings["incremental"] = dict(incremental)
    rule = predicate("total_is_not_60", "total <> 60")
    project.view("totals", sql, TOTALS, settings, quality=[rule])
    return project


def deliver(project: Project, file: str, orders: Iterable[Order]) -> None:
    """A file of orders."""
    project.deliver(f"orders/{file}.csv", csv_text("id,customer,amount,at", orders))


def at(day: int, hour: int = 12) -> str:
    """A time in January 2024, and after."""
    month, of_month = divmod(day - 1, 28)
    return f"2024-{month + 1:02d}-{of_month + 1:02d}T{hour:02d}:00:00Z"


def published(platform: Platform, view: str = "totals") -> list[tuple[Any, ...]]:
    """The rows of a view, sorted."""
    rows = rows_of_table(platform, f"features.{view}")
    return sorted(tuple(row[name] for name in sorted(row)) for row in rows)


def held(platform: Platform, view: str = "totals") -> list[tuple[int, str]]:
    """The customers and days of the held rows that a replay may publish, sorted."""
    found: ContractedTable = platform.feature_tables[view]
    position = LakeTables.of(platform, found).position
    rows = rows_of_table(platform, f"quarantine.{view}")
    counted = [row for row in rows if row["_attempt"] in position.attempts]
    return sorted({(row["customer"], row["day"].date().isoformat()) for row in counted})
