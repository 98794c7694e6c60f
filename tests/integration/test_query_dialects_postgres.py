"""Queries in the SQL of PostgreSQL: DuckDB gives the answers that PostgreSQL itself gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import duckdb
import pytest
from sqlalchemy import create_engine, text
from support.contracts import contract_text, load_text
from support.postgres_server import postgres_server
from support.problems import only_problem

from quality_platform.checks.sql_dialects import metric_of
from quality_platform.contracts.models import QualityRule, SchemaObject
from quality_platform.errors import PredicateError

CONTRACT = contract_text(
    """servers: [{server: shop, type: postgresql, host: h, port: 1, database: d, schema: p}]
schema:
- name: orders
  properties:
  - {name: id, logicalType: integer, physicalType: bigint}
  - {name: orderQty, logicalType: integer, physicalType: integer}
  - {name: price, logicalType: number, physicalType: 'numeric(10,2)'}
  - {name: whole, logicalType: integer, physicalType: 'numeric(9,0)'}
  - {name: ratio, logicalType: number, physicalType: double precision}
  - {name: name, logicalType: string, physicalType: text}
  - {name: day, logicalType: date, physicalType: date}
  - {name: placed, logicalType: timestamp, physicalType: timestamp}
  - {name: seen, logicalType: timestamp, physicalType: timestamptz}
  - {name: ok, logicalType: boolean, physicalType: boolean}
