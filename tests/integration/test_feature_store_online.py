"""Real Feast over a real Iceberg catalog: what is materialized, and what is refused."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from support.delays import (
    DELAYS,
    HOUR,
    INSTANT,
    MONDAY,
    ROUTE_VIEW,
    ROUTES,
    VIEW,
    asked,
    delays,
    flights_store,
    publish,
    registry_of,
)

from quality_platform.errors import MaterializationError, TableNotFoundError
from quality_platform.feature_store.definitions import (
    EntityDefinition,
    FeatureViewDefinition,
    StoreSettings,
)
from quality_platform.feature_store.store import (
    apply_views,
    historical_features,
    materialize,
    online_features,
    open_store,
)


@pytest.fixture
def settings(tmp_path: Path) -> StoreSettings:
    return flights_store(tmp_path)


def test_a_store_opened_by_a_user_reads_both_ways(settings: StoreSettings) -> None:
    publish(settings, "features.delays", DELAYS, delays(("JFK", 1, 5.0, 3)))
    apply_views(settings, [VIEW])
    store = open_store(settings)
    store.materialize(MONDAY, MONDAY + 9 * HOUR)
    frame = asked(("JFK", 1), ("XXX", 1)).to_pandas()
    history = store.get_historical_features(
        entity_df=frame, features=["delays:delay"], full_feature_names=True
    ).to_df()
    assert history["delays__delay"].fillna(-1).tolist() == [5.0, -1]
    online = store.get_online_features(["delays:delay"], [{"origin": "JFK"}])
    assert online.to_dict() == {"origin": ["JFK"], "delay": [5.0]}


def test_a_store_opened_from_the_written_yaml_reads_the_same(settings: StoreSettings) -> None:
    from feast import FeatureStore

    publish(settings, "features.delays", DELAYS, delays(("JFK", 1, 5.0, 3)))
    apply_views(settings, [VIEW])
    materialize(settings, VIEW)
    store = FeatureStore(repo_path=str(registry_of(settings).parent))
    online = store.get_online_features(["delays:delay"], [{"origin": "JFK"}])
    assert online.to_dict() == {"origin": ["JFK"], "delay": [5.0]}


def test_materializing_serves_the_newest_row_of_each_entity(settings: StoreSettings) -> None:
    rows = delays(("JFK", 1, 1.0, 1), ("JFK", 3, 3.0, 3), ("LGA", 2, None, 2), ("JFK", 2, 2.0, 2))
    publish(settings, "features.delays", DELAYS, rows)
    apply_views(settings, [VIEW])
    assert materialize(settings, VIEW) == 2
    wanted = [{"origin": "LGA"}, {"origin": "JFK"}, {"origin": "XXX"}]
    assert online_features(settings, ["delays:delay", "delays:flights"], wanted) == {
        "origin": ["LGA", "JFK", "XXX"],
        "delay": [None, 3.0, None],
        "flights": [2, 3, None],
    }


def test_materializing_again_serves_new_rows_and_late_ones_change_nothing(
    settings: StoreSettings,
) -> None:
    publish(settings, "features.delays", DELAYS, delays(("JFK", 5, 5.0, 5), ("LGA", 5, 5.0, 5)))
    apply_views(settings, [VIEW])
    materialize(settings, VIEW)
    new = delays(("JFK", 6, 6.0, 6), ("LGA", 4, 4.0, 4), ("EWR", 1, 1.0, 1))
    publish(settings, "features.delays", DELAYS, new)
    assert materialize(settings, VIEW) == 3
    wanted = [{"origin": "JFK"}, {"origin": "LGA"}, {"origin": "EWR"}]
    assert online_features(settings, ["delays:delay"], wanted)["delay"] == [6.0, 5.0, 1.0]


def test_materializing_a_period_takes_the_newest_row_within_it(settings: StoreSettings) -> None:
    rows = delays(("JFK", 1, 1.0, 1), ("JFK", 2, 2.0, 2), ("JFK", 3, 3.0, 3), ("LGA", 9, 9.0, 9))
    publish(settings, "features.delays", DELAYS, rows)
    apply_views(settings, [VIEW])
    assert materialize(settings, VIEW, MONDAY + HOUR, MONDAY + 2 * HOUR) == 1
    values = online_features(settings, ["delays:delay"], [{"origin": "JFK"}, {"origin": "LGA"}])
    assert values["delay"] == [2.0, None]
    assert materialize(settings, VIEW, MONDAY + 99 * HOUR) == 0


def test_a_table_without_rows_materializes_nothing(settings: StoreSettings) -> None:
    settings.lake.ensure_table("features.delays", DELAYS)
    apply_views(settings, [VIEW])
    assert materialize(settings, VIEW) == 0
    found = historical_features(settings, asked(("JFK", 1)), ["delays:delay"])
    assert found.column("delay").to_pylist() == [None]


def test_rows_of_one_entity_and_time_are_an_error_without_a_created_timestamp(
    settings: StoreSettings,
) -> None:
    publish(settings, "features.delays", DELAYS, delays(("JFK", 1, 1.0, 1), ("JFK", 1, 2.0, 2)))
    apply_views(settings, [VIEW])
    with pytest.raises(MaterializationError, match="newest cannot be told"):
        materialize(settings, VIEW)
    with pytest.raises(MaterializationError, match="newest cannot be told"):
        historical_features(settings, asked(("JFK", 9)), ["delays:delay"])


def test_of_rows_of_one_entity_and_time_the_last_created_is_served(settings: StoreSettings) -> None:
    row = {"origin": "JFK", "carrier": 1, "at": MONDAY}
    rows = [
        {**row, "loaded": MONDAY + HOUR, "delay": 1.0},
        {**row, "loaded": MONDAY + 3 * HOUR, "delay": 3.0},
        {**row, "loaded": MONDAY + 2 * HOUR, "delay": 2.0},
        {**row, "loaded": None, "delay": 0.0},
    ]
    publish(settings, "features.routes", ROUTES, rows)
    apply_views(settings, [ROUTE_VIEW])
    assert materialize(settings, ROUTE_VIEW) == 1
    wanted = [{"origin": "JFK", "carrier": 1}]
    assert online_features(settings, ["routes:delay"], wanted)["delay"] == [3.0]


@pytest.mark.parametrize("row", [(None, 1, 1.0, 1), ("JFK", None, 1.0, 1)])
def test_a_row_without_entity_or_time_is_never_materialized_in_silence(
    settings: StoreSettings, row: tuple[str | None, int | None, float, int]
) -> None:
    publish(settings, "features.delays", DELAYS, delays(row, ("LGA", 1, 1.0, 1)))
    apply_views(settings, [VIEW])
    with pytest.raises(MaterializationError, match="without an entity or an event time"):
        materialize(settings, VIEW)


def test_every_supported_type_is_served_as_it_is(settings: StoreSettings) -> None:
    values: dict[str, tuple[pa.DataType, Any]] = {
        "bool": (pa.bool_(), False),
        "int32": (pa.int32(), -(2**31)),
        "int64": (pa.int64(), -(2**63)),
        "float": (pa.float32(), 0.5),
        "double": (pa.float64(), 0.1),
        "text": (pa.string(), "naïve 'quoted'"),
        "bytes": (pa.binary(), b"\x00\xff"),
        "decimal": (pa.decimal128(20, 2), Decimal("123456789012345678.90")),
        "moment": (INSTANT, MONDAY - timedelta(days=40_000)),
    }
    features = pa.schema([(name, type_) for name, (type_, _) in values.items()])
    schema = pa.schema([("id", pa.int64()), ("at", INSTANT), *features])
    full = {"id": 1, "at": MONDAY, **{name: value for name, (_, value) in values.items()}}
    publish(settings, "features.types", schema, [full, {"id": 2, "at": MONDAY}])
    view = FeatureViewDefinition(
        "types", "features.types", (EntityDefinition("thing", "id", pa.int64()),), "at", features
    )
    apply_views(settings, [view])
    assert materialize(settings, view) == 2
    names = [f"types:{name}" for name in values]
    found = online_features(settings, names, [{"id": 1}, {"id": 2}])
    assert found == {"id": [1, 2], **{name: [value, None] for name, (_, value) in values.items()}}
    entities = pa.table({"id": [2, 1], "event_timestamp": pa.array([MONDAY] * 2, INSTANT)})
    history = historical_features(settings, entities, names)
    assert history.drop_columns("event_timestamp").to_pydict() == {
        "id": [2, 1], **{name: [None, value] for name, (_, value) in values.items()},
    }  # fmt: skip


def test_a_moment_with_a_fraction_of_a_second_is_not_cut(settings: StoreSettings) -> None:
    schema = pa.schema([("origin", pa.string()), ("at", INSTANT), ("seen", INSTANT)])
    fine = MONDAY + timedelta(microseconds=1)
    publish(settings, "features.delays", schema, [{"origin": "JFK", "at": MONDAY, "seen": fine}])
    view = replace(VIEW, features=pa.schema([("seen", INSTANT)]))
    apply_views(settings, [view])
    with pytest.raises(MaterializationError, match="whole seconds"):
        materialize(settings, view)


def test_a_view_that_was_not_applied_is_an_error(settings: StoreSettings) -> None:
    publish(settings, "features.delays", DELAYS, delays(("JFK", 1, 1.0, 1)))
    for read in (
        lambda: materialize(settings, VIEW),
        lambda: online_features(settings, ["delays:delay"], [{"origin": "JFK"}]),
        lambda: historical_features(settings, asked(("JFK", 1)), ["delays:delay"]),
    ):
        with pytest.raises(MaterializationError, match="delays"):
            read()


def test_a_view_whose_table_was_never_published_is_an_error(settings: StoreSettings) -> None:
    apply_views(settings, [VIEW])
    with pytest.raises(TableNotFoundError, match=r"features\.delays"):
        materialize(settings, VIEW)


def test_a_feature_that_the_table_lacks_is_an_error(settings: StoreSettings) -> None:
    publish(settings, "features.delays", DELAYS, delays(("JFK", 1, 1.0, 1)))
    view = replace(VIEW, features=pa.schema([("speed", pa.float64())]))
    apply_views(settings, [view])
    with pytest.raises(MaterializationError, match="no column 'speed'"):
        materialize(settings, view)


def test_an_unknown_feature_and_a_missing_join_key_are_errors(settings: StoreSettings) -> None:
    publish(settings, "features.delays", DELAYS, delays(("JFK", 1, 1.0, 1)))
    apply_views(settings, [VIEW])
    with pytest.raises(MaterializationError, match="speed"):
        online_features(settings, ["delays:speed"], [{"origin": "JFK"}])
    with pytest.raises(MaterializationError, match="row 1 lacks the join key 'origin'"):
        online_features(settings, ["delays:delay"], [{"origin": "JFK"}, {"orign": "LGA"}])
    assert online_features(settings, ["delays:delay"], []) == {}


def test_nothing_is_printed_and_no_warning_is_logged(
    settings: StoreSettings,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    publish(settings, "features.delays", DELAYS, delays(("JFK", 1, 1.0, 1)))
    capfd.readouterr()
    caplog.clear()
    apply_views(settings, [VIEW])
    materialize(settings, VIEW)
    online_features(settings, ["delays:delay"], [{"origin": "JFK"}])
    historical_features(settings, asked(("JFK", 1)), ["delays:delay"])
    assert capfd.readouterr() == ("", "")
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []
