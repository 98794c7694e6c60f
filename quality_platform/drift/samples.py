"""Exact distances of two numeric samples that are held in memory, without sorting them.

Both are counted in the same fine grid of equal width first. As a distribution function does not
fall, the counts bound it within each bucket of the grid. Only the few buckets in which that leaves
anything open are looked at closely: their values are picked out and sorted. The results are those
of sorting everything, at a third of its cost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from quality_platform.drift.numeric_profiles import Moments
from quality_platform.drift.values import Family, Kind, Numbers

_CHUNK = 2**16
"""Values that are worked on at once: they fit into the cache."""

_MOST_BUCKETS = 2**16
_VALUES_PER_BUCKET = 128
_BUCKETS_PER_CELL = 16
_HEAVY = 4
"""Times the mean number of values from which on a bucket is asked whether it has only one."""

_PROBES = 2**14
"""Values of each side from which the grid is made."""

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class NumericSample:
    """All values of a numeric column, in any order; see `NumericProfile` for the others."""

    column: str
    family: Family
    rows: int
    nulls: int
    nans: int
    values: Numbers
    bins: int = 10
    kind: Kind = "numeric"

    @property
    def missing(self) -> int:
        """Rows that are NULL or NaN."""
        return self.nulls + self.nans

    @property
    def present(self) -> int:
        """Rows that have a value."""
        return self.values.size

    @cached_property
    def deviation(self) -> float:
        """The standard deviation of the finite values; NaN where there are none."""
        moments = Moments()
        moments.add(self.values)
        return moments.deviation


@dataclass(frozen=True)
class Grid:
    """Buckets over the numbers; the first and the last one hold all that lies beyond.

    Cells of equal width are cut into buckets of equal width, more of them where there are more
    values. A value's bucket is found by arithmetic. Rounding never puts a greater value into a
    lower bucket, which is all that exactness needs.

    Attributes:
        low: where the cells begin.
        width: of a cell.
        first: the first bucket of each cell.
        parts: how many buckets each cell has.
    """

    low: float
    width: float
    first: NDArray[np.float64]
    parts: NDArray[np.float64]

    @cached_property
    def starts(self) -> NDArray[np.float64]:
        """How far behind `low` each bucket begins, and the last one would end."""
        cell = np.repeat(np.arange(self.parts.size), self.parts.astype(np.int64))
        within = (np.arange(cell.size) - self.first[cell]) / self.parts[cell]
        return np.asarray(np.append(cell + within, self.parts.size) * self.width)

    @property
    def buckets(self) -> int:
        """How many there are."""
        return self.starts.size - 1

    def away(self, values: Numbers) -> NDArray[np.float64]:
        """How far behind `low` the values lie; exact where they are close together."""
        with np.errstate(over="ignore"):
            return np.asarray(values.astype(np.float64) - self.low)

    def places(self, values: Numbers) -> NDArray[np.float64]:
        """Where the values lie, in buckets from the first one."""
        away = self.away(values)
        with np.errstate(over="ignore"):
            away *= 1 / self.width
        np.clip(away, 0, self.parts.size - 1, out=away)
        cell = away.astype(np.int32)
        away -= cell
        away *= self.parts[cell]
        away += self.first[cell]
        return away

    def index(self, values: Numbers) -> NDArray[np.uint16]:
        """The bucket of each value."""
        return self.places(values).astype(np.uint16)


def grid_of(one: Numbers, other: Numbers) -> Grid:
    """A grid for two samples, from some of their values."""
    size = one.size + other.size
    buckets = int(np.clip(2 ** int(np.log2(size / _VALUES_PER_BUCKET + 1)), 16, _MOST_BUCKETS))
    cells = max(4, buckets // _BUCKETS_PER_CELL)
    probes = np.concatenate([_probes(one), _probes(other)])
    probes.sort()
    few = probes.size // 1000
    low, high = (float(probes[few]), float(probes[-1 - few])) if probes.size else (0.0, 0.0)
    with np.errstate(over="ignore"):
        width = (high - low) / (cells - 2)
    if not np.finfo(np.float64).tiny < width < np.finfo(np.float64).max:
        width = 1.0
    low -= width
    inner = probes[few : probes.size - few]
    cell = np.clip((inner / width - low / width).astype(np.int64), 0, cells - 1)
    parts = 1 + np.bincount(cell, minlength=cells) * (buckets - cells) // max(inner.size, 1)
    parts[[0, -1]] = 1
    return Grid(low, width, (np.cumsum(parts) - parts).astype(np.float64), parts.astype(np.float64))


def _probes(values: Numbers) -> NDArray[np.float64]:
    probes = values[:: max(1, values.size // _PROBES)].astype(np.float64)
    return np.asarray(probes[np.isfinite(probes)])


class GriddedSample:
    """A sample counted in a grid."""

    def __init__(self, values: Numbers, grid: Grid) -> None:
        """Counts the values."""
        self.values, self.grid, self.size = values, grid, values.size
        self.is_sorted = False
        self.index = np.empty(values.size, np.uint16)
        self.parts = np.zeros(grid.buckets)
        self.rows = np.zeros(grid.buckets, np.int64)
        for part in _chunks(values.size):
            places = grid.places(values[part])
            found = places.astype(np.uint16)
            self.index[part] = found
            self.rows += np.bincount(found, minlength=grid.buckets)
            self.parts += np.bincount(found, places - found, minlength=grid.buckets)
        self.upto: Counts = np.cumsum(self.rows)
        self.before: Counts = self.upto - self.rows

    def sort(self) -> None:
        """Sorts all values, where most of them will be looked at."""
        if not self.is_sorted:
            self.values, self.is_sorted = np.sort(self.values), True
            self.index = np.repeat(np.arange(self.rows.size, dtype=np.uint16), self.rows)

    @cached_property
    def heavy(self) -> NDArray[np.bool_]:
        """The buckets with many more values than others, which are likely to be equal."""
        found = self.rows > max(_HEAVY * self.size / self.grid.buckets, _VALUES_PER_BUCKET)
        found[[0, -1]] = False
        return np.asarray(found)

    @cached_property
    def single(self) -> NDArray[np.bool_]:
        """The heavy buckets all of whose values are equal."""
        mixed = np.zeros(self.grid.buckets, bool)
        for part in _chunks(self.size):
            found = self.index[part]
            mixed[found[self.values[part] != self.one_of_each[found]]] = True
        return np.asarray(self.heavy & ~mixed)

    def single_among(self, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Those of the wanted buckets that are `single`."""
        likely = wanted & self.heavy
        return np.asarray(likely & self.single) if likely.any() else likely

    def cost(self, wanted: NDArray[np.bool_]) -> Counts:
        """How many values a close look at each of the wanted buckets takes; 0 for the others."""
        return np.where(self.single_among(wanted), 1, np.where(wanted, self.rows, 0))

    @cached_property
    def one_of_each(self) -> Numbers:
        """A value of each bucket that has any."""
        some = np.zeros(self.grid.buckets, self.values.dtype)
        some[self.index] = self.values
        return some

    def closely(self, wanted: NDArray[np.bool_]) -> CloseLook:
        """The values of these buckets, in ascending order."""
        single = self.single_among(wanted)
        picked = self._picked(wanted & ~single)
        weights = np.ones(picked.size, np.int64)
        if single.any():
            picked = np.concatenate([picked, self.one_of_each[single]])
            weights = np.concatenate([weights, self.rows[single]])
            order = np.argsort(picked, kind="stable")
            picked, weights = picked[order], weights[order]
        seen = np.where(wanted, self.rows, 0)
        return CloseLook(
            self.grid, picked, np.cumsum(weights), self.before - np.cumsum(seen) + seen
        )

    def _picked(self, wanted: NDArray[np.bool_]) -> Numbers:
        if not self.is_sorted:
            return np.sort(self.values[wanted[self.index]])
        buckets = np.flatnonzero(wanted)
        if not buckets.size:
            return self.values[:0]
        part = slice(self.before[buckets[0]], self.upto[buckets[-1]])
        return self.values[part][wanted[self.index[part]]]


@dataclass(frozen=True)
class CloseLook:
    """Values of some buckets of a sample, in ascending order.

    `ends` is how many of these values there are up to each of them. `base` is, for each bucket,
    how many values of the sample lie before it, less those that are here.
    """

    grid: Grid
    values: Numbers
    ends: Counts
    base: Counts

    def upto(self, points: Numbers) -> Counts:
        """How many values of the sample are at most as great as points in these buckets."""
        return self._counted(points, np.searchsorted(self.values, points, side="right"))

    def below(self, points: Numbers) -> Counts:
        """How many values of the sample are less than points in these buckets."""
        return self._counted(points, np.searchsorted(self.values, points, side="left"))

    def at_ranks(self, ranks: Counts, buckets: Counts) -> Numbers:
        """The values of these ranks in the sample, which lie in these buckets."""
        return self.values[np.searchsorted(self.ends, ranks - self.base[buckets], side="right")]

    def _counted(self, points: Numbers, place: NDArray[np.intp]) -> Counts:
        return np.asarray(self.base[self.grid.index(points)] + np.append(0, self.ends)[place])


def _chunks(size: int) -> Iterator[slice]:
    return (slice(start, start + _CHUNK) for start in range(0, size, _CHUNK))
