from __future__ import annotations

from math import log

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from quality_platform.drift.bins import (
    MISSING,
    OTHER,
    Bins,
    chi_square,
    chi_square_p,
    cramers_v,
    jensen_shannon,
    psi,
)
from quality_platform.drift.categories import category_bins, category_profile, only_in
from quality_platform.drift.comparison import side_of
from quality_platform.drift.profiles import CategoryProfile
from quality_platform.drift.sample_distances import SamplePair
from quality_platform.drift.samples import NumericSample

counts = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 50)).filter(any), min_size=2, max_size=8
).filter(lambda pairs: all(map(any, zip(*pairs, strict=True))))


def of_counts(reference: list[int], current: list[int]) -> Bins:
    labels = tuple(map(str, range(len(reference))))
    sides = (np.array(side, dtype=np.int64) for side in (reference, current))
    return Bins(labels, *sides, (True,) * len(labels))


def pair(reference: object, current: object) -> SamplePair:
    sides = [side_of(pa.table({"x": values}), "x") for values in (reference, current)]
    assert all(isinstance(side, NumericSample) for side in sides)
    return SamplePair(*sides)  # type: ignore[arg-type]


def counted(reference: object, current: object) -> tuple[list[str], list[int], list[int]]:
    found = pair(reference, current)
    before, after = found.rows_between()
    return found.cuts.labels("number"), before.tolist(), after.tolist()


def categories(counts: dict[str, int], nulls: int = 0, *, is_exact: bool = True) -> CategoryProfile:
    rows = sum(counts.values()) + nulls
    return category_profile("c", "string", "text", (rows, nulls, counts), is_exact=is_exact)


def test_psi_is_the_sum_over_the_bins() -> None:
    moved = psi(of_counts([50, 50], [80, 20]))
    assert moved == pytest.approx(0.3 * log(0.8 / 0.5) - 0.3 * log(0.2 / 0.5), rel=1e-12)


@pytest.mark.parametrize(("rows", "least"), [(10, 0.005), (1000, 0.0001)])
def test_an_empty_bin_counts_as_half_a_row_or_one_in_ten_thousand(rows: int, least: float) -> None:
    few, most = least / (1 + least), 1 / (1 + least)
    by_hand = (few - 0.1) * log(few / 0.1) + (most - 0.9) * log(most / 0.9)
    found = psi(of_counts([rows, 9 * rows], [0, 10 * rows]))
    assert found == pytest.approx(by_hand, rel=1e-12)


@given(counts)
def test_the_measures_of_bins_are_those_of_scipy(pairs: list[tuple[int, int]]) -> None:
    table = np.array(pairs).T
    bins = of_counts(*table.tolist())
    expected = stats.chi2_contingency(table, correction=False)
    assert chi_square(bins) == pytest.approx(expected.statistic, rel=1e-12, abs=1e-12)
    assert chi_square_p(bins) == pytest.approx(expected.pvalue, rel=1e-9, abs=1e-300)
    cramer = stats.contingency.association(table, method="cramer")
    assert cramers_v(bins) == pytest.approx(cramer, rel=1e-12, abs=1e-12)
    reference, current = table / table.sum(axis=1, keepdims=True)
    expected_js = distance.jensenshannon(reference, current, base=2)
    assert jensen_shannon(bins) == pytest.approx(expected_js, rel=1e-9, abs=1e-7)


@given(counts)
def test_equal_shares_have_no_distance(pairs: list[tuple[int, int]]) -> None:
    reference = [before for before, _ in pairs if before]
    bins = of_counts(reference, [3 * rows for rows in reference])
    assert (psi(bins), jensen_shannon(bins)) == pytest.approx((0, 0), abs=1e-7)
    assert chi_square(bins) == pytest.approx(0, abs=1e-9)


def test_bins_of_numbers_are_half_open_deciles_of_the_reference() -> None:
    labels, before, after = counted(np.arange(1, 101), [0, 10, 11, 90, 91, 1000])
    assert labels[:2] == ["(-inf, 10]", "(10, 20]"]
    assert labels[-1] == "(90, inf)"
    assert before == [10] * 10
    assert after == [2, 1, 0, 0, 0, 0, 0, 0, 1, 2]


def test_a_value_that_spans_several_deciles_has_a_bin_of_its_own() -> None:
    labels, before, after = counted([0] * 5 + [1] * 95, [0] * 50 + [1] * 50)
    assert labels == ["(-inf, 1)", "1", "(1, inf)"]
    assert (before, after) == ([5, 95, 0], [50, 50, 0])


def test_deciles_of_large_integers_are_exact() -> None:
    labels, _, after = counted([2**60] * 20, [2**60 - 1, 2**60, 2**60 + 1, 2**60 + 1])
    assert labels == [f"(-inf, {2**60})", f"{2**60}", f"({2**60}, inf)"]
    assert after == [1, 1, 2]


def test_infinite_values_are_binned() -> None:
    _, before, after = counted([-np.inf, 0.0, np.inf], [np.inf])
    assert (sum(before), sum(after)) == (3, 1)


def test_rare_and_new_categories_share_a_bin() -> None:
    reference = categories({"a": 12000, "b": 7981, "c": 10, "d": 9})
    current = categories({"a": 20000, "d": 1, "x": 2, "y": 1}, nulls=3)
    bins = category_bins(reference, current)
    assert bins.labels == ("a", "b", "c", OTHER, MISSING)
    assert bins.of_data == (True, True, True, False, False)
    assert bins.reference.tolist() == [12000, 7981, 10, 9, 0]
    assert bins.current.tolist() == [20000, 0, 0, 4, 3]


def test_a_category_of_which_few_current_rows_are_expected_is_rare_unless_it_is_common() -> None:
    assert category_bins(categories({"a": 5, "b": 4}), categories({"b": 1})).labels == ("a", OTHER)
    reference = categories({"a": 900, "b": 50, "c": 49, "d": 1})
    assert category_bins(reference, categories({"a": 20})).labels == ("a", "b", OTHER)
    assert category_bins(reference, categories({"a": 300})).labels == ("a", "b", "c", OTHER)


def test_categories_of_one_side_only_are_counted_and_named() -> None:
    before, after = categories({"a": 5, "b": 1, "z": 3}), categories({"a": 2, "x": 1, "y": 4})
    new, vanished = only_in(after, before), only_in(before, after)
    assert new is not None
    assert vanished is not None
    assert (new.rows, new.values, new.once, new.twice) == (5, ("y", "x"), 1, 0)
    assert (vanished.rows, vanished.values, vanished.once, vanished.twice) == (4, ("z", "b"), 1, 1)
    assert only_in(after, categories({"a": 1}, is_exact=False)) is None


def test_a_sample_without_rows_cannot_be_binned() -> None:
    with pytest.raises(ValueError, match="need rows"):
        of_counts([1, 2], [0, 0])
