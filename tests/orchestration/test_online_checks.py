"""The online store's asset in Dagster, and the check that it gives what is published."""

from __future__ import annotations

import sqlite3

import dagster as dg
import pytest
from support.dagster_runs import evaluations, materialized, metadata, run, run_checks
from support.online_shop import online_shop
from support.project import Project, rows_of_table

from quality_platform.flows.platform import Platform, open_platform
from quality_platform.history.records import RUNS
from quality_platform.orchestration.build import build_definitions
from quality_platform.orchestration.keys import online_op

CHECK = "online_is_as_published"


@pytest.fixture
def compared(project: Project) -> Project:
    """The shop with its totals online, compared after every materialization."""
    return online_shop(project, skew={})


def lose_a_customer(platform: Platform) -> None:
    """Takes one of the two customers out of the online store."""
    table = "quality_platform_totals"
    with sqlite3.connect(platform.home / "feast" / "online.db") as store:
        [(key,), *_] = store.execute(f"SELECT DISTINCT entity_key FROM {table}").fetchall()
        store.execute(f"DELETE FROM {table} WHERE entity_key = ?", (key,))
    store.close()


def test_the_check_runs_with_the_materialization_and_by_itself(
    compared: Project, instance: dg.DagsterInstance
) -> None:
    platform = compared.open()
    result = run(platform, instance)
    assert result.success
    good = evaluations(result, "online/totals")[CHECK]
    assert good.passed
    assert good.metadata["rows_judged"].value == 2
    lose_a_customer(platform)
    again = run_checks(platform, instance, "online/totals", CHECK)
    assert materialized(again) == []
    bad = evaluations(again, "online/totals")[CHECK]
    assert (bad.passed, bad.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert bad.description == "of 2 entities 1 are absent online (limit 0.00%)"
    assert "are absent online" in bad.metadata["detail"].value
    assert not again.success
    found = [row for row in rows_of_table(platform, RUNS) if row["table"] == "skew.totals"]
    numbers = {row["run_id"]: (row["checks_passed"], row["checks_failed"]) for row in found}
    assert numbers == {result.run_id: (1, 0), again.run_id: (0, 1)}


def test_a_skew_that_is_a_warning_fails_no_run(
    compared: Project, instance: dg.DagsterInstance
) -> None:
    online_shop(compared, skew={"severity": "warning"})
    platform = compared.open()
    run(platform, instance)
    lose_a_customer(platform)
    again = run_checks(platform, instance, "online/totals", CHECK)
    assert again.success
    assert evaluations(again, "online/totals")[CHECK].severity is dg.AssetCheckSeverity.WARN


def test_a_run_that_is_told_to_builds_a_damaged_store_anew(
    compared: Project, instance: dg.DagsterInstance
) -> None:
    platform = compared.open()
    run(platform, instance)
    lose_a_customer(platform)
    online = ["online/totals"]
    # The store's own note says that all is there.
    assert not run(platform, instance, online).success
    again = run(platform, instance, online, config={online_op("totals"): {"rebuild": True}})
    assert again.success
    told = metadata(again, "online/totals")
    assert (told["extent"], told["entity_rows"]) == ("rebuilt", 2)
    assert evaluations(again, "online/totals")[CHECK].passed


@pytest.mark.parametrize(("settings", "names"), [({"skew": {}}, {CHECK}), ({}, set())])
def test_only_a_view_with_skew_has_the_check(
    project: Project, settings: dict[str, object], names: set[str]
) -> None:
    definitions = build_definitions(online_shop(project, **settings).open())
    keys = definitions.resolve_asset_graph().asset_check_keys
    assert {key.name for key in keys if key.asset_key.path[0] == "online"} == names


def test_the_asset_says_which_store_it_is_in(project: Project) -> None:
    shop = online_shop(project)
    shop.settings["feature_store"] = {"online_store": {"type": "redis", "host": "redis.example"}}
    definitions = build_definitions(shop.open())
    [spec] = [
        spec
        for spec in definitions.resolve_all_asset_specs()
        if spec.key == dg.AssetKey(["online", "totals"])
    ]
    assert spec.kinds == {"feast", "redis"}


def test_a_broken_service_is_shown_as_what_it_is_and_stops_nothing_else(project: Project) -> None:
    shop = online_shop(project)
    shop.settings["feature_services"] = {"offers": {"features": ["totals:nothing"]}}
    graph = build_definitions(open_platform(shop.write_runner())).resolve_asset_graph()
    broken = graph.get(dg.AssetKey(["broken", "feature_services_offers"]))
    assert "This feature service is broken" in (broken.description or "")
    assert dg.AssetKey(["online", "totals"]) in graph.get_all_asset_keys()
