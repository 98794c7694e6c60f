"""Profiles against the samples that they are made of: exact where small, bounded where large."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality_platform.drift.comparison import compare, compare_profiles
from quality_platform.drift.figures import ColumnDrift, DriftThresholds, Figure
from quality_platform.drift.moments import Moments
from quality_platform.drift.profile_bytes import profile_from_bytes, profile_to_bytes
from quality_platform.drift.profiles import (
    CategoryProfile,
    ColumnProfile,
    NumericProfile,
    ProfileSettings,
)
from quality_platform.drift.profiling import profile_batches, profile_relation
from quality_platform.errors import FeatureViewError
from quality_platform.lake.query import EngineSettings, duckdb_session

GENERATOR = np.random.default_rng(20260104)
COARSE = ProfileSettings(distinct_limit=50, points=32)
THINNED = ProfileSettings(distinct_limit=50, points=32, rows_in_memory=500)
EXACT = ProfileSettings()

Profiles = dict[str, ColumnProfile]


def profiled(table: pa.Table, settings: ProfileSettings, like: Profiles | None = None) -> Profiles:
    def batches() -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=300))

    return profile_batches(batches, table.schema.names, settings, like)


def by_sql(table: pa.Table, settings: ProfileSettings, like: Profiles | None = None) -> Profiles:
    with duckdb_session(EngineSettings(memory_limit_mb=128)) as connection:
        connection.register("rows", table)
        return profile_relation(connection, "rows", table.schema.names, settings, like)


def table(rows: int, shift: float = 0.0) -> pa.Table:
    missing = GENERATOR.random(rows) < 0.05
    delay = GENERATOR.normal(shift, size=rows)
    delay[GENERATOR.random(rows) < 0.02] = np.nan
    return pa.table(
        {
            "delay": pa.array(delay, mask=missing),
            "flights": pa.array(GENERATOR.poisson(3 + shift, size=rows), mask=missing),
            "day": GENERATOR.integers(0, 400, rows).astype("datetime64[D]"),
            "clock": pa.array(GENERATOR.integers(0, 10**10, rows), pa.time64("us")),
            "at": GENERATOR.integers(0, 10**12, rows).astype("datetime64[us]"),
            "zeros": np.where(GENERATOR.random(rows) < 0.6, 0, GENERATOR.lognormal(size=rows)),
            "origin": GENERATOR.choice(["EWR", "JFK", None], size=rows),
            "tail": [f"N{n}" for n in GENERATOR.zipf(1.5, size=rows) % 400],
            "cancelled": GENERATOR.random(rows) < 0.1,
        }
    )


def figures(drifts: tuple[ColumnDrift, ...]) -> Iterator[Figure]:
    for drift in drifts:
        yield from drift.figures


@pytest.mark.parametrize("make", [profiled, by_sql])
def test_a_comparison_of_exact_profiles_is_that_of_the_samples(
    make: Callable[..., Profiles],
) -> None:
    before, after = table(2000), table(1500, shift=0.3)
    columns = before.schema.names
    reference = make(before, EXACT)
    found = compare_profiles(reference, make(after, EXACT, reference), columns)
    assert all(profile.is_exact for profile in reference.values())
    for ours, theirs in zip(found, compare(before, after, columns), strict=True):
        for one, other in zip(ours.figures, theirs.figures, strict=True):
            assert one.low == one.high
            if one.measure == "wasserstein":
                assert one.high == pytest.approx(other.high, rel=1e-9)
                assert one.floor == pytest.approx(other.floor, rel=0.05)
            else:
                assert one == other
        assert replace(ours, figures=(), wasserstein=None) == replace(
            theirs, figures=(), wasserstein=None
        )


@pytest.mark.parametrize("settings_", [COARSE, THINNED])
@pytest.mark.parametrize("make", [profiled, by_sql])
def test_coarse_profiles_tell_an_interval_that_holds_the_exact_distance(
    make: Callable[..., Profiles], settings_: ProfileSettings
) -> None:
    before, after = table(2000), table(1500, shift=0.3)
    columns = ["delay", "flights", "day", "clock", "at", "zeros"]
    reference = make(before, settings_)
    found = compare_profiles(reference, make(after, settings_, reference), columns)
    exact = compare(before, after, columns)
    for one, other in zip(figures(found), figures(exact), strict=True):
        if one.measure in ("ks", "wasserstein"):
            assert one.low <= other.high * (1 + 1e-12)
            assert one.high >= other.high * (1 - 1e-12)
        elif settings_ is COARSE:
            assert (one.low, one.high) == (other.low, other.high)
    delay = found[0].figure("ks")
    assert delay is not None
    assert 0 < delay.high - delay.low < 3 / COARSE.points
    flights = found[1].figure("ks")
    assert flights is not None
    assert flights.low == flights.high


@pytest.mark.parametrize("make", [profiled, by_sql])
def test_frequent_categories_are_exact_where_there_are_too_many(
    make: Callable[..., Profiles],
) -> None:
    before = pa.table({"x": ["a"] * 500 + ["b"] * 400 + [f"rare {n}" for n in range(300)]})
    after = pa.table({"x": [f"new {n}" for n in range(100)] + ["b"] * 2 + ["a"] * 3})
    reference = make(before, COARSE)
    current = make(after, COARSE, reference)
    assert isinstance(reference["x"], CategoryProfile)
    assert isinstance(current["x"], CategoryProfile)
    assert not reference["x"].is_exact
    assert (reference["x"].counts["a"], reference["x"].counts["b"]) == (500, 400)
    assert (current["x"].counts["a"], current["x"].counts["b"]) == (3, 2)
    [drift] = compare_profiles(reference, current, ["x"])
    assert drift.figure("new_share") is None
    assert {bin_.label for bin_ in drift.contributors} >= {"a", "b", "(rare or new values)"}


@given(
    st.lists(st.floats(-100, 100) | st.integers(-3, 3).map(float), min_size=1, max_size=60),
    st.lists(st.floats(-100, 100) | st.integers(-3, 3).map(float), min_size=1, max_size=60),
    st.integers(1, 10),
    st.integers(1, 60),
)
@settings(max_examples=150)
def test_intervals_hold_the_exact_distance_whatever_the_values(
    one: list[float], other: list[float], points: int, room: int
) -> None:
    before, after = pa.table({"x": one}), pa.table({"x": other})
    coarse = ProfileSettings(distinct_limit=2, points=points, rows_in_memory=room)
    reference = profiled(before, coarse)
    current = profiled(after, coarse, reference)
    for profile, values in ((reference["x"], one), (current["x"], other)):
        assert isinstance(profile, NumericProfile)
        assert profile.upto[-1] == profile.present == len(values)
        assert (profile.points[0], profile.points[-1]) == (min(values), max(values))
        for point, upto, below in zip(profile.points, profile.upto, profile.below, strict=True):
            assert upto == sum(value <= point for value in values)
            assert below == sum(value < point for value in values)
    [bounds], [exact] = compare_profiles(reference, current, ["x"]), compare(before, after, ["x"])
    for measure in ("ks", "wasserstein"):
        low_high, true = bounds.figure(measure), exact.figure(measure)
        assert low_high is not None
        assert true is not None
        assert low_high.low <= true.high * (1 + 1e-9) + 1e-12
        assert low_high.high >= true.high * (1 - 1e-9) - 1e-12


@pytest.mark.parametrize("settings_", [EXACT, COARSE])
def test_a_profile_comes_back_from_its_bytes(settings_: ProfileSettings) -> None:
    before, after = table(800), table(700, shift=0.5)
    reference = profiled(before, settings_)
    again = {
        name: profile_from_bytes(profile_to_bytes(profile)) for name, profile in reference.items()
    }
    assert {n: profile_to_bytes(p) for n, p in again.items()} == {
        n: profile_to_bytes(p) for n, p in reference.items()
    }
    current = profiled(after, settings_, again)
    columns = before.schema.names
    assert compare_profiles(again, current, columns) == compare_profiles(
        reference, current, columns
    )


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\xff" * 40])
def test_bytes_that_are_no_profile_are_refused(data: bytes) -> None:
    with pytest.raises(FeatureViewError, match="cannot be used"):
        profile_from_bytes(data)


def test_a_profile_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    written = profile_to_bytes(profiled(pa.table({"x": [1]}), EXACT)["x"])
    monkeypatch.setattr("quality_platform.drift.profile_bytes.FORMAT_VERSION", 2)
    with pytest.raises(FeatureViewError, match="cannot be used") as caught:
        profile_from_bytes(written)
    assert caught.value.problems[0].received == "version 1"


def test_the_definition_changes_with_every_setting() -> None:
    changed = [
        replace(EXACT, distinct_limit=1),
        replace(EXACT, points=1),
        replace(EXACT, rows_in_memory=1),
        replace(EXACT, bins=1),
    ]
    assert len({settings_.definition for settings_ in (EXACT, *changed)}) == 5
    assert ProfileSettings().definition == EXACT.definition


@pytest.mark.parametrize("make", [profiled, by_sql])
def test_no_rows_and_no_values_have_profiles(make: Callable[..., Profiles]) -> None:
    full = pa.table({"x": [1.0, 2.0], "c": ["a", "b"]})
    nothing = full.slice(0, 0)
    missing = pa.table({"x": pa.array([None] * 9, pa.float64()), "c": pa.array([None] * 9, "str")})
    assert {p.rows for p in make(nothing, EXACT).values()} == {0}
    gone = make(missing, EXACT, make(full, EXACT))
    assert {(p.rows, p.missing) for p in gone.values()} == {(9, 9)}
    for reference, current in ((full, missing), (missing, full), (missing, missing)):
        before = make(reference, EXACT)
        drifts = compare_profiles(before, make(current, EXACT, before), ["x", "c"])
        assert drifts[0].figure("ks") is None
        psi = [figure.high for drift in drifts if (figure := drift.figure("psi"))]
        assert [high > 1 for high in psi] == [reference is not current] * 2


@pytest.mark.parametrize("make", [profiled, by_sql])
def test_columns_that_cannot_be_profiled_are_errors(make: Callable[..., Profiles]) -> None:
    nested = pa.table({"x": [[1]]})
    with pytest.raises(FeatureViewError, match="of this type"):
        make(nested, EXACT)
    text = make(pa.table({"x": ["1"]}), EXACT)
    with pytest.raises(FeatureViewError, match="of this type"):
        make(pa.table({"x": [1]}), EXACT, text)
    numbers = make(pa.table({"x": [1]}), EXACT)
    with pytest.raises(FeatureViewError, match="of this type"):
        make(pa.table({"x": ["1"]}), EXACT, numbers)


def test_an_unknown_column_is_an_error_with_the_nearest_name() -> None:
    rows = pa.table({"delay": [1]})
    with pytest.raises(FeatureViewError) as caught:
        profile_batches(rows.to_reader, ["delays"])
    assert caught.value.problems[0].action == "did you mean 'delay'?"


def test_a_profile_that_was_not_made_for_the_reference_is_not_guessed_from() -> None:
    values = pa.table({"x": np.arange(1000.0)})
    reference = profiled(values, EXACT)
    other = profiled(
        pa.table({"x": np.arange(1000) * 1.7}), replace(EXACT, distinct_limit=5, points=4)
    )
    with pytest.raises(ValueError, match="not made for this reference"):
        compare_profiles(reference, other, ["x"])


def test_profiles_of_a_million_rows_are_small_and_their_intervals_narrow() -> None:
    before = pa.table({"x": GENERATOR.normal(size=1_000_000)})
    after = pa.table({"x": GENERATOR.normal(size=900_000)})
    reference = profile_batches(before.to_reader, ["x"])
    current = profile_batches(after.to_reader, ["x"], like=reference)
    assert len(profile_to_bytes(reference["x"])) < 60_000
    [drift] = compare_profiles(reference, current, ["x"], DriftThresholds(wasserstein=0.1))
    ks, wasserstein = drift.figure("ks"), drift.figure("wasserstein")
    assert ks is not None
    assert wasserstein is not None
    assert ks.high - ks.low < 5e-4
    assert wasserstein.high < 0.01
    assert (drift.drifted, drift.is_certain) == (False, True)


@given(st.lists(st.lists(st.floats(-1e3, 1e3), max_size=20), min_size=1, max_size=5))
def test_moments_are_those_of_numpy_however_the_values_come(parts: list[list[float]]) -> None:
    moments = Moments()
    for part in parts:
        moments.add(np.array([*part, np.inf]))
    values = [value for part in parts for value in part]
    if values:
        assert moments.deviation == pytest.approx(np.std(values), rel=1e-9, abs=1e-9)
    else:
        assert np.isnan(moments.deviation)
