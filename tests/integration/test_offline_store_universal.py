"""What Feast's universal test suite expects of an offline store, on data like its own.

Rides: statistics of customers, drivers, orders of both, places, and of the whole company; a view
with mapped names; features computed on demand. docs/offline-store.md lists the expectations.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from support.feature_lake import HOUR, INSTANT, MONDAY, FeatureLake

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*experimental feature:RuntimeWarning",
    "ignore:On demand feature view is:RuntimeWarning",
)


@dataclass(frozen=True)
class Kind:
    """One feature view: its keys by the entity rows' columns, its feature, its TTL."""

    name: str
    keys: Mapping[str, str]
    feature: str
    type: pa.DataType
    ttl: timedelta | None = None
    columns: Mapping[str, str] | None = None

    @property
    def table(self) -> str:
        return f"rides.{self.name}"

    def column(self, name: str) -> str:
        """The table's column for a name."""
        return (self.columns or {}).get(name, name)


DAY, TTL = timedelta(days=1), timedelta(hours=6)
CUSTOMER = Kind("customer_profile", {"customer_id": "customer_id"}, "balance", pa.float32(), TTL)
DRIVER = Kind("driver_stats", {"driver_id": "driver_id"}, "conv_rate", pa.float64(), DAY)
ORDER = Kind(
    "order",
    {"customer_id": "customer_id", "driver_id": "driver_id"},
    "order_is_success",
    pa.int32(),
)
GLOBAL = Kind("global_stats", {}, "num_rides", pa.int32(), 3 * HOUR)
MAPPED = Kind(
    "field_mapping", {"driver_id": "driver_id"}, "feature_name", pa.int32(), None,
    {"driver_id": "id", "feature_name": "column_name"},
)  # fmt: skip
ORIGIN = Kind("location", {"location_id": "origin_id"}, "temperature", pa.int32())
DESTINATION = Kind("location", {"location_id": "destination_id"}, "temperature", pa.int32())
KINDS = (CUSTOMER, DRIVER, ORDER, GLOBAL, MAPPED)
IDS = {"customer_id": 1000, "driver_id": 5000, "location_id": 1}


@dataclass(frozen=True)
class Rides:
    """The store, what its tables hold, and rows to ask it for."""

    home: FeatureLake
    store: Any
    rows: Mapping[str, Sequence[Mapping[str, Any]]]
    entities: pa.Table

    def expected(self, kind: Kind, *, ttl: bool = True) -> list[Any]:
        """The values of a view by the definition."""
        return [
            value_at(self.rows[kind.name], kind, row, kind.ttl if ttl else None)
            for row in self.entities.to_pylist()
        ]


def value_at(
    rows: Sequence[Mapping[str, Any]], kind: Kind, asked: Mapping[str, Any], ttl: timedelta | None
) -> Any:
    moment: datetime = asked["event_timestamp"]
    candidates = [
        row
        for row in rows
        if all(row[kind.column(key)] == asked[name] for key, name in kind.keys.items())
        and row["event_timestamp"] <= moment
        and (ttl is None or row["event_timestamp"] >= moment - ttl)
    ]
    order = ("event_timestamp", "created")
    newest = max(candidates, key=lambda row: tuple(row[name] for name in order), default=None)
    return None if newest is None else newest[kind.column(kind.feature)]


@pytest.fixture(scope="module")
def rides(tmp_path_factory: pytest.TempPathFactory) -> Rides:
    home, chance = FeatureLake(tmp_path_factory.mktemp("rides")), random.Random(0)
    rows = {kind.name: rows_of(kind, chance) for kind in (*KINDS, ORIGIN)}
    for kind in (*KINDS, ORIGIN):
        home.publish(rows[kind.name], kind.table, schema_of(kind))
    orders = [
        {
            "order_id": number,
            "customer_id": 1000 + chance.randrange(6),
            "driver_id": 5000 + chance.randrange(6),
            "origin_id": 1 + chance.randrange(6),
            "destination_id": 1 + chance.randrange(6),
            "event_timestamp": MONDAY + chance.uniform(0, 100) * HOUR,
        }
        for number in range(60)
    ]
    entities = pa.Table.from_pylist(orders)
    home.publish(orders, "rides.orders", entities.schema)
    return Rides(home, applied(home), rows, entities)


def rows_of(kind: Kind, chance: random.Random) -> list[dict[str, Any]]:
    """Rows of a view's table; some of one entity and event time, loaded one after the other."""
    return [
        {
            **{kind.column(key): IDS[key] + chance.randrange(5) for key in kind.keys},
            "event_timestamp": MONDAY + chance.randrange(0, 100, 4) * HOUR,
            "created": MONDAY + number * timedelta(seconds=1),
            kind.column(kind.feature): number,
        }
        for number in range(150)
    ]


