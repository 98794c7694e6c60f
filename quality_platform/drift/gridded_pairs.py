"""Two samples counted in the same grid: what follows from the counts, and close looks at parts.

As a distribution function does not fall, the counts bound it within each bucket. Only the buckets
in which that leaves anything open need to be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from quality_platform.drift.grids import FinerGrid, Grid, Mask, grid_of
from quality_platform.drift.samples import CloseLook, Counts, GriddedSample
from quality_platform.drift.values import Numbers

_VALUES_AT_ONCE = 2**21
_MANY = 0.25
"""Share of all values from which on all of them are sorted once."""

Shares = NDArray[np.float64]


@dataclass(frozen=True)
class GriddedPair:
    """Two samples in the same grid; what is asked of it needs values in both."""

    one: GriddedSample
    other: GriddedSample

    @property
    def size(self) -> int:
        """The number of values that are counted in the grid."""
        return self.one.values.size + self.other.values.size

    @cached_property
    def shares(self) -> tuple[Shares, Shares, Shares, Shares]:
        """F and G before each bucket, and up to its end: F, G, F, G."""
        one, other = self.one, self.other
        n, m = one.size, other.size
        return one.before / n, other.before / m, one.upto / n, other.upto / m

    @property
    def apart(self) -> float:
        """The greatest difference of F and G behind a bucket."""
        _, _, f, g = self.shares
        return float(np.abs(f - g).max())

    @property
    def possible(self) -> Shares:
        """How far F and G can be apart within each bucket."""
        f_before, g_before, f, g = self.shares
        return np.asarray(np.maximum(f - g_before, g - f_before))

    @property
    def opened(self) -> Mask:
        """The buckets in which F and G may cross, and those of what lies beyond the grid."""
        f_before, g_before, f, g = self.shares
        opened = (f_before < g) & (g_before < f)
        opened[[0, -1]] = True
        return np.asarray(opened)

    def area(self, closed: Mask) -> float:
        """The area between F and G over buckets in which they do not cross, without a look."""
        one, other = self.one, self.other
        # The integral of F over a bucket of width 1 is F at its end less the mean of its parts.
        signed = (one.upto - one.parts) / one.size - (other.upto - other.parts) / other.size
        widths = one.grid.ends - one.grid.starts
        return float((np.abs(signed) * widths)[closed].sum())

    def cost(self, wanted: Mask) -> Counts:
        """How many values a close look at each of the wanted buckets takes; 0 for the others."""
        return self.one.cost(wanted) + self.other.cost(wanted)

    def look(self, wanted: Mask) -> PairLook:
        """A close look at these buckets."""
        return PairLook(self, wanted, self.one.closely(wanted), self.other.closely(wanted))

    def looks(self, wanted: Mask) -> Iterator[PairLook]:
        """Close looks at these buckets, each at a limited number of values."""
        values = np.cumsum(self.cost(wanted))
        if values[-1] > _MANY * self.size:
            self.one.sort()
            self.other.sort()
        part = values // _VALUES_AT_ONCE
        for number in np.unique(part[wanted]):
            yield self.look(wanted & (part == number))

    def finer(self, wanted: Mask) -> GriddedPair:
        """These buckets in a finer grid."""
        assert isinstance(self.one.grid, Grid)
        grid = FinerGrid(self.one.grid, wanted)
        return GriddedPair(self.one.finer(grid), self.other.finer(grid))


@dataclass(frozen=True)
class PairLook:
    """The values of some buckets of both samples."""

    pair: GriddedPair
    wanted: Mask
    one: CloseLook
    other: CloseLook

    @cached_property
    def points(self) -> Numbers:
        """The values of both sides in ascending order, each once."""
        # Stable sorting merges what is in order already.
        points = np.sort(np.concatenate([self.one.values, self.other.values]), kind="stable")
        return np.asarray(points[np.append(True, points[1:] != points[:-1])[: points.size]])

    @cached_property
    def differences(self) -> Shares:
        """F less G on each point."""
        pair, points = self.pair, self.points
        shares = self.one.upto(points) / pair.one.size, self.other.upto(points) / pair.other.size
        return np.asarray(shares[0] - shares[1])

    @property
    def apart(self) -> float:
        """The greatest difference of F and G on a point."""
        return float(np.abs(self.differences).max(initial=0.0))

    def area(self) -> float:
        """The area between F and G over the buckets."""
        grid, last = self.pair.one.grid, self.wanted.size - 1
        points = self.points
        buckets = np.flatnonzero(self.wanted)
        buckets = buckets[buckets > 0]
        places = grid.located(points)[0].astype(np.int64)
        f_before, g_before, _, _ = self.pair.shares
        # In each bucket its start, then its values; there is nothing before those of the first.
        at = np.searchsorted(places, buckets)
        away = np.insert(grid.away(points), at, grid.starts[buckets])
        values = np.insert(points.astype(np.float64), at, np.nan)
        edge = f_before[buckets] - g_before[buckets]
        heights = np.abs(np.insert(self.differences, at, edge))
        where = np.insert(places, at, buckets)
        leaves = np.append(where[1:] != where[:-1], True)[: where.size]
        ends = np.append(away[1:], away[-1:])
        ends[leaves] = grid.ends[where[leaves]]
        # Behind the last value of all there is nothing either.
        some = (heights > 0) & ~(leaves & (where == last))
        with np.errstate(over="ignore", invalid="ignore"):
            lengths = np.maximum(ends - away, 0.0)
            # From value to value: where `low` is far away, it would swallow the difference.
            between = np.append(np.diff(values), np.nan)[: where.size]
            direct = ~leaves & ~np.isnan(between)
            lengths[direct] = between[direct]
            return float((heights[some] * lengths[some]).sum())


def gridded(one: Numbers, other: Numbers) -> GriddedPair:
    """Two samples, of any types of numbers, in a grid of their own."""
    type_ = np.result_type(one, other)
    one, other = one.astype(type_, copy=False), other.astype(type_, copy=False)
    grid = grid_of(one, other)
    return GriddedPair(GriddedSample(one, grid), GriddedSample(other, grid))
