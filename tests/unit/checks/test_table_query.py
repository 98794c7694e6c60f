"""SQL over tables of the lake, guarded: what passes, what it reads, and what is refused."""

from __future__ import annotations

import pytest

from quality_platform.checks.table_query import checked_table_query
from quality_platform.errors import PredicateError


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("SELECT * FROM shop.orders", ("shop.orders",)),
        (
            'SELECT * FROM "shop"."Orders" o JOIN shop.lines USING (id)',
            ("shop.Orders", "shop.lines"),
        ),
        ("SELECT * FROM shop.orders UNION ALL SELECT * FROM shop.orders;", ("shop.orders",)),
        ("WITH o AS (SELECT * FROM shop.orders) SELECT * FROM O", ("shop.orders",)),
        ("SELECT (SELECT max(id) FROM shop.lines) FROM shop.orders -- all", None),
        ("SELECT unnest(range(3)) AS driver, now() AS event_timestamp", ()),
        ("SELECT 1; -- nothing more", ()),
    ],
)
def test_a_select_over_tables_of_the_lake_passes_as_written(
    text: str, tables: tuple[str, ...] | None
) -> None:
    query = checked_table_query(text)
    assert query.sql == text
    assert sorted(query.tables) == sorted(
        tables if tables is not None else ("shop.lines", "shop.orders")
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT * FROM shop.orders; SELECT 1",
        "DELETE FROM shop.orders",
        "INSERT INTO shop.orders SELECT 1",
        "CREATE TABLE a.b AS SELECT 1",
        "COPY shop.orders TO 'out.csv'",
        "ATTACH 'other.db'",
        "SET memory_limit = '1TB'",
        "PRAGMA database_list",
        "INSTALL httpfs",
        "SELECT * FROM orders",
        "SELECT * FROM 'orders.parquet'",
        "SELECT * FROM read_parquet('orders.parquet')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM lake.shop.orders",
        "SELECT * FROM shop.orders WHERE id = ?",
        "SELECT * FROM shop.orders WHERE id = $id",
        "DESCRIBE shop.orders",
        "SELECT (SELECT count(*) FROM 'secret.csv') FROM shop.orders",
        "SELECT * FROM shop.orders WHERE EXISTS (SELECT * FROM read_blob('/etc/shadow'))",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(PredicateError):
        checked_table_query(text)
