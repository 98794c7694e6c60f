"""In which SQL a query is written, and what becomes of it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from support.contracts import contract_text, line_of, load_text
from support.problems import only_problem

from quality_platform.checks.derive import check_specs
from quality_platform.checks.specs import CheckSpec, SqlMetric
from quality_platform.contracts.models import Contract
from quality_platform.errors import ContractError, Problem

SERVERS = {
    "bigquery": "project: p, dataset: d",
    "db2": "host: h, port: 1, database: d",
    "kafka": "host: h",
    "mysql": "host: h, port: 1, database: d",
    "oracle": "host: h, port: 1, serviceName: s",
    "postgres": "host: h, port: 1, database: d, schema: s",
    "postgresql": "host: h, port: 1, database: d, schema: s",
    "snowflake": "account: a, database: d, schema: s",
    "sqlserver": "host: h, port: 1, database: d, schema: s",
}
HALF = "SELECT sum(qty) / 2 FROM {object}"


def contract(folder: Path, query: str, *servers: str, dialect: str = "") -> Contract:
    listed = [f"{{server: s{n}, type: {s}, {SERVERS[s]}}}" for n, s in enumerate(servers)]
    custom = f"customProperties: [{{property: dialect, value: {dialect}}}]" if dialect else ""
    schema = f"""schema:
- name: orders
  properties:
  - {{name: qty, logicalType: integer, physicalType: int}}
  - {{name: Name, logicalType: string}}
  quality:
  - type: sql
    query: {query!r}
    mustBe: 0
    {custom}
"""
    more = f"servers: [{', '.join(listed)}]\n" if listed else ""
    return load_text(folder, contract_text(schema, more=more))


def metric(folder: Path, query: str, *servers: str, dialect: str = "") -> SqlMetric:
    (table,) = contract(folder, query, *servers, dialect=dialect).objects
    (claim,) = [s.claim for s in check_specs(table, {}) if isinstance(s.claim, SqlMetric)]
    return claim


def refused(folder: Path, query: str, *servers: str, dialect: str = "") -> Problem:
    (table,) = contract(folder, query, *servers, dialect=dialect).objects

    def check() -> list[CheckSpec]:
        return list(check_specs(table, {}))

    return only_problem(ContractError, check)


def answer(query: str) -> object:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE batch (qty INTEGER, Name VARCHAR)")
        connection.execute("INSERT INTO batch VALUES (3, 'a'), (4, 'B'), (NULL, NULL)")
        return connection.execute(query).fetchall()[0][0]


@pytest.mark.parametrize(
    ("servers", "dialect", "expected", "number"),
    [
        ((), "", "duckdb", 3.5),
        (("postgres",), "", "postgres", 3),
        (("postgresql", "kafka"), "", "postgres", 3),
        (("sqlserver",), "", "tsql", 3),
        (("snowflake",), "", "snowflake", 3.5),
        (("postgres", "mysql"), "", "duckdb", 3.5),
        (("postgres", "mysql"), "postgres", "postgres", 3),
        (("postgres",), "duckdb", "duckdb", 3.5),
        (("postgres",), "Snowflake", "snowflake", 3.5),
        ((), "sqlserver", "tsql", 3),
        (("kafka", "db2"), "", "duckdb", 3.5),
    ],
)
def test_a_query_is_in_the_sql_that_it_names_or_else_in_that_of_the_servers(
    tmp_path: Path, servers: tuple[str, ...], dialect: str, expected: str, number: float
):
    found = metric(tmp_path, HALF, *servers, dialect=dialect)
    assert found.dialect == expected
    assert found.written == ("" if expected == "duckdb" else "SELECT SUM(qty) / 2 FROM batch")
    assert answer(found.query) == number


@pytest.mark.parametrize(
    ("server", "query", "expected"),
    [
        ("mysql", 'SELECT count(*) FROM {object} WHERE `Name` = "a"', 1),
        ("mysql", "SELECT sum(if(qty > 3, 1, 0)) FROM ${table}", 1),
        ("mysql", "SELECT ifnull(max(qty), 0) FROM {object}", 4),
        ("sqlserver", "SELECT TOP 1 [qty] FROM {object} ORDER BY qty DESC", 4),
        ("sqlserver", "SELECT isnull(max(qty), 0) FROM {object}", 4),
        ("sqlserver", "SELECT len('abc')", 3),
        ("snowflake", "SELECT count_if(NAME IS NULL) FROM {object}", 1),
        ("snowflake", "SELECT sum(iff(qty > 3, 1, 0)) FROM {object}", 1),
        ("bigquery", "SELECT countif(`qty` > 3) FROM {object}", 1),
        ("bigquery", "SELECT safe_divide(7, 0) IS NULL", True),
        ("oracle", "SELECT nvl(max(qty), 0) FROM {object}", 4),
        ("postgres", "SELECT max(qty)::text || 'x' FROM {object}", "4x"),
    ],
)
def test_the_words_of_a_system_are_translated(
    tmp_path: Path, server: str, query: str, expected: object
):
    assert answer(metric(tmp_path, query, server).query) == expected


def test_a_placeholder_of_a_column_is_quoted_as_the_dialect_quotes(tmp_path: Path):
    schema = """schema:
