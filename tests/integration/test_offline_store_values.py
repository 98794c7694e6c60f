"""Historical reads by the Iceberg offline store: the values, by their definition and to the bit."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.feature_lake import HOUR, INSTANT, MONDAY, TABLE, FeatureLake, asked, stats
from support.offline_reads import ROWS

from quality_platform.errors import MaterializationError
from quality_platform.feature_store.point_in_time import as_of, latest
from quality_platform.feature_store.snapshots import FeatureRows, pinned
from quality_platform.lake.query import EngineSettings


@pytest.fixture
def home(tmp_path: Path) -> FeatureLake:
    return FeatureLake(tmp_path)


def test_ties_are_told_alike_however_the_rows_lie_in_files(home: FeatureLake) -> None:
    pair = stats((1, 5, 1), (1, 5, 2))
    home.publish([*stats((1, 0, 0)), *pair])
    home.publish(stats((1, 6, 3)))
    snapshot = pinned(home.lake, ROWS)
    entities = asked((1, 5))
    with pytest.raises(MaterializationError, match="1 cases of equal"):
        as_of(snapshot, entities, keys={"driver": "driver"}, moment="event_timestamp")
    for hours, expected in ((4, 0), (6, 3)):
        found = as_of(
            snapshot, asked((1, hours)), keys={"driver": "driver"}, moment="event_timestamp"
        )
        assert found.column("trips").to_pylist() == [expected]


def test_equal_rows_are_one_row(home: FeatureLake) -> None:
    home.publish(stats((1, 5, 1), (2, 5, 7)))
    home.publish(stats((1, 5, 1), (3, 5, None), (3, 5, None)))
    snapshot = pinned(home.lake, ROWS)
    entities = asked((1, 5), (1, 9), (3, 6), (2, 6))
    found = as_of(snapshot, entities, keys={"driver": "driver"}, moment="event_timestamp")
    assert found.column("trips").to_pylist() == [1, 1, None, 7]
    home.publish(stats((3, 5, 8)))
    again = pinned(home.lake, ROWS)
    with pytest.raises(MaterializationError, match="1 cases of equal"):
        as_of(again, entities, keys={"driver": "driver"}, moment="event_timestamp")


def test_types_come_back_exactly(home: FeatureLake) -> None:
    from decimal import Decimal

    values: dict[str, tuple[pa.DataType, Any]] = {
        "flag": (pa.bool_(), True),
        "small": (pa.int32(), 2**31 - 1),
        "large": (pa.int64(), 2**53 + 1),
        "single": (pa.float32(), 0.1),
        "money": (pa.decimal128(38, 9), Decimal("12345678901234567890123456789.123456789")),
        "text": (pa.string(), "naïve"),
        "bytes": (pa.binary(), b"\x00"),
        "day": (pa.date32(), MONDAY.date()),
        "moment": (INSTANT, MONDAY + timedelta(microseconds=1)),
        "local": (pa.timestamp("us"), datetime(2026, 1, 5, 0, 0, 0, 1)),
        "numbers": (pa.list_(pa.int64()), [1, None]),
        "parts": (pa.struct([("a", pa.int32())]), {"a": 1}),
    }
    features = [(name, kind) for name, (kind, _) in values.items()]
    schema = pa.schema([("driver", pa.int64()), ("at", INSTANT), *features])
    row = {name: value for name, (_, value) in values.items()}
    home.publish([{"driver": 1, "at": MONDAY, **row}], schema=schema)
    rows = FeatureRows(TABLE, ("driver",), tuple(values), "at")
    found = as_of(
        pinned(home.lake, rows),
        asked((1, 0), (2, 0)),
        keys={"driver": "driver"},
        moment="event_timestamp",
    )
    expected = pa.Table.from_pylist([row, {}], pa.schema(features))
    assert found.cast(expected.schema).to_pylist() == expected.to_pylist()
    plain = {str(kind).replace("large_", "").split("<")[0] for kind in found.schema.types}
    assert plain == {str(kind).split("<")[0] for kind in expected.schema.types}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("created_by_then", [False, True])
@pytest.mark.parametrize("ttl", [None, 5 * HOUR])
def test_values_are_those_of_the_definition(
    home: FeatureLake, seed: int, created_by_then: bool, ttl: timedelta | None
) -> None:
    chance = random.Random(seed)
    rows = [
        {
            "driver": chance.choice([1, 2, 3, None]),
            "at": MONDAY + chance.randrange(20) * HOUR,
            # One entity and event time has several rows, told apart by when they were loaded.
            "loaded": chance.choice([None, MONDAY + number * HOUR / 10]),
            "trips": number,
        }
        for number in range(200)
    ]
    known = {(row["driver"], row["at"], row["loaded"]): row for row in rows}
    kept = list(known.values())
    for part in range(3):
        home.publish(kept[part::3])
    entities = asked(
        *(
            (chance.choice([1, 2, 3, 9, None]), chance.choice([None, chance.uniform(-2, 25)]))
            for _ in range(150)
        )
    )
    found = as_of(
        pinned(home.lake, ROWS),
        entities,
        keys={"driver": "driver"},
        moment="event_timestamp",
        ttl=ttl,
        created_by_then=created_by_then,
    )
    expected = [
        _defined(kept, row["driver"], row["event_timestamp"], ttl, created_by_then)
        for row in entities.to_pylist()
    ]
    assert found.column("trips").to_pylist() == expected
    assert sum(value is not None for value in expected) > 10


def _defined(
    rows: list[dict[str, Any]],
    driver: int | None,
    moment: datetime | None,
    ttl: timedelta | None,
    created_by_then: bool,
) -> int | None:
    if driver is None or moment is None:
        return None
    candidates = [
        row
        for row in rows
        if row["driver"] == driver
        and row["at"] <= moment
        and (ttl is None or row["at"] >= moment - ttl)
        and (not created_by_then or (row["loaded"] is not None and row["loaded"] <= moment))
    ]
    if not candidates:
        return None
    newest = max(
        candidates, key=lambda row: (row["at"], row["loaded"] or datetime.min.replace(tzinfo=UTC))
    )
    trips_then: int = newest["trips"]
    return trips_then


def test_the_newest_row_of_each_entity_is_that_of_the_definition(home: FeatureLake) -> None:
    chance = random.Random(7)
    rows = {
        (driver, hour, loaded): stats((driver, hour, number, loaded))[0]
        for number in range(400)
        for driver, hour, loaded in [
            (chance.randrange(20), chance.randrange(9), chance.choice([None, chance.randrange(9)]))
        ]
    }
    kept = list(rows.values())
    for part in range(3):
        home.publish(kept[part::3])
    for start, end in ((None, None), (MONDAY + 2 * HOUR, MONDAY + 6 * HOUR)):
        batches = list(latest(pinned(home.lake, ROWS), start, end, batch_rows=7))
        found = pa.Table.from_batches(batches)
        within = [row for row in kept if start is None or end is None or start <= row["at"] <= end]
        order = sorted(
            within, key=lambda row: (row["at"], row["loaded"] or datetime.min.replace(tzinfo=UTC))
        )
        expected = {row["driver"]: row["trips"] for row in order}
        assert (
            dict(zip(found["driver"].to_pylist(), found["trips"].to_pylist(), strict=True))
            == expected
        )


def test_the_same_rows_give_the_same_bytes_however_they_lie_and_are_read(
    home: FeatureLake,
) -> None:
    chance = random.Random(3)
    times = chance.sample(range(40_000), 20_000)
    rows = stats(*((time % 97, time / 60, number) for number, time in enumerate(times)))
    home.publish(rows)
    for part in range(7):
        home.publish(chance.sample(rows[part::7], len(rows[part::7])), "features.parts")
    entities = asked(*((chance.randrange(100), chance.uniform(0, 700)) for _ in range(5_000)))
    found = set()
    for table in (TABLE, "features.parts"):
        for threads, megabytes in ((1, 512), (4, 64)):
            settings = EngineSettings(memory_limit_mb=megabytes, threads=threads)
            snapshot = pinned(home.lake, replace(ROWS, table=table), settings=settings)
            values = as_of(
                snapshot,
                entities,
                keys={"driver": "driver"},
                moment="event_timestamp",
                ttl=9 * HOUR,
            )
            sink = pa.BufferOutputStream()
            pq.write_table(values, sink)
            found.add(sink.getvalue().to_pybytes())
    assert len(found) == 1
    assert 0 < values.column("trips").null_count < 5_000


def test_moments_that_python_cannot_tell_are_read_too(home: FeatureLake) -> None:
    home.publish(stats((1, 0, 10)))
    far = pa.array([2**62 // 1000 * 100, -(2**62) // 1000 * 100], pa.timestamp("us", "UTC"))
    entities = pa.table({"driver": [1, 1], "event_timestamp": far})
    found = as_of(
        pinned(home.lake, ROWS),
        entities,
        keys={"driver": "driver"},
        moment="event_timestamp",
        ttl=timedelta.max,
    )
    assert found.column("trips").to_pylist() == [10, None]
