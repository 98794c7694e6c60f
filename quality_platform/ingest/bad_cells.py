"""Finds the cells of a column that make its conversion fail, and converts the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Cast = Callable[["pa.Array[Any]"], "pa.Array[Any]"]
"""Converts a column, or raises one of `NOT_CONVERTED` where a cell does not convert."""
NOT_CONVERTED = (pa.ArrowInvalid, pa.ArrowNotImplementedError)

NO_CELLS = np.empty(0, np.int64)
_ZERO, _NINE = np.uint8(ord("0")), 9
_PIECE = 512
"""Cells that are tried at once: where few are bad, nearly all pieces convert at the first try."""


def cast_others(
    cells: pa.Array[Any], cast: Cast, suspects: NDArray[np.int64] = NO_CELLS
) -> tuple[pa.Array[Any], list[int]]:
    """A column that does not convert as a whole, with NULL for what is bad, and where that is.

    `suspects` are cells that are likely to be bad, ascending: right or wrong, they change nothing
    but the time.
    """
    if len(suspects):
        bad = suspects[_failing(cells.take(suspects), cast)].tolist()
        with suppress(*NOT_CONVERTED):
            return cast(_without(cells, bad)), bad
    bad = _failing(cells, cast)
    return cast(_without(cells, bad)), bad


def _without(cells: pa.Array[Any], rows: Sequence[int]) -> pa.Array[Any]:
    keep = np.ones(len(cells), np.bool_)
    keep[list(rows)] = False
    kept: pa.Array[Any] = pc.if_else(pa.array(keep), cells, pa.scalar(None, cells.type))
    return kept


def _failing(cells: pa.Array[Any], cast: Cast) -> list[int]:
    """The positions of the cells that make a conversion fail, ascending."""
    pieces = range(0, len(cells), _PIECE)
    return [row for start in pieces for row in _halved(cells[start : start + _PIECE], start, cast)]


def _halved(cells: pa.Array[Any], start: int, cast: Cast) -> Iterable[int]:
    """The same for a piece, by halving; the first cell is number `start`."""
    try:
        cast(cells)
    except NOT_CONVERTED:
        if len(cells) == 1:
            yield start
            return
        middle = len(cells) // 2
        yield from _halved(cells[:middle], start, cast)
        yield from _halved(cells[middle:], start + middle, cast)


def octets_of(*of: bytes) -> NDArray[np.bool_]:
    """For each byte value, whether it is among these."""
    table = np.zeros(256, np.bool_)
    table[np.frombuffer(b"".join(of), np.uint8)] = True
    return table


def with_others(text: pa.Array[Any], octets: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The cells that have other bytes, ascending; to find them costs a tenth of a pattern.

    `text` is of strings or bytes, `octets` have the digits. A NULL may be among the cells.
    """
    offsets, written = offsets_of(text), octets_in(text)
    # Nearly all are digits, and those are told faster than by a table; what is less wraps around.
    others = np.flatnonzero(written - _ZERO > _NINE)
    others = others[~octets[written[others]]]
    return np.unique(_cells_at(others + offsets[0], offsets)) if len(others) else NO_CELLS


def suspects(raw: pa.Array[Any], target: pa.DataType) -> NDArray[np.int64]:
    """The cells that look least like the type: of other bytes, or with too many decimals."""
    kind: Any = target
    if not (pa.types.is_temporal(kind) or _is_number(kind)):
        return NO_CELLS
    found = with_others(raw, _OF_NUMBERS_AND_TIMES)
    if not pa.types.is_decimal(kind):
        return found
    offsets = offsets_of(raw)
    points = np.flatnonzero(octets_in(raw) == ord(".")) + offsets[0]
    cells = _cells_at(points, offsets)
    return np.union1d(found, cells[offsets[cells + 1] - points - 1 > kind.scale])


def _is_number(kind: pa.DataType) -> bool:
    is_whole = pa.types.is_integer(kind)
    return is_whole or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def offsets_of(text: pa.Array[Any]) -> NDArray[np.int32]:
    """Where the cells begin in the buffer of their bytes, and behind them where the last ends."""
    buffer = text.buffers()[1]
    if buffer is None:
        return np.zeros(1, np.int32)
    found = np.frombuffer(memoryview(buffer), np.int32)
    return found[text.offset : text.offset + len(text) + 1]


def octets_in(text: pa.Array[Any]) -> NDArray[np.uint8]:
    """The bytes of all cells, one cell behind the other."""
    offsets, data = offsets_of(text), text.buffers()[2]
    octets = np.frombuffer(memoryview(data) if data is not None else b"", np.uint8)
    return octets[offsets[0] : offsets[-1]]


def _cells_at(places: NDArray[np.int64], offsets: NDArray[np.int32]) -> NDArray[np.int64]:
    """The cells in which places of the buffer are."""
    cells: NDArray[np.int64] = np.searchsorted(offsets, places, side="right") - 1
    return cells


_OF_NUMBERS_AND_TIMES = octets_of(b"0123456789+-.:eETZ ")