"""
)
COLUMNS = (
    "id bigint, orderQty integer, price numeric(10,2), whole {whole}, ratio double precision, "
    "name text, day date, placed timestamp, seen timestamptz, ok boolean"
)
ROWS = """
(1, 7, 10.50, 7, 0.5, 'Anna', '2024-01-31', '2024-01-31 10:20', '2024-01-31 23:30+00', true),
(2, -7, 0.25, -7, 2.5, 'bob', '2024-02-29', '2024-02-29 23:59', '2024-03-01 00:30+00', false),
(3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
(4, 3, 99.99, 3, -1.5, 'per cent_%', '2023-12-31', '2023-12-31', '2023-12-31 12:00+00', true),
(9007199254740993, 2, 1.00, 5, 3.0, 'Bob Ross', '2024-06-15', '2024-06-15', NULL, NULL)
"""
QUERIES = """
SELECT 7 / 2
SELECT -7 / 2
SELECT 7 / -2.0
SELECT 7 / 2 * 2
SELECT 2 * 7 / 2
SELECT 100 / 7 / 2
SELECT 20 / (7 / 2)
SELECT 17 / 2 % 3 - 9 / 2
SELECT 7 / 2 / 2.0
SELECT cast('12' AS integer) / 5
SELECT sum(orderqty) / count(orderqty) FROM {object}
SELECT sum(ORDERQTY / 2) FROM ${table}
SELECT sum("orderqty" / 2) FROM {object}
SELECT sum(orderqty % 2) FROM {object}
SELECT max(id) / 2 FROM {object}
SELECT max(id) - 9007199254740992 FROM {object}
SELECT max(whole / 2) FROM {object}
SELECT sum(price) / 3 FROM {object}
SELECT avg(orderQty) FROM {object}
SELECT round(avg(price), 2) FROM {object}
SELECT sum(round(ratio)) FROM {object}
SELECT sum(round(price)) FROM {object}
SELECT sum(price::int) FROM {object}
SELECT sum(ratio::int) FROM {object}
SELECT round(avg(ratio) * 2) FROM {object}
SELECT round(avg(whole) * 2 + 0.5) FROM {object}
SELECT count(*) * 100 / count(orderqty) FROM {object}
SELECT count(*) FILTER (WHERE ok) * 100 / nullif(count(*), 0) FROM {object}
SELECT sum(n / 2) FROM (SELECT rank() OVER (ORDER BY id)::int AS n FROM {object}) x
SELECT cast(sum(id) AS numeric) / count(*) FROM {object}
SELECT sum(ratio::numeric / 3) FROM {object}
SELECT avg(orderqty) / 2 FROM {object}
SELECT ceil(max(price)) / 2 FROM {object}
SELECT sum(length(name) / 2) FROM {object}
SELECT 100.0 * count(*) FILTER (WHERE name IS NULL) / count(*) FROM {object}
WITH h AS (SELECT orderqty / 2 AS half FROM {object}) SELECT sum(half / 2) FROM h
SELECT (SELECT o.orderqty / 2 FROM {object} o ORDER BY o.id LIMIT 1)
SELECT sum(CASE WHEN ok THEN 1 ELSE 0 END) / count(*) FROM {object}
SELECT 2 ^ 10
SELECT orderqty FROM {object} WHERE orderqty IS NOT NULL ORDER BY name DESC LIMIT 1
SELECT coalesce(orderqty, 0) FROM {object} ORDER BY orderqty DESC LIMIT 1
SELECT sum(n) FROM (SELECT rank() OVER (ORDER BY price DESC) AS n, id FROM {object}) x WHERE id = 1
SELECT count(*) FROM (SELECT DISTINCT ON (ok) ok, id FROM {object} ORDER BY ok, id) x
SELECT count(*) FROM {object} WHERE name ~ '^[A-Z]'
SELECT count(*) FROM {object} WHERE name ~* '^b'
SELECT count(*) FROM {object} WHERE name !~ 'o'
SELECT count(*) FROM {object} WHERE name ILIKE 'B%'
SELECT count(*) FROM {object} WHERE name LIKE '%!_!%' ESCAPE '!'
SELECT count(*) FROM {object} WHERE substring(name from 1 for 3) = 'bob'
SELECT count(*) FROM {object} WHERE split_part(name, ' ', 2) = 'Ross'
SELECT count(*) FROM {object} WHERE regexp_replace(name, '[aeiou]', '', 'g') = 'bb'
SELECT count(*) FROM {object} WHERE name || 'x' = 'bobx'
SELECT count(*) FROM {object} WHERE name = ANY(ARRAY['bob', 'Anna'])
SELECT count(*) FROM {object} WHERE (orderqty, whole) = (7, 7)
SELECT max(day) - min(day) FROM {object}
SELECT count(*) FROM {object} WHERE day + 1 = '2024-03-01'
SELECT count(*) FROM {object} WHERE placed::date = day
SELECT count(*) FROM {object} WHERE placed - interval '1 day' > '2024-01-30'
SELECT count(*) FROM {object} WHERE seen AT TIME ZONE 'Europe/Berlin' >= '2024-02-01'
SELECT count(*) FROM {object} WHERE to_char(placed, 'YYYY-MM') = '2024-02'
SELECT count(DISTINCT date_trunc('month', placed)) FROM {object}
SELECT extract(epoch from max(placed)) FROM {object}
SELECT extract(dow from max(day)) FROM {object}
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ratio) FROM {object}
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY orderqty) FROM {object}
SELECT stddev(ratio) FROM {object}
SELECT bool_and(ok)::int FROM {object}
"""
UNCLEAR = """
SELECT sum(id) / count(*) FROM {object}
SELECT extract(year from max(day)) / 7 FROM {object}
SELECT (max(day) - min(day)) / 7 FROM {object}
SELECT max(x.y) / 3 FROM (SELECT extract(year from day) AS y FROM {object}) x
WITH x AS (SELECT sum(id) AS s FROM {object}) SELECT s / 2 FROM x
SELECT sign(max(orderqty)) / 2 FROM {object}
SELECT count(*) FROM {object} WHERE name SIMILAR TO '(A|B)%'
SELECT count(*) FROM {object} WHERE name LIKE '%\\_%'
"""
Ask = Callable[[str], object]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> SchemaObject:
    (found,) = load_text(tmp_path_factory.mktemp("contract"), CONTRACT).objects
    return found


@pytest.fixture(scope="module")
def postgres() -> Iterator[Ask]:
    with postgres_server() as url:
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("SET TIME ZONE 'UTC'"))
            # The server keeps whole numbers of numeric type, of which the lake makes integers.
            connection.execute(text(f"CREATE TABLE batch ({COLUMNS.format(whole='numeric(9,0)')})"))
            connection.exec_driver_sql(f"INSERT INTO batch VALUES {ROWS}".replace("%", "%%"))
            yield lambda query: connection.exec_driver_sql(query.replace("%", "%%")).scalar()
        engine.dispose()


@pytest.fixture(scope="module")
def lake() -> Iterator[Ask]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE TABLE batch ({COLUMNS.format(whole='integer')})")
        connection.execute(f"INSERT INTO batch VALUES {ROWS}")
        yield lambda query: connection.execute(query).fetchall()[0][0]


@pytest.mark.parametrize("query", QUERIES.strip().splitlines())
def test_a_query_gives_what_its_server_gives(
    query: str, table: SchemaObject, postgres: Ask, lake: Ask
):
    written = query.replace("{object}", "batch").replace("${table}", "batch")
    metric = metric_of(QualityRule({"type": "sql", "query": query}, table.location), table)
    assert metric.dialect == "postgres"
    # Numbers are compared as doubles: DuckDB's quotients of decimals are.
    assert float(lake(metric.query)) == pytest.approx(float(postgres(written)), rel=1e-12)


@pytest.mark.parametrize("query", UNCLEAR.strip().splitlines())
def test_what_might_give_another_number_is_refused(query: str, table: SchemaObject):
    rule = QualityRule({"type": "sql", "query": query}, table.location)
    problem = only_problem(PredicateError, lambda: metric_of(rule, table))
    assert "cannot be translated from the SQL of postgres" in problem.message
    assert "dialect: duckdb" in problem.action


def test_the_same_words_mean_another_number_to_duckdb(postgres: Ask, lake: Ask):
    words = "SELECT sum(orderqty) / 2 FROM batch"
    assert (postgres(words), lake(words)) == (2, 2.5)
