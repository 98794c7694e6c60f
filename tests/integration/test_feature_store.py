"""Real Feast over a real Iceberg catalog: point-in-time reads, the online store, pins."""

from __future__ import annotations

import logging
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from quality_platform.errors import MaterializationError, TableNotFoundError
from quality_platform.feature_store.definitions import (
    EntityDefinition,
    FeatureViewDefinition,
    SqliteOnline,
    SqliteRegistry,
    StoreSettings,
)
from quality_platform.feature_store.store import (
    apply_views,
    historical_features,
    materialize,
    online_features,
    open_store,
)
from quality_platform.lake import commits
from quality_platform.lake.catalog import Lake
from quality_platform.lake.data_files import RollingWriter

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
INSTANT = pa.timestamp("us", "UTC")
BEYOND_FLOAT = 2**53 + 1

DELAYS = pa.schema(
    [("origin", pa.string()), ("at", INSTANT), ("delay", pa.float64()), ("flights", pa.int64())]
)
AIRPORT = EntityDefinition("airport", "origin", pa.string())
VIEW = FeatureViewDefinition(
    name="delays",
    table="features.delays",
    entities=(AIRPORT,),
    event_timestamp="at",
    features=pa.schema(
        [pa.field("delay", pa.float64(), metadata={"doc": "mean delay"}), ("flights", pa.int64())]
    ),
    tags={"odcs": "delays@1.0.0"},
)
ROUTES = pa.schema(
    [
        ("origin", pa.string()),
        ("carrier", pa.int32()),
        ("at", INSTANT),
        ("loaded", INSTANT),
        ("delay", pa.float64()),
    ]
)
ROUTE_VIEW = FeatureViewDefinition(
    name="routes",
    table="features.routes",
    entities=(AIRPORT, EntityDefinition("carrier", "carrier", pa.int32())),
    event_timestamp="at",
    created_timestamp="loaded",
    features=pa.schema([("delay", pa.float64())]),
    ttl=3 * HOUR,
)


@pytest.fixture
def settings(tmp_path: Path) -> StoreSettings:
    properties = {
        "type": "sql",
        "uri": f"sqlite:///{tmp_path}/catalog.db",
        "warehouse": f"file://{tmp_path}/warehouse",
    }
    home = tmp_path / "feast"
    return StoreSettings(
        "flights",
        SqliteRegistry(home / "registry.db"),
        SqliteOnline(home / "online.db"),
        Lake("lake", properties),
    )


def registry_of(settings: StoreSettings) -> Path:
    """The registry's file."""
    assert isinstance(settings.registry, SqliteRegistry)
    return settings.registry.path


def online_of(settings: StoreSettings) -> Path:
    """The online store's file."""
    assert isinstance(settings.online_store, SqliteOnline)
    return settings.online_store.path


def publish(
    settings: StoreSettings, identifier: str, schema: pa.Schema, rows: Iterable[Mapping[str, Any]]
) -> int:
    """Appends the rows to the table, which is made when there is none; returns the snapshot."""
    table = settings.lake.ensure_table(identifier, schema)
    writer = RollingWriter(table, f"load-{len(table.snapshots())}")
    writer.write(pa.RecordBatch.from_pylist([dict(row) for row in rows], schema=schema))
    return int(commits.append(settings.lake, table, writer.close(), {}).snapshot_id)


def delays(*rows: tuple[str | None, int | None, float | None, int | None]) -> list[dict[str, Any]]:
    """Rows of (origin, hours after Monday, delay, flights)."""
    return [
        {
            "origin": origin,
            "at": None if hours is None else MONDAY + hours * HOUR,
            "delay": delay,
            "flights": flights,
        }
        for origin, hours, delay, flights in rows
    ]


def asked(*rows: tuple[str | None, int | None]) -> pa.Table:
    """Entity rows of (origin, hours after Monday)."""
    return pa.table(
        {
            "origin": pa.array([origin for origin, _ in rows], pa.string()),
            "event_timestamp": pa.array(
                [None if hours is None else MONDAY + hours * HOUR for _, hours in rows], INSTANT
            ),
        }
    )


def known_at(rows: list[dict[str, Any]], asked_row: Mapping[str, Any], keys: list[str]) -> Any:
    """The delay by its definition: the newest row not after the moment and not past its TTL."""
    moment = asked_row["event_timestamp"]
    if moment is None or any(asked_row[key] is None for key in keys):
        return None
    candidates = [
        row
        for row in rows
        if all(row[key] == asked_row[key] for key in keys)
        and moment - 3 * HOUR <= row["at"] <= moment
    ]
    newest = max(candidates, key=lambda row: (row["at"], row["loaded"]), default=None)
    return None if newest is None else newest["delay"]


