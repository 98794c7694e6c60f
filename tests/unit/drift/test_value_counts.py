"""Values counted by hashing and by grids, against those that are sorted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality_platform.drift import value_counts
from quality_platform.drift.value_counts import DistinctValues, PointCounter

Numbers = np.ndarray[Any, Any]

GENERATOR = np.random.default_rng(20260122)
VALUES = st.one_of(
    st.floats(-1e6, 1e6),
    st.integers(-3, 3).map(float),
    st.sampled_from([float("inf"), -float("inf"), 1e300, -0.0]),
)
BATCHES = st.lists(st.lists(VALUES, max_size=40), min_size=1, max_size=4)


def told(counter: PointCounter) -> tuple[list[float], list[int], list[int]]:
    points, at, between = counter.staircase()
    return points.tolist(), at.tolist(), between.tolist()


@pytest.mark.parametrize("least", [1, 10**9], ids=["by a grid", "sorted"])
@given(BATCHES, st.lists(VALUES, max_size=20))
def test_values_at_and_between_points_are_counted(
    least: int, batches: list[list[float]], points: list[float]
) -> None:
    counter = PointCounter(np.unique(np.array(points)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(value_counts, "_BY_GRID", least)
        for batch in batches:
            counter.add(np.array(batch, dtype=np.float64))
    found, at, between = told(counter)
    ordered = np.sort(np.concatenate(batches))
    if not ordered.size:
        assert found == []
        return
    assert found == sorted(
        {ordered[0], ordered[-1], *(p for p in points if ordered[0] < p < ordered[-1])}
    )
    upto = np.searchsorted(ordered, found, side="right")
    below = np.searchsorted(ordered, found, side="left")
    assert at == (upto - below).tolist()
    assert between == (below - np.append(0, upto[:-1])).tolist()


@pytest.mark.parametrize(
    "values",
    [
        GENERATOR.normal(size=200_000),
        GENERATOR.standard_cauchy(size=200_000).astype(np.float32),
        GENERATOR.integers(0, 2**62, 200_000),
        np.where(GENERATOR.random(200_000) < 0.7, 0.0, GENERATOR.normal(size=200_000)),
    ],
    ids=["normal", "single precision", "large integers", "mostly zero"],
)
def test_many_values_are_counted_by_a_grid_as_if_they_were_sorted(values: Numbers) -> None:
    points = np.unique(GENERATOR.choice(values, 3000)).astype(np.result_type(values, np.float64))
    if values.dtype.kind == "i":
        points = np.unique(GENERATOR.choice(values, 3000))
    by_grid, by_order = PointCounter(points), PointCounter(points)
    by_grid.add(values)
    by_order.add_counted(np.sort(values), np.ones(values.size, np.int64))
    assert told(by_grid) == told(by_order)


@pytest.mark.parametrize("probe", [3, 10**6])
@given(BATCHES, st.integers(1, 60))
def test_distinct_values_are_counted_until_they_are_too_many(
    probe: int, batches: list[list[float]], limit: int
) -> None:
    distinct = DistinctValues(limit)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(value_counts, "_PROBE", probe)
        for batch in batches:
            counted = distinct.add(np.array(batch, dtype=np.float64))
            assert (counted is None) == distinct.is_over
    values, rows = np.unique(np.concatenate(batches), return_counts=True)
    assert distinct.is_over == (values.size > limit)
    if not distinct.is_over:
        assert distinct.values is not None
        assert (distinct.values.tolist(), distinct.rows.tolist()) == (
            values.tolist(),
            rows.tolist(),
        )
