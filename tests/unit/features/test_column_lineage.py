from __future__ import annotations

import pytest

from quality_platform.features.lineage import InputColumn, lineage_of_sql

INPUTS = {
    "flights": ("id", "carrier", "origin", "day", "delay"),
    "weather": ("origin", "wind"),
    "Odd": ("Two Words", "plain"),
}


def sources(sql: str, *columns: str) -> dict[str, list[str]]:
    """What each column is made of, as `table.column`; a column that cannot be told is missing."""
    found = lineage_of_sql(sql, INPUTS, columns)
    assert {*found.columns, *found.unknown} == {*columns}
    return {
        column: [f"{one.table}.{one.column}" for one in ones]
        for column, ones in found.columns.items()
    }


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT carrier AS x FROM flights", ["flights.carrier"]),
        ("SELECT f.delay + f.id AS x FROM flights f", ["flights.delay", "flights.id"]),
        ("SELECT avg(delay) AS x FROM flights GROUP BY carrier", ["flights.delay"]),
        ("SELECT CAST(count(*) AS INTEGER) AS x FROM flights", []),
        ("SELECT 1 AS x FROM flights", []),
        ("WITH a AS (SELECT delay AS d FROM flights) SELECT d AS x FROM a", ["flights.delay"]),
        (
            "WITH a AS (SELECT * FROM flights), b AS (SELECT delay * 2 AS y, carrier FROM a) "
            "SELECT max(y) AS x FROM b GROUP BY ALL",
            ["flights.delay"],
        ),
        (
            "SELECT f.delay * w.wind AS x FROM flights f JOIN weather w USING (origin)",
            ["flights.delay", "weather.wind"],
        ),
        ("SELECT wind AS x FROM flights LEFT JOIN weather USING (origin)", ["weather.wind"]),
        ("SELECT delay AS x FROM (SELECT * EXCLUDE (id) FROM flights)", ["flights.delay"]),
        ("SELECT (SELECT max(wind) FROM weather) AS x FROM flights", ["weather.wind"]),
        (
            "SELECT id AS x FROM flights UNION ALL SELECT wind FROM weather",
            ["flights.id", "weather.wind"],
        ),
        (
            "SELECT sum(delay) OVER (PARTITION BY carrier ORDER BY day) AS x FROM flights",
            ["flights.carrier", "flights.day", "flights.delay"],
        ),
        (
            "SELECT CASE WHEN delay > 0 THEN carrier END AS x FROM flights",
            ["flights.carrier", "flights.delay"],
        ),
        ("SELECT delay AS y, y + 1 AS x FROM flights", ["flights.delay"]),
        ("SELECT CARRIER AS X FROM Flights", ["flights.carrier"]),
        ('SELECT "Two Words" AS x FROM Odd', ["Odd.Two Words"]),
        ("-- why\nSELECT id AS x FROM flights; -- the end", ["flights.id"]),
        ("FROM flights SELECT id AS x", ["flights.id"]),
        (
            "WITH flights AS (SELECT wind AS id FROM weather) SELECT id AS x FROM flights",
            ["weather.wind"],
        ),
        ("SELECT delay AS carrier, carrier AS x FROM flights", ["flights.carrier"]),
        (
            "SELECT list_transform([delay], lambda y: y + id) AS x FROM flights",
            ["flights.delay", "flights.id"],
        ),
        ("SELECT u.x FROM flights f, unnest([f.id]) AS u(x)", ["flights.id"]),
    ],
)
def test_a_column_is_followed_to_the_columns_of_the_inputs(sql: str, expected: list[str]) -> None:
    assert sources(sql, "x") == {"x": expected}


def test_a_star_is_all_columns_of_its_input() -> None:
    found = sources("SELECT * FROM flights", *INPUTS["flights"])
    assert found == {name: [f"flights.{name}"] for name in INPUTS["flights"]}


def test_the_column_that_a_using_join_keeps_is_of_both_sides() -> None:
    sql = "SELECT origin FROM flights FULL JOIN weather USING (origin)"
    assert sources(sql, "origin") == {"origin": ["flights.origin", "weather.origin"]}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT COLUMNS('x|delay') FROM flights",
        "SELECT sum(COLUMNS('delay')) AS x FROM flights",
        "SELECT #1 AS x, delay FROM flights",
        "SELECT f AS x FROM flights f",
        "SELECT count(f.*) AS x FROM flights f",
        "SELECT sum(delay) OVER w AS x FROM flights WINDOW w AS (PARTITION BY carrier)",
        "SELECT delay AS y, id AS x FROM flights UNION ALL BY NAME SELECT 1 AS x, wind AS y "
        "FROM weather",
        "SELECT EXISTS (FROM weather w WHERE w.wind > f.delay) AS x FROM flights f",
        "SELECT (SELECT max(w.wind + f.delay) FROM weather w) AS x FROM flights f",
        "SELECT x FROM (PIVOT flights ON carrier USING sum(delay) GROUP BY origin)",
        "SELECT y AS x FROM flights, LATERAL (SELECT nothing AS y)",
        "SELECT missing AS x FROM flights",
        "SELECT id FROM flights",
    ],
)
def test_what_cannot_be_followed_is_unknown_and_not_guessed(sql: str) -> None:
    found = lineage_of_sql(sql, INPUTS, ["x"])
    assert (found.columns, found.unknown) == ({}, ("x",))


def test_one_column_in_the_dark_leaves_the_others_in_the_light() -> None:
    found = lineage_of_sql("SELECT id, missing AS x FROM flights", INPUTS, ["id", "x"])
    assert found.columns == {"id": (InputColumn("flights", "id"),)}
    assert found.unknown == ("x",)
