"""Parquet and Arrow IPC files: read by column, refused where they are something else."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quality_platform.errors import HeaderError, MalformedSourceError, SourceError
from quality_platform.sources.typed_files import (
    BATCH_ROWS,
    batches_of_file,
    require_columns,
    schema_of,
)

ROWS = BATCH_ROWS + 10


def written(path: Path) -> Path:
    table = pa.table({"a": range(ROWS), "b": [str(n) for n in range(ROWS)]})
    if path.suffix in (".parquet", ".pq"):
        pq.write_table(table, path)
    else:
        with pa.ipc.new_file(str(path), table.schema) as file:
            file.write_table(table)
    return path


@pytest.mark.parametrize("name", ["a.parquet", "a.pq", "a.arrow", "a.feather", "a.ipc"])
def test_the_columns_come_in_the_order_asked_for_in_bounded_batches(
    tmp_path: Path, name: str
) -> None:
    path = written(tmp_path / name)

    batches = list(batches_of_file(path, ["b", "a"]))

    assert schema_of(path).names == ["a", "b"]
    assert {tuple(batch.schema.names) for batch in batches} == {("b", "a")}
    assert max(batch.num_rows for batch in batches) <= BATCH_ROWS
    assert [n for batch in batches for n in batch.column("a").to_pylist()] == list(range(ROWS))


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_a_file_that_is_cut_short_or_something_else_is_refused_with_its_path(
    tmp_path: Path, name: str
) -> None:
    whole = written(tmp_path / name)
    cut = tmp_path / f"cut-{name}"
    cut.write_bytes(whole.read_bytes()[:-20])

    with pytest.raises(MalformedSourceError) as refused:
        list(batches_of_file(cut, ["a"]))

    assert str(cut) in str(refused.value)


def test_a_missing_file_is_an_error_of_the_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no\.parquet"):
        schema_of(tmp_path / "no.parquet")


def test_missing_and_unexpected_columns_are_all_told(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet")

    with pytest.raises(HeaderError) as refused:
        require_columns(path, ["a", "bb", "c"], [])

    assert [p.message for p in refused.value.problems] == [
        "the file has no column 'bb'",
        "the file has no column 'c'",
        "the contract has no column 'b'",
    ]
    assert refused.value.problems[0].action == "'b' in the file may be meant for 'bb'"
    require_columns(path, ["a"], ["b"])