- name: orders
  properties:
  - name: my qty
    logicalType: integer
    quality: [{type: sql, query: 'SELECT max({property}) FROM {object}', mustBe: 0}]
"""
    server = "servers: [{server: s, type: mysql, host: h, port: 1, database: d}]\n"
    (table,) = load_text(tmp_path, contract_text(schema, more=server)).objects
    (claim,) = [s.claim for s in check_specs(table, {}) if isinstance(s.claim, SqlMetric)]
    assert '"my qty"' in claim.query


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT sum(nope) FROM {object}", "Column 'nope' could not be resolved"),
        ("SELECT avg(qty) FROM {object}", "whether the mean is a whole number cannot be told"),
        ("SELECT sign(max(qty)) / 2 FROM {object}", "divides whole numbers cannot be told"),
    ],
)
def test_what_cannot_be_translated_says_so_with_its_line(tmp_path: Path, query: str, message: str):
    problem = refused(tmp_path, query, "sqlserver")
    assert problem.message.startswith(
        "the query cannot be translated from the SQL of tsql to DuckDB's"
    )
    assert message in problem.message
    assert problem.received == query
    assert "`dialect: duckdb`" in problem.action
    text = (tmp_path / "contract.odcs.yaml").read_text()
    assert problem.location is not None
    assert problem.location.line == line_of(text, "- type: sql")


def test_a_mean_of_fractions_is_the_same_everywhere(tmp_path: Path):
    query = "SELECT avg(CAST(qty AS float)) FROM {object}"
    assert answer(metric(tmp_path, query, "sqlserver").query) == 3.5


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM other",
        "SELECT pg_read_file('x')",
        "SELECT count(*) FROM generate_series(1, 3)",
        "SELECT count(*) FROM {object}, LATERAL (SELECT 1) x",
    ],
)
def test_the_guard_reads_every_dialect(tmp_path: Path, query: str):
    problem = refused(tmp_path, query, "postgres")
    assert problem.message == "a metric query may read nothing but the batch"
    assert "read as the SQL of postgres" in problem.allowed


def test_words_of_another_sql_are_told_as_such(tmp_path: Path):
    problem = refused(tmp_path, "SELECT TOP 1 qty FROM {object}", "postgres")
    assert problem.message.startswith("not valid SQL (read as the SQL of postgres)")
    assert "`dialect`" in problem.action


def test_a_dialect_that_is_none_is_refused_with_the_nearest(tmp_path: Path):
    problem = refused(tmp_path, HALF, dialect="postgress")
    assert problem.message == "there is no such dialect of SQL"
    assert "postgres" in problem.action


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        (("postgres", "mysql"), "the servers speak different SQL (mysql, postgres)"),
        (("db2",), "the SQL of db2 is not known here"),
    ],
)
def test_where_the_servers_do_not_tell_the_sql_a_hint_says_so(
    tmp_path: Path, servers: tuple[str, ...], expected: str
):
    (hint,) = contract(tmp_path, HALF, *servers).hints
    assert hint.message == f"{expected}: this query is read as DuckDB's"
    assert contract(tmp_path, HALF, *servers, dialect="duckdb").hints == ()


@pytest.mark.parametrize("servers", [(), ("postgres",), ("postgres", "postgresql"), ("kafka",)])
def test_where_they_do_there_is_no_hint(tmp_path: Path, servers: tuple[str, ...]):
    assert contract(tmp_path, HALF, *servers).hints == ()


def test_a_decimal_without_digits_has_those_of_its_system(tmp_path: Path):
    query = "SELECT CAST(2.71828 AS DECIMAL) * 1 FROM {object} LIMIT 1"
    assert answer(metric(tmp_path, query, "sqlserver").query) == 3
    assert float(answer(metric(tmp_path, query, "postgres").query)) == 2.71828
    assert "how many digits" in refused(tmp_path, query, dialect="clickhouse").message
