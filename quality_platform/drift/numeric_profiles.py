"""Makes profiles of numeric columns from streams of values, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from quality_platform.drift.bins import decile_ranks
from quality_platform.drift.profiles import NumericProfile, ProfileSettings
from quality_platform.drift.values import Column, Family, Numbers, numbers_of

_BLOCK = 2**17
"""Values whose moments are taken at once: they fit into the cache."""


@dataclass
class Moments:
    """Mean and variance of the finite values so far, by the update of Chan, Golub and LeVeque."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, values: Numbers) -> None:
        """Takes in more values."""
        for start in range(0, values.size, _BLOCK):
            block = values[start : start + _BLOCK].astype(np.float64, copy=False)
            finite = np.isfinite(block)
            if finite.any():
                self._add_block(block if finite.all() else block[finite])

    @property
    def deviation(self) -> float:
        """The standard deviation, of all values (not of a sample); NaN where there are none."""
        return float(np.sqrt(self.squares / self.count)) if self.count else float("nan")

    def _add_block(self, block: NDArray[np.float64]) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(block.mean())
            away = block - mean
            # Not by BLAS, whose threads burn more than they save on a block of this size.
            squares = float(np.square(away, out=away).sum())
            total, step = self.count + block.size, mean - self.mean
            self.squares += squares + step * step * self.count * block.size / total
            self.mean += step * block.size / total
        self.count = total


@dataclass
class DistinctValues:
    """Distinct values and their rows so far; given up where there are more than the limit."""

    limit: int
    values: Numbers | None = None
    rows: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    is_over: bool = False

    def add(self, ordered: Numbers) -> None:
        """Takes in more values, in ascending order."""
        if self.is_over or not ordered.size:
            return
        starts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
        if starts.size >= self.limit:
            self._give_up()
            return
        values = ordered[np.append(0, starts)]
        rows = np.diff(starts, prepend=0, append=ordered.size)
        if self.values is None:
            self.values, self.rows = values, rows
        else:
            self._merge(values, rows)

    def _merge(self, values: Numbers, rows: NDArray[np.int64]) -> None:
        assert self.values is not None
        both = np.concatenate([self.values, values])
        order = np.argsort(both, kind="stable")
        both, counts = both[order], np.concatenate([self.rows, rows])[order]
        starts = np.append(0, np.flatnonzero(both[1:] != both[:-1]) + 1)
        if starts.size > self.limit:
            self._give_up()
        else:
            self.values, self.rows = both[starts], np.add.reduceat(counts, starts)

    def _give_up(self) -> None:
        self.is_over, self.values, self.rows = True, None, np.empty(0, np.int64)


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

    def add(self, ordered: Numbers) -> None:
        """Takes in more values, in ascending order."""
        if not ordered.size:
            return
        self.below += np.searchsorted(ordered, self.points, side="left")
        self.upto += np.searchsorted(ordered, self.points, side="right")
        self.total += ordered.size
        low, high = ordered[:1], ordered[-1:]
        lows = int(np.searchsorted(ordered, low, side="right")[0])
        highs = ordered.size - int(np.searchsorted(ordered, high, side="left")[0])
        if not self.extremes:
            self.extremes, self.ends = [low, high], [lows, highs]
            return
        for end, value, rows in ((0, low, lows), (1, high, highs)):
            known = self.extremes[end]
            if value == known:
                self.ends[end] += rows
            elif (value < known) == (end == 0):
                self.extremes[end], self.ends[end] = value, rows

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


class NumericCollector:
    """Takes the values of one column batch by batch, and makes its profile.

    With `like`, the profile of the reference, values are counted at its points, and never held.
    Without, they are held up to a limit, and then thinned out: `needs_second_pass` tells whether
    they must all be given again, to `recount`.
    """

    def __init__(self, settings: ProfileSettings, like: NumericProfile | None, room: int) -> None:
        """`room` is how many values may be held."""
        self._settings, self._room = settings, room
        self._counter = PointCounter(like.points) if like is not None else None
        self._distinct = DistinctValues(settings.distinct_limit)
        self._moments = Moments()
        self._held: list[Numbers] = []
        self._stride = 1
        self._rows = self._nulls = self._nans = 0

    def add(self, column: Column) -> None:
        """Takes in a batch of the column."""
        values, nulls, nans = numbers_of(column)
        self._rows += len(column)
        self._nulls += nulls
        self._nans += nans
        self._moments.add(values)
        if self._counter is not None or not self._distinct.is_over:
            ordered = np.sort(values)
            self._distinct.add(ordered)
            if self._counter is not None:
                self._counter.add(ordered)
        if self._counter is None:
            self._hold(values)

    @property
    def needs_second_pass(self) -> bool:
        """Whether the values were too many to be held."""
        return self._distinct.is_over and self._counter is None and self._stride > 1

    def begin_second_pass(self) -> None:
        """Chooses the points at which `recount` counts."""
        self._counter = PointCounter(points_of(self._ordered(), self._settings))

    def recount(self, column: Column) -> None:
        """Takes in a batch for the second time."""
        assert self._counter is not None
        self._counter.add(np.sort(numbers_of(column)[0]))

    def profile(self, column: str, type_: str, family: Family) -> NumericProfile:
        """The profile of all that was taken in."""
        points, at, between = self._staircase()
        if points.dtype.kind == "f":
            points = points.astype(np.float64) + 0.0  # -0.0 is 0.0
        else:
            points = points.astype(np.int64)
        return NumericProfile(
            column=column,
            type=type_,
            family=family,
            rows=self._rows,
            nulls=self._nulls,
            nans=self._nans,
            points=points,
            at=at,
            between=between,
            deviation=self._moments.deviation,
            bins=self._settings.bins,
        )

    def _staircase(self) -> tuple[Numbers, NDArray[np.int64], NDArray[np.int64]]:
        if self._distinct.values is not None:
            rows = self._distinct.rows
            return self._distinct.values, rows, np.zeros(rows.size, np.int64)
        if self._counter is None:
            ordered = self._ordered()
            self._counter = PointCounter(points_of(ordered, self._settings))
            self._counter.add(ordered)
        return self._counter.staircase()

    def _hold(self, values: Numbers) -> None:
        self._held.append(values[:: self._stride])
        while sum(map(len, self._held)) > self._room:
            self._stride *= 2
            self._held = [held[::2].copy() for held in self._held]

    def _ordered(self) -> Numbers:
        if not self._held:
            return np.empty(0)
        held = np.concatenate(self._held)
        self._held = []
        held.sort()
        return held


def points_of(ordered: Numbers, settings: ProfileSettings) -> Numbers:
    """The points of a staircase over these values, which are in ascending order.

    They lie at ranks of equal share, at the deciles that cut the bins, and ever closer towards both
    ends, where single values lie far apart.
    """
    size = ordered.size
    if not size:
        return ordered
    tail = 2 ** np.arange(int(np.log2(size)) + 1) - 1
    ranks = np.concatenate(
        [
            decile_ranks(size, settings.points),
            decile_ranks(size, settings.bins),
            tail,
            size - 1 - tail,
        ]
    )
    return np.unique(ordered[np.unique(np.maximum(ranks, 0))])
