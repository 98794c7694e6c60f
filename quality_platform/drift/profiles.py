"""Profiles: what a comparison needs to know of one side of it, without its rows.

A profile of numbers is a staircase: at each of its points it is known exactly how many values lie
below and how many lie on it. Where no values lie between the points, the profile is exact, and so
are all distances to another exact one. Otherwise the distances lie in an interval that is known.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from quality_platform.drift.bins import Cuts, cuts_at, decile_ranks
from quality_platform.drift.values import Family, Kind, Numbers, kind_of

FORMAT_VERSION = 1
"""Of what profiles mean and how they are written: another one makes all stored ones stale."""


@dataclass(frozen=True)
class ProfileSettings:
    """How closely columns are looked at.

    Attributes:
        distinct_limit: a profile is exact up to so many distinct values.
        points: of the staircase beyond that, at values of equal share.
        rows_in_memory: so many values of numeric columns are held at once. Beyond that the points
            come from a regular sample of them, and the rows are read again to count exactly.
        bins: of equal share, for the PSI and the Jensen-Shannon distance of numbers.
    """

    distinct_limit: int = 100_000
    points: int = 4096
    rows_in_memory: int = 2**24
    bins: int = 10

    @property
    def definition(self) -> str:
        """Names what profiles made with these settings mean: 16 hexadecimal digits."""
        text = f"{FORMAT_VERSION} {sorted(asdict(self).items())}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class NumericProfile:
    """The distribution of a numeric column.

    Attributes:
        column: its name.
        type: its Arrow type, as text.
        family: what its values are.
        rows: all of them.
        nulls: rows without a value.
        nans: rows whose value is no number.
        points: ascending values, the least and the greatest of the column among them.
        at: how many values lie on each point.
        between: how many lie strictly between each point and the one before; 0 for the first.
        deviation: standard deviation of the finite values; NaN where there are none.
        bins: into how many parts of equal share the column is cut as a reference.
    """

    column: str
    type: str
    family: Family
    rows: int
    nulls: int
    nans: int
    points: Numbers = field(repr=False)
    at: NDArray[np.int64] = field(repr=False)
    between: NDArray[np.int64] = field(repr=False)
    deviation: float = float("nan")
    bins: int = 10

    @property
    def kind(self) -> Kind:
        """How its values are compared."""
        return kind_of(self.family)

    @property
    def missing(self) -> int:
        """Rows that are NULL or NaN."""
        return self.nulls + self.nans

    @property
    def present(self) -> int:
        """Rows that have a value."""
        return self.rows - self.missing

    @property
    def is_exact(self) -> bool:
        """Whether every distinct value is a point."""
        return not self.between.any()

    @cached_property
    def upto(self) -> NDArray[np.int64]:
        """How many values are at most as great as each point."""
        return np.asarray(np.cumsum(self.at + self.between))

    @cached_property
    def below(self) -> NDArray[np.int64]:
        """How many values are less than each point."""
        return np.asarray(self.upto - self.at)

    @cached_property
    def cuts(self) -> Cuts:
        """The cuts between the bins, where the column is the reference."""
        ranks = decile_ranks(self.present, self.bins) if self.present else np.empty(0, np.int64)
        deciles = self.points[np.searchsorted(self.upto, ranks, side="right")]
        return cuts_at(deciles, self.points[:1], self.points[-1:])

    def rows_between(self, cuts: Cuts) -> NDArray[np.int64]:
        """How many values lie in each of the `len(cuts) + 1` bins.

        Raises:
            ValueError: the profile does not tell, as it has no point at one of the cuts.
        """
        place = np.searchsorted(self.points, cuts.values)
        before = np.append(0, self.upto)[place]
        least = np.append(self.below, self.present)[place]
        found = np.zeros(len(cuts), dtype=bool)
        inside = place < self.points.size
        found[inside] = self.points[place[inside]] == cuts.values[inside]
        if (~found & (before != least)).any():
            raise ValueError(f"the profile of {self.column!r} was not made for this reference")
        upto = np.append(self.upto, self.present)[place]
        below = np.where(found, np.where(cuts.before, least, upto), before)
        return np.asarray(np.diff(below, prepend=0, append=self.present))


@dataclass(frozen=True)
class CategoryProfile:
    """How often each value of a categorical column occurs.

    Attributes:
        column: its name.
        type: its Arrow type, as text.
        family: what its values are.
        rows: all of them.
        nulls: rows without a value.
        counts: rows by value, the most frequent first.
        is_exact: whether all values are listed; otherwise those listed are counted exactly, and
            every value that can have a bin of its own is among them.
    """

    column: str
    type: str
    family: Family
    rows: int
    nulls: int
    counts: dict[str, int] = field(repr=False)
    is_exact: bool = True

    @property
    def kind(self) -> Kind:
        """How its values are compared."""
        return kind_of(self.family)

    @property
    def missing(self) -> int:
        """Rows that are NULL."""
        return self.nulls


ColumnProfile: TypeAlias = NumericProfile | CategoryProfile
