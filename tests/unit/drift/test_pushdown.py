"""What SQL counts against what batches count."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest
from sqlglot import exp, parse_one

from quality_platform.drift.comparison import compare, compare_profiles
from quality_platform.drift.profiles import ColumnProfile, NumericProfile, ProfileSettings
from quality_platform.drift.profiling import profile_batches
from quality_platform.drift.pushdown import coarser, count_query, profiles_from_counts
from quality_platform.errors import FeatureViewError
from quality_platform.lake.query import EngineSettings, duckdb_session

GENERATOR = np.random.default_rng(20260107)
HOSTILE = 'na"me; DROP TABLE x'


def rows(size: int, shift: float = 0.0) -> pa.Table:
    missing = GENERATOR.random(size) < 0.1
    delay = GENERATOR.normal(shift, size=size)
    delay[:5] = [np.nan, np.inf, -np.inf, -0.0, np.nan]
    return pa.table(
        {
            "delay": pa.array(delay, mask=missing),
            "single": pa.array(GENERATOR.normal(shift, size=size).astype(np.float32)),
            "flights": GENERATOR.poisson(3 + shift, size=size),
            "price": pa.array(GENERATOR.integers(0, 999, size)).cast(pa.decimal128(21, 2)),
            "day": GENERATOR.integers(0, 400 + int(50 * shift), size).astype("datetime64[D]"),
            HOSTILE: GENERATOR.choice(["it's", 'quo"ted', None, "x"], size=size),
            "cancelled": GENERATOR.random(size) < 0.1,
        }
    )


def coarse(table: pa.Table) -> dict[str, ColumnProfile]:
    settings = ProfileSettings(distinct_limit=50, points=40)
    found = profile_batches(table.to_reader, table.schema.names, settings)
    return {
        name: coarser(profile, 20) if isinstance(profile, NumericProfile) else profile
        for name, profile in found.items()
    }


def pushed(table: pa.Table, reference: Mapping[str, ColumnProfile]) -> dict[str, ColumnProfile]:
    query = count_query(exp.to_table("shop.rows"), reference).sql("duckdb")
    with duckdb_session(EngineSettings(memory_limit_mb=128)) as connection:
        connection.execute("CREATE SCHEMA shop")
        connection.register("registered", table)
        connection.execute("CREATE TABLE shop.rows AS SELECT * FROM registered")
        return profiles_from_counts(connection.sql(query).fetchall(), reference)


def test_figures_that_follow_from_counts_are_equal_to_the_last_digit() -> None:
    before, after = rows(3000), rows(2000, shift=0.4)
    reference = coarse(before)
    columns = list(reference)
    by_sql = compare_profiles(reference, pushed(after, reference), columns)
    batches = profile_batches(
        after.to_reader, columns, ProfileSettings(distinct_limit=50), reference
    )
    exact = {drift.column: drift for drift in compare(before, after, columns)}
    for ours, theirs in zip(by_sql, compare_profiles(reference, batches, columns), strict=True):
        for one, other in zip(ours.figures, theirs.figures, strict=True):
            if one.measure in ("ks", "wasserstein"):
                true = exact[ours.column].figure(one.measure)
                assert true is not None
                assert one.low <= true.high + 1e-12
                assert one.high >= true.high - 1e-12
            else:
                assert (one.measure, one.low, one.high) == (other.measure, other.low, other.high)
        assert ours.contributors == theirs.contributors
        assert (ours.reference_rows, ours.current_rows) == (3000, 2000)
        assert ours.current_null_share == theirs.current_null_share


def test_rows_within_the_range_of_the_reference_give_the_same_staircase() -> None:
    before, after = rows(3000), rows(2000)
    reference = coarse(before)
    [by_sql] = compare_profiles(reference, pushed(after, reference), ["flights"])
    [exact] = compare(before, after, ["flights"])
    assert by_sql.figure("ks") == exact.figure("ks")


@pytest.mark.parametrize("dialect", ["duckdb", "databricks", "snowflake"])
def test_the_query_renders_to_every_dialect_with_its_names_quoted(dialect: str) -> None:
    query = count_query(exp.to_table("shop.rows", dialect=dialect), coarse(rows(500)))
    text = query.sql(dialect)
    again = parse_one(text, dialect=dialect)
    names = {column.name for column in again.find_all(exp.Column)}
    assert names == {"delay", "single", "flights", "price", "day", HOSTILE, "cancelled"}
    assert len(list(again.find_all(exp.Select))) == 7
    assert not list(again.find_all(exp.Drop))


def test_a_coarser_profile_keeps_its_counts_and_its_cuts() -> None:
    full = profile_batches(rows(3000).to_reader, ["delay"])["delay"]
    assert isinstance(full, NumericProfile)
    fewer = coarser(full, 16)
    assert fewer.points.size < 40
    assert fewer.present == full.present == fewer.upto[-1]
    assert (fewer.cuts.values.tolist(), fewer.rows_between(full.cuts).tolist()) == (
        full.cuts.values.tolist(),
        full.rows_between(full.cuts).tolist(),
    )


def test_a_column_of_moments_is_not_counted_elsewhere() -> None:
    moments = pa.table({"x": pa.array([0, 1], pa.timestamp("us", "UTC"))})
    with pytest.raises(FeatureViewError, match="another engine"):
        count_query(exp.to_table("rows"), profile_batches(moments.to_reader, ["x"]))
