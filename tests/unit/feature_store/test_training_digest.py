"""The digest of rows: the same for the same rows, another for any other."""

from __future__ import annotations

import hashlib
import io
import struct
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality_platform.errors import TrainingSetError
from quality_platform.feature_store.training_digest import BLOCK_ROWS, FORMAT, RowsDigest

MOMENT = datetime(2026, 1, 5, tzinfo=UTC)
COLUMNS: dict[str, tuple[pa.DataType, list[Any], Any]] = {
    "boolean": (pa.bool_(), [True, None, False], True),
    "int32": (pa.int32(), [1, None, -3], 4),
    "int64": (pa.int64(), [2**53 + 1, None, -1], 2**53),
    "float": (pa.float32(), [1.5, None, -0.0], 0.0),
    "double": (pa.float64(), [float("nan"), None, -0.0], 0.0),
    "decimal": (pa.decimal128(12, 2), [Decimal("1.10"), None, Decimal("-7")], Decimal("-7.01")),
    "date": (pa.date32(), [date(2026, 1, 5), None, date(1969, 1, 1)], date(1970, 1, 1)),
    "moment": (pa.timestamp("us", "UTC"), [MOMENT, None, MOMENT], MOMENT.replace(microsecond=1)),
    "text": (pa.string(), ["ä", None, ""], "b"),
    "bytes": (pa.binary(), [b"\0", None, b""], b"\0\0"),
    "list": (pa.list_(pa.int64()), [[1, None], None, []], [0]),
    "texts": (pa.list_(pa.string()), [["a", "bc"], None, []], ["abc"]),
    "struct": (
        pa.struct([("a", pa.int64()), ("b", pa.string())]),
        [{"a": 1, "b": None}, None, {"a": None, "b": ""}],
        {"a": 0, "b": ""},
    ),
    "map": (pa.map_(pa.string(), pa.int64()), [[("a", 1)], None, []], [("a", 2)]),
}


def digest(schema: pa.Schema, *batches: pa.RecordBatch) -> str:
    found = RowsDigest(schema)
    for batch in batches:
        found.update(batch)
    return found.hexdigest()


def of_table(table: pa.Table) -> str:
    return digest(table.schema, *table.to_batches())


def test_the_bytes_are_those_that_are_described() -> None:
    table = pa.table({"n": pa.array([1, None], pa.int64()), "t": pa.array(["a", None])})
    columns = b'[["n","int64"],["t","string"]]'
    expected = b"".join(
        [
            *(struct.pack("<q", len(text)) + text for text in (FORMAT.encode(), columns)),
            struct.pack("<q", 2),
            b"\x01" + struct.pack("<qq", 1, 0),
            b"\x01" + struct.pack("<qq", 1, 0) + b"a",
        ]
    )
    assert of_table(table) == hashlib.sha256(expected).hexdigest()


@pytest.mark.parametrize("name", COLUMNS)
def test_every_value_counts_and_storage_does_not(name: str) -> None:
    kind, values, other = COLUMNS[name]
    table = pa.table({"c": pa.array(values, kind)})
    padded = pa.table({"c": pa.array([other, *values, other], kind)}).slice(1, len(values))
    parts = [table.slice(n, 1).combine_chunks().to_batches()[0] for n in range(len(values))]
    assert of_table(padded) == of_table(table)
    assert digest(table.schema, *parts) == of_table(table)
    for n in range(len(values)):
        changed = [*values[:n], None if values[n] == other else other, *values[n + 1 :]]
        assert of_table(pa.table({"c": pa.array(changed, kind)})) != of_table(table)


@pytest.mark.parametrize("name", COLUMNS)
def test_rows_are_the_same_after_a_way_through_parquet(name: str) -> None:
    kind, values, _ = COLUMNS[name]
    table = pa.table({"c": pa.array(values * 5, kind)})
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=4, compression="gzip")
    assert of_table(pq.read_table(file).cast(table.schema)) == of_table(table)


def test_nan_is_always_the_same_and_the_sign_of_zero_counts() -> None:
    odd = np.array([0x7FF8000000000001, 0xFFF8000000000000], np.uint64).view(np.float64)
    quiet = pa.table({"c": [float("nan"), float("nan")]})
    assert of_table(pa.table({"c": odd})) == of_table(quiet)
    assert of_table(pa.table({"c": [0.0]})) != of_table(pa.table({"c": [-0.0]}))


def test_what_stands_under_a_missing_value_does_not_count() -> None:
    hidden = pa.Array.from_buffers(
        pa.int64(), 2, [pa.py_buffer(b"\x01"), pa.py_buffer(struct.pack("<qq", 1, 99))]
    )
    assert of_table(pa.table({"c": hidden})) == of_table(pa.table({"c": pa.array([1, None])}))


def test_names_types_and_the_order_of_columns_count() -> None:
    one = pa.table({"a": pa.array([1], pa.int64()), "b": pa.array([1], pa.int64())})
    others = [one.rename_columns(["a", "c"]), one.select(["b", "a"])]
    others.append(one.set_column(0, "a", pa.array([1], pa.int32())))
    assert of_table(one) not in {of_table(other) for other in others}


def test_arrows_two_kinds_of_text_are_one() -> None:
    small = pa.table({"c": pa.array(["a", None, "bc"])})
    large = pa.table({"c": pa.array(["a", None, "bc"], pa.large_string())})
    words = pa.table({"c": pa.array(["a", None, "bc"]).dictionary_encode()})
    assert of_table(large) == of_table(small)
    assert digest(small.schema, *words.cast(small.schema).to_batches()) == of_table(small)


@given(st.lists(st.integers(1, BLOCK_ROWS * 2), max_size=4))
def test_the_sizes_of_batches_do_not_count(sizes: list[int]) -> None:
    table = pa.table({"c": np.arange(BLOCK_ROWS * 2 + 7)})
    parts, start = [], 0
    for size in sizes:
        parts += table.slice(start, size).to_batches()
        start += size
    assert digest(table.schema, *parts, *table.slice(start).to_batches()) == of_table(table)


def test_a_type_without_canonical_bytes_is_refused() -> None:
    table = pa.table({"c": pa.array([[1, 2]], pa.list_(pa.int64(), 2))})
    with pytest.raises(TrainingSetError, match="no canonical bytes") as error:
        of_table(table)
    assert error.value.code == "QP603"
