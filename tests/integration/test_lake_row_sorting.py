"""Rows sorted by keys, by way of the disk: all of them, as they were, in one order."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from quality_platform.errors import EngineError
from quality_platform.lake import row_sorting
from quality_platform.lake.query import EngineSettings, duckdb_session
from quality_platform.lake.row_sorting import RowSorter

ROWS = pa.schema(
    [
        ("id", pa.int64()),
        ("text", pa.string()),
        ("tags", pa.list_(pa.struct([("name", pa.string()), ("n", pa.decimal128(9, 2))]))),
        ("uuid", pa.uuid()),
        ("none", pa.null()),
    ]
)
KEYS = pa.schema([("p0", pa.int32()), ("s0", pa.string())])


def rows_of(numbers: list[int], length: int = 5) -> pa.RecordBatch:
    records = [
        {
            "id": n,
            "text": None if n % 7 == 0 else f"{n} " * length,
            "tags": [{"name": "x" * (n % 3), "n": None}] * (n % 4),
            "uuid": n.to_bytes(16, "big"),
            "none": None,
        }
        for n in numbers
    ]
    return pa.RecordBatch.from_pylist(records, schema=ROWS)


def keys_of(numbers: list[int]) -> pa.RecordBatch:
    records = [{"p0": n % 5 or None, "s0": f"é{n % 3}"} for n in numbers]
    return pa.RecordBatch.from_pylist(records, schema=KEYS)


def expected(numbers: list[int]) -> list[int]:
    """NULL last, and rows with the same keys as they came."""
    return sorted(numbers, key=lambda n: (not n % 5, n % 5, n % 3))


def sorter_in(connection: Any, folder: Path) -> RowSorter:
    return RowSorter(connection, "p0 ASC NULLS LAST, s0 ASC NULLS LAST", folder)


@pytest.mark.parametrize("piece_bytes", [1, 3_000, 2**30])
def test_rows_come_back_in_their_order_and_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece_bytes: int
) -> None:
    monkeypatch.setattr(row_sorting, "PIECE_BYTES", piece_bytes)
    monkeypatch.setattr(row_sorting, "_READ_BYTES", 500)
    numbers = list(range(1_000))
    random.Random(1).shuffle(numbers)
    with duckdb_session(EngineSettings(memory_limit_mb=64)) as connection:
        sorter = sorter_in(connection, tmp_path)
        for start in range(0, 1_000, 37):
            part = numbers[start : start + 37]
            sorter.add(rows_of(part), keys_of(part))
        found = list(sorter.batches())
    rows = [row for batch, _ in found for row in batch.to_pylist()]
    keys = [(row["p0"], row["s0"]) for _, batch in found for row in batch.to_pylist()]
    order = expected(numbers)
    assert rows == rows_of(order).to_pylist()
    assert keys == [(row["p0"], row["s0"]) for row in keys_of(order).to_pylist()]
    assert all(batch.schema.equals(ROWS) for batch, _ in found)


def test_no_rows_are_no_batches(tmp_path: Path) -> None:
    with duckdb_session(EngineSettings(memory_limit_mb=64)) as connection:
        assert list(sorter_in(connection, tmp_path).batches()) == []


def test_rows_that_are_longer_than_the_engine_has_memory_are_sorted(tmp_path: Path) -> None:
    numbers = list(range(8_000, 0, -1))
    with duckdb_session(EngineSettings(memory_limit_mb=32, threads=1)) as connection:
        sorter = sorter_in(connection, tmp_path)
        for start in range(0, 8_000, 200):
            part = numbers[start : start + 200]
            sorter.add(rows_of(part, 3_000), keys_of(part))
        found = [n for batch, _ in sorter.batches() for n in batch["id"].to_pylist()]
    assert found == expected(numbers)


def test_a_folder_that_cannot_be_written_is_told_of(tmp_path: Path) -> None:
    with duckdb_session(EngineSettings(memory_limit_mb=64)) as connection:
        sorter = sorter_in(connection, tmp_path / "nowhere")
        sorter.add(rows_of([1]), keys_of([1]))
        with pytest.raises(EngineError, match=r"(?s)rows could not be sorted.*TMPDIR"):
            list(sorter.batches())
