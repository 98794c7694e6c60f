"""Historical reads by the Iceberg offline store: mapped names, shared tables, inferred types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from support.feature_lake import (
    HOUR,
    INSTANT,
    TABLE,
    FeatureLake,
    asked,
    driver,
    stats,
    trips,
    view,
)

from quality_platform.errors import MaterializationError


@pytest.fixture
def home(tmp_path: Path) -> FeatureLake:
    return FeatureLake(tmp_path)


def test_names_are_mapped_for_keys_times_and_features(home: FeatureLake) -> None:
    from feast import Field
    from feast.types import Int64

    home.publish(stats((1, 0, 10), (1, 0, 11, 1), (1, 2, 20)))
    names = {"driver": "driver_id", "at": "ts", "loaded": "created", "trips": "daily_trips"}
    mapped = view(
        timestamp_field="ts",
        created_timestamp_column="created",
        field_mapping=names,
        entities=[_driver_id()],
        schema=[Field(name="daily_trips", dtype=Int64)],
    )
    home.apply(_driver_id(), mapped)
    entities = asked((1, 1), (1, 3), key="driver_id")
    assert trips(home.store(), entities, ["stats:daily_trips"]) == [11, 20]
    # The table's own names may stand for the times as well.
    plain = view(
        field_mapping={"driver": "driver_id", "trips": "daily_trips"},
        entities=[_driver_id()],
        schema=[Field(name="daily_trips", dtype=Int64)],
    )
    store = home.apply(_driver_id(), plain)
    assert trips(store, entities, ["stats:daily_trips"]) == [11, 20]


def _driver_id() -> Any:
    from feast import Entity, ValueType

    return Entity(name="driver_id", join_keys=["driver_id"], value_type=ValueType.INT64)


def test_one_view_is_read_twice_under_other_names_of_its_key(home: FeatureLake) -> None:
    from feast import FeatureService

    home.publish(stats((1, 0, 10), (2, 0, 20)))
    stats_view = view()
    service = FeatureService(
        name="pairs",
        features=[
            stats_view[["trips"]].with_name("first").with_join_key_map({"driver": "one"}),
            stats_view[["trips"]].with_name("second").with_join_key_map({"driver": "two"}),
        ],
    )
    store = home.apply(stats_view, service)
    entities = asked((1, 1), (2, 1)).rename_columns(["one", "event_timestamp"])
    entities = entities.append_column("two", pa.array([2, 1]))
    job = store.get_historical_features(
        entity_df=entities, features=store.get_feature_service("pairs"), full_feature_names=True
    )
    assert job.to_arrow().select(["first__trips", "second__trips"]).to_pydict() == {
        "first__trips": [10, 20],
        "second__trips": [20, 10],
    }


def test_a_view_without_entities_gives_its_newest_row(home: FeatureLake) -> None:
    home.publish(stats((1, 0, 10), (1, 2, 20), (1, 2, 21, 3)))
    store = home.apply(view(entities=[], ttl=3 * HOUR))
    assert trips(store, asked((7, 1), (None, 2), (8, 5), (9, 5.1), (1, -1))) == [
        10, 21, 21, None, None,
    ]  # fmt: skip


def test_a_feature_that_the_view_lacks_is_an_error_though_the_table_has_it(
    home: FeatureLake,
) -> None:
    from feast import Field
    from feast.types import Int64

    home.publish(stats((1, 0, 10)))
    store = home.apply(view(schema=[Field(name="trips", dtype=Int64)]))
    with pytest.raises((MaterializationError, KeyError), match="rate"):
        trips(store, asked((1, 1)), ["stats:rate"])


def test_feast_infers_the_types_that_no_definition_gives(home: FeatureLake) -> None:
    from feast import Entity, FeatureView, ValueType
    from feast.types import Array, Bool, Float64, Int32, Int64, String, UnixTimestamp

    from quality_platform.feature_store.iceberg_source import IcebergTableSource

    schema = pa.schema(
        [
            ("id", pa.string()),
            ("at", INSTANT),
            ("small", pa.int32()),
            ("large", pa.int64()),
            ("share", pa.float64()),
            ("word", pa.string()),
            ("flag", pa.bool_()),
            ("seen", INSTANT),
            ("words", pa.list_(pa.string())),
        ]
    )
    home.publish([], "features.inferred", schema)
    entity = Entity(name="thing", join_keys=["id"], value_type=ValueType.STRING)
    source = IcebergTableSource(table="features.inferred", timestamp_field="at")
    store = home.apply(entity, FeatureView(name="inferred", entities=[entity], source=source))
    found = store.get_feature_view("inferred")
    assert {field.name: field.dtype for field in found.schema} == {
        "id": String,
        "small": Int32,
        "large": Int64,
        "share": Float64,
        "word": String,
        "flag": Bool,
        "seen": UnixTimestamp,
        "words": Array(String),
    }


def test_a_type_that_feast_lacks_is_refused_where_it_would_be_inferred(home: FeatureLake) -> None:
    from feast import Entity, FeatureView, ValueType

    from quality_platform.feature_store.iceberg_source import IcebergTableSource

    schema = pa.schema([("id", pa.string()), ("at", INSTANT), ("day", pa.date32())])
    home.publish([], "features.dated", schema)
    entity = Entity(name="thing", join_keys=["id"], value_type=ValueType.STRING)
    source = IcebergTableSource(table="features.dated", timestamp_field="at")
    with pytest.raises(MaterializationError, match="no type for a column"):
        home.apply(entity, FeatureView(name="dated", entities=[entity], source=source))


def test_two_sources_over_one_table_are_told_apart_by_name(home: FeatureLake) -> None:
    from feast import FeatureView

    from quality_platform.feature_store.iceberg_source import IcebergTableSource

    home.publish(stats((1, 0, 10, 5), (1, 1, 20, 2)))
    base = view()
    loaded = IcebergTableSource(table=TABLE, name="stats by load", timestamp_field="loaded")
    by_load = FeatureView(name="by_load", entities=[driver()], schema=base.schema, source=loaded)
    store = home.apply(base, by_load)
    assert trips(store, asked((1, 3))) == [20]
    assert trips(store, asked((1, 9)), ["by_load:trips"]) == [10]
    assert store.get_data_source("stats by load") == loaded
