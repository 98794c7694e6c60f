"""Numeric samples that are held in memory, counted in a grid, and looked at closely in parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from quality_platform.drift.grids import Buckets, FinerGrid, Mask
from quality_platform.drift.moments import Moments
from quality_platform.drift.values import Family, Kind, Numbers

_CHUNK = 2**16
"""Values that are worked on at once: they fit into the cache."""

_HEAVY = 4
"""Times the mean number of values from which on a bucket is asked whether it has only one."""

_LEAST_HEAVY = 128
"""Fewer values are sorted sooner than asked."""

_STRIDE = 64
"""One value of so many tells of most buckets that they have several."""

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


class GriddedSample:
    """A sample, or the part of one that a finer grid covers, counted in a grid.

    Attributes:
        size: The number of values of the whole sample.
        rows: The values in each bucket.
        before: The values of the whole sample before each bucket.
        parts: The sum of what lies between the start of each bucket and its values, in buckets.
    """

    def __init__(self, values: Numbers, grid: Buckets, size: int | None = None) -> None:
        """Counts the values; `size` is that of the whole sample where they are a part of it."""
        self.values, self.grid = values, grid
        self.size = values.size if size is None else size
        self.is_sorted = False
        buckets = grid.starts.size
        self.index: NDArray[np.integer] = np.empty(
            values.size, np.uint16 if buckets <= 2**16 else np.int32
        )
        self.parts = np.zeros(buckets)
        self.rows: Counts = np.zeros(buckets, np.int64)
        for part in _chunks(values.size, max(_CHUNK, buckets)):
            found, within = grid.located(values[part])
            self.index[part] = found
            self.rows += np.bincount(found, minlength=buckets)
            self.parts += np.bincount(found, within, minlength=buckets)
        self._place: Counts = np.cumsum(self.rows) - self.rows
        self.before = self._place

    @property
    def upto(self) -> Counts:
        """The values of the whole sample up to the end of each bucket."""
        return np.asarray(self.before + self.rows)

    def finer(self, grid: FinerGrid) -> GriddedSample:
        """The values in the wanted buckets of a finer grid, counted there."""
        part = GriddedSample(self.values[grid.wanted[self.index]], grid, self.size)
        part.before = part._place + grid.within_each(
            self.before[grid.wanted] - part._place[grid.first]
        )
        return part

    def sort(self) -> None:
        """Sorts all values, where most of them will be looked at."""
        if not self.is_sorted:
            self.values, self.is_sorted = np.sort(self.values), True
            self.index = np.repeat(np.arange(self.rows.size, dtype=self.index.dtype), self.rows)

    @cached_property
    def heavy(self) -> Mask:
        """The buckets with many more values than others, which are likely to be equal."""
        mean = self.values.size / self.rows.size
        found = self.rows > max(_HEAVY * mean, _LEAST_HEAVY)
        found[[0, -1]] = False
        return np.asarray(found)

    @cached_property
    def single(self) -> Mask:
        """The heavy buckets all of whose values are equal, as far as probes have found them."""
        probed = np.zeros(self.rows.size, bool)
        probed[self.index[::_STRIDE]] = True
        found = self.heavy & probed
        for part in (slice(None, None, _STRIDE), *_chunks(self.values.size, _CHUNK)):
            if not found.any():
                break
            index = self.index[part]
            found[index[self.values[part] != self.one_of_each[index]]] = False
        return found

    @cached_property
    def one_of_each(self) -> Numbers:
        """A value of each bucket that a probe has found."""
        some = np.zeros(self.rows.size, self.values.dtype)
        some[self.index[::_STRIDE]] = self.values[::_STRIDE]
        return some

    def single_among(self, wanted: Mask) -> Mask:
        """Those of the wanted buckets that are `single`."""
        likely = wanted & self.heavy
        return np.asarray(likely & self.single) if likely.any() else likely

    def cost(self, wanted: Mask) -> Counts:
        """How many values a close look at each of the wanted buckets takes; 0 for the others."""
        return np.where(self.single_among(wanted), 1, np.where(wanted, self.rows, 0))

    def closely(self, wanted: Mask) -> CloseLook:
        """The values of these buckets, in ascending order."""
        single = self.single_among(wanted)
        picked = self._picked(wanted & ~single)
        ends = np.arange(1, picked.size + 1)
        if single.any():
            weights = np.append(np.ones(picked.size, np.int64), self.rows[single])
            picked = np.append(picked, self.one_of_each[single])
            order = np.argsort(picked, kind="stable")
            picked, ends = picked[order], np.cumsum(weights[order])
        seen = np.where(wanted, self.rows, 0)
        return CloseLook(self.grid, picked, ends, self.before - np.cumsum(seen) + seen)

    def at_ranks(self, ranks: Counts) -> tuple[CloseLook, Numbers]:
        """The values of these ranks, from 0, and a look at the buckets that they are in."""
        buckets = np.searchsorted(self.upto, ranks, side="right")
        wanted = np.zeros(self.rows.size, bool)
        wanted[buckets] = True
        look = self.closely(wanted)
        return look, look.at_ranks(ranks, buckets)

    def _picked(self, wanted: Mask) -> Numbers:
        if not self.is_sorted:
            return np.sort(self.values[wanted[self.index]])
        buckets = np.flatnonzero(wanted)
        if not buckets.size:
            return self.values[:0]
        last = buckets[-1]
        part = slice(self._place[buckets[0]], self._place[last] + self.rows[last])
        return np.asarray(self.values[part][wanted[self.index[part]]])


@dataclass(frozen=True)
class CloseLook:
    """Values of some buckets of a sample, in ascending order.

    `ends` is how many of these values there are up to each of them. `base` is, for each bucket,
    how many values of the sample lie before it, less those that are here.
    """

    grid: Buckets
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
        return np.asarray(self.base[self.grid.located(points)[0]] + np.append(0, self.ends)[place])


def _chunks(size: int, chunk: int) -> Iterator[slice]:
    return (slice(start, start + chunk) for start in range(0, size, chunk))
