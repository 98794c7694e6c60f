"""Tables of a real PostgreSQL, loaded as a whole and by a cursor while others write."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg2.extensions
import pytest
from support.local_servers import PASSWORD
from support.postgres_database import PostgresDatabase, postgres_database, postgres_table
from support.project import Project, column_of, integer, key, rows_of_table, text

from quality_platform.errors import (
    HeaderError,
    QualityPlatformError,
    RunnerFileError,
    SourceError,
    SourceNotFoundError,
    SourceTimeoutError,
)
from quality_platform.flows.load_table import load_table
from quality_platform.flows.requests import Request
from quality_platform.sources import postgres_writers
from quality_platform.sources.protocol import Backfill

COLUMNS = {"id": integer(), "name": text()}
ZONED = {"logicalType": "timestamp", "physicalType": "timestamptz"}
BY_ID = {"mode": "append", "incremental": {"cursor": "id"}}
BY_TIME = {"mode": "append", "incremental": {"cursor": "at"}}
ORDERS = "CREATE TABLE orders (id bigserial PRIMARY KEY, name text)"
EVENTS = "CREATE TABLE events (id bigserial, at timestamptz DEFAULT now())"


@pytest.fixture
def database(postgres_url: str) -> Iterator[PostgresDatabase]:
    with postgres_database(postgres_url) as found:
        yield found


def numbered(database: PostgresDatabase, first: int, last: int) -> None:
    """Inserts rows into `orders`."""
    database.run(
        f"INSERT INTO orders SELECT n, 'row ' || n FROM generate_series({first}, {last}) n",
        "SELECT setval('orders_id_seq', max(id)) FROM orders",
    )


def committing_once_waited_for(
    database: PostgresDatabase, connection: psycopg2.extensions.connection
) -> threading.Thread:
    """Commits a transaction when a load asks who is writing, and not before."""
    asks = (
        "SELECT 1 FROM pg_stat_activity WHERE application_name = 'quality-platform' "
        "AND datname = current_database() AND query LIKE '%virtualtransaction%'"
    )

    def commit() -> None:
        deadline = time.monotonic() + 60
        while not database.rows(asks) and time.monotonic() < deadline:
            time.sleep(0.01)
        connection.commit()

    thread = threading.Thread(target=commit)
    thread.start()
    return thread


def test_replace_reads_everything_each_time(project: Project, database: PostgresDatabase) -> None:
    database.run(ORDERS)
    numbered(database, 1, 5)
    platform = postgres_table(project, database, "orders", COLUMNS).open()
    load_table(platform, "orders", "r1")
    database.run("DELETE FROM orders WHERE id = 2")

    outcome = load_table(platform, "orders", "r2")

    assert outcome.rows_published == 4
    assert column_of(platform, "shop.orders", "id") == [1, 3, 4, 5]


@pytest.mark.parametrize(
    "source",
    [
        {"query": "SELECT id, upper(name) AS name FROM orders WHERE id > 2 -- a comment;"},
        {"query": "WITH o AS (SELECT * FROM orders) SELECT id, upper(name) AS name FROM o "
         "WHERE id > 2;"},
        {"table": "shouted"},
        {"table": 'public."shouted"'},
    ],
)  # fmt: skip
def test_queries_and_views_are_read_like_tables(
    project: Project, database: PostgresDatabase, source: dict[str, Any]
) -> None:
    database.run(
        ORDERS, "CREATE VIEW shouted AS SELECT id, upper(name) AS name FROM orders WHERE id > 2"
    )
    numbered(database, 1, 4)
    platform = postgres_table(project, database, "orders", COLUMNS, source=source).open()

    load_table(platform, "orders", "r1")

    assert column_of(platform, "shop.orders", "name") == ["ROW 3", "ROW 4"]


@pytest.mark.parametrize("parallel", [2, 5])
def test_several_connections_read_every_row_once_in_one_snapshot(
    project: Project, database: PostgresDatabase, parallel: int
) -> None:
    database.run(ORDERS)
    numbered(database, 1, 30_000)
    database.run("DELETE FROM orders WHERE id % 7 = 0")
    source = {"table": "orders", "parallel": parallel}
    platform = postgres_table(project, database, "orders", COLUMNS, source=source).open()

    outcome = load_table(platform, "orders", "r1")

    assert outcome.rows_read == 30_000 - 30_000 // 7
    expected = [n for n in range(1, 30_001) if n % 7]
    assert column_of(platform, "shop.orders", "id") == expected


def test_append_by_id_reads_what_is_new_and_nothing_twice(
    project: Project, database: PostgresDatabase
) -> None:
    database.run(ORDERS)
    numbered(database, 1, 3)
    platform = postgres_table(project, database, "orders", COLUMNS, load=BY_ID).open()
    load_table(platform, "orders", "r1")
    numbered(database, 4, 9)

    outcome = load_table(platform, "orders", "r2")
    again = load_table(platform, "orders", "r3")

    assert (outcome.rows_published, again.state) == (6, "nothing_new")
    assert column_of(platform, "shop.orders", "id") == list(range(1, 10))


def test_a_row_with_a_lower_id_that_is_committed_late_is_waited_for(
    project: Project, database: PostgresDatabase
) -> None:
    database.run(ORDERS)
    platform = postgres_table(project, database, "orders", COLUMNS, load=BY_ID).open()
    slow = database.connect()
    with slow.cursor() as cursor:
        cursor.execute("INSERT INTO orders (name) VALUES ('late')")
    database.run("INSERT INTO orders (name) VALUES ('early')")
    committing = committing_once_waited_for(database, slow)

    load_table(platform, "orders", "r1")
    committing.join()
    slow.close()

    assert column_of(platform, "shop.orders", "id") == [1, 2]


def test_a_writer_that_does_not_end_stops_the_load_and_nothing_is_lost(
    project: Project, database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_writers, "WAIT_SECONDS", 0.1)
    database.run(ORDERS)
    platform = postgres_table(project, database, "orders", COLUMNS, load=BY_ID).open()
    slow = database.connect()
    with slow.cursor() as cursor:
        cursor.execute("INSERT INTO orders (name) VALUES ('late')")
    database.run("INSERT INTO orders (name) VALUES ('early')")

    with pytest.raises(SourceTimeoutError, match="have not ended"):
        load_table(platform, "orders", "r1")
    slow.commit()
    slow.close()
    load_table(platform, "orders", "r2")

    assert column_of(platform, "shop.orders", "name") == ["early", "late"]


def test_a_writer_of_another_table_is_not_waited_for(
    project: Project, database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_writers, "WAIT_SECONDS", 0.1)
    database.run(ORDERS, "CREATE TABLE other (id int)")
    numbered(database, 1, 2)
    platform = postgres_table(project, database, "orders", COLUMNS, load=BY_ID).open()
    slow = database.connect()
    with slow.cursor() as cursor:
        cursor.execute("INSERT INTO other VALUES (1)")

    assert load_table(platform, "orders", "r1").rows_published == 2
    slow.close()


def test_a_time_of_a_transaction_that_began_early_and_wrote_late_is_not_lost(
    project: Project, database: PostgresDatabase
) -> None:
    """now() is when the transaction began: it holds no lock yet when the first load runs."""
    database.run(EVENTS)
    columns = {"id": integer(), "at": ZONED}
    platform = postgres_table(project, database, "events", columns, load=BY_TIME).open()
    database.run("INSERT INTO events DEFAULT VALUES")
    slow = database.connect()
    with slow.cursor() as cursor:
        cursor.execute("SELECT 1")
        time.sleep(0.01)
        database.run("INSERT INTO events DEFAULT VALUES")
        first = load_table(platform, "events", "r1")
        cursor.execute("INSERT INTO events DEFAULT VALUES")
    slow.commit()
    slow.close()

    second = load_table(platform, "events", "r2")

    assert (first.rows_published, second.rows_published) == (1, 2)
    assert column_of(platform, "shop.events", "id") == [1, 2, 3]


def test_writers_whose_beginning_the_server_hides_are_waited_for(
    project: Project, database: PostgresDatabase
) -> None:
    """A role without pg_read_all_stats sees their locks, but not since when they run."""
    role = f"qp_test_{uuid.uuid4().hex[:8]}"
    database.run(
        EVENTS,
        f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'",
        f"GRANT SELECT ON events TO {role}",
    )
    reader = PostgresDatabase(database.url.replace("tester:", f"{role}:"))
    columns = {"id": integer(), "at": ZONED}
    platform = postgres_table(project, reader, "events", columns, load=BY_TIME).open()
    slow = database.connect()
    with slow.cursor() as cursor:
        cursor.execute("INSERT INTO events DEFAULT VALUES")
    database.run("INSERT INTO events DEFAULT VALUES")
    committing = committing_once_waited_for(database, slow)
    try:
        load_table(platform, "events", "r1")
    finally:
        committing.join()
        slow.close()
        database.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")

    assert column_of(platform, "shop.events", "id") == [1, 2]


def test_a_backfill_of_append_puts_a_range_in_place_and_doubles_nothing(
    project: Project, database: PostgresDatabase
) -> None:
    database.run(ORDERS)
    numbered(database, 1, 6)
    platform = postgres_table(project, database, "orders", COLUMNS, load=BY_ID).open()
    load_table(platform, "orders", "r1")
    database.run("UPDATE orders SET name = 'mended' WHERE id = 5")
    numbered(database, 7, 9)

    load_table(platform, "orders", "r2", request=Request(backfill=Backfill("4", "9")))
    load_table(platform, "orders", "r3")

    found = {row["id"]: row["name"] for row in rows_of_table(platform, "shop.orders")}
    assert column_of(platform, "shop.orders", "id") == list(range(1, 10))
    assert found[5] == "mended"


def test_rows_whose_time_is_still_to_come_wait_for_it(
    project: Project, database: PostgresDatabase
) -> None:
    database.run(EVENTS, "INSERT INTO events (at) VALUES (now()), (now() + '1 day')")
    columns = {"id": integer(), "at": ZONED}
    platform = postgres_table(project, database, "events", columns, load=BY_TIME).open()

    load_table(platform, "events", "r1")
    database.run("INSERT INTO events DEFAULT VALUES")
    load_table(platform, "events", "r2")

    assert column_of(platform, "shop.events", "id") == [1, 3]


@pytest.mark.parametrize("value", ["NULL", "'infinity'", "'-infinity'"])
def test_append_refuses_rows_that_no_range_would_ever_have(
    project: Project, database: PostgresDatabase, value: str
) -> None:
    database.run(EVENTS, f"INSERT INTO events (at) VALUES (now()), ({value})")
    columns = {"id": integer(), "at": ZONED}
    platform = postgres_table(project, database, "events", columns, load=BY_TIME).open()

    with pytest.raises(SourceError, match="NULL or infinite"):
        load_table(platform, "events", "r1")


def test_merge_reads_rows_without_a_cursor_each_time_and_looks_back(
    project: Project, database: PostgresDatabase
) -> None:
    database.run(
        "CREATE TABLE stock (id int PRIMARY KEY, at timestamptz, name text)",
        "INSERT INTO stock VALUES (1, '2024-01-01 12:00+00', 'a'), (2, NULL, 'b')",
    )
    columns = {"id": key(integer()), "at": ZONED, "name": text()}
    load = {"mode": "merge", "incremental": {"cursor": "at", "lookback": "1h"}}
    platform = postgres_table(project, database, "stock", columns, load=load).open()
    load_table(platform, "stock", "r1")
    database.run(
        "INSERT INTO stock VALUES (3, '2024-01-01 11:30+00', 'late'), (4, 'infinity', 'odd')",
        "UPDATE stock SET name = 'B' WHERE id = 2",
    )

    load_table(platform, "stock", "r2")

    found = {row["id"]: row["name"] for row in rows_of_table(platform, "shop.stock")}
    assert found == {1: "a", 2: "B", 3: "late"}
    assert column_of(platform, "quarantine.stock", "_raw_record")[0].count("infinity") == 1


def test_text_cursors_follow_the_order_of_bytes(
    project: Project, database: PostgresDatabase
) -> None:
    database.run(
        "CREATE TABLE orders (id bigint, name text)",
        "INSERT INTO orders VALUES (1, 'B'), (2, 'Z'), (3, 'a')",
    )
    load = {"mode": "append", "incremental": {"cursor": "name"}}
    platform = postgres_table(project, database, "orders", COLUMNS, load=load).open()
    load_table(platform, "orders", "r1")
    database.run("INSERT INTO orders VALUES (4, 'b''\\c')")

    outcome = load_table(platform, "orders", "r2")

    assert outcome.rows_published == 1
    assert column_of(platform, "shop.orders", "id") == [1, 2, 3, 4]


def test_a_sequence_with_a_cache_is_refused_where_ids_are_followed(
    project: Project, database: PostgresDatabase
) -> None:
    database.run(ORDERS, "ALTER SEQUENCE orders_id_seq CACHE 10")
    platform = postgres_table(project, database, "orders", COLUMNS, load=BY_ID).open()

    with pytest.raises(RunnerFileError, match="cache of 10"):
        load_table(platform, "orders", "r1")


def test_a_cursor_that_the_server_orders_otherwise_is_refused(
    project: Project, database: PostgresDatabase
) -> None:
    database.run("CREATE TABLE orders (id text, name text)")
    platform = postgres_table(project, database, "orders", COLUMNS, load=BY_ID).open()

    with pytest.raises(HeaderError, match="cannot be followed"):
        load_table(platform, "orders", "r1")


def test_append_without_a_cursor_is_refused_with_its_line(
    project: Project, database: PostgresDatabase
) -> None:
    postgres_table(project, database, "orders", COLUMNS, load={"mode": "append"})

    with pytest.raises(RunnerFileError, match="once more") as refused:
        project.open()

    assert refused.value.problems[0].location is not None
    assert refused.value.problems[0].location.line > 0


def test_a_query_cannot_be_read_by_several_connections(
    project: Project, database: PostgresDatabase
) -> None:
    source = {"query": "SELECT 1 AS id, 'x' AS name", "parallel": 2}
    postgres_table(project, database, "orders", COLUMNS, source=source)

    with pytest.raises(RunnerFileError, match="only a table can be read by several"):
        project.open()


def test_columns_that_do_not_fit_are_all_told_with_the_nearest_name(
    project: Project, database: PostgresDatabase
) -> None:
    database.run("CREATE TABLE orders (id bigint, nmae text, price money, gone int)")
    source = {"table": "orders", "ignore_columns": ["price"]}
    platform = postgres_table(project, database, "orders", COLUMNS, source=source).open()

    with pytest.raises(HeaderError) as refused:
        load_table(platform, "orders", "r1")

    told = str(refused.value)
    assert "no column 'name'" in told
    assert "'nmae' of the source may be meant" in told
    assert "the contract has no column 'gone'" in told
    assert "price'" not in told


def test_evolve_takes_what_the_contract_leaves_open(
    project: Project, database: PostgresDatabase
) -> None:
    database.run("CREATE TABLE orders (id bigint, more int)", "INSERT INTO orders VALUES (1, 2)")
    load = {"mode": "replace", "schema_drift": "evolve"}
    platform = postgres_table(project, database, "orders", COLUMNS, load=load).open()

    load_table(platform, "orders", "r1")

    assert rows_of_table(platform, "shop.orders") == [{"id": 1, "name": None}]


def test_names_with_quotes_and_dots_are_names_and_no_sql(
    project: Project, database: PostgresDatabase
) -> None:
    database.run(
        """CREATE TABLE "o'r.d""ers; --" ("i""d" bigint, "na.me" text)""",
        """INSERT INTO "o'r.d""ers; --" VALUES (1, 'x')""",
    )
    columns = {"id": integer(physicalName='i"d'), "name": text(physicalName="na.me")}
    source = {"table": """public."o'r.d""ers; --\""""}
    platform = postgres_table(project, database, "orders", columns, source=source).open()

    load_table(platform, "orders", "r1")

    assert rows_of_table(platform, "shop.orders") == [{"id": 1, "name": "x"}]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("DELETE FROM orders RETURNING id, name", QualityPlatformError),
        ("SELECT id, name FROM orders) AS q; DELETE FROM orders; SELECT (1", SourceError),
        ("SELECT id, name FROM order_s", SourceNotFoundError),
        ("SELECT id, naem AS name FROM orders", SourceNotFoundError),
        ("SELECT nextval('orders_id_seq') AS id, 'x' AS name", SourceError),
        ("SELECT id, id AS name, name FROM orders", HeaderError),
    ],
)
def test_a_query_that_is_no_reading_is_refused_and_changes_nothing(
    project: Project,
    database: PostgresDatabase,
    query: str,
    error: type[QualityPlatformError],
) -> None:
    database.run(ORDERS)
    numbered(database, 1, 3)
    source = {"query": query}
    platform = postgres_table(project, database, "orders", COLUMNS, source=source).open()

    with pytest.raises(error):
        load_table(platform, "orders", "r1")

    assert database.rows("SELECT count(*), (SELECT last_value FROM orders_id_seq) FROM orders") == [
        (3, 3)
    ]


def test_a_table_that_is_not_there_is_told_with_the_nearest_name(
    project: Project, database: PostgresDatabase
) -> None:
    database.run(ORDERS)
    source = {"table": "ordrs"}
    platform = postgres_table(project, database, "orders", COLUMNS, source=source).open()

    with pytest.raises(SourceNotFoundError, match="no table 'ordrs'") as refused:
        load_table(platform, "orders", "r1")

    assert "did you mean 'orders'?" in str(refused.value)
