"""The border for metric queries: one SELECT that reads nothing but the batch."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from support.problems import only_problem

from quality_platform.checks.sql_guard import checked_predicate, checked_query
from quality_platform.errors import Location, PredicateError

PLACE = Location("contract.yaml", 7)


def answer(sql: str) -> object:
    """What a query says of a batch of three rows."""
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE batch AS SELECT * FROM (VALUES (1, 'x'), (2, 'y'), (2, NULL)) t(a, b)"
    )
    return connection.execute(sql).fetchall()[0][0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("SELECT count(*) FROM {object}", 3),
        ("SELECT count(*) FROM ${object}", 3),
        ("SELECT count(*) FROM {table} t WHERE t.a = 2", 2),
        ("SELECT count(*) FROM ${table}", 3),
        ("SELECT count(*) FROM batch", 3),
        ('SELECT count(*) FROM "batch"', 3),
        ("FROM {object} SELECT max(a)", 2),
        ("SELECT sum(a) FILTER (WHERE b IS NOT NULL) FROM {object}", 3),
        ("SELECT count(DISTINCT a) / count(*) FROM {object} HAVING count(*) > 0", 2 / 3),
        ("SELECT count(*) FROM {object} x JOIN {object} y USING (a)", 5),
        ("SELECT max(n) FROM (SELECT count(*) AS n FROM {object} GROUP BY a)", 2),
        ("SELECT count(*) FROM {object} WHERE a IN (SELECT max(a) FROM {object})", 2),
        ("WITH t AS (SELECT * FROM {object}) SELECT count(*) FROM t", 3),
        ("WITH t AS (SELECT * FROM {object}), u AS (SELECT * FROM t) SELECT max(a) FROM u", 2),
        (
            "WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM r WHERE x < 4) "
            "SELECT max(x) FROM r",
            4,
        ),
        ("SELECT count(*) FROM {object}; ", 3),
        ("SELECT count(*) FROM {object} -- a comment", 3),
        ("SELECT count(*) FROM unnest([1, 2])", 2),
        ("SELECT count(*) FROM (VALUES (1), (2))", 2),
    ],
)
def test_a_select_over_the_batch_means_in_the_engine_what_it_says(text: str, value: object):
    assert answer(checked_query(text, PLACE)) == value


def test_the_placeholder_of_a_column_is_its_quoted_name():
    for placeholder in ("{property}", "${property}", "{column}", "${column}"):
        text = f"SELECT max({placeholder}) FROM {{object}}"
        assert checked_query(text, PLACE, 'the "a"') == 'SELECT MAX("the ""a""") FROM batch'


def test_comments_are_dropped():
    assert checked_query("SELECT /* x */ 1 -- y", PLACE) == "SELECT 1"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count(*) FROM other",
        "SELECT count(*) FROM main.batch",
        "SELECT count(*) FROM lake.main.batch",
        "SELECT count(*) FROM {object}, other",
        "SELECT count(*) FROM {object} WHERE a IN (SELECT v FROM other)",
        "SELECT (SELECT count(*) FROM other) FROM {object}",
        "SELECT count(*) FROM {object} ORDER BY (SELECT max(v) FROM other)",
        "SELECT count(*) FROM {object} SEMI JOIN other ON TRUE",
        "SELECT count(*) FROM {object} POSITIONAL JOIN other",
        "SELECT count(*) FROM (FROM other)",
        "SELECT count(*) FROM (TABLE other)",
        "SELECT count(*) FROM (DESCRIBE other)",
        "SELECT count(*) FROM (SHOW TABLES)",
        "SELECT count(*) FROM (PIVOT other ON v USING count(*))",
        "SELECT count(*) FROM sqlite_master",
        "SELECT count(*) FROM duckdb_tables",
        "SELECT count(*) FROM information_schema.tables",
    ],
)
def test_other_tables_are_refused(text: str):
    problem = only_problem(PredicateError, lambda: checked_query(text, PLACE))
    assert problem.message == "a metric query may read nothing but the batch"
    assert problem.location == PLACE


@pytest.mark.parametrize("place", [PLACE, Location("another.yaml", 7, 1)])
def test_the_same_mistake_is_told_at_each_place(place: Location):
    text = "SELECT count(*) FROM elsewhere"
    assert only_problem(PredicateError, lambda: checked_query(text, place)).location == place
    refused = only_problem(PredicateError, lambda: checked_predicate("random() > 0", ["a"], place))
    assert refused.location == place


def test_a_predicate_is_held_against_the_columns_of_each_table():
    assert checked_predicate("a > 0", ["a"], PLACE) == ('"a" > 0', ("a",))
    with pytest.raises(PredicateError, match="no column of the table"):
        checked_predicate("a > 0", ["b"], PLACE)