def test_historical_features_are_those_of_the_definition(settings: StoreSettings) -> None:
    chance = random.Random(20260105)
    rows = [
        {
            "origin": chance.choice(["JFK", "LGA", "", "it's", None]),
            "carrier": chance.choice([1, 2, None]),
            "at": MONDAY + chance.randrange(24) * HOUR,
            "loaded": MONDAY + timedelta(minutes=n),
            "delay": chance.choice([None, float(n)]),
        }
        for n in range(300)
    ]
    publish(settings, "features.routes", ROUTES, rows[:150])
    publish(settings, "features.routes", ROUTES, rows[150:])
    apply_views(settings, [ROUTE_VIEW])
    entities = pa.Table.from_pylist(
        [
            {
                "label": n,
                "carrier": chance.choice([1, 2, 9, None]),
                "origin": chance.choice(["JFK", "LGA", "", "it's", "XXX", None]),
                "event_timestamp": chance.choice(
                    [None, MONDAY + chance.randrange(-3, 30) * HOUR, MONDAY + 5 * HOUR]
                ),
            }
            for n in range(400)
        ],
        pa.schema(
            [
                ("label", pa.int64()),
                ("carrier", pa.int64()),
                ("origin", pa.string()),
                ("event_timestamp", INSTANT),
            ]
        ),
    )
    found = historical_features(settings, entities, ["routes:delay"])
    expected = [known_at(rows, row, ["origin", "carrier"]) for row in entities.to_pylist()]
    assert found.column("delay").to_pylist() == expected
    assert sum(value is not None for value in expected) > 30
    assert found.drop_columns("delay").equals(entities)


def test_no_entity_row_is_lost_and_their_order_stays(settings: StoreSettings) -> None:
    publish(settings, "features.delays", DELAYS, delays(("JFK", 2, 7.0, 1), ("LGA", 9, 8.0, 2)))
    apply_views(settings, [replace(VIEW, ttl=4 * HOUR)])
    entities = asked(
        ("LGA", 3),  # only a future value
        ("JFK", 7),  # past its TTL
        ("JFK", 6),  # just within it
        ("JFK", 2),  # at the very moment
        ("JFK", 2),  # twice
        ("EWR", 2),  # unknown
        (None, 2),
        ("JFK", None),
    )
    found = historical_features(settings, entities, ["delays:flights", "delays:delay"])
    assert found.column("delay").to_pylist() == [None, None, 7.0, 7.0, 7.0, None, None, None]
    assert found.schema.names == ["origin", "event_timestamp", "flights", "delay"]
    assert found.select(["origin", "event_timestamp"]).equals(entities)


def test_two_views_and_a_large_integer_beside_a_missing_one_come_back_as_they_are(
    settings: StoreSettings,
) -> None:
    publish(
        settings,
        "features.delays",
        DELAYS,
        delays(("JFK", 1, 1.0, BEYOND_FLOAT), ("LGA", 1, 2.0, None)),
    )
    route = {"origin": "JFK", "carrier": 1, "at": MONDAY, "loaded": MONDAY, "delay": 3.0}
    publish(settings, "features.routes", ROUTES, [route])
    apply_views(settings, [VIEW, ROUTE_VIEW])
    entities = asked(("JFK", 1), ("LGA", 1)).append_column("carrier", pa.array([1, None]))
    entities = entities.append_column("label", pa.array([BEYOND_FLOAT, None]))
    features = ["delays:flights", "routes:delay"]
    found = historical_features(settings, entities, features)
    assert found.column("flights").to_pylist() == [BEYOND_FLOAT, None]
    assert found.column("delay").to_pylist() == [3.0, None]
    assert found.column("label").to_pylist() == [BEYOND_FLOAT, None]
    materialize(settings, VIEW)
    values = online_features(settings, ["delays:flights"], [{"origin": "JFK"}, {"origin": "LGA"}])
    assert values["flights"] == [BEYOND_FLOAT, None]


def test_moments_finer_than_microseconds_are_never_before_their_value(
    settings: StoreSettings,
) -> None:
    [row] = delays(("JFK", 0, 1.0, 1))
    fine = {**row, "at": MONDAY + timedelta(microseconds=1)}
    publish(settings, "features.delays", DELAYS, [fine])
    apply_views(settings, [VIEW])
    at = int(MONDAY.timestamp()) * 10**9 + 1000
    entities = pa.table(
        {
            "origin": ["JFK", "JFK", "JFK"],
            "when": pa.array([at - 1, at, at + 1], pa.timestamp("ns")),
        }
    )
    store = open_store(settings)
    found = store.get_historical_features(entity_df=entities.to_pandas(), features=["delays:delay"])
    assert found.to_arrow().column("delay").to_pylist() == [None, 1.0, 1.0]


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


