"""Columns gain by a dictionary or not: told as pyarrow names them, and written so."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quality_platform.lake.dictionaries import repeating

ROWS = 1000
FLAT = {
    "long": (pa.int64(), lambda n: n),
    "double": (pa.float64(), lambda n: n / 7),
    "text": (pa.string(), str),
    "bytes": (pa.binary(), lambda n: str(n).encode()),
    "fixed": (pa.binary(4), lambda n: n.to_bytes(4, "big")),
    "decimal": (pa.decimal128(12, 2), Decimal),
    "date": (pa.date32(), lambda n: n),
    "time": (pa.time64("us"), lambda n: n),
    "moment": (pa.timestamp("us", "UTC"), lambda n: n),
}


def rows(*, different: int, missing: int = 0) -> pa.Table:
    """Columns of every flat type, each with so many different values and missing ones."""
    numbers = [None if n < missing else n % different for n in range(ROWS)]
    return pa.table(
        {
            name: pa.array([None if n is None else value(n) for n in numbers], kind)
            for name, (kind, value) in FLAT.items()
        }
    )


def test_columns_of_few_values_gain_and_those_of_many_do_not():
    assert repeating(rows(different=ROWS // 2)) == list(FLAT)
    assert repeating(rows(different=ROWS // 2 + 1)) == []


def test_missing_values_are_no_values():
    assert repeating(rows(different=ROWS, missing=ROWS - 2)) == []
    assert repeating(rows(different=ROWS, missing=ROWS)) == list(FLAT)


def test_the_first_rows_tell():
    few, many = rows(different=2), rows(different=ROWS)
    assert repeating(pa.concat_tables([few] * 33 + [many] * 40)) == list(FLAT)
    assert repeating(few.slice(0, 0)) == list(FLAT)


@pytest.mark.parametrize(
    "kind",
    [
        pa.uuid(),
        pa.list_(pa.int64()),
        pa.large_list(pa.string()),
        pa.list_(pa.float32(), 2),
        pa.map_(pa.string(), pa.list_(pa.int32())),
        pa.struct([("a", pa.struct([("b.c", pa.int32())])), ("d", pa.list_(pa.date32()))]),
    ],
)
def test_parts_of_nested_columns_are_named_as_they_are_written(tmp_path: Path, kind: pa.DataType):
    table = pa.table({"x": pa.nulls(3, kind), "n": [1, 2, 3]})
    found = repeating(table)
    path = tmp_path / "a.parquet"

    with pq.ParquetWriter(path, table.schema, use_dictionary=found) as writer:
        writer.write_table(table)

    group = pq.read_metadata(path).row_group(0)
    columns = [group.column(n) for n in range(group.num_columns)]
    assert {column.path_in_schema for column in columns} == {*found, "n"}
    assert {column.path_in_schema for column in columns if column.has_dictionary_page} == {*found}
