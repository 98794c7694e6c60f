"""A shop with a training set over it, and what its tables and pins hold."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from support.project import Project
from support.shop import furnish, orders_csv

from quality_platform.flows.compute_features import compute_feature_view
from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform
from quality_platform.flows.training_export import training_rows
from quality_platform.flows.training_manifest import Manifest, manifests_of
from quality_platform.flows.training_pins import Pin
from quality_platform.flows.training_sets import (
    TrainingSetOutcome,
    TrainingSetRequest,
    make_training_set,
)
from quality_platform.lake.tags import tags_of

TABLE = "training_sets.churn"
CHURN: dict[str, Any] = {
    "features": ["totals:total"],
    "entities": {"table": "orders", "event_timestamp": "placed_at", "labels": ["amount"]},
    "owner": "ml@example.org",
    "keep": "365d",
}


def with_training_set(project: Project, **more: Any) -> Project:
    """The shop with the training set `churn`: orders, with the customer's total at the time."""
    furnish(project)
    project.settings["training_sets"] = {"churn": deepcopy({**CHURN, **more})}
    return project


def loaded(project: Project) -> Platform:
    """The platform with everything published that was delivered."""
    platform = project.open()
    for table in ("customers", "orders"):
        load_table(platform, table, "load")
    compute_feature_view(platform, "totals", "compute")
    return platform


def deliver_more(project: Project, number: int) -> Platform:
    """Loads one more file of orders, of which the totals change."""
    project.deliver(f"orders/more{number}.csv", orders_csv(100 * number, 5, 6, 7))
    return loaded(project)


def make(platform: Platform, tag: str = "v1", **more: Any) -> TrainingSetOutcome:
    """Makes a version of `churn`."""
    return make_training_set(platform, TrainingSetRequest("churn", tag, **more), "run")


def rows(platform: Platform, tag: str = "v1") -> list[dict[str, Any]]:
    """The rows of a version."""
    return training_rows(platform, TABLE, manifests(platform)[tag]).to_pylist()


def day(number: int) -> datetime:
    """A day of January 2026."""
    return datetime(2026, 1, number, tzinfo=UTC)


def manifests(platform: Platform) -> dict[str, Manifest]:
    """The versions that there are."""
    return manifests_of(platform.lake.find_table(TABLE))


def pins(platform: Platform) -> set[tuple[str, str]]:
    """All pins of the shop's tables: the table and the version."""
    found = set()
    for identifier in ("shop.customers", "shop.orders", "features.totals"):
        for tag in tags_of(platform.lake.table(identifier)):
            pin = Pin.of(tag)
            if pin is not None:
                found.add((identifier, pin.tag))
    return found