def schema_of(kind: Kind) -> pa.Schema:
    keys = [(kind.column(key), pa.int64()) for key in kind.keys]
    times = [("event_timestamp", INSTANT), ("created", INSTANT)]
    return pa.schema([*keys, *times, (kind.column(kind.feature), kind.type)])


def applied(home: FeatureLake, *, ttl: bool = True) -> Any:
    """The store with all views, the services of Feast's suite, and one view on demand."""
    from feast import Entity, FeatureService, Field, RequestSource, ValueType
    from feast.on_demand_feature_view import on_demand_feature_view
    from feast.types import Float64, Int64

    entities = {key: Entity(name=key, join_keys=[key], value_type=ValueType.INT64) for key in IDS}
    views = {
        kind.name: view_of(kind, [entities[key] for key in kind.keys], ttl=ttl)
        for kind in (*KINDS, ORIGIN)
    }
    request = RequestSource(name="request", schema=[Field(name="val_to_add", dtype=Int64)])

    @on_demand_feature_view(
        sources=[views["driver_stats"], request],
        schema=[
            Field(name="plus_100", dtype=Float64),
            Field(name="plus_val", dtype=Float64),
        ],
        mode="pandas",
    )
    def conv_rate_plus(inputs: pd.DataFrame) -> pd.DataFrame:
        found = pd.DataFrame()
        found["plus_100"] = inputs["conv_rate"] + 100.0
        found["plus_val"] = inputs["conv_rate"] + inputs["val_to_add"]
        return found

    places = FeatureService(
        name="entity_mapping",
        features=[
            views["location"].with_name("origin").with_join_key_map({"location_id": "origin_id"}),
            views["location"]
            .with_name("destination")
            .with_join_key_map({"location_id": "destination_id"}),
        ],
    )
    on_demand = FeatureService(
        name="plus", features=[views["driver_stats"][["conv_rate"]], conv_rate_plus]
    )
    return home.apply(*entities.values(), *views.values(), conv_rate_plus, places, on_demand)


def view_of(kind: Kind, entities: list[Any], *, ttl: bool) -> Any:
    from feast import FeatureView, Field
    from feast.types import Float32, Float64, Int32

    from quality_platform.feature_store.iceberg_source import IcebergTableSource

    types = {pa.float32(): Float32, pa.float64(): Float64, pa.int32(): Int32}
    return FeatureView(
        name=kind.name,
        entities=entities,
        schema=[Field(name=kind.feature, dtype=types[kind.type])],
        ttl=(kind.ttl if ttl else None) or timedelta(0),
        source=IcebergTableSource(
            table=kind.table,
            timestamp_field="event_timestamp",
            created_timestamp_column="created",
            field_mapping={column: name for name, column in (kind.columns or {}).items()},
        ),
    )


def named(kind: Kind, full_feature_names: bool) -> str:
    return f"{kind.name}__{kind.feature}" if full_feature_names else kind.feature


FEATURES = [f"{kind.name}:{kind.feature}" for kind in KINDS]


@pytest.mark.parametrize("full_feature_names", [True, False])
@pytest.mark.parametrize("given", ["frame", "query"])
def test_several_views_of_different_keys_are_read_in_one_call(
    rides: Rides, full_feature_names: bool, given: str
) -> None:
    query = "SELECT * FROM rides.orders ORDER BY order_id"
    job = rides.store.get_historical_features(
        entity_df=rides.entities.to_pandas() if given == "frame" else query,
        features=FEATURES,
        full_feature_names=full_feature_names,
    )
    found = job.to_arrow()
    for kind in KINDS:
        assert found.column(named(kind, full_feature_names)).to_pylist() == rides.expected(kind)
        assert found.column(named(kind, full_feature_names)).type == kind.type
    frame = job.to_df()
    assert list(frame.columns) == found.schema.names
    assert frame["order_id"].tolist() == list(range(60))


def test_without_a_ttl_values_of_any_age_count(rides: Rides, tmp_path: Path) -> None:
    store = applied(FeatureLake(tmp_path, rides.home.lake), ttl=False)
    found = store.get_historical_features(rides.entities, FEATURES).to_arrow()
    for kind in KINDS:
        assert found.column(kind.feature).to_pylist() == rides.expected(kind, ttl=False)
    assert rides.expected(CUSTOMER) != rides.expected(CUSTOMER, ttl=False)


