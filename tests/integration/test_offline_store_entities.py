"""Entity rows for the Iceberg offline store: frames, Arrow, SQL over the lake, or none at all."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from support.feature_lake import HOUR, INSTANT, MONDAY, FeatureLake, asked, stats, trips, view
from support.iceberg_deletes import delete_by_position

from quality_platform.errors import MaterializationError, PredicateError, TableNotFoundError

ORDERS = pa.schema([("id", pa.int64()), ("driver", pa.int64()), ("placed", INSTANT)])
QUERY = "SELECT driver, placed AS event_timestamp, id FROM shop.orders WHERE id < 3 ORDER BY id"


@pytest.fixture
def home(tmp_path: Path) -> FeatureLake:
    found = FeatureLake(tmp_path)
    found.publish(stats((1, 0, 10), (2, 0, 20), (1, 2, 11)))
    orders = [(0, 1, 1), (1, 2, 1), (2, 1, 3), (3, 1, 9)]
    found.publish(
        [{"id": n, "driver": driver, "placed": MONDAY + at * HOUR} for n, driver, at in orders],
        table="shop.orders",
        schema=ORDERS,
    )
    return found


def test_a_query_gives_the_entity_rows(home: FeatureLake) -> None:
    store = home.apply(view())
    job = store.get_historical_features(entity_df=QUERY, features=["stats:trips"])
    found = job.to_arrow()
    assert found.schema.names == ["driver", "event_timestamp", "id", "trips"]
    assert found["id"].to_pylist() == [0, 1, 2]
    assert found["trips"].to_pylist() == [10, 20, 11]


def test_the_tables_of_a_query_are_read_at_their_pins(home: FeatureLake) -> None:
    table = home.lake.table("shop.orders")
    old = table.current_snapshot()
    assert old is not None
    more = {"id": -1, "driver": 2, "placed": MONDAY}
    home.publish([more], table="shop.orders", schema=ORDERS)
    home.apply(view())
    assert trips(home.store(), QUERY) == [20, 10, 20, 11]
    assert trips(home.store(refs={"shop.orders": str(old.snapshot_id)}), QUERY) == [10, 20, 11]


def test_a_query_sees_tables_without_rows_and_without_deleted_rows(home: FeatureLake) -> None:
    home.lake.ensure_table("shop.refunds", ORDERS)
    delete_by_position(home.lake.table("shop.orders"), 0)
    store = home.apply(view())
    query = (
        "WITH every AS (SELECT * FROM shop.orders UNION ALL SELECT * FROM shop.refunds) "
        "SELECT driver, placed AS event_timestamp FROM every ORDER BY id"
    )
    assert trips(store, query) == [20, 11, 11]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS driver, now() AS event_timestamp FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM orders",
        "WITH orders AS (SELECT * FROM orders) SELECT * FROM lake.shop.orders",
        "COPY shop.orders TO '/tmp/stolen.csv'",
        "SELECT 1; DROP TABLE shop.orders",
        "not SQL at all (",
        "",
    ],
)
def test_a_query_that_could_reach_anything_else_is_refused(home: FeatureLake, query: str) -> None:
    store = home.apply(view())
    with pytest.raises(PredicateError):
        trips(store, query)


def test_a_query_names_itself_and_finds_no_file_instead(home: FeatureLake, tmp_path: Path) -> None:
    (tmp_path / "orders").write_text("driver\n1\n")
    store = home.apply(view())
    with pytest.raises(MaterializationError, match="could not run the query"):
        trips(store, "WITH orders AS (SELECT * FROM orders) SELECT * FROM orders")


def test_a_value_that_a_query_cannot_convert_is_not_told(home: FeatureLake) -> None:
    store = home.apply(view())
    query = "SELECT ('secret-' || id)::INT AS driver, placed AS event_timestamp FROM shop.orders"
    with pytest.raises(MaterializationError, match="ConversionException") as raised:
        trips(store, query)
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_query_of_a_table_or_column_that_is_not_there_is_an_error(home: FeatureLake) -> None:
    store = home.apply(view())
    with pytest.raises(TableNotFoundError, match=r"shop\.parcels"):
        trips(store, "SELECT * FROM shop.parcels")
    with pytest.raises(MaterializationError, match="parcel"):
        trips(store, "SELECT parcel FROM shop.orders")
    with pytest.raises(MaterializationError, match="which column holds the moments"):
        trips(store, "SELECT id AS driver FROM shop.orders")


def test_without_entity_rows_every_entity_and_time_of_the_period_is_one(home: FeatureLake) -> None:
    store = home.apply(view())
    job = store.get_historical_features(
        features=["stats:trips"], start_date=MONDAY, end_date=MONDAY + HOUR
    )
    assert job.to_arrow().to_pydict() == {
        "driver": [1, 2],
        "event_timestamp": [MONDAY, MONDAY],
        "trips": [10, 20],
    }
    every = store.get_historical_features(
        features=["stats:trips"], start_date=MONDAY, end_date=MONDAY + 9 * HOUR
    )
    assert every.to_arrow()["trips"].to_pylist() == [10, 20, 11]


def test_without_entity_rows_views_of_the_same_entities_are_put_together(home: FeatureLake) -> None:
    home.publish(stats((3, 1, 30), (1, 1, 13)), table="features.more")
    store = home.apply(view(), view("more", "features.more"))
    job = store.get_historical_features(
        features=["stats:trips", "more:trips"],
        full_feature_names=True,
        start_date=MONDAY,
        end_date=MONDAY + 9 * HOUR,
    )
    found = job.to_arrow()
    assert found["driver"].to_pylist() == [1, 2, 1, 3, 1]
    assert found["stats__trips"].to_pylist() == [10, 20, 10, None, 11]
    assert found["more__trips"].to_pylist() == [None, None, 13, 30, 13]


def test_without_entity_rows_views_of_different_entities_are_refused(home: FeatureLake) -> None:
    from feast import Entity, Field, ValueType
    from feast.types import Int64

    order = Entity(name="order", join_keys=["id"], value_type=ValueType.INT64)
    orders = view(
        "orders",
        "shop.orders",
        entities=[order],
        schema=[Field(name="driver", dtype=Int64)],
        timestamp_field="placed",
        created_timestamp_column="",
    )
    store = home.apply(view(), order, orders)
    with pytest.raises(MaterializationError, match="must have the same join keys"):
        store.get_historical_features(
            features=["stats:trips", "orders:driver"], start_date=MONDAY, end_date=MONDAY
        )


def test_without_a_start_the_longest_ttl_counts(home: FeatureLake) -> None:
    store = home.apply(view(ttl=HOUR))
    job = store.get_historical_features(features=["stats:trips"], end_date=MONDAY + 2.5 * HOUR)
    assert job.to_arrow()["trips"].to_pylist() == [11]


@pytest.mark.parametrize("kind", ["frame", "arrow frame", "table"])
def test_every_entity_row_comes_back_as_it_was(home: FeatureLake, kind: str) -> None:
    entities = asked((2, 9), (1, 9), (1, 9), (None, 9), (1, -1), (9, 9), (1, None))
    entities = entities.append_column("label", pa.array([None, *range(6)], pa.int32()))
    given: Any = entities
    if kind != "table":
        given = entities.to_pandas(types_mapper=pd.ArrowDtype if kind == "arrow frame" else None)
    job = home.apply(view()).get_historical_features(entity_df=given, features=["stats:trips"])
    found = job.to_arrow()
    assert found["trips"].to_pylist() == [20, 11, 11, None, None, None, None]
    assert found["trips"].type == pa.int64()
    assert found.num_rows == entities.num_rows
    if kind != "frame":
        assert found.drop_columns("trips").equals(entities)


def test_no_entity_rows_give_no_rows(home: FeatureLake) -> None:
    store = home.apply(view())
    found = store.get_historical_features(entity_df=asked(), features=["stats:trips"]).to_arrow()
    assert found.num_rows == 0
    assert found.schema.field("trips").type == pa.int64()


@pytest.mark.parametrize(
    ("keys", "told"),
    [(["1"], "not of the type"), ([1.5], "not of the type"), ([{"a": 1}], "not of the type")],
)
def test_a_key_of_another_type_is_refused_and_not_told(
    home: FeatureLake, keys: list[Any], told: str
) -> None:
    store = home.apply(view())
    entities = asked((1, 1)).set_column(0, "driver", pa.array(keys))
    with pytest.raises(MaterializationError, match=told) as raised:
        trips(store, entities)
    assert "1.5" not in str(raised.value)


def test_a_column_of_mixed_values_is_refused_and_not_told(home: FeatureLake) -> None:
    store = home.apply(view())
    frame = pd.DataFrame(
        {"driver": [1, 1], "event_timestamp": [MONDAY] * 2, "note": [1, b"secret"]}
    )
    with pytest.raises(MaterializationError, match="entity rows cannot be read") as raised:
        trips(store, frame)
    assert "secret" not in str(raised.value)


def test_keys_compare_by_value_whatever_their_types_are(home: FeatureLake) -> None:
    store = home.apply(view())
    for column in (
        pa.array([1, None], pa.uint8()),
        pa.array([1.0, None]),
        pa.array([1, None], pa.int32()).dictionary_encode(),
        pa.array([1, None], pa.uint64()),
    ):
        assert trips(store, asked((1, 1), (1, 1)).set_column(0, "driver", column)) == [10, None]


def test_moments_in_other_zones_and_units_mean_the_same(home: FeatureLake) -> None:
    store = home.apply(view())
    moments = pa.array([MONDAY + timedelta(hours=2)], INSTANT)
    for kind in (
        pa.timestamp("s"),
        pa.timestamp("ns", "America/New_York"),
        pa.timestamp("ms", "UTC"),
    ):
        entities = asked((1, 0)).set_column(1, "event_timestamp", moments.cast(kind))
        assert trips(store, entities) == [11]
