from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from quality_platform.drift.comparison import DriftThresholds, as_markdown, compare
from quality_platform.errors import FeatureViewError

GENERATOR = np.random.default_rng(20260102)


def sample(rows: int, shift: float = 0.0) -> pa.Table:
    return pa.table(
        {
            "delay": GENERATOR.normal(shift, size=rows),
            "flights": GENERATOR.poisson(3, size=rows),
            "origin": GENERATOR.choice(["EWR", "JFK", "LGA"], size=rows),
            "cancelled": GENERATOR.random(rows) < 0.1,
        }
    )


def test_samples_of_500_rows_of_one_distribution_have_not_drifted() -> None:
    for _ in range(20):
        reference, current = sample(500), sample(500)
        assert not any(d.drifted for d in compare(reference, current, reference.schema.names))


def test_samples_of_40_rows_of_one_distribution_are_judged_by_the_noise_floor() -> None:
    [drift] = compare(sample(40), sample(40), ["delay"])
    assert drift.psi_threshold > DriftThresholds().psi
    assert drift.ks_threshold is not None
    assert drift.ks_threshold > DriftThresholds().ks


def test_a_shift_of_one_standard_deviation_has_drifted() -> None:
    delay, flights = compare(sample(500), sample(500, shift=1.0), ["delay", "flights"])
    assert (delay.column, delay.kind, delay.drifted) == ("delay", "numeric", True)
    assert (delay.psi_threshold, delay.ks_threshold) == (0.2, 0.15)
    assert (flights.column, flights.drifted) == ("flights", False)


def test_either_measure_suffices() -> None:
    reference, current = sample(500), sample(500, shift=1.0)
    only_ks = DriftThresholds(psi=100.0, ks=0.15)
    only_psi = DriftThresholds(psi=0.2, ks=1.0)
    neither = DriftThresholds(psi=100.0, ks=1.0)
    drifted = [compare(reference, current, ["delay"], t)[0].drifted for t in (only_ks, only_psi)]
    assert drifted == [True, True]
    assert not compare(reference, current, ["delay"], neither)[0].drifted


def test_a_category_that_appears_has_drifted_and_is_listed_first() -> None:
    reference = pa.table({"origin": ["JFK"] * 300 + ["LGA"] * 300})
    current = pa.table({"origin": ["JFK"] * 200 + ["LGA"] * 200 + ["EWR"] * 200})
    [drift] = compare(reference, current, ["origin"])
    assert (drift.kind, drift.drifted, drift.ks, drift.ks_threshold) == (
        "categorical", True, None, None,
    )  # fmt: skip
    assert drift.contributors[0] == ("(not in the reference)", 0.0, pytest.approx(1 / 3))


@pytest.mark.parametrize(
    "values", [pa.array([1.0] * 500), pa.array([1] * 500), pa.array(["a"] * 500)]
)
def test_values_that_go_missing_have_drifted(values: pa.Array) -> None:
    mask = pa.array(np.arange(500) % 2 == 0)
    gone = pa.compute.if_else(mask, pa.scalar(None, values.type), values)
    [drift] = compare(pa.table({"x": values}), pa.table({"x": gone}), ["x"])
    assert drift.drifted
    assert (drift.reference_null_share, drift.current_null_share) == (0.0, 0.5)


def test_nan_counts_as_missing() -> None:
    [drift] = compare(pa.table({"x": [1.0, 2.0]}), pa.table({"x": [float("nan"), 2.0]}), ["x"])
    assert drift.current_null_share == 0.5


def test_a_column_without_any_value_is_compared_by_its_missing_values_alone() -> None:
    empty = pa.table({"x": pa.array([None] * 500, pa.float64())})
    full = pa.table({"x": GENERATOR.normal(size=500)})
    [gone] = compare(full, empty, ["x"])
    [same] = compare(empty, empty, ["x"])
    assert (gone.drifted, gone.ks) == (True, None)
    assert (same.drifted, same.ks, same.psi) == (False, None, 0.0)


def test_decimals_and_integers_with_nulls_are_numbers() -> None:
    table = pa.table(
        {
            "price": pa.array([Decimal("1.50"), None, Decimal("2.50")]),
            "seats": pa.array([2**60, None, 3]),
        }
    )
    assert [drift.kind for drift in compare(table, table, ["price", "seats"])] == ["numeric"] * 2


@pytest.mark.parametrize("side", ["reference", "current"])
def test_a_side_without_rows_is_an_error(side: str) -> None:
    tables = {"reference": sample(10), "current": sample(10)}
    tables[side] = tables[side].slice(0, 0)
    with pytest.raises(FeatureViewError, match="has no rows"):
        compare(tables["reference"], tables["current"], ["delay"])


def test_an_unknown_column_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(FeatureViewError) as caught:
        compare(sample(10), sample(10), ["delays"])
    assert caught.value.problems[0].action == "did you mean 'delay'?"


def test_a_column_that_is_no_number_text_or_boolean_is_an_error() -> None:
    table = pa.table({"x": pa.array([0], pa.timestamp("us", "UTC"))})
    with pytest.raises(FeatureViewError, match="of this type"):
        compare(table, table, ["x"])


def test_a_column_of_two_types_is_an_error() -> None:
    with pytest.raises(FeatureViewError, match="of this type"):
        compare(pa.table({"x": [1]}), pa.table({"x": ["1"]}), ["x"])


def test_the_markdown_shows_measures_thresholds_and_both_distributions() -> None:
    reference = pa.table({"x": ["a"] * 3 + ["b"]})
    current = pa.table({"x": ["a", None]})
    [drift] = compare(reference, current, ["x"])
    text = as_markdown(drift)
    assert "**x** (categorical) has not drifted." in text
    assert f"| PSI | {drift.psi:.4f} | {drift.psi_threshold:.4f} |" in text
    assert "Kolmogorov" not in text
    assert "| current | 2 | 50.00% |" in text
    assert f"a          reference  75.00% {'█' * 24}" in text
    assert f"           current    50.00% {'█' * 16}" in text


def test_a_hostile_label_stays_within_its_line_and_its_code_block() -> None:
    table = pa.table({"x": ["```\n# title " + "long " * 20]})
    [drift] = compare(table, table, ["x"])
    inside = as_markdown(drift).split("```text\n")[1].removesuffix("\n```")
    assert "`" not in inside
    assert len(inside.splitlines()) == 2


def test_many_categories_are_cut_with_a_word_about_the_rest() -> None:
    table = pa.table({"x": [str(n) for n in range(50)]})
    [drift] = compare(table, table, ["x"])
    assert len(drift.contributors) == 50
    assert "and 30 more that add less" in as_markdown(drift)
