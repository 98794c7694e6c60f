"""One declaration of a table, a view and a schedule for two tenants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.project import Project, csv_text, integer, key, number, text

ACME, GLOBEX = "acme", "globex"
BOTH = [ACME, GLOBEX]

ORDERS = {
    "id": key(integer()),
    "customer": text(required=True),
    "amount": number(),
    "placed_at": {"logicalType": "timestamp", "required": True},
}
TOTALS = {"customer": key(text()), "placed_at": {"logicalType": "timestamp"}, "total": number()}

SQL = """
SELECT customer, max(placed_at) AS placed_at, sum(amount) AS total
FROM orders GROUP BY customer
"""


def declared_in(folder: Path) -> Project:
    """A project whose orders, totals and schedule are declared once for acme and globex.

    Acme's orders are of 10 and globex's of 20; one order of each has no customer.
    """
    project = Project(folder)
    project.settings = {
        "tenants": {ACME: {}, GLOBEX: {}},
        "schedules": {"nightly": {"cron": "@daily", "tenants": BOTH, "targets": ["orders"]}},
    }
    project.table("orders", ORDERS, path="landing/{tenant}/orders/*.csv")
    project.tables["orders"]["tenants"] = BOTH
    settings: dict[str, Any] = {
        "tenants": BOTH,
        "inputs": ["orders"],
        "entities": [{"name": "customer", "join_key": "customer"}],
        "event_timestamp": "placed_at",
        "online": False,
    }
    project.view("totals", SQL, TOTALS, settings)
    for amount, tenant in ((10, ACME), (20, GLOBEX)):
        rows = [(n, "ann", amount, "2026-01-01T00:00:00Z") for n in range(3)]
        rows.append((9, "", amount, "2026-01-01T00:00:00Z"))
        content = csv_text("id,customer,amount,placed_at", rows)
        project.deliver(f"{tenant}/orders/one.csv", content)
    return project
