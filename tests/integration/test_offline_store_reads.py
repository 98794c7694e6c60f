"""Historical reads by the Iceberg offline store: pins, pruning, evolved tables, definitions."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.feature_lake import (
    HOUR,
    INSTANT,
    MONDAY,
    TABLE,
    FeatureLake,
    asked,
    driver,
    stats,
    trips,
    view,
)
from support.iceberg_deletes import delete_by_position, delete_by_value

from quality_platform.errors import MaterializationError, TableNotFoundError
from quality_platform.feature_store import snapshots
from quality_platform.feature_store.point_in_time import as_of, between, latest
from quality_platform.feature_store.snapshots import FeatureRows, pinned
from quality_platform.lake.query import EngineSettings

ROWS = FeatureRows(TABLE, ("driver",), ("trips",), "at", "loaded")


@pytest.fixture
def home(tmp_path: Path) -> FeatureLake:
    return FeatureLake(tmp_path)


@contextmanager
def files_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The data files that sessions are shown meanwhile."""
    seen: list[str] = []
    shown = snapshots.files_of_tasks

    def noted(table: Any, tasks: Any) -> Any:
        seen.extend(Path(task.file.file_path).name for task in tasks)
        return shown(table, tasks)

    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "files_of_tasks", noted)
        yield seen


def a_moment() -> str:
    """Now, with commits at other milliseconds before and after."""
    time.sleep(0.01)
    now = datetime.now(UTC).isoformat()
    time.sleep(0.01)
    return now


def test_a_time_pins_what_readers_saw_then(home: FeatureLake) -> None:
    home.publish(stats((1, 0, 10)))
    first = a_moment()
    home.publish(stats((1, 1, 20)))
    second = a_moment()
    home.publish(stats((1, 2, 30)))
    home.apply(view())
    for pin, expected in ((first, 10), (second, 20), ("main", 30)):
        assert trips(home.store(refs={TABLE: pin}), asked((1, 9))) == [expected]


def test_a_time_without_a_zone_is_in_utc_and_a_day_begins_at_midnight(home: FeatureLake) -> None:
    snapshot = home.publish(stats((1, 0, 10)))
    pin = a_moment().removesuffix("+00:00")
    home.publish(stats((1, 1, 20)))
    assert pinned(home.lake, ROWS, pin).snapshot_id == snapshot
    with pytest.raises(TableNotFoundError, match="cannot be told"):
        pinned(home.lake, ROWS, "2020-01-01")


