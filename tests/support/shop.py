"""A small shop: customers, orders that refer to them, and a feature view over the orders."""

from __future__ import annotations

from support.project import (
    Project,
    csv_text,
    foreign_key,
    integer,
    key,
    number,
    predicate,
    row_count,
    text,
)

CUSTOMERS = {"id": key(integer()), "name": text(classification="restricted")}
ORDERS = {
    "id": key(integer(description="Number of the order.")),
    "customer": integer(**foreign_key("customers.id", "customer_is_known", "warning")),
    "amount": number(),
    "placed_at": {"logicalType": "timestamp", "required": True},
}
TOTALS = {
    "customer": key(integer()),
    "placed_at": key({"logicalType": "timestamp"}, 2),
    "total": number(),
}
TOTALS_SQL = (
    "SELECT customer, max(placed_at) AS placed_at, sum(amount) AS total FROM orders "
    "WHERE customer IS NOT NULL GROUP BY customer"
)


def orders_csv(first: int, *amounts: float) -> str:
    """One order for each amount, with ids from `first`; customers 1 and 2 in turn."""
    rows = [
        (first + n, n % 2 + 1, amount, f"2026-01-{n % 28 + 1:02d}T{n // 28:02d}:00:00Z")
        for n, amount in enumerate(amounts)
    ]
    return csv_text("id,customer,amount,placed_at", rows)


def furnish(project: Project) -> Project:
    """Writes the shop's contracts, and delivers a file of each table."""
    project.settings = {
        "retries": {"max_retries": 2, "initial_delay_seconds": 0.05, "jitter": False}
    }
    replace = {"mode": "replace", "batch": "all"}
    project.table("customers", CUSTOMERS, load=replace)
    quality = [row_count(2), predicate("amount_is_not_negative", "amount >= 0")]
    project.table("orders", ORDERS, quality=quality)
    entities = [{"name": "customer", "join_key": "customer"}]
    settings = {
        "inputs": ["orders"],
        "entities": entities,
        "event_timestamp": "placed_at",
        "online": False,
    }
    project.view("totals", TOTALS_SQL, TOTALS, settings)
    project.deliver("customers/all.csv", "id,name\n1,Ada\n2,Grace\n")
    project.deliver("orders/january.csv", orders_csv(1, 10, 20, 30))
    return project