def test_more_entities_than_one_transaction_holds_are_all_written(settings: StoreSettings) -> None:
    publish(
        settings,
        "features.delays",
        DELAYS,
        delays(*((f"A{n}", 1, float(n), n) for n in range(4321))),
    )
    apply_views(settings, [VIEW])
    assert materialize(settings, VIEW) == 4321
    online = sqlite3.connect(online_of(settings))
    stored = online.execute("SELECT count(DISTINCT entity_key) FROM flights_delays").fetchall()
    online.close()
    assert stored == [(4321,)]


def test_a_table_without_rows_materializes_nothing(settings: StoreSettings) -> None:
    settings.lake.ensure_table("features.delays", DELAYS)
    apply_views(settings, [VIEW])
    assert materialize(settings, VIEW) == 0
    found = historical_features(settings, asked(("JFK", 1)), ["delays:delay"])
    assert found.column("delay").to_pylist() == [None]


def test_the_registry_tells_which_event_times_were_materialized(settings: StoreSettings) -> None:
    publish(settings, "features.delays", DELAYS, delays(("JFK", 1, 1.0, 1), ("LGA", 7, 2.0, 2)))
    apply_views(settings, [VIEW])
    materialize(settings, VIEW)
    materialize(settings, VIEW)
    view = open_store(settings).get_feature_view("delays")
    assert view.materialization_intervals == [(MONDAY + HOUR, MONDAY + 7 * HOUR)]


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


@pytest.mark.parametrize("kind", ["snapshot", "tag"])
def test_a_pinned_table_is_read_at_its_pin(settings: StoreSettings, kind: str) -> None:
    old = publish(settings, "features.delays", DELAYS, delays(("JFK", 1, 1.0, 1)))
    settings.lake.table("features.delays").manage_snapshots().create_tag(old, "train").commit()
    publish(settings, "features.delays", DELAYS, delays(("JFK", 2, 2.0, 2), ("LGA", 1, 1.0, 1)))
    apply_views(settings, [VIEW])
    pin = str(old) if kind == "snapshot" else "train"
    pinned = replace(settings, refs={"features.delays": pin})
    entities = asked(("JFK", 9), ("LGA", 9))
    features = ["delays:delay"]
    assert historical_features(pinned, entities, features)["delay"].to_pylist() == [1.0, None]
    assert historical_features(settings, entities, features)["delay"].to_pylist() == [2.0, 1.0]
    assert materialize(pinned, VIEW) == 1


@pytest.mark.parametrize("pin", ["nightly", "123456789"])
def test_a_pin_that_does_not_exist_is_an_error(settings: StoreSettings, pin: str) -> None:
    publish(settings, "features.delays", DELAYS, delays(("JFK", 1, 1.0, 1)))
    apply_views(settings, [VIEW])
    pinned = replace(settings, refs={"features.delays": pin})
    with pytest.raises(TableNotFoundError, match=pin):
        materialize(pinned, VIEW)


def test_rows_that_were_deleted_by_iceberg_are_not_read(settings: StoreSettings) -> None:
    publish(settings, "features.delays", DELAYS, delays(("JFK", 1, 1.0, 1), ("LGA", 1, 2.0, 2)))
    table = settings.lake.table("features.delays")
    # A second schema: DuckDB may not read the files by itself any more.
    with table.update_schema() as update:
        update.add_column("note", _iceberg_string())
    settings.lake.table("features.delays").delete("origin = 'JFK'")
    apply_views(settings, [VIEW])
    assert materialize(settings, VIEW) == 1
    found = historical_features(settings, asked(("JFK", 9), ("LGA", 9)), ["delays:delay"])
    assert found.column("delay").to_pylist() == [None, 2.0]


def _iceberg_string() -> Any:
    from pyiceberg.types import StringType

    return StringType()


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


@pytest.mark.parametrize(
    ("entities", "message"),
    [
        (asked(("JFK", 1)).drop_columns("origin"), "need one column 'origin'"),
        (asked(("JFK", 1)).drop_columns("event_timestamp"), "which column holds the moments"),
        (
            pa.table({"origin": [1], "event_timestamp": pa.array([MONDAY], INSTANT)}),
            "not of the type of the features' key",
        ),
        (pa.table({"origin": ["JFK"], "event_timestamp": ["2026-01-05"]}), "must be timestamps"),
        (asked(("JFK", 1)).append_column("delay", pa.array([1.0])), "two columns 'delay'"),
    ],
)
def test_entity_rows_that_cannot_be_joined_are_an_error(
    settings: StoreSettings, entities: pa.Table, message: str
) -> None:
    publish(settings, "features.delays", DELAYS, delays(("JFK", 1, 1.0, 1)))
    apply_views(settings, [VIEW])
    with pytest.raises(MaterializationError, match=message):
        historical_features(settings, entities, ["delays:delay"])


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
