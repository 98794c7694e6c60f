"""Historical reads by the Iceberg offline store: pruned files, deleted rows, evolved columns."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from support.feature_lake import (
    HOUR,
    INSTANT,
    MONDAY,
    TABLE,
    FeatureLake,
    asked,
    stats,
    trips,
    view,
)
from support.iceberg_deletes import delete_by_position, delete_by_value
from support.offline_reads import ROWS, files_read

from quality_platform.errors import MaterializationError
from quality_platform.feature_store import snapshots
from quality_platform.feature_store.point_in_time import as_of, between, latest
from quality_platform.feature_store.snapshots import FeatureRows, pinned


@pytest.fixture
def home(tmp_path: Path) -> FeatureLake:
    return FeatureLake(tmp_path)


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
