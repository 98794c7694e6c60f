"""Rows that are too old are really gone: from the table, its history, and the warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.lake_tables import open_lake

from quality_platform.lake import commits
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.data_files import RollingWriter
from quality_platform.lake.maintenance.references import all_referred, comparable, stored_files
from quality_platform.lake.maintenance.removal import Writing
from quality_platform.lake.maintenance.retention import (
    Retention,
    RetentionRule,
    RetentionSettings,
    delete_old_rows,
)
from quality_platform.lake.position import Position
from quality_platform.lake.reading import batches_of, snapshot_of

EVENTS = "shop.events"
LIMIT = datetime(2026, 6, 1, tzinfo=UTC)
OLD = LIMIT - timedelta(microseconds=1)
NEW = LIMIT
_TYPES: dict[str, pa.DataType] = {
    "zoned": pa.timestamp("us", "UTC"),
    "plain": pa.timestamp("us"),
    "day": pa.date32(),
}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(tmp_path)


def schema_of(kind: str) -> pa.Schema:
    fields: list[pa.Field[Any]] = [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("at", _TYPES[kind]),
        pa.field("held_at", _TYPES["zoned"]),
    ]
    return pa.schema(fields)


def load(lake: Lake, rows: Sequence[tuple[int, Any]], kind: str = "zoned") -> Table:
    table = lake.ensure_table(EVENTS, schema_of(kind))
    number = len(table.snapshots())
    position = Position.of(table.properties).advanced(
        {f"f{number}": "v"}, f"load{number}", f"attempt{number}", replace=False
    )
    writer = RollingWriter(table, f"load{number}-attempt{number}")
    columns = [
        pa.array([row[0] for row in rows], pa.int64()),
        pa.array([row[1] for row in rows], _TYPES[kind]),
        pa.array([OLD for _ in rows], _TYPES["zoned"]),
    ]
    writer.write(pa.record_batch(columns, schema=schema_of(kind)))
    commits.publish(lake, table, writer.close(), position, {commits.ATTEMPT: f"attempt{number}"})
    return table


NOBODY_READS = RetentionSettings(datetime.now(UTC) + timedelta(days=1), Writing(10**7))
SOMEBODY_READS = RetentionSettings(datetime.now(UTC) - timedelta(hours=1), Writing(10**7))


def cut(
    lake: Lake,
    *columns: str,
    settings: RetentionSettings = NOBODY_READS,
    dry_run: bool = False,
) -> Retention:
    rule = RetentionRule(columns or ("at",), LIMIT)
    return delete_old_rows(lake, lake.table(EVENTS), [rule], settings, dry_run=dry_run)


def ids(lake: Lake) -> list[int]:
    table = lake.table(EVENTS)
    snapshot = snapshot_of(table)
    assert snapshot is not None
    batches = batches_of(table, snapshot.snapshot_id, columns=("id",))
    return sorted(row["id"] for rows in batches for row in rows.to_pylist())


def ids_in_the_warehouse(lake: Lake) -> set[int]:
    """The ids in all data files, whether a snapshot refers to them or not."""
    files = [file.uri for file in stored_files(lake.table(EVENTS))]
    return {
        id_
        for file in files
        if file.endswith(".parquet")
        for id_ in pq.read_table(file, columns=["id"]).column("id").to_pylist()
    }


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("zoned", OLD, NEW),
        ("plain", OLD.replace(tzinfo=None), NEW.replace(tzinfo=None)),
        ("day", date(2026, 5, 31), date(2026, 6, 1)),
    ],
)
def test_old_rows_are_deleted_whatever_kind_of_time_tells_them(
    lake: Lake, kind: str, old: Any, new: Any
) -> None:
    load(lake, [(1, old), (2, new), (3, None)], kind)
    done = cut(lake)
    assert (done.rows, done.files_dropped, done.files_rewritten) == (1, 0, 1)
    assert ids(lake) == [2, 3]


def test_nothing_of_an_old_row_is_left_in_the_warehouse(lake: Lake) -> None:
    load(lake, [(1, OLD), (2, NEW)])
    load(lake, [(3, OLD), (4, OLD)])
    table = load(lake, [(5, NEW)])
    table.manage_snapshots().create_tag(table.snapshots()[0].snapshot_id, "release").commit()
    commits.stage_on_branch(lake, table, "audit-x", (), {})
    done = cut(lake)
    assert (done.rows, done.files_dropped, done.files_rewritten) == (3, 1, 1)
    assert done.refs == ("audit-x", "release")
    assert done.history.bytes > 0
    assert ids(lake) == [2, 5]
    assert ids_in_the_warehouse(lake) == {2, 5}
    now = lake.table(EVENTS)
    assert set(now.refs()) == {"main"}
    there = {comparable(file.uri) for file in stored_files(now)}
    assert {comparable(uri) for uri in all_referred(now)} <= there


def test_what_was_loaded_stays_known(lake: Lake) -> None:
    load(lake, [(1, OLD)])
    table = load(lake, [(2, NEW)])
    before = Position.of(table.properties)
    cut(lake)
    assert Position.of(lake.table(EVENTS).properties) == before


def test_old_rows_that_only_the_history_holds_are_deleted_too(lake: Lake) -> None:
    load(lake, [(1, OLD), (2, NEW)])
    table = lake.table(EVENTS)
    writer = RollingWriter(table, "load-x")
    columns = [pa.array([2]), pa.array([NEW], _TYPES["zoned"]), pa.array([OLD], _TYPES["zoned"])]
    writer.write(pa.record_batch(columns, schema=schema_of("zoned")))
    position = Position.of(table.properties).advanced({"g": "v"}, "l", "a", replace=True)
    commits.publish(lake, table, writer.close(), position, {}, replace=True)
    done = cut(lake)
    assert (done.rows, len(done.history.snapshots)) == (0, 1)
    assert ids_in_the_warehouse(lake) == {2}


def test_a_plan_counts_and_changes_nothing(lake: Lake) -> None:
    load(lake, [(1, OLD), (2, NEW)])
    planned = cut(lake, dry_run=True)
    assert (planned.rows, planned.files_rewritten) == (1, 1)
    assert ids(lake) == [1, 2]


def test_where_nothing_is_old_nothing_is_done(lake: Lake) -> None:
    load(lake, [(1, NEW), (2, None)])
    assert cut(lake) == Retention()


def test_a_second_column_tells_rows_that_have_no_value_in_the_first(lake: Lake) -> None:
    load(lake, [(1, None), (2, NEW)])
    done = cut(lake, "at", "held_at")
    assert done.rows == 1
    assert ids(lake) == [2]


def test_a_rewritten_file_still_tells_its_attempt(lake: Lake) -> None:
    load(lake, [(1, OLD), (2, NEW)])
    cut(lake)
    table = lake.table(EVENTS)
    (task,) = table.scan().plan_files()
    assert commits.attempt_of(task.file.file_path) == "attempt0"


def test_a_load_that_meets_a_retention_is_published_all_the_same(lake: Lake) -> None:
    table = load(lake, [(1, OLD), (2, NEW)])
    position = Position.of(table.properties).advanced({"late": "v"}, "l", "late", replace=False)
    done = cut(lake, settings=SOMEBODY_READS)
    assert (done.history.snapshots, len(done.waiting)) == ((), 1)
    commits.publish(lake, table, (), position, {commits.ATTEMPT: "late"})
    assert ids(lake) == [2]
    assert "late" in Position.of(lake.table(EVENTS).properties).sources
    assert ids_in_the_warehouse(lake) == {1, 2}
    assert cut(lake).rows == 0
    assert ids_in_the_warehouse(lake) == {2}
