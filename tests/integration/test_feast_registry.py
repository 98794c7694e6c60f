"""Feast's registry is what is declared: services, on-demand views, and nothing besides."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pytest
from support.feature_rows import published_rows, store_in

from quality_platform.errors import MaterializationError
from quality_platform.feature_store.definitions import (
    EntityDefinition,
    FeatureChoice,
    FeatureServiceDefinition,
    FeatureViewDefinition,
    OnDemandViewDefinition,
    StoreDefinitions,
    StoreSettings,
)
from quality_platform.feature_store.store import (
    apply_definitions,
    historical_features,
    materialize,
    online_features,
    open_store,
)

INSTANT = pa.timestamp("us", "UTC")
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
ROWS = pa.schema([("origin", pa.string()), ("at", INSTANT), ("delay", pa.float64())])
DELAYS = FeatureViewDefinition(
    name="delays",
    table="features.delays",
    entities=(EntityDefinition("airport", "origin", pa.string()),),
    event_timestamp="at",
    features=pa.schema([("delay", pa.float64())]),
    ttl=timedelta(days=1),
    owner="data@example.org",
)
WEATHER = replace(
    DELAYS,
    name="weather",
    table="features.weather",
    entities=(EntityDefinition("station", "code", pa.int64()),),
    features=pa.schema([("rain", pa.float64()), ("wind", pa.float64())]),
)
LATE = OnDemandViewDefinition(
    name="late",
    python="support.feature_functions:share_of_long",
    inputs=(FeatureChoice("delays"),),
    request={"limit": "double"},
    features={"hours": "double", "is_long": "boolean"},
    description="Hours, and whether that is long.",
)
SERVICE = FeatureServiceDefinition(
    name="ranking",
    features=(FeatureChoice("delays", ("delay",)), FeatureChoice("late")),
    owner="data@example.org",
    tags={"model": "ranking"},
)
ALL = StoreDefinitions((DELAYS, WEATHER), (SERVICE,), (LATE,))


@pytest.fixture
def settings(tmp_path: Path) -> StoreSettings:
    return store_in(tmp_path, project="flights")


def names(settings: StoreSettings) -> dict[str, set[str]]:
    """What the registry holds of the settings' project, by kind."""
    store = open_store(settings)
    return {
        "entities": {found.name for found in store.list_entities()} - {"__dummy"},
        "views": {found.name for found in store.list_feature_views()},
        "on_demand": {found.name for found in store.list_on_demand_feature_views()},
        "services": {found.name for found in store.list_feature_services()},
        "sources": {found.name for found in store.list_data_sources()},
    }


EVERYTHING = {
    "entities": {"airport", "station"},
    "views": {"delays", "weather"},
    "on_demand": {"late"},
    "services": {"ranking"},
    "sources": {"features.delays", "features.weather", "late_request"},
}


def publish(settings: StoreSettings, *rows: tuple[str, int, float | None]) -> None:
    """Rows of (origin, hours after Monday, delay)."""
    found = [{"origin": o, "at": MONDAY + timedelta(hours=h), "delay": d} for o, h, d in rows]
    published_rows(settings.lake, "features.delays", ROWS, found)


def test_all_that_is_declared_is_registered(settings: StoreSettings) -> None:
    applied = apply_definitions(settings, ALL)
    assert names(settings) == EVERYTHING
    assert set(applied.names) == {"airport", "station", "delays", "weather", "late", "ranking"}
    assert (applied.removed, applied.errors) == ((), {})
    service = open_store(settings).get_feature_service("ranking")
    assert (service.owner, service.tags) == ("data@example.org", {"model": "ranking"})
    chosen = {p.name: [f.name for f in p.features] for p in service.feature_view_projections}
    assert chosen == {"delays": ["delay"], "late": ["hours", "is_long"]}


def test_what_is_no_longer_declared_is_removed(settings: StoreSettings) -> None:
    apply_definitions(settings, ALL)
    applied = apply_definitions(settings, StoreDefinitions((DELAYS,)))
    assert names(settings) == {
        "entities": {"airport"},
        "views": {"delays"},
        "on_demand": set(),
        "services": set(),
        "sources": {"features.delays"},
    }
    assert {"weather", "late", "ranking", "station"} <= set(applied.removed)


def test_another_project_in_the_registry_stays_as_it_is(settings: StoreSettings) -> None:
    other = replace(settings, project="others")
    apply_definitions(other, ALL)
    apply_definitions(settings, ALL)
    apply_definitions(settings, StoreDefinitions())
    assert names(other) == EVERYTHING
    assert names(settings)["views"] == set()


def test_what_is_broken_for_now_stays_registered(settings: StoreSettings) -> None:
    apply_definitions(settings, ALL)
    kept = frozenset({"delays", "late", "ranking"})
    apply_definitions(settings, StoreDefinitions((WEATHER,), kept=kept))
    assert names(settings) == EVERYTHING


