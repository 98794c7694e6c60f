"""Two tenants, each with files of its own, beside tables of those who run the platform."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from support.project import Project, csv_text, foreign_key, integer, key, number, text

from quality_platform.config.broken import BrokenPart
from quality_platform.errors import Problem
from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform, open_platform

COUNTRIES = {"code": key(text()), "name": text()}
CUSTOMERS = {"id": key(integer()), "country": text(**foreign_key("countries.code", "is_known"))}
ORDERS = {
    "id": key(integer()),
    "customer": integer(**foreign_key("customers.id", "customer_is_known")),
    "amount": number(),
    "placed_at": {"logicalType": "timestamp", "required": True},
}
TOTALS = {"customer": key(integer()), "placed_at": {"logicalType": "timestamp"}, "total": number()}

ACME, GLOBEX = "acme", "globex"


@dataclass
class Tenants:
    """The files of a platform with the tenants acme and globex, to be changed and written."""

    folder: Path
    root: dict[str, Any] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def runner(self) -> Path:
        """The runner file."""
        return self.folder / "runner.yaml"

    def home(self, tenant: str) -> Path:
        """The folder of a tenant's files."""
        return self.folder / "tenants" / tenant

    def table(self, tenant: str, name: str) -> dict[str, Any]:
        """What the tenant's file says of one of its tables."""
        found: dict[str, Any] = self.files[tenant]["tables"][f"{tenant}__{name}"]
        return found

    def write(self) -> Path:
        """Writes runner.yaml and the tenants' files."""
        self.runner.write_text(yaml.safe_dump(self.root, sort_keys=False))
        for tenant, document in self.files.items():
            path = self.home(tenant) / "tables.yaml"
            path.write_text(yaml.safe_dump(document, sort_keys=False))
        return self.runner

    def open(self) -> Platform:
        """The platform, of which parts may be broken."""
        return open_platform(self.write())

    def sound(self) -> Platform:
        """The platform, all of which must be fit for use."""
        return open_platform(self.write(), strict=True)

    def broken(self) -> dict[str, BrokenPart]:
        """What is broken for a reason of its own, by name."""
        return {part.name: part for part in self.open().broken if not part.only_follows}

    def refusal(self, name: str) -> Problem:
        """Why the one part is broken that is, while all others can be used."""
        found = self.broken()
        assert list(found) == [name]
        return found[name].error.problems[0]


def load(tenants: Tenants, *names: str) -> None:
    """Loads the countries, and the tables of these names."""
    platform = tenants.sound()
    for name in ("countries", *names):
        load_table(platform, name, "run")


def tenants_in(folder: Path) -> Tenants:
    """Both tenants with customers, orders and a view; a table of countries that all may read."""
    made = Tenants(folder)
    platform = Project(folder)
    platform.contract("countries", COUNTRIES)
    platform.contract("prices", COUNTRIES)
    platform.deliver("countries.csv", "code,name\nDE,Germany\nFR,France\n")
    made.root = {
        "version": 1,
        "retries": {"max_retries": 0, "opening_seconds": 0},
        "tenants": {t: {"include": [f"tenants/{t}/*.yaml"]} for t in (ACME, GLOBEX)},
        "tables": {
            "countries": {**_csv("countries", "landing/countries.csv"), "shared": True},
            "prices": _csv("prices", "landing/countries.csv"),
        },
    }
    for number_of, tenant in enumerate((ACME, GLOBEX), start=1):
        made.files[tenant] = _tenant(Project(made.home(tenant)), tenant, number_of)
    return made


def _tenant(project: Project, tenant: str, number_of: int) -> dict[str, Any]:
    project.folder.mkdir(parents=True)
    project.contract("customers", CUSTOMERS)
    project.contract("orders", ORDERS)
    project.contract("totals", TOTALS)
    first = 100 * number_of
    project.deliver("customers.csv", csv_text("id,country", [(first, "DE"), (first + 1, "FR")]))
    orders = [(n, first + n % 2, 10 * number_of, "2026-01-01T00:00:00Z") for n in range(3)]
    # An order of nobody's is held back.
    orders.append((9, 999, 1, "2026-01-01T00:00:00Z"))
    project.deliver("orders.csv", csv_text("id,customer,amount,placed_at", orders))
    (project.folder / "totals.sql").write_text(
        "SELECT customer, max(placed_at) AS placed_at, sum(amount) AS total "
        f"FROM {tenant}__orders GROUP BY customer"
    )
    return {
        "tables": {
            f"{tenant}__customers": _csv("customers", "landing/customers.csv"),
            f"{tenant}__orders": _csv("orders", "landing/orders.csv"),
        },
        "feature_views": {
            f"{tenant}__totals": {
                "contract": "contracts/totals.odcs.yaml",
                "sql": "totals.sql",
                "inputs": [f"{tenant}__orders"],
                "entities": [{"name": f"{tenant}__customer", "join_key": "customer"}],
                "event_timestamp": "placed_at",
                "online": False,
            }
        },
        "schedules": {f"{tenant}__nightly": {"cron": "@daily"}},
    }


def _csv(contract: str, path: str) -> dict[str, Any]:
    return {
        "contract": f"contracts/{contract}.odcs.yaml",
        "source": {"type": "csv", "path": path},
        "load": {"mode": "append", "batch": "file"},
    }
