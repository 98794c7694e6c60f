from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quality_platform.errors import FeatureViewError, Location
from quality_platform.features.sql_view import FeatureInput, FeatureQuery, compute, validated
from quality_platform.lake.query import EngineSettings

FILE = Location("features/delays.sql")
INPUTS = ("flights", "weather")
FLIGHTS = pa.schema([("id", pa.int64()), ("origin", pa.string()), ("delay", pa.float64())])
WEATHER = pa.schema([("origin", pa.string()), ("wind", pa.float64())])


def query(sql: str) -> FeatureQuery:
    return validated(sql, INPUTS, location=FILE)


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, FeatureInput]:
    files = []
    # The folder looks like a hive partition: its key must not become a column.
    folder = tmp_path / "day=1"
    folder.mkdir()
    for number in range(2):
        path = folder / f"it's {number}.parquet"
        rows = {"id": [number * 2, number * 2 + 1], "origin": ["JFK", None], "delay": [1.5, None]}
        pq.write_table(pa.table(rows, schema=FLIGHTS), path)
        files.append(str(path))
    return {
        "flights": FeatureInput(tuple(files), FLIGHTS),
        "weather": FeatureInput((), WEATHER),
    }


def rows_of(sql: str, inputs: dict[str, FeatureInput]) -> list[dict[str, object]]:
    batches = compute(query(sql), inputs, EngineSettings())
    return [row for batch in batches for row in batch.to_pylist()]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM flights",
        "FROM flights",
        "SELECT 1 AS x;",
        "-- why\nSELECT 1 AS x; -- the end",
        "WITH late AS (FROM flights WHERE delay > 0) FROM late JOIN weather USING (origin)",
        "SELECT id FROM Flights UNION ALL SELECT 1",
        "SELECT u.x FROM flights f, unnest([f.id]) AS u(x)",
        "SELECT f.id, w.wind FROM flights f LEFT JOIN (SELECT * FROM weather) w USING (origin)",
        "SELECT (SELECT max(wind) FROM weather) AS wind FROM flights",
    ],
)
def test_a_select_over_the_inputs_is_allowed_and_runs(
    sql: str, inputs: dict[str, FeatureInput]
) -> None:
    assert query(sql) == FeatureQuery(sql, INPUTS, FILE)
    rows_of(sql, inputs)


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "-- nothing",
        "SELECT 1; SELECT 2",
        "VALUES (1)",
        "SELECT * FROM planes",
        "SELECT * FROM lake.flights",
        "SELECT (SELECT count(*) FROM planes) FROM flights",
        "WITH planes AS (SELECT * FROM secrets) SELECT * FROM planes",
        "SELECT * FROM 'x.csv'",
        "SELECT * FROM read_csv('x.csv')",
        "SELECT * FROM read_parquet(['x.parquet'])",
        "SELECT * FROM read_text('x')",
        "SELECT * FROM glob('*')",
        "SELECT * FROM query('SELECT 1')",
        "SELECT * FROM duckdb_settings()",
        "SELECT (FROM read_blob('x'))",
        "SELECT * INTO x FROM flights",
        "SELECT ?",
        "SELECT $x",
        "COPY (SELECT 1) TO 'x'",
        "COPY flights TO 'x'",
        "ATTACH 'x'",
        "PRAGMA version",
        "INSTALL httpfs",
        "SET threads = 1",
        "CREATE TABLE x AS SELECT 1",
        "INSERT INTO flights SELECT 1",
        "DROP TABLE flights",
        "EXPLAIN SELECT 1",
        "SUMMARIZE flights",
        "SELECT * FROM (DESCRIBE flights)",
    ],
)
def test_anything_but_one_select_over_the_inputs_is_refused(sql: str) -> None:
    with pytest.raises(FeatureViewError) as caught:
        query(sql)
    assert caught.value.problems[0].location == FILE


def test_a_table_that_is_no_input_is_named_with_what_is_allowed() -> None:
    with pytest.raises(FeatureViewError) as caught:
        query("SELECT * FROM flight")
    problem = caught.value.problems[0]
    assert "'flight'" in problem.message
    assert problem.allowed == "flights, weather"
    assert problem.action == "did you mean 'flights'?"


def test_invalid_sql_is_reported_with_its_line() -> None:
    with pytest.raises(FeatureViewError) as caught:
        query("SELECT id\nFROM flights\nWHERE WHERE")
    assert caught.value.problems[0].location == Location(FILE.file, 3)


