"""Feast's registry: what applying views writes there, and what it refuses."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from support.delays import (
    DELAYS,
    HOUR,
    MONDAY,
    ROUTE_VIEW,
    VIEW,
    delays,
    flights_store,
    publish,
    registry_of,
)

from quality_platform.errors import MaterializationError
from quality_platform.feature_store.definitions import (
    EntityDefinition,
    FeatureViewDefinition,
    StoreSettings,
)
from quality_platform.feature_store.store import (
    apply_views,
    materialize,
    online_features,
    open_store,
)


@pytest.fixture
def settings(tmp_path: Path) -> StoreSettings:
    return flights_store(tmp_path)


def registered(settings: StoreSettings) -> dict[str, list[Any]]:
    """Everything in the registry that an apply writes."""
    tables = ("entities", "data_sources", "feature_views", "feature_view_version_history")
    registry = sqlite3.connect(registry_of(settings))
    try:
        return {table: registry.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
    finally:
        registry.close()


def test_applying_again_changes_nothing_and_keeps_what_was_materialized(
    settings: StoreSettings,
) -> None:
    publish(settings, "features.delays", DELAYS, delays(("JFK", 1, 1.0, 1)))
    apply_views(settings, [VIEW])
    materialize(settings, VIEW)
    before = registered(settings)
    apply_views(settings, [VIEW])
    assert registered(settings) == before
    view = open_store(settings).get_feature_view("delays")
    assert len(view.materialization_intervals) == 1
    assert online_features(settings, ["delays:delay"], [{"origin": "JFK"}])["delay"] == [1.0]


def test_applying_one_view_leaves_the_others(settings: StoreSettings) -> None:
    apply_views(settings, [VIEW])
    apply_views(settings, [ROUTE_VIEW])
    assert {view.name for view in open_store(settings).list_feature_views()} == {"delays", "routes"}


def test_views_applied_at_the_same_time_to_a_new_store_are_all_registered(
    settings: StoreSettings,
) -> None:
    names = {"first", "second", "third", "fourth"}
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: apply_views(settings, [replace(VIEW, name=name)]), names))
    assert {view.name for view in open_store(settings).list_feature_views()} == names


def test_the_registered_view_carries_its_contract_and_descriptions(settings: StoreSettings) -> None:
    apply_views(settings, [replace(VIEW, owner="data@example.org", description="Delays.")])
    view = open_store(settings).get_feature_view("delays")
    assert (view.tags, view.owner, view.description) == (
        {"odcs": "delays@1.0.0"}, "data@example.org", "Delays.",
    )  # fmt: skip
    assert {field.name: field.description for field in view.features}["delay"] == "mean delay"


def test_the_registry_tells_which_event_times_were_materialized(settings: StoreSettings) -> None:
    publish(settings, "features.delays", DELAYS, delays(("JFK", 1, 1.0, 1), ("LGA", 7, 2.0, 2)))
    apply_views(settings, [VIEW])
    materialize(settings, VIEW)
    materialize(settings, VIEW)
    view = open_store(settings).get_feature_view("delays")
    assert view.materialization_intervals == [(MONDAY + HOUR, MONDAY + 7 * HOUR)]


@pytest.mark.parametrize(
    "secret",
    [
        {"uri": "postgresql+psycopg2://user:hunter2@db/catalog"},
        {"uri": "postgresql+psycopg2://db/catalog?password=hunter2"},
        {"s3.secret-access-key": "hunter2"},
    ],
)
def test_the_yaml_names_a_variable_where_the_catalog_may_hold_credentials(
    settings: StoreSettings, secret: dict[str, str]
) -> None:
    lake = replace(settings.lake, properties={**settings.lake.properties, **secret})
    apply_views(replace(settings, lake=lake), [VIEW])
    written = (registry_of(settings).parent / "feature_store.yaml").read_text(encoding="utf-8")
    assert "hunter2" not in written
    assert "${QUALITY_PLATFORM_FEAST_LAKE_" in written


@pytest.mark.parametrize(
    ("view", "message"),
    [
        (replace(VIEW, features=pa.schema([("day", pa.time64("us"))])), "no type for the column"),
        (replace(VIEW, features=pa.schema([])), "at least one entity and one feature"),
        (replace(VIEW, entities=()), "at least one entity and one feature"),
        (
            replace(VIEW, entities=(EntityDefinition("airport", "origin", pa.float64()),)),
            "by a key of this type",
        ),
    ],
)
def test_a_definition_that_feast_cannot_hold_is_refused(
    settings: StoreSettings, view: FeatureViewDefinition, message: str
) -> None:
    with pytest.raises(MaterializationError, match=message):
        apply_views(settings, [view])


def test_one_entity_with_two_meanings_is_refused(settings: StoreSettings) -> None:
    other = replace(ROUTE_VIEW, entities=(EntityDefinition("airport", "dest", pa.string()),))
    with pytest.raises(MaterializationError, match="'airport' differently"):
        apply_views(settings, [VIEW, other])


def test_feast_is_imported_on_first_use_and_leaves_the_warning_filters_alone() -> None:
    script = (
        "import sys, warnings\n"
        "import quality_platform.feature_store.store as store\n"
        "assert 'feast' not in sys.modules\n"
        "before = list(warnings.filters)\n"
        "with store.feast_errors(None, 'x'):\n"
        "    import feast\n"
        "assert warnings.filters == before\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
