"""Queries for a source's database: one SELECT of one column that reads, and nothing else."""

from __future__ import annotations

import pytest

from quality_platform.checks.source_query import checked_source_query
from quality_platform.errors import Location, PredicateError

GOOD = [
    ("postgres", "SELECT max(changed_at) FROM sales.orders"),
    ("postgres", "SELECT count(*) FROM orders WHERE state = 'open'"),
    ("postgres", "SELECT max(n_tup_ins + n_tup_upd) FROM pg_stat_user_tables"),
    ("postgres", "SELECT coalesce(max(id), 0)::text || '-' || count(*) FROM orders"),
    ("mysql", "SELECT MAX(update_time) FROM information_schema.tables"),
    ("mysql", "SELECT MAX(`changed at`) FROM `sales`.`orders`"),
    ("sqlite", "SELECT max(id) FROM orders"),
    ("", "SELECT max(id) FROM orders"),
]

BAD = [
    ("postgres", "DELETE FROM orders", "one SELECT"),
    ("postgres", "SELECT max(id) FROM orders; DROP TABLE orders", "one SELECT"),
    ("postgres", "WITH x AS (DELETE FROM orders RETURNING id) SELECT max(id) FROM x", "but read"),
    ("postgres", "SELECT pg_sleep(600)", "but read"),
    ("postgres", "SELECT id INTO copied FROM orders", "but read"),
    ("postgres", "SELECT id FROM orders FOR UPDATE", "but read"),
    ("postgres", "SELECT max(id) FROM read_csv('/etc/passwd')", "but read"),
    ("postgres", "CALL clean()", "one SELECT"),
    ("postgres", "SELECT id, name FROM orders", "one column"),
    ("postgres", "SELECT * FROM orders", "one column"),
    ("postgres", "SELECT max(", "not valid SQL"),
    ("postgres", "SELECT 1 UNION SELECT 2", "one SELECT"),
    ("mysql", "SELECT load_file('/etc/passwd')", "but read"),
    ("mysql", "SELECT id INTO OUTFILE '/tmp/x' FROM orders", "not valid SQL"),
    ("sqlite", "PRAGMA writable_schema = 1", "one SELECT"),
    ("", "", "one SELECT"),
]


@pytest.mark.parametrize(("dialect", "query"), GOOD, ids=[q for _, q in GOOD])
def test_a_query_that_reads_passes(dialect: str, query: str):
    written = checked_source_query(query, dialect, None)
    assert checked_source_query(written, dialect, None) == written


@pytest.mark.parametrize(("dialect", "query", "reason"), BAD, ids=[q for _, q, _ in BAD])
def test_anything_else_is_refused(dialect: str, query: str, reason: str):
    with pytest.raises(PredicateError, match=reason) as raised:
        checked_source_query(query, dialect, Location("runner.yaml", 7))
    assert raised.value.problems[0].location == Location("runner.yaml", 7)


def test_what_stands_in_a_comment_is_not_asked():
    query = "SELECT max(id) /*! INTO OUTFILE '/tmp/x' */ FROM orders -- all"
    assert checked_source_query(query, "mysql", None) == "SELECT MAX(id) FROM orders"