@pytest.mark.parametrize("pin", ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"])
def test_a_time_before_the_first_snapshot_or_to_come_is_refused(
    home: FeatureLake, pin: str
) -> None:
    home.publish(stats((1, 0, 10)))
    with pytest.raises(TableNotFoundError, match=r"a time from .* until now"):
        pinned(home.lake, ROWS, pin)


def test_a_time_whose_snapshot_has_expired_is_refused_and_not_guessed(home: FeatureLake) -> None:
    home.publish(stats((1, 0, 10)))
    gone = home.publish(stats((1, 1, 20)))
    pin = a_moment()
    home.publish(stats((1, 2, 30)))
    table = home.lake.table(TABLE)
    table.maintenance.expire_snapshots().by_id(gone).commit()
    with pytest.raises(TableNotFoundError, match="cannot be told"):
        pinned(home.lake, ROWS, pin)


def test_a_tag_that_is_called_like_a_time_or_a_number_is_the_tag(home: FeatureLake) -> None:
    old = home.publish(stats((1, 0, 10)))
    for name in ("2026-01-01", "20260101"):
        home.lake.table(TABLE).manage_snapshots().create_tag(old, name).commit()
    home.publish(stats((1, 1, 20)))
    for name in ("2026-01-01", "20260101"):
        assert pinned(home.lake, ROWS, name).snapshot_id == old


def test_a_branch_is_read_at_its_head(home: FeatureLake) -> None:
    old = home.publish(stats((1, 0, 10)))
    home.lake.table(TABLE).manage_snapshots().create_branch(old, "review").commit()
    home.publish(stats((1, 1, 20)))
    home.apply(view())
    assert trips(home.store(refs={TABLE: "review"}), asked((1, 9))) == [10]


def test_a_job_reads_the_snapshot_of_its_beginning_however_often(home: FeatureLake) -> None:
    snapshot = home.publish(stats((1, 0, 10)))
    store = home.apply(view())
    job = store.get_historical_features(entity_df=asked((1, 9)), features=["stats:trips"])
    first = job.to_arrow()
    home.publish(stats((1, 1, 20)))
    assert job.to_arrow().equals(first)
    assert job.snapshots == {TABLE: snapshot}


def test_only_files_that_can_hold_values_for_the_moments_are_read(
    home: FeatureLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(10):
        home.publish(stats(*((1, 24 * day + hour, 24 * day + hour) for hour in range(24))))
    home.apply(view(ttl=6 * HOUR), view("ever"))
    moments = asked((1, 100.5), (1, 110.5))
    with files_read(monkeypatch) as files:
        assert trips(home.store(), moments) == [100, 110]
    assert len(files) == 2
    with files_read(monkeypatch) as files:
        assert trips(home.store(), moments, ["ever:trips"]) == [100, 110]
    assert len(files) == 5


def test_bounds_of_a_pull_leave_files_out_too(
    home: FeatureLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(5):
        home.publish(stats((1, 24 * day, day)))
    snapshot = pinned(home.lake, ROWS)
    with files_read(monkeypatch) as files:
        found = between(snapshot, MONDAY + 24 * HOUR, MONDAY + 48 * HOUR)
    assert sorted(found.column("trips").to_pylist()) == [1, 2]
    assert len(files) == 2


def test_only_the_columns_that_are_asked_for_are_read(home: FeatureLake) -> None:
    home.publish(stats((1, 0, 10)))
    with snapshots.session(pinned(home.lake, ROWS)) as connection:
        plan = connection.sql("EXPLAIN SELECT * FROM feature_rows").fetchall()[0][1]
    assert "trips" in plan
    assert "rate" not in plan


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


def test_rows_deleted_by_position_are_not_read(home: FeatureLake) -> None:
    home.publish(stats((1, 0, 10), (1, 1, 20)))
    home.apply(view())
    delete_by_position(home.lake.table(TABLE), 1)
    assert trips(home.store(), asked((1, 9))) == [10]


def test_deletes_that_cannot_be_applied_are_an_error(home: FeatureLake) -> None:
    home.publish(stats((1, 0, 10), (1, 1, 20)))
    delete_by_value(home.lake.table(TABLE), trips=20)
    with pytest.raises(MaterializationError, match="cannot be read exactly"):
        list(latest(pinned(home.lake, ROWS)))


def test_columns_that_were_renamed_widened_and_added_are_read_right(home: FeatureLake) -> None:
    from pyiceberg.types import DoubleType, LongType, StringType

    narrow = pa.schema(
        [("driver", pa.int32()), ("at", INSTANT), ("rides", pa.int32()), ("rate", pa.float32())]
    )
    old = {"driver": 1, "at": MONDAY, "rides": 7, "rate": 0.5}
    home.publish([old], schema=narrow)
    table = home.lake.table(TABLE)
    with table.update_schema() as update:
        update.update_column("rides", LongType())
        update.update_column("driver", LongType())
        update.update_column("rate", DoubleType())
        update.add_column("note", StringType())
    with home.lake.table(TABLE).update_schema() as update:
        update.rename_column("rides", "trips")
    wide = home.lake.table(TABLE).schema().as_arrow()
    big = 2**40
    new = {"driver": big, "at": MONDAY, "trips": big, "rate": 0.1, "note": "x"}
    home.publish([new], schema=wide)
    rows = FeatureRows(TABLE, ("driver",), ("trips", "rate", "note"), "at")
    found = as_of(
        pinned(home.lake, rows),
        asked((1, 0), (big, 0)),
        keys={"driver": "driver"},
        moment="event_timestamp",
    )
    assert found.to_pydict() == {"trips": [7, big], "rate": [0.5, 0.1], "note": [None, "x"]}
    assert [str(kind).replace("large_", "") for kind in found.schema.types] == [
        "int64", "double", "string",
    ]  # fmt: skip
    delete_by_position(home.lake.table(TABLE), 0)
    [remaining] = pa.Table.from_batches(latest(pinned(home.lake, rows))).to_pylist()
    assert remaining in (
        {"driver": 1, "at": MONDAY, "trips": 7, "rate": 0.5, "note": None},
        {"at": MONDAY, **{name: new[name] for name in ("driver", "trips", "rate", "note")}},
    )


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


def test_a_date_tells_the_first_moment_of_its_day(
    home: FeatureLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = pa.schema([("driver", pa.int64()), ("day", pa.date32()), ("trips", pa.int64())])
    for day in range(4):
        date = (MONDAY + timedelta(days=day)).date()
        home.publish([{"driver": 1, "day": date, "trips": day}], "features.days", schema)
    snapshot = pinned(home.lake, FeatureRows("features.days", ("driver",), ("trips",), "day"))
    entities = asked((1, 23.9), (1, 24), (1, -0.1), (1, 50))
    with files_read(monkeypatch) as files:
        found = as_of(
            snapshot,
            entities,
            keys={"driver": "driver"},
            moment="event_timestamp",
            ttl=timedelta(days=1),
        )
    assert found.column("trips").to_pylist() == [0, 1, None, 2]
    assert len(files) == 3
    [newest] = pa.Table.from_batches(latest(snapshot)).to_pylist()
    assert newest == {"driver": 1, "day": MONDAY + timedelta(days=3), "trips": 3}
