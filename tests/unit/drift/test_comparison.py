from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from quality_platform.drift.comparison import compare, compare_column, compare_volume, side_of
from quality_platform.drift.figures import ColumnDrift, DriftThresholds, Figure, Measure
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


def value(drift: ColumnDrift, measure: Measure) -> float | None:
    figure = drift.figure(measure)
    return figure and figure.high


def test_samples_of_500_rows_of_one_distribution_have_not_drifted() -> None:
    for _ in range(20):
        reference, current = sample(500), sample(500)
        assert not any(d.drifted for d in compare(reference, current, reference.schema.names))


def test_samples_of_40_rows_of_one_distribution_are_judged_by_the_noise_floor() -> None:
    [drift] = compare(sample(40), sample(40), ["delay"])
    for figure in (drift.figure("psi"), drift.figure("ks")):
        assert figure is not None
        assert figure.effect is not None
        assert figure.threshold == figure.floor > figure.effect


def test_a_shift_of_one_standard_deviation_has_drifted() -> None:
    delay, flights = compare(sample(500), sample(500, shift=1.0), ["delay", "flights"])
    assert (delay.column, delay.kind, delay.drifted) == ("delay", "numeric", True)
    assert [figure.threshold for figure in delay.figures[:2]] == [0.2, 0.15]
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
    assert (drift.kind, drift.drifted, drift.figure("ks")) == ("categorical", True, None)
    first = drift.contributors[0]
    assert (first.label, first.reference, first.is_value) == ("(rare or new values)", 0.0, False)
    assert first.current == pytest.approx(1 / 3)
    assert (drift.new, drift.vanished) == (("EWR",), ())
    shares = [drift.figure("new_share"), drift.figure("vanished_share")]
    assert [figure.high for figure in shares if figure] == [pytest.approx(1 / 3), 0.0]


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
    assert (gone.drifted, value(gone, "ks")) == (True, None)
    assert (same.drifted, value(same, "ks"), value(same, "psi")) == (False, None, 0.0)


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


def test_a_column_that_cannot_be_compared_is_an_error() -> None:
    table = pa.table({"x": [[0]]})
    with pytest.raises(FeatureViewError, match="of this type"):
        compare(table, table, ["x"])


@pytest.mark.parametrize("other", [["1"], [True], pa.array([0], pa.date32())])
def test_a_column_of_two_kinds_is_an_error(other: object) -> None:
    with pytest.raises(FeatureViewError, match="of this type"):
        compare(pa.table({"x": [1]}), pa.table({"x": other}), ["x"])
    sides = [side_of(pa.table({"x": values}), "x") for values in ([1], other)]
    with pytest.raises(FeatureViewError, match="of this type"):
        compare_column(sides[0], sides[1], DriftThresholds(), 1)


def test_times_are_compared_in_units_that_people_know() -> None:
    days = pa.array([0, 10], pa.date32())
    moments = pa.array([0, 10_000_000], pa.timestamp("us", "UTC"))
    later = pa.array([0, 40], pa.timestamp("s", "UTC"))
    [date] = compare(pa.table({"x": days}), pa.table({"x": days.slice(1)}), ["x"])
    [moment] = compare(pa.table({"x": moments}), pa.table({"x": later}), ["x"])
    assert (date.wasserstein, moment.wasserstein) == ((5.0, 5.0), (15.0, 15.0))
    assert [bin_.label for bin_ in date.contributors] == ["(-inf, 1970-01-01)", "1970-01-01"][
        1:
    ] + [
        "(1970-01-01, 1970-01-11)",
        "1970-01-11",
    ][1:]
    assert moment.contributors[-1].label == "(1970-01-01T00:00:10, inf)"


def test_dictionaries_are_categories_however_they_are_built() -> None:
    twice = pa.chunked_array(
        [
            pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 2]), ["a", "b", "a"]),
            pa.DictionaryArray.from_arrays([0, 1], [None, "b"]),
        ]
    )
    plain = pa.table({"x": ["a", "b", None, "a", None, "b"]})
    [drift] = compare(pa.table({"x": twice}), plain, ["x"])
    assert (drift.kind, value(drift, "psi"), drift.reference_null_share) == (
        "categorical",
        0.0,
        1 / 3,
    )


def test_a_constant_that_moves_has_moved_infinitely_many_deviations() -> None:
    before, after = pa.table({"x": [3.0] * 100}), pa.table({"x": [3.1] * 100})
    [drift] = compare(before, after, ["x"], DriftThresholds(wasserstein=1.0))
    figure = drift.figure("wasserstein")
    assert figure is not None
    assert (figure.high, figure.exceeds) == (float("inf"), True)
    assert figure.as_json()["high"] is None
    assert drift.wasserstein == pytest.approx((0.1, 0.1))
    [same] = compare(before, before, ["x"])
    assert [f.high for f in same.figures] == [0.0] * 7


def test_every_measure_can_decide() -> None:
    before = pa.table({"x": GENERATOR.normal(size=2000), "c": ["a", "b"] * 1000})
    after = pa.table(
        {
            "x": pa.array(GENERATOR.normal(3, size=2000), mask=GENERATOR.random(2000) < 0.3),
            "c": pa.array(["a", "z"] * 1000, mask=GENERATOR.random(2000) < 0.3),
        }
    )
    none = {name: None for name in DriftThresholds.__dataclass_fields__ if name != "false_alarms"}
    for name in none:
        only = DriftThresholds(**{**none, name: 0.1})  # type: ignore[arg-type]
        found = [f.measure for drift in compare(before, after, ["x", "c"], only)
                 for f in drift.exceeding]  # fmt: skip
        assert set(found) == {name}
    assert not any(d.drifted for d in compare(before, after, ["x"], DriftThresholds(**none)))


def test_a_straddling_interval_counts_as_drifted_and_is_not_certain() -> None:
    def figure(low: float, high: float) -> tuple[bool, bool]:
        found = Figure("ks", low, high, effect=0.15, floor=0.1)
        return found.exceeds, found.is_certain

    assert [figure(0.1, 0.14), figure(0.1, 0.2), figure(0.16, 0.2)] == [
        (False, True), (True, False), (True, True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "days", "change", "drifted"),
    [
        ((1000, 1000), (1, 1), 0.0, False),
        ((1000, 2000), (1, 1), 1.0, True),
        ((2000, 1000), (1, 1), 1.0, True),
        ((1000, 2000), (1, 2), 0.0, False),
        ((1000, 0), (1, 1), float("inf"), True),
        ((0, 1000), (1, 1), float("inf"), True),
        ((0, 0), (1, 1), 0.0, False),
        ((2, 4), (1, 1), 1.0, False),
    ],
)
def test_the_number_of_rows_is_compared_by_the_day(
    rows: tuple[int, int], days: tuple[float, float], change: float, drifted: bool
) -> None:
    found = compare_volume(*rows, reference_days=days[0], current_days=days[1], threshold=0.5)
    assert (found.change, found.drifted) == (change, drifted)
    assert not compare_volume(*rows).drifted
