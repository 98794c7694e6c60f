"""Partitions and sort orders: every row is in the file where a reader of the partition looks."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.expressions import EqualTo, GreaterThanOrEqual, IsNaN, IsNull, LessThan
from support.lake_tables import open_lake
from support.layouts import ENGINE, TARGET, exact, layout_of, publish, rows_of, stage, table_of

from quality_platform.errors import StorageError
from quality_platform.lake import commits, data_files, layout
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.data_files import RollingWriter
from quality_platform.lake.evolution import TableDefinition, ensure_tables
from quality_platform.lake.layout import arrange, placement_of
from quality_platform.lake.position import Position
from quality_platform.lake.reading import local_path


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(tmp_path / "lake")


SALES = pa.schema(
    [
        pa.field("id", pa.int64()),
        pa.field("region", pa.string()),
        pa.field("at", pa.timestamp("us", "UTC")),
        pa.field("score", pa.float64()),
    ]
)


def sales(numbers: Sequence[int]) -> pa.RecordBatch:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    regions = [None if n % 7 == 0 else f"region {n % 5}" for n in numbers]
    times = [start + timedelta(hours=7 * n) for n in numbers]
    scores = [float("nan") if n % 11 == 0 else n / 3 for n in numbers]
    return pa.record_batch([list(numbers), regions, times, scores], schema=SALES)


def ids_of(table: Table, condition: Any) -> list[int]:
    return sorted(table.scan(condition).to_arrow()["id"].to_pylist())


CONDITIONS = [
    EqualTo("region", "region 3"),
    IsNull("region"),
    EqualTo("id", 41),
    LessThan("id", 15),
    GreaterThanOrEqual("at", "2024-02-10T00:00:00+00:00"),
    EqualTo("at", "2024-01-20T06:00:00+00:00"),
    IsNaN("score"),
]


@pytest.mark.parametrize(
    "term", ["region", "day(at)", "month(at)", "bucket(5, id)", "truncate(10, id)"]
)
def test_a_filter_reads_fewer_files_and_loses_no_row(lake: Lake, term: str) -> None:
    table = table_of(lake, SALES, layout_of([term], ["id"]))
    plain = table_of(lake, SALES, layout_of(), "plain")
    files = publish(lake, table, sales(range(200)))
    publish(lake, plain, sales(range(200)))
    for condition in CONDITIONS:
        assert ids_of(table, condition) == ids_of(plain, condition) != []
        planned = {task.file.file_path for task in table.scan(condition).plan_files()}
        assert planned <= {file.uri for file in files}
        is_range = not isinstance(condition, EqualTo)
        if condition.term.name in term and not (is_range and term.startswith("bucket")):
            assert len(planned) < len(files)


def test_rows_of_a_file_are_sorted_and_equal_ones_keep_their_order(lake: Lake) -> None:
    table = table_of(lake, SALES, layout_of(["bucket(2, id)"], ["region desc", "score"]))
    nan = float("nan")
    scores = [1.0, nan, -0.0, 0.0, -nan, float("-inf"), float("inf"), None, -0.0]
    rows = [
        {"id": n, "region": region, "at": None, "score": score}
        for n, (region, score) in enumerate((r, s) for s in scores for r in ("a", "b", None))
    ]
    files = stage(table, pa.RecordBatch.from_pylist(rows, schema=SALES))
    order = [-nan, float("-inf"), -0.0, -0.0, 0.0, 1.0, float("inf"), nan, None]
    ranks = {exact(score): rank for rank, score in enumerate(order)}
    assert len(files) == 2
    for file in files:
        assert file.placement is not None
        assert file.placement.is_sorted
        found = [
            ("ba".find(r["region"] or "-") % 3, ranks[exact(r["score"])], r["id"])
            for r in rows_of(table, file)
        ]
        assert found == sorted(found)


def test_a_changed_layout_counts_for_new_files_and_leaves_the_old(lake: Lake) -> None:
    layouts = [
        layout_of(), layout_of(["region"], ["id"]), layout_of(["month(at)", "region"], ["id desc"]),
        layout_of(["bucket(3, id)"]), layout_of([], ["id"]), layout_of(["region"], ["id"]),
        layout_of(),
    ]  # fmt: skip
    everything: list[int] = []
    for n, wanted in enumerate(layouts):
        table = table_of(lake, SALES, wanted)
        assert len(table.spec().fields) == len(wanted.partition_by)
        assert len(table.sort_order().fields) == len(wanted.sort_by)
        numbers = range(20 * n, 20 * n + 20)
        publish(lake, table, sales(numbers))
        everything += numbers
        assert ids_of(table, GreaterThanOrEqual("id", 0)) == everything
        expected = [m for m in everything if m % 7 and m % 5 == 3]
        assert ids_of(table, EqualTo("region", "region 3")) == expected
    old = [placement_of(table, task.file) for task in table.scan().plan_files()]
    assert old.count(None) > 0
    assert any(placement is not None for placement in old)
    commits.publish(lake, table, stage(table, sales([1])), Position(), {}, replace=True)
    assert ids_of(table, GreaterThanOrEqual("id", 0)) == [1]


def test_a_partition_follows_its_column_through_a_new_name(lake: Lake) -> None:
    table = table_of(lake, SALES, layout_of(["region"]))
    publish(lake, table, sales(range(10)))
    renamed = pa.schema([f.with_name("area") if f.name == "region" else f for f in SALES])
    ids = {"region": "r-1"}
    held = TableDefinition("quarantine.things", SALES)
    ensure_tables(
        lake, TableDefinition("shop.things", SALES, {}, ids, layout=layout_of(["region"])), held
    )
    table, _ = ensure_tables(
        lake,
        TableDefinition("shop.things", renamed, {}, {"area": "r-1"}, layout=layout_of(["area"])),
        held,
    )
    assert len(table.specs()) <= 2
    assert ids_of(table, EqualTo("area", "region 3")) == [3, 8]


def test_columns_of_a_table_without_rows_are_made_anew_with_their_partitions(lake: Lake) -> None:
    table = table_of(lake, SALES, layout_of(["region", "day(at)"], ["id"]))
    changed = pa.schema([pa.field("id", pa.string()), pa.field("region", pa.int64())])
    table = table_of(lake, changed, layout_of(["region"], ["id"]))
    files = publish(lake, table, pa.record_batch([["b", "a"], [1, 1]], schema=changed))
    assert [file.placement and file.placement.partition for file in files] == [(1,)]
    assert table.scan(EqualTo("region", 1)).to_arrow()["id"].to_pylist() == ["a", "b"]


def test_a_column_that_comes_later_may_be_called_as_a_partition_might(lake: Lake) -> None:
    table = table_of(lake, SALES, layout_of(["region", "day(at)"]))
    publish(lake, table, sales([1]))
    more = pa.schema([*SALES, *(pa.field(name, pa.int64()) for name in ("at_day", "region_1"))])
    table = table_of(lake, more, layout_of(["day(at)", "bucket(3, at_day)"]))
    assert table.schema().column_names == more.names
    assert ids_of(table, GreaterThanOrEqual("id", 0)) == [1]


def test_a_partitioned_table_takes_no_file_that_was_not_arranged(lake: Lake) -> None:
    table = table_of(lake, SALES, layout_of(["region"]))
    writer = RollingWriter(table, "load-attempt", TARGET)
    writer.write(sales([1]))
    with pytest.raises(AssertionError, match="arrange it"):
        commits.publish(lake, table, writer.close(), Position(), {})
    assert lake.table("shop.things").current_snapshot() is None


def test_values_too_long_for_bounds_are_found_all_the_same(lake: Lake) -> None:
    table = table_of(lake, SALES, layout_of([], ["id"]))
    values = ["a", "z" * 70_000, "\U0010ffff" * 20, "b" * 40, "", None]
    writer = RollingWriter(table, "load-attempt", TARGET)
    for n, value in enumerate(values):
        writer.write(pa.record_batch([[n], [value], [None], [1.0]], schema=SALES))
        writer._flush()
    commits.publish(lake, table, writer.close(), Position(), {})
    for n, value in enumerate(values):
        condition = IsNull("region") if value is None else EqualTo("region", value)
        assert ids_of(table, condition) == [n]


def test_nan_is_counted_and_never_hidden_by_bounds(lake: Lake) -> None:
    table = table_of(lake, SALES, layout_of(["region"]))
    publish(lake, table, sales(range(1, 40)))
    counted = {
        task.file.record_count: (task.file.nan_value_counts or {})[4]
        for task in table.scan().plan_files()
    }
    assert sum((f.file.nan_value_counts or {})[4] for f in table.scan().plan_files()) == 3, counted
    assert ids_of(table, IsNaN("score")) == [11, 22, 33]


def test_files_of_a_partition_have_about_the_target_size(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_files, "ROW_GROUP_BYTES", 50_000)
    table = table_of(lake, SALES, layout_of(["region"], ["id"]))
    noise = random.Random(7)
    for width, rows in ((0, 30_000), (3000, 700)):
        regions = [f"{n % 2}" + "".join(noise.choices("abcdefgh", k=width)) for n in range(rows)]
        kept = pa.record_batch(
            [range(rows), [r[0] for r in regions], [None] * rows, [noise.random()] * rows],
            schema=SALES,
        )
        writer = RollingWriter(table, f"load-{width}", 40_000)
        writer.write(kept)
        files = arrange(table, writer.close(), ENGINE, f"load-{width}-laid", 40_000)
        assert sum(file.rows for file in files) == rows
        sizes = [Path(local_path(file.uri)).stat().st_size for file in files]
        assert all(size < 40_000 + 50_000 for size in sizes)


def test_a_failure_keeps_the_staged_files_and_leaves_no_new_ones(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = table_of(lake, SALES, layout_of(["region"]))
    writer = RollingWriter(table, "load-plain", TARGET)
    writer.write(sales(range(20)))
    staged = writer.close()
    monkeypatch.setattr(layout, "_require_as_many", broken)
    with pytest.raises(StorageError):
        arrange(table, staged, ENGINE, "load-laid", TARGET)
    assert [path.name for path in tmp_path.rglob("*.parquet")] == ["load-plain-00000.parquet"]
    assert sum(len(rows_of(table, file)) for file in staged) == 20


def broken(*_: object) -> None:
    raise StorageError("the disk is full")
