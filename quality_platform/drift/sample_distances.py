"""Bins, Kolmogorov-Smirnov and Wasserstein distance of two samples that are held in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from quality_platform.drift.bins import Cuts, cuts_at, decile_ranks
from quality_platform.drift.samples import Counts, GriddedSample, NumericSample, grid_of
from quality_platform.drift.staircases import Interval, spread_of
from quality_platform.drift.values import Numbers

_VALUES_AT_ONCE = 2**21
_MANY = 0.25
"""Share of all values from which on all of them are sorted once."""

_FIRST_LOOK = 64
"""Buckets that are looked at before it is asked which others are needed."""


@dataclass(frozen=True)
class SamplePair:
    """Two samples; the distances need values in both."""

    reference: NumericSample
    current: NumericSample

    @cached_property
    def gridded(self) -> tuple[GriddedSample, GriddedSample]:
        """Both in the same grid, and as numbers of one type."""
        one, other = self.reference.values, self.current.values
        type_ = np.result_type(one, other)
        one, other = one.astype(type_, copy=False), other.astype(type_, copy=False)
        grid = grid_of(one, other)
        return GriddedSample(one, grid), GriddedSample(other, grid)

    @cached_property
    def range(self) -> tuple[Numbers, Numbers]:
        """Least and greatest value of the reference, as arrays of one value, or of none."""
        values = self.gridded[0].values
        if not values.size:
            return values, values
        return values.min(keepdims=True), values.max(keepdims=True)

    @cached_property
    def cuts(self) -> Cuts:
        """The cuts between the bins of the reference."""
        side = self.gridded[0]
        ranks = decile_ranks(side.size, self.reference.bins if side.size else 0)
        buckets = np.searchsorted(side.upto, ranks, side="right")
        deciles = side.closely(_mask(buckets, side.rows.size)).at_ranks(ranks, buckets)
        return cuts_at(deciles, *self.range)

    def rows_between(self) -> tuple[Counts, Counts]:
        """How many values of each side lie in each bin."""
        cuts = self.cuts
        counts = []
        for side in self.gridded:
            look = side.closely(_mask(side.grid.index(cuts.values), side.rows.size))
            below = np.where(cuts.before, look.below(cuts.values), look.upto(cuts.values))
            counts.append(np.diff(below, prepend=0, append=side.size))
        return counts[0], counts[1]

    def outside(self) -> int:
        """How many current values lie beyond the range of the reference."""
        values = self.gridded[1].values
        low, high = self.range
        return int(np.count_nonzero(values < low) + np.count_nonzero(values > high))

    @property
    def deviation(self) -> float:
        """The standard deviation of the reference."""
        return self.reference.deviation

    @cached_property
    def spread(self) -> float:
        """The integral of sqrt(F (1 - F)) of the reference, up to the width of a bucket."""
        side = self.gridded[0]
        inner = side.grid.starts[1:-1]
        low, high = (side.grid.away(end) for end in self.range)
        kept = (inner > low) & (inner < high)
        points = np.concatenate([low, inner[kept], high])
        below = np.concatenate([[0], side.before[1:][kept], [side.size]])
        return spread_of(points, (below[1:] + below[:-1]) / (2 * side.size))

    def ks(self) -> Interval:
        """The two-sample Kolmogorov-Smirnov distance, from 0 to 1; it is exact.

        Equal to `scipy.stats.ks_2samp(...).statistic`, bit for bit: the greatest difference of the
        two distribution functions on a value. Behind each bucket it is known, and within a bucket
        bounded; only the buckets that could hold a greater one are looked at.
        """
        one, other = self.gridded
        n, m = one.size, other.size
        best = float(np.abs(one.upto / n - other.upto / m).max())
        possible = np.maximum(one.upto / n - other.before / m, other.upto / m - one.before / n)
        order = np.argsort(-possible, kind="stable")
        for chosen in (order[:_FIRST_LOOK], order[_FIRST_LOOK:]):
            for group in self._groups(_mask(chosen[possible[chosen] > best], possible.size)):
                apart = self._within(group)[1]
                best = max(best, float(np.abs(apart).max(initial=0.0)))
        return Interval(best, best)

    def wasserstein(self) -> Interval:
        """The Wasserstein distance of order 1, exact: the area between the distribution functions.

        Equal to `scipy.stats.wasserstein_distance` up to rounding. Where one function lies above
        the other in all of a bucket, the area there follows from the sums of the values; where they
        may cross, and beyond the grid, the values are looked at. Infinite where the shares of an
        infinite value differ.
        """
        one, other = self.gridded
        n, m = one.size, other.size
        is_above = one.before / n >= other.upto / m
        is_below = other.before / m >= one.upto / n
        opened = ~(is_above | is_below)
        opened[[0, -1]] = True
        # The integral of F over a bucket of width 1 is F at its end less the mean of its parts.
        signed = (one.upto - one.parts) / n - (other.upto - other.parts) / m
        closed = float((np.abs(signed) * np.diff(one.grid.starts))[~opened].sum())
        area = closed + sum(self._area(group) for group in self._groups(opened))
        return Interval(area, area)

    def _within(self, wanted: NDArray[np.bool_]) -> tuple[Numbers, NDArray[np.float64]]:
        """The values of both sides in these buckets, and the difference of F and G on them."""
        one, other = self.gridded
        looks = one.closely(wanted), other.closely(wanted)
        # Stable sorting merges what is in order already.
        points = np.sort(np.concatenate([look.values for look in looks]), kind="stable")
        points = points[np.append(True, points[1:] != points[:-1])[: points.size]]
        shares = [
            look.upto(points) / side.size for look, side in zip(looks, (one, other), strict=True)
        ]
        return points, shares[0] - shares[1]

    def _groups(self, wanted: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
        """The wanted buckets in parts that hold a limited number of values."""
        one, other = self.gridded
        values = np.cumsum(one.cost(wanted) + other.cost(wanted))
        if values[-1] > _MANY * (one.size + other.size):
            one.sort()
            other.sort()
        part = values // _VALUES_AT_ONCE
        for number in np.unique(part[wanted]):
            yield wanted & (part == number)

    def _area(self, opened: NDArray[np.bool_]) -> float:
        """The area between F and G over these buckets."""
        one, other = self.gridded
        starts, last = one.grid.starts, opened.size - 1
        points, apart = self._within(opened)
        buckets = np.flatnonzero(opened)
        buckets = buckets[buckets > 0]
        places = one.grid.index(points).astype(np.int64)
        edge = one.before[buckets] / one.size - other.before[buckets] / other.size
        # In each bucket its start, then its values; there is nothing before those of the first.
        at = np.searchsorted(places, buckets)
        away = np.insert(one.grid.away(points), at, starts[buckets])
        values = np.insert(points.astype(np.float64), at, np.nan)
        heights = np.abs(np.insert(apart, at, edge))
        where = np.insert(places, at, buckets)
        leaves = np.append(where[1:] != where[:-1], True)[: where.size]
        ends = np.append(away[1:], away[-1:])
        ends[leaves] = starts[where[leaves] + 1]
        # Behind the last value of all there is nothing either.
        some = (heights > 0) & ~(leaves & (where == last))
        with np.errstate(over="ignore", invalid="ignore"):
            lengths = np.maximum(ends - away, 0.0)
            # From value to value: where `low` is far away, it would swallow the difference.
            between = np.append(np.diff(values), np.nan)[: where.size]
            direct = ~leaves & ~np.isnan(between)
            lengths[direct] = between[direct]
            return float((heights[some] * lengths[some]).sum())


def _mask(buckets: NDArray[np.integer], count: int) -> NDArray[np.bool_]:
    mask = np.zeros(count, bool)
    mask[buckets] = True
    return mask