@pytest.mark.parametrize(
    "source",
    [
        "read_csv('{file}')",
        "read_csv_auto('{file}')",
        "read_parquet('{file}')",
        "read_json('{file}')",
        "read_text('{file}')",
        "read_blob('{file}')",
        "parquet_scan('{file}')",
        "glob('{file}')",
        "sniff_csv('{file}')",
        "iceberg_scan('{file}')",
        "query('SELECT 1')",
        "query_table('other')",
        "duckdb_settings()",
        "duckdb_secrets()",
        "pragma_table_info('batch')",
        "range(10)",
        "'{file}'",
        '"{file}"',
        "{{object}}, LATERAL read_csv('{file}')",
        "{{object}}, LATERAL (SELECT * FROM read_csv('{file}'))",
        "{{object}} CROSS JOIN LATERAL read_parquet('{file}')",
        "{{object}}, LATERAL generate_series(1, 3)",
    ],
)
def test_files_and_table_functions_are_refused(tmp_path: Path, source: str):
    file = tmp_path / "secret.csv"
    file.write_text("secret\n42\n")
    text = f"SELECT count(*) FROM {source.format(file=file)}"
    problem = only_problem(PredicateError, lambda: checked_query(text, PLACE))
    assert problem.message == "a metric query may read nothing but the batch"


@pytest.mark.parametrize(
    "text",
    [
        'WITH "{file}" AS (SELECT * FROM "{file}") SELECT max(secret) FROM "{file}"',
        "WITH other AS (SELECT * FROM other) SELECT max(v) FROM other",
        "WITH a AS (SELECT * FROM b), b AS (SELECT * FROM {{object}}) SELECT count(*) FROM a",
        "SELECT (WITH other AS (SELECT 1 AS v) SELECT max(v) FROM other) "
        "+ (SELECT max(v) FROM other)",
        "WITH a AS (WITH b AS (SELECT * FROM {{object}}) SELECT * FROM b) SELECT count(*) FROM b",
        "WITH RECURSIVE other AS (SELECT * FROM other) SELECT max(v) FROM other",
    ],
)
def test_a_with_does_not_lend_its_name_to_what_is_outside_of_it(tmp_path: Path, text: str):
    """In each of these the engine would read a table or a file of that name."""
    file = tmp_path / "secret.csv"
    file.write_text("secret\n42\n")
    problem = only_problem(PredicateError, lambda: checked_query(text.format(file=file), PLACE))
    assert problem.message == "a metric query may read nothing but the batch"


@pytest.mark.parametrize(
    "expression",
    [
        "getenv('HOME')",
        "current_setting('threads')",
        "read_text('/etc/hostname')",
        "nextval('s')",
        "getvariable('x')",
        "some_function(a)",
    ],
)
def test_functions_that_nobody_knows_are_refused(expression: str):
    text = f"SELECT {expression} FROM {{object}}"
    problem = only_problem(PredicateError, lambda: checked_query(text, PLACE))
    assert problem.message == "a metric query may read nothing but the batch"


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE x AS SELECT * FROM batch",
        "DROP TABLE batch",
        "ALTER TABLE batch ADD COLUMN x INT",
        "INSERT INTO batch SELECT * FROM batch",
        "UPDATE batch SET a = 1",
        "DELETE FROM batch",
        "MERGE INTO batch USING batch b ON TRUE WHEN MATCHED THEN DELETE",
        "COPY batch TO 'x.csv'",
        "COPY (SELECT 1) TO 'x.csv'",
        "EXPORT DATABASE 'x'",
        "ATTACH 'x.db'",
        "DETACH x",
        "PRAGMA version",
        "SET threads = 1",
        "RESET threads",
        "INSTALL httpfs",
        "LOAD httpfs",
        "CALL pragma_version()",
        "EXPLAIN SELECT 1",
        "DESCRIBE batch",
        "SUMMARIZE batch",
        "VALUES (1)",
        "SELECT 1 UNION SELECT 2",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE batch",
        "SELECT count(*) INTO x FROM batch",
        "WITH x AS (DELETE FROM batch RETURNING a) SELECT count(*) FROM x",
        "WITH x AS (INSERT INTO batch VALUES (5, 'z') RETURNING a) SELECT count(*) FROM x",
        "",
        "-- nothing",
        "SELECT count(* FROM batch",
    ],
)
def test_whatever_is_not_one_select_is_refused(text: str):
    problem = only_problem(PredicateError, lambda: checked_query(text, PLACE))
    assert problem.location == PLACE
