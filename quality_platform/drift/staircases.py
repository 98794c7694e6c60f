"""Distances of two numeric profiles, as intervals that are certain to hold the true ones.

Between two points a profile knows of its distribution function F only where it begins and where it
ends, and that it does not fall. The bounds below follow from nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from quality_platform.drift.bins import Cuts
from quality_platform.drift.profiles import NumericProfile
from quality_platform.drift.values import Numbers

Shares = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """From the least possible to the greatest possible value; both are equal where it is exact."""

    low: float
    high: float

    def divided(self, by: float) -> Interval:
        """Both ends in another unit. Where that is 0, 0 stays 0, and the rest is infinite."""
        return Interval(_ratio(self.low, by), _ratio(self.high, by))


@dataclass(frozen=True)
class _Bounds:
    """Least and greatest F, just before each point of a grid and on it."""

    before_low: Shares
    before_high: Shares
    on_low: Shares
    on_high: Shares


@dataclass(frozen=True)
class ProfilePair:
    """Two profiles; the distances need values in both."""

    reference: NumericProfile
    current: NumericProfile

    @property
    def cuts(self) -> Cuts:
        """The cuts between the bins of the reference."""
        return self.reference.cuts

    def rows_between(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """How many values of each side lie in each bin.

        Raises:
            ValueError: the current profile was not made for this reference.
        """
        return self.reference.rows_between(self.cuts), self.current.rows_between(self.cuts)

    def outside(self) -> int:
        """How many current values lie beyond the range of the reference.

        Raises:
            ValueError: see `rows_between`.
        """
        points = self.reference.points
        cuts = Cuts(np.append(points[:1], points[-1:]), np.array([True, False]))
        counts = self.current.rows_between(cuts)
        return int(counts[0] + counts[-1])

    @property
    def deviation(self) -> float:
        """The standard deviation of the reference."""
        return self.reference.deviation

    @property
    def spread(self) -> float:
        """The integral of sqrt(F (1 - F)) of the reference."""
        side = self.reference
        return spread_of(side.points, (side.upto[:-1] + side.below[1:]) / (2 * side.present))

    def ks(self) -> Interval:
        """The two-sample Kolmogorov-Smirnov distance: the greatest difference of F and G."""
        _, f, g = self._bounds
        low = max(
            float(_apart(f.before_low, f.before_high, g.before_low, g.before_high).max()),
            float(_apart(f.on_low, f.on_high, g.on_low, g.on_high).max()),
        )
        on = _furthest(f.on_low, f.on_high, g.on_low, g.on_high)
        within = _furthest(f.on_low[:-1], f.before_high[1:], g.on_low[:-1], g.before_high[1:])
        return Interval(low, float(max(on.max(), within.max(initial=0.0))))

    def wasserstein(self) -> Interval:
        """The Wasserstein distance of order 1: the area between F and G.

        Infinite where the shares of an infinite value differ.
        """
        grid, f, g = self._bounds
        ends = f.on_low[:-1], f.before_high[1:], g.on_low[:-1], g.before_high[1:]
        widths = widths_of(grid)
        return Interval(_area(_apart(*ends), widths), _area(_furthest(*ends), widths))

    @cached_property
    def _bounds(self) -> tuple[Numbers, _Bounds, _Bounds]:
        grid = np.union1d(self.reference.points, self.current.points)
        return grid, _bounds(self.reference, grid), _bounds(self.current, grid)


def spread_of(points: Numbers, shares: Shares) -> float:
    """The integral of sqrt(F (1 - F)) over ascending points; F is given between each two."""
    widths = widths_of(points)
    return float(
        (np.sqrt(shares * (1 - shares)) * np.where(np.isfinite(widths), widths, 0.0)).sum()
    )


def widths_of(grid: Numbers) -> Shares:
    """The differences of ascending values; exact for integers of any size."""
    if grid.dtype.kind == "i":
        # Modulo 2**64, where the difference of two integers cannot overflow.
        return np.diff(grid.astype(np.int64).view(np.uint64)).astype(np.float64)
    with np.errstate(over="ignore"):
        return np.asarray(np.diff(grid.astype(np.float64)))


def _bounds(profile: NumericProfile, grid: Numbers) -> _Bounds:
    place = np.searchsorted(profile.points, grid)
    found = np.append(profile.points, profile.points[-1:])[place] == grid
    found &= place < profile.points.size
    behind_last = np.append(0, profile.upto)[place]
    before_next = np.append(profile.below, profile.present)[place]
    on_next = np.append(profile.upto, profile.present)[place]
    size = profile.present
    return _Bounds(
        before_low=np.where(found, before_next, behind_last) / size,
        before_high=before_next / size,
        on_low=np.where(found, on_next, behind_last) / size,
        on_high=np.where(found, on_next, before_next) / size,
    )


def _apart(f_low: Shares, f_high: Shares, g_low: Shares, g_high: Shares) -> Shares:
    """How far two values are apart at least."""
    return np.maximum(np.maximum(f_low - g_high, g_low - f_high), 0.0)


def _furthest(f_low: Shares, f_high: Shares, g_low: Shares, g_high: Shares) -> Shares:
    """How far two values can be apart."""
    return np.maximum(f_high - g_low, g_high - f_low)


def _area(heights: Shares, widths: Shares) -> float:
    some = heights > 0  # an infinite width counts only where there is something above it
    with np.errstate(over="ignore"):
        return float((heights[some] * widths[some]).sum())


def _ratio(value: float, by: float) -> float:
    if value == 0:
        return 0.0
    return value / by if by else float("inf")
