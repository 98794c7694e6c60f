"""The noise floors, by simulation: what chance gives must stay below them as often as promised."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from quality_platform.drift import noise
from quality_platform.drift.bins import Bins
from quality_platform.drift.comparison import compare, compare_column, side_of
from quality_platform.drift.figures import DriftThresholds, Measure

GENERATOR = np.random.default_rng(20260105)

Draw = Callable[[int], Any]

NUMBERS: dict[str, Draw] = {
    "normal": lambda n: GENERATOR.normal(size=n),
    "lognormal": lambda n: GENERATOR.lognormal(size=n),
    "counts": lambda n: GENERATOR.poisson(2, size=n),
    "with missing": lambda n: np.where(GENERATOR.random(n) < 0.1, np.nan, GENERATOR.random(n)),
}
CATEGORIES: dict[str, Draw] = {
    "three": lambda n: GENERATOR.choice(["a", "b", "c"], p=[0.7, 0.2, 0.1], size=n),
    "hundreds": lambda n: (GENERATOR.zipf(1.6, size=n) % 500).astype(str),
}


def of_counts(reference: list[int], current: list[int]) -> Bins:
    sides = (np.array(side, dtype=np.int64) for side in (reference, current))
    return Bins(("",) * len(reference), *sides, (True,) * len(reference))


TINY = DriftThresholds(
    *[1e-12] * 9,
    false_alarms=0.05,
)
"""Effect sizes of nearly nothing: the floors alone decide."""


@pytest.mark.parametrize("kind", [*NUMBERS, *CATEGORIES])
@pytest.mark.parametrize("sizes", [(400, 400), (1500, 300), (60, 40)])
def test_no_measure_exceeds_its_floor_more_often_than_promised(
    kind: str, sizes: tuple[int, int]
) -> None:
    draw = (NUMBERS | CATEGORIES)[kind]
    exceeded: dict[Measure, int] = {}
    trials = 120
    for _ in range(trials):
        sides = [side_of(pa.table({"x": pa.array(draw(size), from_pandas=True)}), "x")
                 for size in sizes]  # fmt: skip
        for figure in compare_column(sides[0], sides[1], TINY, 1).figures:
            exceeded[figure.measure] = exceeded.get(figure.measure, 0) + figure.exceeds
    # 6 are expected at most; more than 14 come by chance once in a thousand such tests.
    assert {measure: times for measure, times in exceeded.items() if times > 14} == {}
    assert {"psi", "js", "cramers_v", "missing_share"} <= set(exceeded)


def test_of_200_columns_without_drift_none_drifts_as_often_as_promised() -> None:
    draws = list((NUMBERS | CATEGORIES).values())
    names = [f"column_{n}" for n in range(200)]
    deciding = DriftThresholds(psi=1e-12, ks=1e-12, false_alarms=0.05)

    def table(rows: int) -> pa.Table:
        return pa.table(
            {
                name: pa.array(draws[n % len(draws)](rows), from_pandas=True)
                for n, name in enumerate(names)
            }
        )

    alarmed = 0
    for _ in range(6):
        found = compare(table(300), table(200), names, deciding)
        alarmed += any(drift.drifted for drift in found)
    # 0.3 comparisons are expected at most; more than 2 come by chance once in 450 such tests.
    assert alarmed <= 2


def test_a_drift_above_the_floor_of_200_columns_is_still_found() -> None:
    names = [f"column_{n}" for n in range(200)]
    before = pa.table({name: GENERATOR.normal(size=1000) for name in names})
    after = pa.table(
        {name: GENERATOR.normal(0.5 if name == names[7] else 0, size=1000) for name in names}
    )
    drifted = [drift.column for drift in compare(before, after, names) if drift.drifted]
    assert drifted == [names[7]]


def test_the_risk_is_spread_over_the_tests_of_a_comparison() -> None:
    table = pa.table({"x": GENERATOR.normal(size=500), "c": ["a", "b"] * 250})
    [alone] = compare(table, table, ["x"])
    together = compare(table, table, ["x", "c"])
    three = DriftThresholds(false_alarms=DriftThresholds().false_alarms * 2 / 3)
    assert together[0].figures == compare(table, table, ["x"], three)[0].figures
    psi = [drift.figure("psi") for drift in (alone, together[0])]
    assert psi[0] is not None
    assert psi[1] is not None
    assert psi[0].floor < psi[1].floor


def test_the_floors_are_the_critical_values() -> None:
    many = 10**9
    ten, two, one = (of_counts([many] * bins, [many] * bins) for bins in (10, 2, 1))
    assert noise.psi_floor(0.01, ten) == pytest.approx(21.66599 * 2 / (10 * many), rel=1e-6)
    assert noise.psi_floor(0.01, one) == 0
    assert noise.ks_floor(0.01, 500, 500) == pytest.approx(1.6276 * sqrt(1000 / 250_000), rel=1e-4)
    assert noise.ks_floor(0.01, 2, 2) == 1
    assert noise.cramers_v_floor(0.01, two) == pytest.approx(sqrt(6.6349 / 4 / many), rel=1e-4)
    assert noise.unseen_floor(0.01, 0, 3, many, many) < 1e-7
    assert noise.share_floor(0.01, 0, 500, 0, 500) == pytest.approx(1 / 500)


def test_more_values_than_the_floor_are_out_of_range_as_rarely_as_promised() -> None:
    floor = noise.outside_floor(0.01, 100, 200)
    outside = []
    for _ in range(2000):
        before, after = GENERATOR.random(100), GENERATOR.random(200)
        outside.append(np.mean((after < before.min()) | (after > before.max())))
    assert np.mean(np.array(outside) > floor) <= 0.01 + 3 * sqrt(0.01 / 2000)
    assert np.mean(np.array(outside) > floor - 2 / 200) > 0.01
