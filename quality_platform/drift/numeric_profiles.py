"""Makes profiles of numeric columns from streams of values, in bounded memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quality_platform.drift.bins import decile_ranks
from quality_platform.drift.grids import grid_of
from quality_platform.drift.moments import Moments
from quality_platform.drift.profiles import NumericProfile, ProfileSettings
from quality_platform.drift.samples import CloseLook, GriddedSample
from quality_platform.drift.value_counts import DistinctValues, PointCounter
from quality_platform.drift.values import Column, Family, Numbers, numbers_of


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
        counted = self._distinct.add(values)
        if self._counter is None:
            self._hold(values)
        elif counted is not None:
            self._counter.add_counted(*counted)
        else:
            self._counter.add(values)

    @property
    def needs_second_pass(self) -> bool:
        """Whether the values were too many to be held."""
        return self._distinct.is_over and self._counter is None and self._stride > 1

    def begin_second_pass(self) -> None:
        """Chooses the points at which `recount` counts."""
        self._counter = PointCounter(points_of(self._sample(), self._settings)[0])

    def recount(self, column: Column) -> None:
        """Takes in a batch for the second time."""
        assert self._counter is not None
        self._counter.add(numbers_of(column)[0])

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
            sample = self._sample()
            points, look = points_of(sample, self._settings)
            self._counter = PointCounter(points)
            self._counter.add_looked(sample, look)
        return self._counter.staircase()

    def _hold(self, values: Numbers) -> None:
        self._held.append(values[:: self._stride])
        while sum(map(len, self._held)) > self._room:
            self._stride *= 2
            self._held = [held[::2].copy() for held in self._held]

    def _sample(self) -> GriddedSample:
        """All that is held, counted in a grid."""
        held = np.concatenate(self._held) if self._held else np.empty(0)
        self._held = []
        return GriddedSample(held, grid_of(held))


def points_of(sample: GriddedSample, settings: ProfileSettings) -> tuple[Numbers, CloseLook]:
    """The points of a staircase over these values, and a look at the buckets that they are in.

    They lie at ranks of equal share, at the deciles that cut the bins, and ever closer towards both
    ends, where single values lie far apart.
    """
    size = sample.size
    tail = 2 ** np.arange(int(np.log2(max(size, 1))) + 1) - 1
    ranks = np.unique(
        np.concatenate(
            [
                decile_ranks(size, settings.points),
                decile_ranks(size, settings.bins),
                tail,
                size - 1 - tail,
            ]
        )
    )
    ranks = ranks[(ranks >= 0) & (ranks < size)]
    look, values = sample.at_ranks(ranks)
    return np.unique(values), look
