"""Real Feast over a real Iceberg catalog: features as they were known at a moment, and pins."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.types import StringType
from support.delays import (
    BEYOND_FLOAT,
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
)

from quality_platform.errors import MaterializationError, TableNotFoundError
from quality_platform.feature_store.definitions import StoreSettings
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
        update.add_column("note", StringType())
    settings.lake.table("features.delays").delete("origin = 'JFK'")
    apply_views(settings, [VIEW])
    assert materialize(settings, VIEW) == 1
    found = historical_features(settings, asked(("JFK", 9), ("LGA", 9)), ["delays:delay"])
    assert found.column("delay").to_pylist() == [None, 2.0]


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
