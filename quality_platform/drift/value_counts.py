"""Counts values of a stream: the distinct ones, and those below and at given points."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from quality_platform.drift.grids import Grid, Mask, grid_of
from quality_platform.drift.samples import CloseLook, Counts, GriddedSample
from quality_platform.drift.values import Numbers

_BY_GRID = 2**16
"""Fewer values are sorted sooner than counted in a grid of as many buckets."""

_PROBE = 2**17
"""Values of a batch that are counted first: most columns of many values have too many there."""

Counted = tuple[Numbers, Counts]
"""Values in ascending order, and how often each occurs."""


@dataclass
class DistinctValues:
    """Distinct values and their rows so far; given up where there are more than the limit."""

    limit: int
    values: Numbers | None = None
    rows: Counts = field(default_factory=lambda: np.empty(0, np.int64))
    is_over: bool = False

    def add(self, values: Numbers) -> Counted | None:
        """Takes in more values, in any order, and gives them counted; None where given up."""
        if not self.is_over:
            counted = _distinct(values[:_PROBE])
            self.is_over = counted[0].size > self.limit
        if not self.is_over:
            counted = counted if values.size <= _PROBE else _distinct(values)
            self._take(counted)
        if self.is_over:
            self.values, self.rows = None, np.empty(0, np.int64)
            return None
        return counted

    def _take(self, counted: Counted) -> None:
        if self.values is None:
            self.values, self.rows = counted
        elif counted[0].size:
            self.values, self.rows = _merged(
                np.concatenate([self.values, counted[0]]), np.concatenate([self.rows, counted[1]])
            )
        self.is_over = self.values.size > self.limit


@dataclass
class PointCounter:
    """Counts values below and at given points, and keeps the least and the greatest value."""

    points: Numbers
    total: int = 0
    extremes: list[Numbers] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.below = np.zeros(self.points.size, np.int64)
        self.upto = np.zeros(self.points.size, np.int64)
        self.ends = [0, 0]

    def add(self, values: Numbers) -> None:
        """Takes in more values, in any order."""
        if values.size < _BY_GRID:
            self.add_counted(np.sort(values), np.ones(values.size, np.int64))
        else:
            sample = GriddedSample(values, self._grid)
            self.add_looked(sample, sample.closely(self._buckets))

    def add_counted(self, values: Numbers, rows: Counts) -> None:
        """Takes in more values, in ascending order, each so many times."""
        if not values.size:
            return
        upto = np.append(0, np.cumsum(rows))
        low, high = values[:1], values[-1:]
        self._add(
            upto[np.searchsorted(values, self.points, side="left")],
            upto[np.searchsorted(values, self.points, side="right")],
            int(upto[-1]),
        )
        lows = int(upto[np.searchsorted(values, low, side="right")[0]])
        highs = int(upto[-1] - upto[np.searchsorted(values, high, side="left")[0]])
        self._widen((low, high), (lows, highs))

    def add_looked(self, sample: GriddedSample, look: CloseLook) -> None:
        """Takes in a sample, of which the buckets of all points have been looked at."""
        values = sample.values
        if not values.size:
            return
        self._add(look.below(self.points), look.upto(self.points), values.size)
        low, high = values.min(keepdims=True), values.max(keepdims=True)
        times = [int(np.count_nonzero(values == end)) for end in (low, high)]
        self._widen((low, high), (times[0], times[1]))

    def staircase(self) -> tuple[Numbers, NDArray[np.int64], NDArray[np.int64]]:
        """Points from the least to the greatest value, the rows at them, and between them."""
        if not self.extremes:
            return self.points[:0], np.empty(0, np.int64), np.empty(0, np.int64)
        low, high = self.extremes
        inner = (self.points > low) & (self.points < high)
        ends = [low] if low == high else [low, high]
        points = np.concatenate([ends[0], self.points[inner], *ends[1:]])
        above = self.total - self.ends[1]
        below = np.concatenate([[0], self.below[inner], [above][: len(ends) - 1]])
        upto = np.concatenate([[self.ends[0]], self.upto[inner], [self.total][: len(ends) - 1]])
        before = np.append(0, upto[:-1])
        return points, (upto - below).astype(np.int64), (below - before).astype(np.int64)

    @cached_property
    def _grid(self) -> Grid:
        """As fine as can be: few values share a bucket with a point, and must be sorted."""
        return grid_of(self.points, finest=True)

    @cached_property
    def _buckets(self) -> Mask:
        buckets = np.zeros(self._grid.starts.size, bool)
        buckets[self._grid.located(self.points)[0]] = True
        return buckets

    def _add(self, below: Counts, upto: Counts, total: int) -> None:
        self.below += below
        self.upto += upto
        self.total += total

    def _widen(self, found: tuple[Numbers, Numbers], times: tuple[int, int]) -> None:
        """Takes in the least and the greatest of some values, and how often they occur."""
        if not self.extremes:
            self.extremes, self.ends = list(found), list(times)
            return
        for end, (value, rows) in enumerate(zip(found, times, strict=True)):
            known = self.extremes[end]
            if value == known:
                self.ends[end] += rows
            elif (value < known) == (end == 0):
                self.extremes[end], self.ends[end] = value, rows


def _distinct(values: Numbers) -> Counted:
    """Each value once."""
    # By hashing, which is several times faster than sorting where values repeat.
    found: Any = pc.value_counts(pa.array(values))
    distinct, rows = (found.field(n).to_numpy(zero_copy_only=False) for n in (0, 1))
    return _merged(distinct, rows)


def _merged(values: Numbers, rows: Counts) -> Counted:
    """The values in ascending order, and each once; -0.0 is 0.0."""
    order = np.argsort(values, kind="stable")
    values, rows = values[order], rows[order]
    starts = np.flatnonzero(np.append(True, values[1:] != values[:-1])[: values.size])
    return values[starts], np.add.reduceat(rows, starts) if starts.size else rows
