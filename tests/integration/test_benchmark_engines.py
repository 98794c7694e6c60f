"""The engines of the benchmark that this environment has give the answers of plain SQL."""

import sys
from pathlib import Path

import pytest

from benchmarks.data import dataset
from benchmarks.expected import expected
from benchmarks.measure import run_once
from benchmarks.plan import GREAT_EXPECTATIONS, GREAT_EXPECTATIONS_COMPLETE, OURS, SODA, Case
from benchmarks.results import result_of

ROWS = 20_000


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return dataset(tmp_path_factory.mktemp("rows"), ROWS, "bad")


@pytest.mark.parametrize(
    ("engine", "number", "differs", "not_run"),
    [
        (OURS, 100, set(), set()),
        (SODA, 20, {"order_id_unique"}, set()),
        (GREAT_EXPECTATIONS, 5, set(), set()),
        (GREAT_EXPECTATIONS_COMPLETE, 20, {"orders_not_repeated"}, {"customer_id_in_customers"}),
    ],
    ids=lambda value: getattr(value, "key", ""),
)
def test_an_engine_gives_the_answers_of_plain_sql(engine, number, differs, not_run, rows):
    measured = run_once(engine, Path(sys.executable), rows, number, limit=120)
    case = Case(ROWS, "bad", number, (engine,))
    result = result_of(engine, case, [measured], expected(rows))
    assert result.failure == ""
    assert set(result.differs) == differs
    assert set(result.not_run) == not_run
    assert result.ran == number - len(not_run)


def test_the_platform_names_every_row_that_breaks_a_rule(rows):
    measured = run_once(OURS, Path(sys.executable), rows, 20, limit=120)
    assert measured.answer.labelled == _bad_rows(rows)


def _bad_rows(rows) -> int:
    import duckdb

    from benchmarks.rules import Kind, broken_sql, rules_of

    conditions = [
        f"coalesce({broken_sql(rule)}, false)"
        for rule in rules_of(20)
        if not rule.is_gate and rule.kind is not Kind.UNIQUE
    ]
    repeated = "order_id IS NOT NULL AND count(*) OVER (PARTITION BY order_id) > 1"
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"CREATE VIEW customers AS FROM '{rows.customers}'")
    found = connection.execute(
        f"SELECT count(*) FROM (SELECT *, {repeated} AS repeated "
        f"FROM read_parquet({[str(path) for path in rows.orders]})) "
        f"WHERE repeated OR {' OR '.join(conditions)}"
    ).fetchall()
    connection.close()
    return int(found[0][0])
