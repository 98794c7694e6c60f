"""The flow of materialization: what it says, and what it does where others are faster."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from support.online_shop import online_shop, run_all
from support.project import Project
from support.shop import orders_csv

from quality_platform.errors import MaterializationError
from quality_platform.feature_store import online
from quality_platform.feature_store.store import online_features
from quality_platform.flows import materialize_features
from quality_platform.flows.compute_features import compute_feature_view
from quality_platform.flows.feature_store_objects import store_settings
from quality_platform.flows.load_table import load_table
from quality_platform.flows.materialize_features import materialize_feature_view
from quality_platform.flows.platform import Platform
from quality_platform.flows.roll_back import plan_rollback, roll_back


@pytest.fixture
def shop(project: Project) -> Project:
    made = online_shop(project)
    made.write_runner()
    return made


def totals(shop: Project) -> list[float | None]:
    rows = [{"customer": 1}, {"customer": 2}]
    return online_features(store_settings(shop.open()), ["totals:total"], rows)["total"]


def damage(platform: Platform) -> None:
    """Takes the first customer out of the online store, past its own note."""
    settings = store_settings(platform)
    with closing(sqlite3.connect(settings.online_store.path)) as store:  # type: ignore[union-attr]
        table = f'"{settings.project}_totals"'
        [first, _] = store.execute(f"SELECT DISTINCT entity_key FROM {table}").fetchall()
        store.execute(f"DELETE FROM {table} WHERE entity_key = ?", first)
        store.commit()


def test_a_store_that_is_lost_or_another_one_is_filled_again(shop: Project) -> None:
    run_all(shop.open())
    platform = shop.open()
    assert materialize_feature_view(platform, "totals", "again").state == "nothing_new"
    settings = store_settings(platform)
    settings.online_store.path.unlink()  # type: ignore[union-attr]
    outcome = materialize_feature_view(platform, "totals", "once more")
    assert (outcome.state, outcome.rows, outcome.extent) == ("materialized", 2, "whole")
    assert totals(shop) == [40, 20]


def test_a_rebuild_is_done_where_nothing_is_new(shop: Project) -> None:
    run_all(shop.open())
    platform = shop.open()
    damage(platform)
    assert totals(shop) == [None, 20]
    assert materialize_feature_view(platform, "totals", "again").state == "nothing_new"
    outcome = materialize_feature_view(platform, "totals", "once more", rebuild=True)
    assert (outcome.state, outcome.rows, outcome.extent) == ("materialized", 2, "rebuilt")
    assert totals(shop) == [40, 20]
    assert materialize_feature_view(platform, "totals", "after").state == "nothing_new"


def test_a_rebuild_that_was_cut_short_is_completed_where_nothing_is_new(
    shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_all(shop.open())
    platform = shop.open()
    damage(platform)

    def fails(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(online, "_rebuilt", fails)
        with pytest.raises(MaterializationError, match="the disk is full"):
            materialize_feature_view(platform, "totals", "again", rebuild=True)
    assert materialize_feature_view(platform, "totals", "once more").extent == "rebuilt"
    assert totals(shop) == [40, 20]


def test_after_a_rollback_of_the_view_the_store_has_what_is_published(shop: Project) -> None:
    run_all(shop.open(), "orders", "customers", "totals")
    shop.deliver("orders/february.csv", orders_csv(10, 500, 600))
    before = shop.open().lake.table("features.totals").current_snapshot()
    assert before is not None
    run_all(shop.open(), "orders", "customers", "totals")
    assert totals(shop) == [540, 620]
    platform = shop.open()
    roll_back(platform, plan_rollback(platform, "totals", str(before.snapshot_id)), "back")
    outcome = materialize_feature_view(platform, "totals", "after")
    assert (outcome.state, outcome.snapshot_id) == ("materialized", before.snapshot_id)
    assert totals(shop) == [40, 20]


def test_a_view_that_is_published_meanwhile_is_materialized_as_it_is_then(
    shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_all(shop.open(), "orders", "customers")
    platform = shop.open()
    compute_feature_view(platform, "totals", "first")
    register, calls = materialize_features.register_for, []

    def published_meanwhile(*arguments: Any) -> None:
        register(*arguments)
        calls.append(1)
        if len(calls) == 1:
            shop.deliver("orders/february.csv", orders_csv(10, 500, 600))
            load_table(platform, "orders", "second")
            compute_feature_view(platform, "totals", "second")

    monkeypatch.setattr(materialize_features, "register_for", published_meanwhile)
    outcome = materialize_feature_view(platform, "totals", "run")
    assert len(calls) == 2
    assert totals(shop) == [540, 620]
    assert outcome.state == "materialized"
    head = platform.lake.table("features.totals").current_snapshot()
    assert head is not None
    assert outcome.snapshot_id == head.snapshot_id
