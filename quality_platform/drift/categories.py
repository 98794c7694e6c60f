"""Makes profiles of categorical columns, and compares their categories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from heapq import nlargest
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quality_platform.drift.bins import (
    COMMON_ROWS,
    COMMON_SHARE,
    MISSING,
    OTHER,
    RARE_ROWS,
    RARE_SHARE,
    Bins,
    filled_bins,
)
from quality_platform.drift.profiles import CategoryProfile
from quality_platform.drift.values import Column, Family, texts_of

_NAMED = 20
"""New and vanished categories that are named."""

Counts = dict[str, int]


class CategoryCollector:
    """Takes the values of one column batch by batch, and makes its profile.

    Where there are more distinct values than the limit, the rare ones are thrown out on the way
    (Misra and Gries; merged as by Agarwal and others, Mergeable Summaries, 2012): every value with
    a share above 1 / limit stays, and is counted exactly in a second pass.
    """

    def __init__(self, limit: int, like: CategoryProfile | None) -> None:
        """`like` is the profile of the reference, whose values are counted exactly in any case."""
        self._limit = limit
        self._wanted = bins_of(like) if like is not None else ()
        self._counts: Counts = {}
        self._rows = self._nulls = 0
        self._is_over = False

    def add(self, column: Column) -> None:
        """Takes in a batch of the column."""
        self._rows += len(column)
        counted = counts_of(column)
        # Not by the column's own count, which leaves out the NULL that a dictionary may hold.
        self._nulls += len(column) - sum(counted.values())
        for value, rows in counted.items():
            self._counts[value] = self._counts.get(value, 0) + rows
        if len(self._counts) > self._limit:
            self._is_over = True
            least = nlargest(self._limit + 1, self._counts.values())[-1]
            self._counts = {v: rows - least for v, rows in self._counts.items() if rows > least}

    @property
    def needs_second_pass(self) -> bool:
        """Whether there were more values than could be counted."""
        return self._is_over

    def begin_second_pass(self) -> None:
        """Chooses the values that `recount` counts."""
        self._counts = dict.fromkeys((*self._wanted, *self._counts), 0)

    def recount(self, column: Column) -> None:
        """Takes in a batch for the second time."""
        for value, rows in counts_of(column).items():
            if value in self._counts:
                self._counts[value] += rows

    def profile(self, column: str, type_: str, family: Family) -> CategoryProfile:
        """The profile of all that was taken in."""
        return category_profile(
            column,
            type_,
            family,
            (self._rows, self._nulls, self._counts),
            is_exact=not self._is_over,
        )


def category_profile(
    column: str,
    type_: str,
    family: Family,
    counted: tuple[int, int, Mapping[str, int]],
    *,
    is_exact: bool = True,
) -> CategoryProfile:
    """The profile of a column of which this was counted: rows, NULLs, rows by value."""
    rows, nulls, counts = counted
    ordered = sorted(
        ((value, number) for value, number in counts.items() if number),
        key=lambda entry: (-entry[1], entry[0]),
    )
    return CategoryProfile(column, type_, family, rows, nulls, dict(ordered), is_exact)


def bins_of(reference: CategoryProfile, current_rows: int | None = None) -> tuple[str, ...]:
    """The values that have a bin of their own against so many rows; None: against any number."""
    fewer = min(reference.rows, reference.rows if current_rows is None else current_rows)
    expected = RARE_ROWS * reference.rows / max(fewer, 1)
    common = max(COMMON_SHARE * reference.rows, COMMON_ROWS)
    least = max(RARE_SHARE * reference.rows, min(expected, common))
    return tuple(value for value, rows in reference.counts.items() if rows >= least)


def category_bins(reference: CategoryProfile, current: CategoryProfile) -> Bins:
    """Both sides, binned by the values of the reference (see the text of `bins`)."""
    kept = bins_of(reference, current.rows)
    counts = []
    for side in (reference, current):
        own = [side.counts.get(value, 0) for value in kept]
        counts.append([*own, side.rows - side.nulls - sum(own), side.nulls])
    return filled_bins(
        [*kept, OTHER, MISSING],
        [True] * len(kept) + [False, False],
        np.array(counts[0], dtype=np.int64),
        np.array(counts[1], dtype=np.int64),
    )


@dataclass(frozen=True)
class Only:
    """The categories that occur on one side only: their rows, and the most frequent ones.

    `once` and `twice` count the categories that occur so often on the other side: from them follows
    how many more it would have, had it more rows.
    """

    rows: int
    values: tuple[str, ...]
    once: int
    twice: int


def only_in(side: CategoryProfile, other: CategoryProfile) -> Only | None:
    """What `side` has and `other` has not; None where one of them does not list all its values."""
    if not (side.is_exact and other.is_exact):
        return None
    found = {value: rows for value, rows in side.counts.items() if value not in other.counts}
    once, twice = (sum(rows == n for rows in other.counts.values()) for n in (1, 2))
    return Only(sum(found.values()), tuple(found)[:_NAMED], once, twice)


def counts_of(column: Column) -> Counts:
    """Rows by value of a categorical column, without NULL."""
    chunks: list[Any] = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    if not pa.types.is_dictionary(column.type):
        return _rows_by_value(texts_of(column))
    counts: Counts = {}
    for chunk in chunks:
        # Dictionaries may differ from chunk to chunk, and hold values twice or not at all.
        texts = chunk.dictionary.to_pylist()
        for place, rows in _rows_by_value(chunk.indices).items():
            if (text := texts[place]) is not None:
                counts[text] = counts.get(text, 0) + rows
    return counts


def _rows_by_value(column: Column) -> dict[Any, int]:
    entries: Any = pc.value_counts(column)
    pairs = zip(*(entries.field(n).to_pylist() for n in ("values", "counts")), strict=True)
    return {value: rows for value, rows in pairs if value is not None}
