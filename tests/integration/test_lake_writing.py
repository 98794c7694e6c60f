"""The rolling writer: what it writes is what a reader gets, in files of the size asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.lake_tables import SCHEMA, batch, open_lake, staged

from quality_platform.errors import StorageError
from quality_platform.lake import commits, data_files
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.data_files import RollingWriter, delete_file, read_batches
from quality_platform.lake.position import Position
from quality_platform.lake.reading import added_files_of, batches_of, files_of, local_path


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(tmp_path / "lake")


@pytest.fixture
def table(lake: Lake) -> Table:
    return lake.ensure_table("shop.orders", SCHEMA)


def rows_of(table: Table) -> list[dict[str, object]]:
    snapshot = table.current_snapshot()
    assert snapshot is not None
    return [row for rows in batches_of(table, snapshot.snapshot_id) for row in rows.to_pylist()]


def test_no_rows_make_no_file(table: Table, tmp_path: Path) -> None:
    writer = RollingWriter(table, "load-attempt")
    writer.write(batch([]))
    assert writer.close() == ()
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_small_target_gives_several_files_that_hold_every_row_once(
    lake: Lake, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_files, "ROW_GROUP_BYTES", 8_000)
    writer = RollingWriter(table, "load-attempt", target_bytes=4_000)
    for start in range(0, 20_000, 500):
        writer.write(batch(range(start, start + 500)))
    files = writer.close()

    assert len(files) > 3
    assert len({file.uri for file in files}) == len(files)
    assert all(Path(local_path(file.uri)).name.startswith("load-attempt-") for file in files)
    assert sum(file.rows for file in files) == 20_000
    sizes = [Path(local_path(file.uri)).stat().st_size for file in files[:-1]]
    # A file is finished with the row group that takes it over the target, plus its footer.
    assert all(4_000 <= size < 20_000 for size in sizes)
    read = [
        n for file in files for rows in read_batches(table, file) for n in rows["id"].to_pylist()
    ]
    assert read == list(range(20_000))
    commits.publish(lake, table, files, Position(), {})
    assert sorted(int(str(row["id"])) for row in rows_of(table)) == list(range(20_000))


def test_every_type_comes_back_as_it_was_written(lake: Lake) -> None:
    fields: list[tuple[pa.DataType, object]] = [
        (pa.bool_(), True),
        (pa.int32(), -(2**31)),
        (pa.int64(), 2**63 - 1),
        (pa.float32(), 1.5),
        (pa.float64(), -1e300),
        (pa.decimal128(38, 9), Decimal("12345678901234567890123456789.123456789")),
        (pa.decimal128(9, 2), Decimal("-0.01")),
        (pa.date32(), date(1, 1, 1)),
        (pa.timestamp("us"), datetime(2024, 2, 29, 23, 59, 59, 999_999)),
        (pa.timestamp("us", "UTC"), datetime(1969, 12, 31, 23, 59, 59, 1, UTC)),
        (pa.string(), 'é "quoted", \n\0 🙂'),
        (pa.binary(), b"\xff\x00"),
        (pa.list_(pa.field("element", pa.string())), ["a", None, ""]),
    ]
    schema = pa.schema([pa.field(f"c{n}", t) for n, (t, _) in enumerate(fields)])
    table = lake.ensure_table("shop.types", schema)
    columns = [pa.array([value, None], t) for t, value in fields]
    writer = RollingWriter(table, "load-attempt")
    writer.write(pa.record_batch(columns, schema=schema))
    commits.publish(lake, table, writer.close(), Position(), {})
    first, second = rows_of(lake.table("shop.types"))
    assert list(first.values()) == [value for _, value in fields]
    assert list(second.values()) == [None] * len(fields)


def test_a_required_column_refuses_a_row_without_a_value(table: Table) -> None:
    nullable = pa.schema([field.with_nullable(True) for field in SCHEMA])
    rows = pa.record_batch([pa.array([None], pa.int64()), pa.array(["x"])], schema=nullable)
    with pytest.raises(ValueError, match="'id' with null values"):
        RollingWriter(table, "load-attempt").write(rows)


def test_the_field_ids_of_the_table_stand_in_the_file(table: Table) -> None:
    (file,) = staged(table, [1])
    schema = pq.read_schema(local_path(file.uri))
    assert [(field.metadata or {})[b"PARQUET:field_id"] for field in schema] == [b"1", b"2"]


def test_a_staged_file_is_seen_by_no_reader_until_it_is_committed(lake: Lake, table: Table) -> None:
    files = staged(table, [1, 2])
    assert lake.table("shop.orders").current_snapshot() is None
    snapshot = commits.publish(lake, table, files, Position(), {})
    assert list(files_of(table, snapshot.snapshot_id)) == [local_path(f.uri) for f in files]
    more = commits.publish(lake, table, staged(table, [3], "next-attempt"), Position(), {})
    assert [Path(f).name for f in added_files_of(table, more)] == ["next-attempt-00000.parquet"]
    assert len(files_of(table, more.snapshot_id)) == 2


def test_a_deleted_staged_file_is_gone(table: Table) -> None:
    (file,) = staged(table, [1])
    delete_file(table, file)
    assert not Path(local_path(file.uri)).exists()
    with pytest.raises(StorageError):
        delete_file(table, file)


def test_discard_deletes_finished_and_unfinished_files(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_files, "ROW_GROUP_BYTES", 1)
    writer = RollingWriter(table, "load-attempt", target_bytes=1)
    writer.write(batch([1]))
    writer.target_bytes = 10**9
    writer.write(batch([2]))
    assert len(list(tmp_path.rglob("*.parquet"))) == 2
    writer.discard()
    assert not list(tmp_path.rglob("*.parquet"))
    assert writer.close() == ()


def test_a_warehouse_that_cannot_be_written_is_told_with_its_place(
    table: Table, tmp_path: Path
) -> None:
    in_the_way = Path(local_path(table.location())) / "data"
    in_the_way.write_text("not a folder")
    writer = RollingWriter(table, "load-attempt")
    writer.write(batch([1]))
    with pytest.raises(StorageError) as caught:
        writer.close()
    assert table.location() in str(caught.value)
    assert caught.value.transient
    writer.discard()
    assert in_the_way.read_text() == "not a folder"
