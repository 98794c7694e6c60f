"""Exact distances of two numeric samples that are held in memory, without sorting them.

Both are counted in the same fine grid of equal width first. As a distribution function does not
fall, the counts bound it within each bucket of the grid. Only the buckets in which that leaves
anything open are looked at closely: those of the bins' cuts, those that may hold the greatest
difference, and those in which the functions may cross. Where the last are many, they are counted
in a finer grid before. The results are those of sorting everything, at a fraction of its cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from quality_platform.drift.bins import Cuts, cuts_at, decile_ranks
from quality_platform.drift.gridded_pairs import GriddedPair, PairLook, gridded
from quality_platform.drift.grids import Mask
from quality_platform.drift.samples import Counts, NumericSample
from quality_platform.drift.staircases import Interval, spread_of
from quality_platform.drift.values import Numbers

_FEW = 2**18
"""So many values are looked at sooner than anything else is asked of their buckets."""

_MOST = 0.75
"""Share of all values from which on a finer grid of them would not pay."""


@dataclass(frozen=True)
class SamplePair:
    """Two samples; the distances need values in both."""

    reference: NumericSample
    current: NumericSample

    @cached_property
    def gridded(self) -> GriddedPair:
        """Both in the same grid, and as numbers of one type."""
        return gridded(self.reference.values, self.current.values)

    @cached_property
    def range(self) -> tuple[Numbers, Numbers]:
        """Least and greatest value of the reference, as arrays of one value, or of none."""
        values = self.gridded.one.values
        if not values.size:
            return values, values
        return values.min(keepdims=True), values.max(keepdims=True)

    @cached_property
    def cuts(self) -> Cuts:
        """The cuts between the bins of the reference."""
        ranks, buckets = self._deciles
        return cuts_at(self._first_look.one.at_ranks(ranks, buckets), *self.range)

    def rows_between(self) -> tuple[Counts, Counts]:
        """How many values of each side lie in each bin."""
        cuts, counts = self.cuts, []
        # The values at which bins are cut are deciles: their buckets have been looked at.
        for look, side in (
            (self._first_look.one, self.gridded.one),
            (self._first_look.other, self.gridded.other),
        ):
            below = np.where(cuts.before, look.below(cuts.values), look.upto(cuts.values))
            counts.append(np.diff(below, prepend=0, append=side.size))
        return counts[0], counts[1]

    def outside(self) -> int:
        """How many current values lie beyond the range of the reference."""
        values = self.gridded.other.values
        low, high = self.range
        return int(np.count_nonzero(values < low) + np.count_nonzero(values > high))

    @property
    def deviation(self) -> float:
        """The standard deviation of the reference."""
        return self.reference.deviation

    @cached_property
    def spread(self) -> float:
        """The integral of sqrt(F (1 - F)) of the reference, up to the width of a bucket."""
        side = self.gridded.one
        inner = side.grid.starts[1:]
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
        pair, first = self.gridded, self._first_look
        best = max(pair.apart, first.apart)
        for look in pair.looks((pair.possible > best) & ~first.wanted):
            best = max(best, look.apart)
        return Interval(best, best)

    def wasserstein(self) -> Interval:
        """The Wasserstein distance of order 1, exact: the area between the distribution functions.

        Equal to `scipy.stats.wasserstein_distance` up to rounding. Where one function lies above
        the other in all of a bucket, the area there follows from the sums of the values; where they
        may cross, and beyond the grid, the values are looked at. Infinite where the shares of an
        infinite value differ.
        """
        pair, first = self.gridded, self._first_look
        opened = pair.opened & ~first.wanted
        area = pair.area(~(opened | first.wanted)) + first.area() + self._area_of(opened)
        return Interval(area, area)

    def _area_of(self, opened: Mask) -> float:
        """The area over buckets in which F and G may cross."""
        pair, closed = self.gridded, 0.0
        if _FEW < pair.cost(opened).sum() < _MOST * pair.size:
            pair = pair.finer(opened)
            opened = pair.opened
            closed = pair.area(~opened)
        return closed + sum(look.area() for look in pair.looks(opened))

    @cached_property
    def _deciles(self) -> tuple[Counts, NDArray[np.intp]]:
        """The ranks of the values that cut the bins of the reference, and their buckets."""
        side = self.gridded.one
        ranks = decile_ranks(side.size, self.reference.bins if side.size else 0)
        return ranks, np.searchsorted(side.upto, ranks, side="right")

    @cached_property
    def _first_look(self) -> PairLook:
        """A look at what the counts tell to be needed: at once, as every look reads all values."""
        pair = self.gridded
        wanted = np.zeros(pair.one.rows.size, bool)
        wanted[self._deciles[1]] = True
        if pair.one.size and pair.other.size:
            wanted[self._likely] = True
            opened = pair.opened
            cost = pair.cost(opened)
            # Buckets of a single value cost next to nothing. What lies beyond has no finer grid.
            wanted |= opened if cost.sum() <= _FEW else opened & (cost <= 2)
            wanted[[0, -1]] = True
        return pair.look(wanted)

    @property
    def _likely(self) -> NDArray[np.intp]:
        """The likeliest of the buckets that may hold the greatest difference, of few values."""
        pair = self.gridded
        possible = pair.possible
        order = np.argsort(-possible, kind="stable")
        order = order[: np.count_nonzero(possible > pair.apart)]
        return order[np.cumsum(pair.cost(possible > pair.apart)[order]) <= _FEW]
