"""The border for predicates over one row: an allow-list, and the columns of the table."""

from __future__ import annotations

import duckdb
import pytest
from support.problems import only_problem

from quality_platform.checks.sql_guard import checked_predicate
from quality_platform.errors import Location, PredicateError

COLUMNS = ("a", "b", "order", "two words", 'quo"te', "day")
PLACE = Location("contract.yaml", 7)
ROW = {
    '"a"': "1",
    '"b"': "'x'",
    '"order"': "3",
    '"two words"': "4",
    '"quo""te"': "5",
    '"day"': "DATE '2020-05-06'",
}


def checked(text: str):
    return checked_predicate(text, COLUMNS, PLACE)


def true_of_the_row(sql: str) -> bool | None:
    """The value of a predicate for ROW, in the engine that runs it."""
    values = ", ".join(f"{value} AS {name}" for name, value in ROW.items())
    return duckdb.sql(f"SELECT {sql} FROM (SELECT {values})").fetchall()[0][0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a = 1", True),
        ("a <> 1 OR NOT (b = 'y')", True),
        ("a IS NULL", False),
        ("a IS NOT NULL AND b IN ('x', 'y')", True),
        ("a NOT IN (1, 2)", False),
        ("a BETWEEN 0 AND 2", True),
        ("a + 2 * 3 - 4 / 2 = 5", True),
        ("a % 2 = 1", True),
        ("-a < 0", True),
        ("abs(-a) = 1 AND round(1.26, 1) = 1.3", True),
        ("floor(1.7) = 1 AND ceil(1.2) = 2", True),
        ("CASE WHEN a = 1 THEN b = 'x' ELSE FALSE END", True),
        ("if(a = 1, TRUE, FALSE)", True),
        ("coalesce(NULL, b) = 'x'", True),
        ("nullif(a, 1) IS NULL", True),
        ("greatest(a, 5) = 5 AND least(a, 5) = 1", True),
        ("b LIKE 'x%' AND b NOT LIKE 'y%'", True),
        ("b ILIKE 'X'", True),
        ("regexp_matches(b, '^[a-z]$')", True),
        ("regexp_matches(b, 'X', 'i')", True),
        ("b ~ 'x'", True),
        ("length(b) = 1 AND lower('X') = b AND upper(b) = 'X'", True),
        ("trim('  x ') = b", True),
        ("concat(b, 'y') = 'xy' AND b || 'y' = 'xy'", True),
        ("substring('axb', 2, 1) = b", True),
        ("starts_with(b, 'x') AND ends_with(b, 'x')", True),
        ("CAST(a AS VARCHAR) = '1'", True),
        ("TRY_CAST(b AS INTEGER) IS NULL", True),
        ("day > DATE '2020-05-05'", True),
        ("day + INTERVAL 1 DAY = DATE '2020-05-07'", True),
        ("extract(year FROM day) = 2020 AND month(day) = 5", True),
        ("a IS DISTINCT FROM 2", True),
        ("b = 'it''s' OR b = 'é日本'", False),
        ("NULL", None),
        ('"order" = 3', True),
        ("order = 3", True),
        ('"two words" = 4', True),
        ('"quo""te" = 5', True),
        ("a = 1;", True),
    ],
)
def test_what_is_allowed_means_in_the_engine_what_it_says(text: str, value: bool | None):
    sql, _ = checked(text)
    assert true_of_the_row(sql) is value


def test_identifiers_are_quoted_and_comments_are_dropped():
    sql, columns = checked("order > 1 /* one */ AND a = 1 -- two\n AND order < 9")
    assert sql == '"order" > 1 AND "a" = 1 AND "order" < 9'
    assert columns == ("order", "a")


def test_a_predicate_without_columns_reads_none():
    assert checked("TRUE") == ("TRUE", ())


@pytest.mark.parametrize(
    "text",
    [
        # reads something else
        "a IN (SELECT 1)",
        "EXISTS (SELECT 1)",
        "(SELECT TRUE)",
        "a = ALL (SELECT 1)",
        "a = 1 UNION SELECT 1",
        # functions that nobody has looked at
        "some_function(a)",
        "read_text('/etc/hostname') = ''",
        "getenv('HOME') = ''",
        "current_setting('threads') = 1",
        "glob('*') = ''",
        "list_contains([1], a)",
        # not of one row
        "sum(a) > 1",
        "count(*) > 1",
        "row_number() OVER () > 1",
        "COLUMNS(*) > 1",
        "*",
        # not the same each time
        "random() > 0.5",
        "uuid() = b",
        "a = nextval('s')",
        # no fixed text
        "a > ?",
        "a > $1",
        "a > $name",
        # other shapes
        "a AS b",
        "[a] = [1]",
        "{'x': a} = {'x': 1}",
        "b[1] = 'x'",
        "list_filter([a], lambda x: x > 1) = []",
        "b = 'x' COLLATE nocase",
        # statements
        "DROP TABLE batch",
        "DELETE FROM batch",
        "COPY batch TO 'x.csv'",
        "ATTACH 'x.db'",
        "PRAGMA version",
        "SET threads = 1",
        "SELECT 1",
        "a = 1; DROP TABLE batch",
        "a = 1 /* */ */",
        "a = 1;;",
        # nothing
        "",
        "  ",
        "-- only a comment",
        "a = ",
        "a = 'open",
    ],
)
def test_everything_else_is_refused(text: str):
    problem = only_problem(PredicateError, lambda: checked(text))
    assert problem.location == PLACE


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("c = 1", ""),
        ("A = 1", "did you mean 'a'?"),
        ('"A" = 1', "did you mean 'a'?"),
        ('"two word" = 1', "did you mean 'two words'?"),
        ("batch.a = 1", "did you mean 'a'?"),
        ("main.batch.a = 1", "did you mean 'a'?"),
    ],
)
def test_a_column_that_the_table_has_not_is_told(text: str, meant: str):
    problem = only_problem(PredicateError, lambda: checked(text))
    assert "is no column of the table" in problem.message
    assert problem.allowed == ", ".join(COLUMNS)
    assert problem.action == meant


def test_a_comment_hides_nothing():
    with pytest.raises(PredicateError):
        checked("a = 1 /* harmless */ OR secret = 2")
    assert checked("a = 1 -- OR secret = 2")[0] == '"a" = 1'
