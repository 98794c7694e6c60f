"""Grids in which the values of two samples are counted: buckets, found by arithmetic.

Rounding never puts a greater value into a lower bucket, which is all that exactness needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from quality_platform.drift.values import Numbers

_MOST_BUCKETS = 2**16
_VALUES_PER_BUCKET = 128
_BUCKETS_PER_CELL = 16
_PARTS = 32
"""Buckets of a finer grid within each bucket of the grid."""

_PROBES = 2**14
"""Values of each side from which the grid is made."""

Mask = NDArray[np.bool_]
Places = NDArray[np.integer]


@dataclass(frozen=True)
class Grid:
    """Buckets over the numbers; the first and the last one hold all that lies beyond.

    Cells of equal width are cut into buckets of equal width, more of them where there are more
    values.

    Attributes:
        low: Where the cells begin.
        width: Of a cell.
        first: The first bucket of each cell.
        parts: How many buckets each cell has.
    """

    low: float
    width: float
    first: NDArray[np.float64]
    parts: NDArray[np.float64]

    @cached_property
    def starts(self) -> NDArray[np.float64]:
        """How far behind `low` each bucket begins."""
        cell = np.repeat(np.arange(self.parts.size), self.parts.astype(np.int64))
        within = (np.arange(cell.size) - self.first[cell]) / self.parts[cell]
        return np.asarray((cell + within) * self.width)

    @cached_property
    def ends(self) -> NDArray[np.float64]:
        """How far behind `low` each bucket would end, if it were not for what lies beyond."""
        return np.append(self.starts[1:], self.parts.size * self.width)

    def away(self, values: Numbers) -> NDArray[np.float64]:
        """How far behind `low` the values lie; exact where they are close together."""
        with np.errstate(over="ignore"):
            return np.asarray(np.subtract(values, self.low, dtype=np.float64))

    def located(self, values: Numbers) -> tuple[Places, NDArray[np.float64]]:
        """The bucket of each value, and where it lies within: from 0 to 1."""
        away = self.away(values)
        with np.errstate(over="ignore"):
            away *= 1 / self.width
        np.clip(away, 0, self.parts.size - 1, out=away)
        cell = away.astype(np.int32)
        away -= cell
        away *= self.parts[cell]
        away += self.first[cell]
        found = away.astype(np.uint16)
        away -= found
        return found, away


@dataclass(frozen=True)
class FinerGrid:
    """Some buckets of a grid, each cut into smaller ones of equal width.

    The first and the last bucket are empty: nothing lies beyond.
    """

    grid: Grid
    wanted: Mask

    @cached_property
    def starts(self) -> NDArray[np.float64]:
        """How far behind the lowest place of the grid each bucket begins."""
        start, end = self.grid.starts[self.wanted], self.grid.ends[self.wanted]
        step = (end - start) / _PARTS
        inner = start[:, None] + np.arange(_PARTS) * step[:, None]
        return np.concatenate([[0.0], inner.ravel(), [0.0]])

    @cached_property
    def ends(self) -> NDArray[np.float64]:
        """How far behind it each bucket ends."""
        ends = np.append(self.starts[1:], 0.0)
        ends[_PARTS:-1:_PARTS] = self.grid.ends[self.wanted]
        return ends

    @property
    def first(self) -> NDArray[np.int64]:
        """The first bucket within each wanted one."""
        return 1 + _PARTS * np.arange(np.count_nonzero(self.wanted))

    def within_each(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """A number for each wanted bucket, told to all buckets within; 0 for the outer ones."""
        return np.concatenate([[0], np.repeat(numbers, _PARTS), [0]])

    def away(self, values: Numbers) -> NDArray[np.float64]:
        """How far behind the lowest place of the grid the values lie."""
        return self.grid.away(values)

    def located(self, values: Numbers) -> tuple[Places, NDArray[np.float64]]:
        """The bucket of each value, which must lie in a wanted one, and where within it."""
        coarse, within = self.grid.located(values)
        within *= _PARTS
        part = within.astype(np.int32)
        within -= part
        return self._first[coarse] + part, within

    @cached_property
    def _first(self) -> NDArray[np.int32]:
        return 1 + _PARTS * (np.cumsum(self.wanted, dtype=np.int32) - 1)


Buckets: TypeAlias = Grid | FinerGrid


def grid_of(*samples: Numbers, finest: bool = False) -> Grid:
    """A grid for samples, from some of their values.

    Args:
        samples: Their values.
        finest: Whether it is to have as many buckets as a grid can have, and not what is best for
            so many values.
    """
    size = sum(sample.size for sample in samples)
    buckets = int(np.clip(2 ** int(np.log2(size / _VALUES_PER_BUCKET + 1)), 16, _MOST_BUCKETS))
    buckets = _MOST_BUCKETS if finest else buckets
    cells = max(4, buckets // _BUCKETS_PER_CELL)
    probes = np.concatenate([_probes(sample) for sample in samples])
    probes.sort()
    few = probes.size // 1000
    low, high = (float(probes[few]), float(probes[-1 - few])) if probes.size else (0.0, 0.0)
    with np.errstate(over="ignore"):
        width = (high - low) / (cells - 3)
    if not np.finfo(np.float64).tiny < width < np.finfo(np.float64).max:
        width = 1.0
    # Half a cell lies before the lowest, which many values may be equal to: rounding must not
    # put them into the first bucket, with all that lies beyond.
    low -= 1.5 * width
    inner = probes[few : probes.size - few]
    cell = np.clip((inner / width - low / width).astype(np.int64), 0, cells - 1)
    parts = 1 + np.bincount(cell, minlength=cells) * (buckets - cells) // max(inner.size, 1)
    parts[[0, -1]] = 1
    return Grid(low, width, (np.cumsum(parts) - parts).astype(np.float64), parts.astype(np.float64))


def _probes(values: Numbers) -> NDArray[np.float64]:
    probes = values[:: max(1, values.size // _PROBES)].astype(np.float64)
    return np.asarray(probes[np.isfinite(probes)])
