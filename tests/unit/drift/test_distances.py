from __future__ import annotations

from collections import Counter
from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from quality_platform.drift.distances import (
    MISSING,
    RARE,
    UNSEEN,
    categorical_bins,
    categorical_psi,
    chi_square,
    cramers_v,
    ks,
    ks_noise_floor,
    numeric_bins,
    psi,
    psi_noise_floor,
    psi_of,
)

numbers = st.lists(
    st.one_of(st.floats(width=32), st.integers(-5, 5).map(float)), min_size=1, max_size=60
)
present = st.lists(
    st.one_of(st.floats(allow_nan=False), st.integers(-5, 5).map(float)), min_size=1, max_size=60
)


def test_psi_of_ten_equal_bins_is_the_sum_over_the_bins() -> None:
    reference = np.arange(1, 101)
    # Everything of the lowest tenth has moved to the highest.
    current = np.where(reference <= 10, 100, reference)
    few, many, same = 0.0001, 0.2, 0.1
    scale = few + many + 8 * same
    few, many, same = few / scale, many / scale, same / scale
    by_hand = (
        (few - 0.1) * log(few / 0.1)
        + (many - 0.1) * log(many / 0.1)
        + 8 * (same - 0.1) * log(same / 0.1)
    )
    assert psi(reference, current) == pytest.approx(by_hand, rel=1e-12)


def test_psi_of_two_categories_is_the_sum_over_the_categories() -> None:
    moved = categorical_psi({"a": 50, "b": 50}, {"a": 80, "b": 20})
    assert moved == pytest.approx(0.3 * log(0.8 / 0.5) + -0.3 * log(0.2 / 0.5), rel=1e-12)


def test_missing_numbers_are_a_bin_of_their_own() -> None:
    bins = numeric_bins([1.0, 2.0, np.nan, np.nan], [np.nan, 1.0])
    assert bins.labels[-1] == MISSING
    assert (bins.reference[-1], bins.current[-1]) == (2, 1)
    assert psi([1.0] * 90 + [np.nan] * 10, [1.0] * 50 + [np.nan] * 50) == pytest.approx(
        0.4 * log(5) + -0.4 * log(5 / 9), rel=1e-12
    )


def test_bins_are_half_open_deciles_of_the_reference() -> None:
    bins = numeric_bins(np.arange(1, 101), [0, 10, 11, 90, 91, 1000])
    assert bins.labels[:2] == ("(-inf, 10]", "(10, 20]")
    assert bins.labels[-1] == "(90, inf)"
    assert list(bins.reference) == [10] * 10
    assert list(bins.current) == [2, 1, 0, 0, 0, 0, 0, 0, 1, 2]


def test_a_value_that_spans_several_deciles_has_a_bin_of_its_own() -> None:
    bins = numeric_bins([0] * 5 + [1] * 95, [0] * 50 + [1] * 50)
    assert bins.labels == ("(-inf, 1)", "1")
    assert list(bins.reference) == [5, 95]
    assert list(bins.current) == [50, 50]


@pytest.mark.parametrize("moved_to", [2.9, 3.1])
def test_a_constant_that_moves_to_either_side_is_seen(moved_to: float) -> None:
    assert psi([3.0] * 100, [moved_to] * 100) > 10


def test_infinite_values_are_binned() -> None:
    bins = numeric_bins([-np.inf, 0.0, np.inf], [np.inf])
    assert bins.reference.sum() == 3
    assert bins.current.sum() == 1


def test_rare_categories_are_pooled_and_unseen_ones_are_one_bin() -> None:
    reference = {"a": 6000, "b": 3996, "c": 2, "d": 2, None: 0}
    current = {"a": 5, "d": 1, "x": 2, "y": 1, None: 3}
    bins = categorical_bins(reference, current)
    assert bins.labels == ("a", "b", RARE, UNSEEN, MISSING)
    assert list(bins.reference) == [6000, 3996, 4, 0, 0]
    assert list(bins.current) == [5, 0, 1, 3, 3]


@given(numbers)
def test_identical_samples_have_no_distance(sample: list[float]) -> None:
    assert psi(sample, sample) == 0
    categories = Counter(None if np.isnan(value) else value for value in sample)
    assert categorical_psi(categories, categories) == 0
    assert chi_square(numeric_bins(sample, sample)) == 0


@given(numbers, numbers)
def test_every_row_is_in_exactly_one_bin(reference: list[float], current: list[float]) -> None:
    bins = numeric_bins(reference, current)
    assert bins.reference.sum() == len(reference)
    assert bins.current.sum() == len(current)
    assert psi_of(bins) >= 0
    assert np.isfinite(psi_of(bins))


# Of scipy's p-value, which is not compared.
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(present, present)
def test_ks_is_the_statistic_of_scipy(reference: list[float], current: list[float]) -> None:
    # The exact mode rounds the statistic to a fraction of the sample sizes; the other does not.
    assert ks(reference, current) == stats.ks_2samp(reference, current, method="asymp").statistic


def test_ks_looks_at_present_values_only_and_keeps_large_integers_apart() -> None:
    assert ks([1.0, np.nan], [1.0, np.nan, np.nan]) == 0
    assert ks(np.array([2**53]), np.array([2**53 + 1])) == 1


def test_a_sample_without_rows_or_values_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="need rows"):
        psi([], [1.0])
    with pytest.raises(ValueError, match="need rows"):
        categorical_psi({"a": 1}, {})
    with pytest.raises(ValueError, match="needs values"):
        ks([1.0], [np.nan])


def test_chi_square_and_cramers_v_are_those_of_scipy() -> None:
    bins = categorical_bins({"a": 50, "b": 30, None: 20}, {"a": 20, "b": 70, "c": 5, None: 9})
    table = np.array([bins.reference, bins.current])
    expected = stats.chi2_contingency(table, correction=False).statistic
    assert chi_square(bins) == pytest.approx(expected, rel=1e-12)
    assert cramers_v(bins) == pytest.approx(
        stats.contingency.association(table, method="cramer"), rel=1e-12
    )


def test_the_noise_floors_are_the_critical_values() -> None:
    assert psi_noise_floor(500, 500, 10) == pytest.approx(21.66599 * 2 / 500, rel=1e-6)
    assert psi_noise_floor(500, 500, 1) == 0
    assert ks_noise_floor(500, 500) == pytest.approx(1.628 * sqrt(1000 / 250_000), rel=1e-12)


def test_few_pairs_of_samples_of_one_distribution_exceed_the_noise_floors() -> None:
    generator = np.random.default_rng(20260101)
    pairs = [generator.normal(size=(2, 500)) for _ in range(400)]
    beyond_psi = sum(psi(a, b) > psi_noise_floor(500, 500, 10) for a, b in pairs)
    beyond_ks = sum(ks(a, b) > ks_noise_floor(500, 500) for a, b in pairs)
    assert beyond_psi <= 12
    assert beyond_ks <= 12
