"""The distances of samples, which are found without sorting, against those of scipy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from quality_platform.drift import gridded_pairs, grids, sample_distances, samples
from quality_platform.drift.bins import decile_ranks
from quality_platform.drift.sample_distances import SamplePair
from quality_platform.drift.samples import NumericSample

Numbers = np.ndarray[Any, Any]

GENERATOR = np.random.default_rng(20260103)
SMALL = st.one_of(
    st.floats(-1e6, 1e6, allow_subnormal=False), st.integers(-5, 5).map(float), st.just(1e300)
)
VALUES = st.lists(SMALL, min_size=1, max_size=80)
ANY = st.lists(st.one_of(SMALL, st.just(float("inf")), st.just(-float("inf"))), min_size=1)

KINDS = {
    "normal": lambda n: GENERATOR.normal(size=n),
    "heavy tails": lambda n: GENERATOR.standard_cauchy(size=n) ** 3,
    "lognormal": lambda n: GENERATOR.lognormal(0, 2, size=n),
    "counts": lambda n: GENERATOR.poisson(3, size=n),
    "cents": lambda n: np.round(GENERATOR.lognormal(3, 1, size=n), 2),
    "half of them zero": lambda n: np.where(
        GENERATOR.random(n) < 0.5, 0, GENERATOR.lognormal(size=n)
    ),
    "constant": lambda n: np.full(n, 3),
    "moments": lambda n: 1_750_000_000_000_000 + GENERATOR.integers(0, 86_400_000_000, n),
    "single precision": lambda n: GENERATOR.normal(size=n).astype(np.float32),
    "small integers": lambda n: GENERATOR.integers(-100, 100, n).astype(np.int8),
    "far away": lambda n: 1e12 + GENERATOR.normal(size=n),
}


def pair(one: Numbers | list[float], other: Numbers | list[float]) -> SamplePair:
    sides = [
        NumericSample("x", "number", len(values), 0, 0, np.asarray(values))
        for values in (one, other)
    ]
    return SamplePair(*sides)


def ks_of_scipy(one: object, other: object) -> float:
    # The exact mode rounds the statistic to a fraction of the sample sizes; the other does not.
    return float(stats.ks_2samp(one, other, method="asymp").statistic)


# Of scipy's p-value, which is not compared.
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(ANY, ANY)
def test_ks_is_the_statistic_of_scipy(one: list[float], other: list[float]) -> None:
    found = pair(one, other).ks()
    assert found.low == found.high == ks_of_scipy(one, other)


@given(VALUES, VALUES)
def test_wasserstein_is_the_distance_of_scipy(one: list[float], other: list[float]) -> None:
    found = pair(one, other).wasserstein().high
    assert found == pytest.approx(stats.wasserstein_distance(one, other), rel=1e-9, abs=1e-9)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", [(60_000, 60_000), (70_000, 31_111)])
def test_both_are_those_of_scipy_on_larger_samples(kind: str, sizes: tuple[int, int]) -> None:
    one, other = (KINDS[kind](size) for size in sizes)
    for moved in (other, other + other.dtype.type(1)):
        found = pair(one, moved)
        assert found.ks().high == ks_of_scipy(one, moved)
        # scipy sums over single precision in single precision.
        expected = stats.wasserstein_distance(*(v.astype(np.float64) for v in (one, moved)))
        assert found.wasserstein().high == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_bins_hold_the_rows_between_the_deciles_of_the_sorted_reference(kind: str) -> None:
    one, other = KINDS[kind](20_000), KINDS[kind](10_000)
    found = pair(one, other)
    deciles = np.sort(one)[decile_ranks(one.size, 10)]
    assert set(deciles.tolist()) == set(found.cuts.values[~found.cuts.before].tolist())
    for side, rows in zip((one, other), found.rows_between(), strict=True):
        upto = np.cumsum(rows)[:-1]
        for value, before, below in zip(found.cuts.values, found.cuts.before, upto, strict=True):
            assert below == ((side < value) if before else (side <= value)).sum()


def test_equal_samples_are_sorted_once_and_have_no_distance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gridded_pairs, "_VALUES_AT_ONCE", 1000)
    monkeypatch.setattr(sample_distances, "_FEW", 0)
    values = GENERATOR.normal(size=20_000)
    found = pair(values, GENERATOR.permutation(values))
    assert (found.ks().high, found.wasserstein().high) == (0, 0)
    assert found.gridded.one.is_sorted


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_both_are_those_of_scipy_where_a_finer_grid_is_made_whenever_it_can_be(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_distances, "_FEW", 0)
    monkeypatch.setattr(sample_distances, "_MOST", 2)
    one = KINDS[kind](30_000)
    for other in (KINDS[kind](20_000), KINDS[kind](30_000) + one.dtype.type(1), one):
        found = pair(one, other)
        assert found.ks().high == ks_of_scipy(one, other)
        expected = stats.wasserstein_distance(*(v.astype(np.float64) for v in (one, other)))
        assert found.wasserstein().high == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_a_finer_grid_counts_what_the_sorted_values_tell() -> None:
    one, other = GENERATOR.lognormal(size=40_000), GENERATOR.lognormal(size=30_000)
    found = pair(one, other).gridded
    wanted = GENERATOR.random(found.opened.size) < 0.3
    wanted[[0, -1]] = False
    finer = found.finer(wanted)
    for values, side in ((one, finer.one), (other, finer.other)):
        inside = np.sort(values[wanted[found.one.grid.located(values)[0]]])
        assert side.rows.sum() == inside.size > 0
        places = finer.one.grid.located(inside)[0]
        first, rows = np.unique(places, return_index=True)[1], side.rows[np.unique(places)]
        assert (np.diff(places) >= 0).all()
        assert (np.diff(np.append(first, inside.size)) == rows).all()
        expected = np.searchsorted(np.sort(values), inside[first])
        assert (side.before[places[first]] == expected).all()
        away = finer.one.grid.away(inside)
        assert (away >= finer.one.grid.starts[places] - 1e-9).all()
        assert (away <= finer.one.grid.ends[places] + 1e-9).all()


@settings(max_examples=30)
@given(st.integers(1, 2000), st.floats(-1, 1))
def test_looking_at_parts_finds_what_looking_at_all_finds(at_once: int, shift: float) -> None:
    one, other = GENERATOR.normal(size=3000), GENERATOR.normal(shift, size=2000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gridded_pairs, "_VALUES_AT_ONCE", at_once)
        patch.setattr(sample_distances, "_FEW", at_once // 2)
        patch.setattr(samples, "_CHUNK", 512)
        found = pair(one, other)
        assert found.ks().high == ks_of_scipy(one, other)
        assert found.wasserstein().high == pytest.approx(
            stats.wasserstein_distance(one, other), rel=1e-10
        )


def test_large_integers_are_kept_apart() -> None:
    assert pair(np.array([2**53]), np.array([2**53 + 1])).ks().high == 1


def test_an_infinite_value_moves_infinitely_far_unless_it_stays() -> None:
    infinite = [1.0, float("inf")]
    assert pair(infinite, [1.0, 2.0]).wasserstein().high == float("inf")
    assert pair(infinite, [2.0, float("inf")]).wasserstein().high == pytest.approx(0.5)
    assert pair([-float("inf"), 1.0, 3.0, float("inf")], infinite).deviation == 1.0


@given(ANY, ANY)
def test_a_grid_never_puts_a_greater_value_into_a_lower_bucket(
    one: list[float], other: list[float]
) -> None:
    grid = grids.grid_of(np.asarray(one), np.asarray(other))
    ordered = np.sort(np.concatenate([one, other]))
    assert (np.diff(grid.located(ordered)[0].astype(int)) >= 0).all()
    assert grid.starts.size <= 2**16


def test_values_beyond_the_reference_are_counted() -> None:
    assert pair([1.0, 5.0], [0.0, 1.0, 5.0, 6.0, 7.0]).outside() == 3
