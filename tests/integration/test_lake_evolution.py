"""Evolution of Iceberg tables below the flows: every type, nested columns, files of before."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from support.lake_tables import open_lake, staged

from quality_platform.errors import ConcurrentLoadError, TableSchemaError
from quality_platform.lake import commits
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.data_files import RollingWriter
from quality_platform.lake.evolution import TableDefinition, ensure_tables
from quality_platform.lake.position import Position
from quality_platform.lake.reading import batches_of, files_of
from quality_platform.lake.table_files import TableFiles, read_parquet
from quality_platform.quarantine.records import quarantine_schema


def of(name: str, kind: pa.DataType, **more: Any) -> pa.Field[Any]:
    return pa.field(name, kind, **more)


def items(kind: pa.DataType) -> pa.DataType:
    return pa.list_(of("element", kind))


def wide(*, grown: bool) -> pa.Schema:
    """A column of every type; `grown` has each number wider, and more in each struct."""
    whole = pa.int64() if grown else pa.int32()
    more = [of("street", pa.string())] if grown else []
    place = pa.struct([of("city", pa.string()), of("zip", whole), *more])
    columns: list[pa.Field[Any]] = [
        of("id", whole, nullable=False, metadata={"doc": "The key."}),
        of("small", pa.float64() if grown else pa.float32()),
        of("price", pa.decimal128(12 if grown else 6, 2)),
        of("time", pa.time64("us")),
        of("local", pa.timestamp("us")),
        of("at", pa.timestamp("us", "UTC")),
        of("day", pa.date32()),
        of("raw", pa.binary()),
        of("flag", pa.bool_()),
        of("address", place),
        of("tags", items(whole)),
        of("lines", items(place)),
        of("named", pa.map_(of("key", pa.string(), nullable=False), of("value", place))),
        of("deep", items(items(whole))),
    ]
    return pa.schema(columns)


def both(lake: Lake, schema: pa.Schema) -> tuple[Table, Table]:
    quarantine = TableDefinition("quarantine.things", quarantine_schema(schema))
    return ensure_tables(lake, TableDefinition("shop.things", schema), quarantine)


def publish(lake: Lake, table: Table, schema: pa.Schema, rows: list[dict[str, Any]]) -> None:
    attempt = f"attempt{len(table.snapshots())}"
    writer = RollingWriter(table, f"load-{attempt}")
    writer.write(pa.RecordBatch.from_pylist(rows, schema=schema))
    position = Position.of(table.properties).advanced({}, "load", attempt, replace=False)
    commits.publish(lake, table, writer.close(), position, {})


BEFORE = {
    "id": 1,
    "small": 1.5,
    "price": Decimal("1.25"),
    "time": dt.time(1, 2),
    "local": dt.datetime(2024, 1, 1),
    "at": dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
    "day": dt.date(2024, 1, 1),
    "raw": b"x",
    "flag": True,
    "address": {"city": "X", "zip": 1},
    "tags": [1, None],
    "lines": [{"city": "Y", "zip": None}, None],
    "named": [("k", {"city": "Z", "zip": 2})],
    "deep": [[1], None, []],
}
NOTHING = dict.fromkeys(BEFORE)
EMPTY = {**NOTHING, "tags": [], "lines": [], "named": [], "deep": []}
AFTER = {
    "id": 2**40,
    "address": {"city": None, "zip": 2**40, "street": "S"},
    "tags": [2**40],
    "lines": [{"city": None, "zip": 2**40, "street": "S"}],
    "named": [("k", {"city": None, "zip": 2**40, "street": "S"})],
    "deep": [[2**40]],
}


@pytest.fixture
def grown(tmp_path: Path) -> Table:
    """A table with files from before and after its columns grew."""
    lake, old, new = open_lake(tmp_path / "lake"), wide(grown=False), wide(grown=True)
    rows = [BEFORE, {**NOTHING, "id": 2}, {**EMPTY, "id": 3}]
    publish(lake, both(lake, old)[0], old, rows)
    publish(lake, both(lake, new)[0], new, [{**NOTHING, **AFTER}])
    return lake.table("shop.things")


def expected() -> list[dict[str, Any]]:
    street = {"street": None}
    first = {
        **BEFORE,
        "address": {"city": "X", "zip": 1, **street},
        "lines": [{"city": "Y", "zip": None, **street}, None],
        "named": [("k", {"city": "Z", "zip": 2, **street})],
    }
    return [first, {**NOTHING, "id": 2}, {**EMPTY, "id": 3}, {**NOTHING, **AFTER}]


def head(table: Table) -> int:
    snapshot = table.current_snapshot()
    assert snapshot is not None
    return int(snapshot.snapshot_id)


def test_duckdb_reads_files_of_before_and_after_as_one_table(grown: Table) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        relation = read_parquet(files_of(grown, head(grown)))
        found = connection.sql(f"SELECT * FROM {relation} ORDER BY id").to_arrow_table()
    assert found.to_pylist() == expected()


def test_batches_have_the_same_rows_null_lists_and_maps_among_them(grown: Table) -> None:
    found = [row for batch in batches_of(grown, head(grown)) for row in batch.to_pylist()]
    assert sorted(found, key=lambda row: row["id"]) == expected()


def test_an_older_snapshot_is_read_with_the_columns_of_today(grown: Table) -> None:
    first = grown.snapshots()[0].snapshot_id
    (batch,) = batches_of(grown, first, columns=("id", "price"))
    assert batch.schema.field("price").type == pa.decimal128(12, 2)
    assert batch.column("id").to_pylist() == [1, 2, 3]


def test_a_table_of_every_type_that_fits_is_left_as_it_is(tmp_path: Path) -> None:
    lake = open_lake(tmp_path / "lake")
    for schema in (wide(grown=False), wide(grown=True)):
        made = [table.metadata_location for table in both(lake, schema)]
        assert [table.metadata_location for table in both(lake, schema)] == made


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (of("address", pa.struct([of("zip", pa.int32())])), "address.city: removed, string"),
        (of("tags", items(pa.string())), "tags.element: int becomes string"),
        (of("tags", pa.string()), "tags: list<int> becomes string"),
        (of("named", pa.map_(pa.int32(), pa.string())), "becomes map<int, string>"),
    ],
)
def test_a_nested_change_that_breaks_readers_is_refused(
    tmp_path: Path, column: pa.Field[Any], told: str
) -> None:
    lake, old = open_lake(tmp_path / "lake"), wide(grown=False)
    publish(lake, both(lake, old)[0], old, [BEFORE])
    new = pa.schema([column if field.name == column.name else field for field in old])
    with pytest.raises(TableSchemaError) as caught:
        both(lake, new)
    assert told in str(caught.value)


def test_a_load_that_saw_the_old_columns_is_not_published_after_a_required_one_came(
    tmp_path: Path,
) -> None:
    lake = open_lake(tmp_path / "lake")
    old = pa.schema([of("id", pa.int64(), nullable=False), of("name", pa.string())])
    table, _ = both(lake, old)
    files = staged(table, [1])
    both(lake, old.append(of("code", pa.string(), nullable=False)))
    with pytest.raises(ConcurrentLoadError):
        commits.publish(lake, table, files, Position(), {})


def test_a_second_run_that_makes_the_same_change_is_told_to_start_over(tmp_path: Path) -> None:
    lake, other = open_lake(tmp_path / "lake"), open_lake(tmp_path / "lake")
    both(lake, wide(grown=False))
    stale = other.find_table("shop.things")
    both(lake, wide(grown=True))

    class Behind(Lake):
        """A run that looked at the table before the other one had changed it."""

        def find_table(self, identifier: str) -> Table | None:
            return stale if identifier == "shop.things" else super().find_table(identifier)

    with pytest.raises(ConcurrentLoadError):
        both(Behind(other.name, other.properties), wide(grown=True))


def test_some_files_of_a_table_keep_its_columns(grown: Table) -> None:
    files = files_of(grown, head(grown))
    assert files.only(files.paths[:1]).columns == files.columns
    assert (len(files[:1]), files[0]) == (1, files.paths[0])
    assert list(TableFiles()) == []
