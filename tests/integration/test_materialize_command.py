"""`quality-platform materialize`: what it brings online, and what it refuses."""

from __future__ import annotations

import pytest
from support.command_line import call
from support.online_shop import online_shop, run_all
from support.project import Project

from quality_platform.feature_store.store import online_features
from quality_platform.flows.feature_store_objects import store_settings


@pytest.fixture
def shop(project: Project) -> Project:
    made = online_shop(project)
    made.write_runner()
    run_all(made.open())
    return made


def totals(shop: Project) -> list[float | None]:
    rows = [{"customer": 1}, {"customer": 2}]
    return online_features(store_settings(shop.open()), ["totals:total"], rows)["total"]


def test_a_store_that_was_lost_is_built_anew(shop: Project) -> None:
    store_settings(shop.open()).online_store.path.unlink()  # type: ignore[union-attr]
    done = call("materialize", "totals", "--rebuild", "--runner", shop.runner)
    assert (done.code, done.err) == (0, "")
    assert "✓ online.totals: 2 entity rows in the online store" in done.out
    assert totals(shop) == [40, 20]


def test_without_a_name_all_views_are_brought_up_and_nothing_is_computed(shop: Project) -> None:
    done = call("materialize", "--runner", shop.runner)
    assert (done.code, done.err) == (0, "")
    assert "✓ online.totals: nothing new to materialize" in done.out
    assert "orders" not in done.out


@pytest.mark.parametrize("name", ["total", "orders"])
def test_what_is_not_online_is_refused(shop: Project, name: str) -> None:
    failed = call("materialize", "totals", name, "--runner", shop.runner)
    assert failed.code == 2
    assert name in failed.err
    assert "online.totals" not in failed.out
