"""Where each staged row came from."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from quality_platform.ingest.source_lines import SourceLines


def lines(*numbers: int | None) -> pa.Array:
    return pa.array(numbers, pa.int64())


def test_rows_are_told_by_their_position_over_all_files(tmp_path: Path):
    source = SourceLines(tmp_path / "lines.arrow")
    source.add("a.csv", lines(2, 3))
    source.add("b.csv", lines(2))
    source.add("a.csv", lines(4, 7))
    assert source.at([0, 1, 2, 3, 4]) == (
        ["a.csv", "a.csv", "b.csv", "a.csv", "a.csv"],
        [2, 3, 2, 4, 7],
    )


def test_positions_are_answered_in_the_order_asked_for(tmp_path: Path):
    source = SourceLines(tmp_path / "lines.arrow")
    source.add("a.csv", lines(10, 11, 12))
    assert source.at([2, 0, 0]) == (["a.csv"] * 3, [12, 10, 10])
    assert source.at([1]) == (["a.csv"], [11])
    assert source.at([]) == ([], [])


def test_a_row_without_a_line_has_none(tmp_path: Path):
    source = SourceLines(tmp_path / "lines.arrow")
    source.add("computed", lines(None, None))
    assert source.at([1]) == (["computed"], [None])


def test_stretches_without_rows_change_nothing(tmp_path: Path):
    source = SourceLines(tmp_path / "lines.arrow")
    source.add("a.csv", lines())
    source.add("b.csv", lines(5))
    assert source.at([0]) == (["b.csv"], [5])


def test_of_no_rows_there_is_nothing_to_tell(tmp_path: Path):
    assert SourceLines(tmp_path / "lines.arrow").at([]) == ([], [])


def test_the_lines_lie_on_disk(tmp_path: Path):
    path = tmp_path / "lines.arrow"
    source = SourceLines(path)
    source.add("a.csv", pa.array(range(100_000), pa.int64()))
    source.close()
    assert 1_200_000 <= path.stat().st_size < 1_300_000
    assert source.at([99_999]) == (["a.csv"], [99_999])


def test_closing_twice_is_harmless(tmp_path: Path):
    source = SourceLines(tmp_path / "lines.arrow")
    source.close()
    source.close()


def test_a_position_beyond_the_last_row_is_an_error(tmp_path: Path):
    source = SourceLines(tmp_path / "lines.arrow")
    source.add("a.csv", lines(1))
    with pytest.raises(pa.ArrowIndexError):
        source.at([1])
