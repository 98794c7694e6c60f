"""docs/features.md: its files are written as they stand, and each of its views is computed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.project import Project, csv_text, integer, key, number, rows_of_table

from quality_platform.flows.compute_features import compute_feature_view
from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform

PAGE = (Path(__file__).parents[2] / "docs/features.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(yaml|sql|python)\n(.*?)```", PAGE, re.DOTALL)
NAMED = {
    name: text
    for _, text in BLOCKS
    if (name := text.partition("\n")[0].lstrip("#- ")).startswith(("contracts/", "features/"))
}
VIEWS = [yaml.safe_load(text)["feature_views"] for _, text in BLOCKS if "feature_views:" in text]
AT = {"logicalType": "timestamp", "required": True}


@pytest.fixture
def shop(project: Project) -> Project:
    """The shop of the page, with orders of four days."""
    columns = {"id": key(integer()), "customer": integer(), "amount": number(), "placed_at": AT}
    project.table("orders", columns)
    rows = [(n, n % 2, n / 2, f"2026-01-0{n}T12:00:00Z") for n in range(1, 5)]
    project.deliver("orders/a.csv", csv_text("id,customer,amount,placed_at", rows))
    signs = {"id": key(integer()), "placed_at": AT, "is_round": {"logicalType": "boolean"}}
    project.contract("order_signs", signs)
    for name, text in NAMED.items():
        path = project.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return project


def computed(shop: Project, views: dict[str, Any]) -> Platform:
    shop.views = views
    platform = shop.open()
    load_table(platform, "orders", "r")
    for name in views:
        outcome = compute_feature_view(platform, name, "r")
        assert (outcome.state, outcome.rows_quarantined) == ("published", 0)
    return platform


@pytest.mark.parametrize("views", VIEWS, ids=range(len(VIEWS)))
def test_a_view_of_the_page_is_computed(shop: Project, views: dict[str, Any]) -> None:
    platform = computed(shop, views)
    for name in views:
        assert len(rows_of_table(platform, f"features.{name}")) == 4


def test_the_page_shows_sql_python_and_an_incremental_view() -> None:
    keys = [{*view} for views in VIEWS for view in views.values()]
    for key_of_view in ("sql", "python", "incremental", "ttl", "lineage"):
        assert any(key_of_view in found for found in keys)
    assert {Path(name).suffix for name in NAMED} == {".yaml", ".sql", ".py"}


def test_the_function_of_the_page_tells_round_amounts(shop: Project) -> None:
    (views,) = [views for views in VIEWS if "order_signs" in views]
    rows = rows_of_table(computed(shop, views), "features.order_signs")
    assert {row["id"]: row["is_round"] for row in rows} == {1: False, 2: True, 3: False, 4: True}


def test_the_sums_of_the_page_are_of_three_days(shop: Project) -> None:
    rows = rows_of_table(computed(shop, VIEWS[0]), "features.customer_days")
    spent = {(row["customer"], row["day"].day): row["spent"] for row in rows}
    assert spent == {(1, 1): 0.5, (1, 3): 2.0, (0, 2): 1.0, (0, 4): 3.0}