def test_an_input_shows_exactly_its_own_columns(inputs: dict[str, FeatureInput]) -> None:
    [first, *_] = compute(query("SELECT * FROM flights"), inputs, EngineSettings())
    assert first.schema.names == ["id", "origin", "delay"]
    with pytest.raises(FeatureViewError, match="filename"):
        rows_of("SELECT filename FROM flights", inputs)


def test_the_rows_of_all_files_are_computed_and_an_input_without_files_is_empty(
    inputs: dict[str, FeatureInput],
) -> None:
    rows = rows_of(
        "SELECT id, delay, wind FROM flights LEFT JOIN weather USING (origin) ORDER BY id", inputs
    )
    assert rows == [
        {"id": 0, "delay": 1.5, "wind": None},
        {"id": 1, "delay": None, "wind": None},
        {"id": 2, "delay": 1.5, "wind": None},
        {"id": 3, "delay": None, "wind": None},
    ]


def test_a_query_without_rows_yields_nothing(inputs: dict[str, FeatureInput]) -> None:
    assert rows_of("SELECT * FROM weather", inputs) == []


def test_an_unknown_column_is_reported_with_its_line(inputs: dict[str, FeatureInput]) -> None:
    with pytest.raises(FeatureViewError) as caught:
        rows_of("SELECT\n  id,\n  dely\nFROM flights", inputs)
    problem = caught.value.problems[0]
    assert '"dely" not found' in problem.message
    assert problem.location is not None
    assert problem.location.file == FILE.file


def test_a_row_that_fails_while_streaming_is_a_feature_view_error(
    inputs: dict[str, FeatureInput],
) -> None:
    sql = """SELECT
      CAST(CASE WHEN i = 9999999 THEN 'x' ELSE '1' END AS INTEGER) AS y
    FROM (SELECT unnest(range(10000000)) AS i)"""
    batches = compute(query(sql), inputs, EngineSettings())
    next(batches)
    with pytest.raises(FeatureViewError, match="Could not convert string 'x'") as caught:
        list(batches)
    assert caught.value.problems[0].location == Location(FILE.file, 2)


def test_a_missing_input_is_an_error(inputs: dict[str, FeatureInput]) -> None:
    del inputs["weather"]
    with pytest.raises(FeatureViewError, match="'weather'"):
        rows_of("SELECT * FROM flights", inputs)


def test_two_result_columns_of_one_name_are_refused(inputs: dict[str, FeatureInput]) -> None:
    with pytest.raises(FeatureViewError, match="several columns of one name"):
        rows_of("SELECT id AS x, delay AS x FROM flights", inputs)


@pytest.mark.parametrize(
    "sql",
    ["SELECT * FROM read_text('{secret}')", "FROM '{secret}'", "SET threads = 1", "FROM inputs"],
)
def test_the_engine_refuses_by_itself_what_the_guard_did_not_see(
    sql: str, inputs: dict[str, FeatureInput], tmp_path: Path
) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("password\nhunter2\n")
    unguarded = FeatureQuery(sql.format(secret=secret), INPUTS, FILE)
    with pytest.raises(FeatureViewError) as caught:
        list(compute(unguarded, inputs, EngineSettings()))
    assert "hunter2" not in str(caught.value)


def test_a_sort_larger_than_the_memory_limit_spills(inputs: dict[str, FeatureInput]) -> None:
    series = "(SELECT unnest(range(1500000)) AS i)"
    sql = f"SELECT i, md5(CAST(i AS VARCHAR)) AS h FROM {series} ORDER BY h"
    batches = compute(query(sql), inputs, EngineSettings(memory_limit_mb=64))
    assert sum(batch.num_rows for batch in batches) == 1_500_000


def test_a_condition_sees_nan_although_the_files_statistics_do_not(tmp_path: Path) -> None:
    path = tmp_path / "nan.parquet"
    rows = {"id": [1, 2, 3], "origin": [None] * 3, "delay": [1.0, float("nan"), None]}
    pq.write_table(pa.table(rows, schema=FLIGHTS), path)
    inputs = {"flights": FeatureInput((str(path),), FLIGHTS), "weather": FeatureInput((), WEATHER)}

    assert rows_of("SELECT id FROM flights WHERE isnan(delay)", inputs) == [{"id": 2}]
    assert rows_of("SELECT id FROM flights WHERE delay > 5", inputs) == [{"id": 2}]