def test_one_that_cannot_be_registered_stops_no_other(settings: StoreSettings) -> None:
    apply_definitions(settings, ALL)
    broken = replace(LATE, python="support.feature_functions:fails")
    unfit = replace(WEATHER, features=pa.schema([("noon", pa.time64("us"))]))
    new = replace(SERVICE, name="other", features=(FeatureChoice("delays"),))
    applied = apply_definitions(settings, StoreDefinitions((DELAYS, unfit), (new,), (broken,)))
    assert set(applied.errors) == {"late", "weather"}
    assert "LookupError: no 3" in str(applied.errors["late"])
    assert applied.removed == ("ranking",)
    assert names(settings) == {**EVERYTHING, "services": {"other"}}


def test_a_change_that_feast_itself_does_not_see_is_registered(settings: StoreSettings) -> None:
    apply_definitions(settings, ALL)
    changed = replace(LATE, features={"hours": "double"}, tags={"a": "b"}, owner="o@example.org")
    service = replace(SERVICE, features=(FeatureChoice("late", ("hours",)),), tags={})
    apply_definitions(settings, StoreDefinitions((DELAYS, WEATHER), (service,), (changed,)))
    store = open_store(settings)
    view = store.get_on_demand_feature_view("late")
    assert [field.name for field in view.features] == ["hours"]
    assert (view.tags, view.owner) == ({"a": "b"}, "o@example.org")
    assert store.get_feature_service("ranking").tags == {}


def test_applying_again_changes_nothing_and_keeps_what_was_materialized(
    settings: StoreSettings,
) -> None:
    publish(settings, ("JFK", 1, 90.0))
    apply_definitions(settings, ALL)
    materialize(settings, DELAYS)
    store = open_store(settings)
    before = [store.get_feature_view("delays"), store.get_on_demand_feature_view("late")]
    stamps = [view.last_updated_timestamp for view in before]
    applied = apply_definitions(settings, ALL)
    store = open_store(settings)
    after = [store.get_feature_view("delays"), store.get_on_demand_feature_view("late")]
    assert applied.removed == ()
    assert [view.last_updated_timestamp for view in after] == stamps
    assert len(after[0].materialization_intervals) == 1


@pytest.mark.parametrize(
    ("function", "mode"), [("share_of_long", "python"), ("frame_hours", "pandas")]
)
def test_features_are_computed_when_they_are_asked_for(
    settings: StoreSettings, function: str, mode: Literal["python", "pandas"]
) -> None:
    publish(settings, ("JFK", 1, 90.0), ("LGA", 1, 30.0))
    python = f"support.feature_functions:{function}"
    view = replace(LATE, python=python, mode=mode, features={"hours": "double"})
    apply_definitions(settings, StoreDefinitions((DELAYS,), (), (view,)))
    materialize(settings, DELAYS)
    asked = [{"origin": "JFK", "limit": 60.0}, {"origin": "LGA", "limit": 60.0}]
    assert online_features(settings, ["late:hours"], asked)["hours"] == [1.5, 0.5]
    with pytest.raises(MaterializationError, match="lacks the join key 'limit'"):
        online_features(settings, ["late:hours"], [{"origin": "JFK"}])
    entities = pa.table(
        {
            "origin": ["JFK"],
            "limit": [60.0],
            "event_timestamp": pa.array([MONDAY + timedelta(hours=2)], INSTANT),
        }
    )
    assert historical_features(settings, entities, ["late:hours"])["hours"].to_pylist() == [1.5]


def test_a_service_is_read_by_its_name(settings: StoreSettings) -> None:
    publish(settings, ("JFK", 1, 90.0))
    apply_definitions(settings, ALL)
    materialize(settings, DELAYS)
    store = open_store(settings)
    found = store.get_online_features(
        store.get_feature_service("ranking"), [{"origin": "JFK", "limit": 60.0}]
    ).to_dict()
    assert (found["delay"], found["hours"], found["is_long"]) == ([90.0], [1.5], [True])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"python": "support.no_such_module:f"}, "cannot be imported: ModuleNotFoundError"),
        ({"python": "support.feature_functions:nothing"}, "cannot be imported: AttributeError"),
        ({"python": "support.feature_functions:math"}, "not a function"),
        ({"python": "support.feature_functions:fails"}, "LookupError"),
        ({"features": {"minutes": "double"}}, "does not give the features that are declared"),
        ({"features": {"hours": "string"}}, r"hours \(Float64\)"),
        ({"inputs": (FeatureChoice("nothing"),)}, "no feature view 'nothing'"),
        ({"inputs": (FeatureChoice("delays", ("speed",)),)}, "no feature 'speed'"),
    ],
)
def test_an_on_demand_view_that_cannot_be_says_why(
    settings: StoreSettings, change: dict[str, Any], message: str
) -> None:
    broken = replace(LATE, **change)
    applied = apply_definitions(settings, StoreDefinitions((DELAYS,), (), (broken,)))
    with pytest.raises(MaterializationError, match=message):
        raise applied.errors["late"]


def test_what_needs_a_view_that_cannot_be_registered_is_told_that(settings: StoreSettings) -> None:
    failing = replace(LATE, python="support.feature_functions:fails")
    applied = apply_definitions(settings, StoreDefinitions((DELAYS,), (SERVICE,), (failing,)))
    assert "LookupError" in str(applied.errors["late"])
    told = "needs the feature view 'late', which cannot be registered"
    assert applied.errors["ranking"].problems[0].message == told
