"""What a row predicate may use, run in the engine on one row; and what it may never do."""

from __future__ import annotations

import logging

import duckdb
import pytest
from duckdb import DuckDBPyConnection
from support.problems import only_problem

from quality_platform.checks.predicate_language import INSTANT
from quality_platform.checks.sql_guard import checked_predicate, predicate_problem
from quality_platform.contracts.models import Property
from quality_platform.errors import Location, PredicateError
from quality_platform.lake.query import EngineSettings, duckdb_session, shut

PLACE = Location("contract.yaml", 7)


def column(name: str, logical_type: str, *parts: Property) -> tuple[str, Property]:
    return name, Property(name, logical_type, PLACE, properties=parts)


GEO = Property("geo", "object", PLACE, properties=(Property("lat", "number", PLACE),))
COLUMNS = dict(
    [
        column("i", "integer"),
        column("x", "number"),
        column("t", "string"),
        column("ok", "boolean"),
        column("d", "date"),
        column("ts", "timestamp"),
        column("b", "object", Property("city", "string", PLACE), GEO),
        column("open", "object", Property("sunday", "boolean", PLACE)),
        column("tags", "array"),
    ]
)


@pytest.fixture(scope="module")
def connection():
    """A session with one row; its relation is called `b`, as a column is."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            "CREATE TABLE batch AS SELECT 7 AS i, 2.5::DOUBLE AS x, 'ab-cd' AS t, TRUE AS ok, "
            "DATE '2020-05-06' AS d, TIMESTAMPTZ '2020-05-06 10:30:00+00' AS ts, "
            "{'city': 'Ulm', 'geo': {'lat': 48.4}} AS b, {'sunday': FALSE} AS open, "
            "['p', 'q'] AS tags"
        )
        yield connection


@pytest.mark.parametrize(
    "text",
    [
        # numbers
        "i // 2 = 3 AND i ** 2 = 49 AND power(i, 2) = 49 AND i & 1 = 1 AND mod(i, 2) = 1",
        "sign(-x) = -1 AND sqrt(49) = i AND ln(1) = 0 AND log10(100) = 2 AND exp(0) = 1",
        "trunc(x) = 2 AND NOT isnan(x) AND NOT isinf(x) AND isfinite(x)",
        # texts
        "contains(t, 'b-c') AND left(t, 2) = 'ab' AND right(t, 2) = 'cd'",
        "lpad(t, 7, '0') = '00ab-cd' AND rpad(t, 6, '0') = 'ab-cd0'",
        "split_part(t, '-', 2) = 'cd' AND replace(t, '-', '') = 'abcd' AND reverse(t) = 'dc-ba'",
        "position('-' in t) = 3 AND strpos(t, '-') = 3 AND strlen(t) = 5 AND len(t) = 5",
        "prefix(t, 'ab') AND suffix(t, 'cd') AND ltrim(' a') = 'a' AND rtrim('a ') = 'a'",
        "t SIMILAR TO 'ab.*' AND t GLOB 'ab*' AND t NOT GLOB 'x*'",
        "t LIKE 'ab!-%' ESCAPE '!' AND regexp_full_match(t, '[a-z]+-[a-z]+')",
        "regexp_extract(t, '[a-z]+') = 'ab' AND regexp_replace(t, '-', '+') = 'ab+cd'",
        "levenshtein(t, 'ab-ce') = 1",
        # times
        "date_diff('day', d, DATE '2020-05-08') = 2 AND datediff('day', d, d) = 0",
        "date_sub('day', d, DATE '2020-05-08') = 2 AND date_add(d, INTERVAL 1 MONTH) > d",
        "date_trunc('month', d) = DATE '2020-05-01' AND last_day(d) = DATE '2020-05-31'",
        "strftime(d, '%Y-%m') = '2020-05' AND try_strptime(t, '%Y') IS NULL",
        "date_part('year', d) = 2020 AND quarter(d) = 2 AND week(d) = 19 AND dayofyear(d) = 127",
        "dayofweek(d) = 3 AND isodow(d) = 3 AND weekday(d) = 3 AND extract(hour FROM ts) = 10",
        "hour(ts) = 10 AND minute(ts) = 30 AND second(ts) = 0 AND epoch(ts) > 1",
        "current_timestamp > ts AND now() > ts AND current_date > d AND today() > d",
        "ts > TIMESTAMP '2020-01-01 00:00:00' AND ts < TIMESTAMPTZ '2021-01-01 00:00:00+00'",
        # arrays and objects
        "len(tags) = 2 AND list_contains(tags, 'p') AND array_length(tags) = 2",
        "list_unique(tags) = 2 AND list_count(tags) = 2 AND list_has_any(tags, tags)",
        "b.city = 'Ulm' AND b.geo.lat > 48 AND NOT open.sunday",
        # logic
        "ok AND NOT (i = 8) AND coalesce(ok, FALSE) AND if(ok, i = 7, FALSE)",
        "CASE WHEN i = 7 THEN ok ELSE FALSE END AND CAST(i AS BOOLEAN)",
        "i IS DISTINCT FROM 8 AND i IS NOT DISTINCT FROM 7 AND (i, t) = (7, 'ab-cd')",
        "TRY_CAST(t AS INTEGER) IS NULL AND TRY(CAST(t AS INTEGER)) IS NULL",
    ],
)
def test_what_people_write_is_true_in_the_engine(connection: DuckDBPyConnection, text: str):
    sql, _ = checked_predicate(text, COLUMNS, PLACE)
    assert connection.sql(f"SELECT {sql} FROM batch b").fetchall() == [(True,)]


def test_a_part_of_an_object_is_never_taken_for_a_column_of_a_relation(
    connection: DuckDBPyConnection,
):
    sql, columns = checked_predicate("b.city = 'Ulm'", COLUMNS, PLACE)
    assert columns == ("b",)
    other = "SELECT 'Bonn' AS city, {'city': 'Ulm'} AS b"
    assert connection.sql(f"SELECT {sql} FROM ({other}) b").fetchall() == [(True,)]


def test_the_present_is_one_instant_for_a_session():
    sql, _ = checked_predicate("current_timestamp > ts AND current_date > d", COLUMNS, PLACE)
    row = "SELECT TIMESTAMPTZ '2020-05-06 10:30:00+00' AS ts, DATE '2020-05-06' AS d"
    with duckdb.connect() as session:
        session.execute("SET TimeZone = 'UTC'")
        assert session.sql(f"SELECT {sql} FROM ({row})").fetchall() == [(True,)]
        session.execute("SET VARIABLE quality_platform_now = TIMESTAMPTZ '2020-05-06 12:00:00+00'")
        assert session.sql(f"SELECT {sql} FROM ({row})").fetchall() == [(False,)]


def test_a_session_of_the_platform_keeps_the_instant_at_which_it_began():
    sql, _ = checked_predicate("ts = now()", COLUMNS, PLACE)
    with duckdb_session(EngineSettings(memory_limit_mb=256, threads=1)) as session:
        session.execute(f"CREATE TABLE row AS SELECT getvariable('{INSTANT}') AS ts")
        shut(session, [])
        assert session.sql(f"SELECT {sql} FROM row").fetchall() == [(True,)]
        assert session.sql("SELECT ts < now() FROM row").fetchall() == [(True,)]


@pytest.mark.parametrize(
    "text",
    [
        "i + 1", "t", "x", "d", "5", "'x'", "b", "tags", "b.city", "b.geo", "(i)", "lower(t)",
        "coalesce(i, 0)", "ok AND i", "t OR ok", "NOT i", "CASE WHEN ok THEN 1 ELSE 0 END",
        "CASE WHEN ok THEN TRUE ELSE i END", "if(ok, 1, 0)", "CAST(ok AS INT)", "nullif(i, 1)",
        "date_diff('day', d, d)", "TRY(i)", "greatest(ok, ok)", "list_count(tags)",
    ],
)  # fmt: skip
def test_a_value_is_no_condition(text: str):
    problem = only_problem(PredicateError, lambda: checked_predicate(text, COLUMNS, PLACE))
    assert problem.message == "the predicate is a value, not a condition"
    assert predicate_problem(text, COLUMNS) == problem.message


def test_a_condition_has_no_problem():
    assert predicate_problem("i > 1", COLUMNS) == ""
    assert predicate_problem("a", ("a",)) == ""


@pytest.mark.parametrize(
    "text", ["b.nope = 1", "b.geo.lng > 1", "tags.x = 1", "i.x = 1", "z.b = 1"]
)
def test_a_part_that_an_object_has_not_is_told(text: str):
    assert "is no column of the table" in predicate_problem(text, COLUMNS)


def test_what_would_fail_on_a_value_has_a_form_that_does_not():
    problem = only_problem(
        PredicateError, lambda: checked_predicate("strptime(t, '%Y') > ts", COLUMNS, PLACE)
    )
    assert problem.action == "use try_strptime, which gives NULL for a text that is no time"


@pytest.mark.parametrize(
    "text",
    [
        # files, settings, the process
        "read_csv_auto('x')", "sniff_csv('x') = t", "read_blob('x') = t", "glob('/etc/*') = t",
        "parse_path(t) = t", "getenv('HOME') = t", '"getenv"(\'HOME\') = t', "GETENV('HOME') = t",
        "main.getenv('HOME') = t", "system.main.read_text('x') = t", "try(getenv('HOME') = t)",
        "regexp_matches(t, getenv('HOME'))", "CASE WHEN getenv('HOME') = t THEN TRUE END",
        "current_setting('threads') = t", "getvariable('x') = i", "current_user = t",
        "current_schema() = t", "version() = t", "txid_current() > 1", "error(t)", "sleep_ms(1)",
        "write_log(t)", "query('SELECT 1')", "json_execute_serialized_sql(t)",
        # other tables
        "i IN (FROM batch)", "i IN (i, (SELECT 1))", "(i = 1) = (FROM batch)", "i > ALL (SELECT 1)",
        "t GLOB (SELECT 'x')", "TRY((SELECT TRUE))", "i = 1 UNION ALL SELECT 1",
        "b.geo.lat = (SELECT max(lat) FROM other)", "EXISTS (FROM other)",
        # statements
        "COPY (SELECT 1) TO 'x'", "i = 1; COPY batch TO 'x'", "TRUE; VACUUM", "ATTACH 'x' AS y",
        "DETACH x", "PRAGMA database_list", "SET memory_limit = '1GB'", "RESET threads",
        "LOAD httpfs", "INSTALL httpfs", "EXPORT DATABASE 'x'", "IMPORT DATABASE 'x'",
        "CALL pragma_version()", "CREATE TABLE x (i INT)", "CREATE MACRO f(a) AS a", "EXECUTE p",
        "PREPARE p AS SELECT 1", "VALUES (1)", "DESCRIBE batch", "EXPLAIN SELECT 1", "BEGIN",
        "UPDATE batch SET i = 1", "INSERT INTO batch VALUES (1)", "DROP TABLE batch", "USE x",
        "i = 1 -- x\n; DROP TABLE batch", "i = 1 /* ; */; SELECT 1", "/* x */", "--",
        # types and functions that somebody made
        "CAST(i AS mine) = t", "i::mine = t", "TRY_CAST(t AS mine) = t", "CAST(t AS INT[]) = tags",
        "CAST(t AS STRUCT(a INT)) = b", "CAST(t AS ENUM ('a')) = t", "mine(i)", "x.mine(i) = 1",
        # not of one row, or not the same each time
        "count_if(ok) > 1", "array_agg(i) = tags", "sum(i) OVER () > 1", "random() < 1",
        "gen_random_uuid() = t", "setseed(1)", "nextval('s') = i", "currval('s') = i",
        "COLUMNS('i') = 1", "#1 = i", "$1 = i", "? = i", "unnest(tags) = t",
        "list_filter(tags, lambda y: TRUE) = tags", "list_transform(tags, y -> getenv(y)) = tags",
        "list_aggregate(tags, 'histogram') = i", "list_reduce(tags, lambda a, c: a) = t",
    ],
)  # fmt: skip
def test_a_predicate_can_do_nothing_but_judge_its_row(text: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.CRITICAL)
    problem = only_problem(PredicateError, lambda: checked_predicate(text, COLUMNS, PLACE))
    assert problem.location == PLACE
