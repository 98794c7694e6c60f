"""The cells that do not convert are found exactly, whatever is suspected."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality_platform.ingest.bad_cells import cast_others, octets_of, suspects, with_others

CELLS = st.lists(st.sampled_from(["1", "-20", "", "x", "1.5", "é", None]), max_size=40)


def cast(cells: pa.Array[Any]) -> pa.Array[Any]:
    return pc.cast(cells, pa.int64())


def is_bad(cell: str | None) -> bool:
    return cell not in (None, "1", "-20")


@given(CELLS, st.sets(st.integers(0, 39)), st.integers(0, 3))
def test_bad_cells_become_null_and_are_told_and_no_others(
    cells: list[str | None], guessed: set[int], offset: int
):
    column = pa.array([*(["9"] * offset), *cells], pa.string())[offset:]
    chosen = np.array(sorted(n for n in guessed if n < len(cells)), np.int64)

    converted, bad = cast_others(column, cast, chosen)

    assert bad == [n for n, cell in enumerate(cells) if is_bad(cell)]
    assert converted.to_pylist() == [
        None if cell is None or is_bad(cell) else int(cell) for cell in cells
    ]


def test_bad_cells_are_found_beyond_one_piece():
    cells = ["7"] * 3000
    cells[0] = cells[511] = cells[512] = cells[2999] = "x"
    converted, bad = cast_others(pa.array(cells), cast)
    assert bad == [0, 511, 512, 2999]
    assert converted.null_count == 4


@given(CELLS, st.integers(0, 3))
def test_cells_with_other_bytes_are_found_in_slices_too(cells: list[str | None], offset: int):
    column = pa.array([*(["é"] * offset), *cells], pa.string())[offset:]
    found = with_others(column, octets_of(b"0123456789-."))
    assert found.tolist() == [
        n for n, cell in enumerate(cells) if cell is not None and set(cell) - set("0123456789-.")
    ]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (pa.int64(), [1]),
        (pa.float64(), [1]),
        (pa.decimal128(9, 2), [1, 3]),
        (pa.date32(), [1]),
        (pa.string(), []),
    ],
)
def test_what_looks_least_like_the_type_is_suspected(target: pa.DataType, expected: list[int]):
    cells = pa.array(["1.25", "one", None, "1.255", "", "3"])
    assert suspects(cells, target).tolist() == expected