@pytest.mark.parametrize("full_feature_names", [True, False])
def test_a_service_computes_features_on_demand(rides: Rides, full_feature_names: bool) -> None:
    values = list(range(rides.entities.num_rows))
    entities = rides.entities.append_column("val_to_add", pa.array(values))
    job = rides.store.get_historical_features(
        entity_df=entities.to_pandas(),
        features=rides.store.get_feature_service("plus"),
        full_feature_names=full_feature_names,
    )
    rates = rides.expected(DRIVER)
    prefix = "conv_rate_plus__" if full_feature_names else ""
    found = job.to_arrow()
    wanted = [None if rate is None else rate + n for n, rate in zip(values, rates, strict=True)]
    assert found.column(f"{prefix}plus_val").to_pylist() == wanted
    one = rides.store.get_historical_features(entities.to_pandas(), ["conv_rate_plus:plus_100"])
    assert "plus_val" not in one.to_arrow().schema.names
    assert "conv_rate" in one.to_arrow().schema.names


def test_a_service_reads_one_view_for_two_roles(rides: Rides) -> None:
    job = rides.store.get_historical_features(
        entity_df=rides.entities,
        features=rides.store.get_feature_service("entity_mapping"),
        full_feature_names=True,
    )
    found = job.to_arrow()
    assert found.column("origin__temperature").to_pylist() == rides.expected(ORIGIN)
    assert found.column("destination__temperature").to_pylist() == rides.expected(DESTINATION)


@pytest.mark.parametrize("full_feature_names", [True, False])
def test_a_read_is_saved_and_read_again(rides: Rides, full_feature_names: bool) -> None:
    from quality_platform.feature_store.iceberg_storage import SavedDatasetIcebergStorage

    name = f"rides_{full_feature_names}"
    job = rides.store.get_historical_features(
        rides.entities.select(["customer_id", "driver_id", "event_timestamp"]),
        FEATURES,
        full_feature_names,
    )
    saved = rides.store.create_saved_dataset(
        job, name, SavedDatasetIcebergStorage(f"saved.{name}"), tags={"env": "test"}
    )
    order = [(name, "ascending") for name in ("event_timestamp", "driver_id", "customer_id")]
    columns = job.to_arrow().schema.names
    found = saved.to_arrow().select(columns).sort_by(order)
    assert found.to_pydict() == job.to_arrow().sort_by(order).to_pydict()


def test_backfilled_rows_count_by_event_time_then_by_creation(rides: Rides) -> None:
    row = {"event_timestamp": MONDAY - 99 * DAY, "created": MONDAY, "conv_rate": 1.0}
    early = [{**row, "driver_id": 1}, {**row, "driver_id": 2, "created": MONDAY + DAY}]
    late = [
        {**row, "driver_id": 1, "created": MONDAY + DAY, "conv_rate": 2.0},
        {**row, "driver_id": 2, "event_timestamp": MONDAY - 98.9 * DAY, "conv_rate": 3.0},
    ]
    rides.home.publish([*early, *late], DRIVER.table, schema_of(DRIVER))
    entities = pa.table(
        {"driver_id": [1, 2], "event_timestamp": pa.array([MONDAY - 98.5 * DAY] * 2, INSTANT)}
    )
    job = rides.store.get_historical_features(entities, ["driver_stats:conv_rate"])
    assert job.to_arrow().column("conv_rate").to_pylist() == [2.0, 3.0]


@pytest.mark.parametrize("pull_latest", [True, False])
def test_what_is_materialized_is_what_is_read_back_in_time(
    rides: Rides, tmp_path: Path, pull_latest: bool
) -> None:
    store = applied(FeatureLake(tmp_path, rides.home.lake), ttl=False)
    store.config.materialization_config.pull_latest_features = pull_latest
    moment = MONDAY + 50 * HOUR
    store.materialize(MONDAY - DAY, moment, feature_views=["driver_stats", "order"])
    keys = [
        {"driver_id": driver, "customer_id": customer}
        for driver in range(5000, 5006)
        for customer in (1000, 1001)
    ]
    names = ["driver_stats:conv_rate", "order:order_is_success"]
    online = store.get_online_features(names, keys).to_dict()
    entities = pa.Table.from_pylist([{**key, "event_timestamp": moment} for key in keys])
    then = store.get_historical_features(entities, names).to_arrow()
    assert then.column("conv_rate").to_pylist() == online["conv_rate"]
    assert then.column("order_is_success").to_pylist() == online["order_is_success"]
