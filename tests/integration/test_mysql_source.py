"""Tables of a real MariaDB, loaded as a whole and by a cursor while others write."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from support.mariadb_server import MariaDb
from support.mariadb_tables import mysql_table
from support.project import Project, column_of, integer, key, rows_of_table, text

from quality_platform.errors import (
    HeaderError,
    QualityPlatformError,
    RunnerFileError,
    SourceError,
    SourceTimeoutError,
)
from quality_platform.flows.load_table import load_table

COLUMNS = {"id": integer(), "name": text()}
ZONED = {"logicalType": "timestamp", "physicalType": "timestamptz"}
BY_ID = {"mode": "append", "incremental": {"cursor": "id"}}
BY_TIME = {"mode": "append", "incremental": {"cursor": "at"}}
ORDERS = "CREATE TABLE orders (id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(40))"


@pytest.fixture
def database(mariadb: MariaDb) -> MariaDb:
    mariadb.empty()
    return mariadb


def numbered(database: MariaDb, first: int, last: int) -> None:
    """Inserts rows into `orders`."""
    database.run(
        f"INSERT INTO orders SELECT seq, CONCAT('row ', seq) FROM seq_{first}_to_{last}",
    )


def test_replace_reads_everything_each_time(project: Project, database: MariaDb) -> None:
    database.run(ORDERS)
    numbered(database, 1, 5)
    platform = mysql_table(project, database, "orders", COLUMNS).open()
    load_table(platform, "orders", "r1")
    database.run("DELETE FROM orders WHERE id = 2")

    outcome = load_table(platform, "orders", "r2")

    assert outcome.rows_published == 4
    assert column_of(platform, "shop.orders", "id") == [1, 3, 4, 5]


def test_an_empty_table_is_published_as_one(project: Project, database: MariaDb) -> None:
    database.run(ORDERS)
    platform = mysql_table(project, database, "orders", COLUMNS).open()

    outcome = load_table(platform, "orders", "r1")

    assert (outcome.state, outcome.total_rows) == ("published", 0)


@pytest.mark.parametrize(
    "source",
    [
        {"query": "SELECT id, UPPER(name) AS name FROM orders WHERE id > 2 -- a comment;"},
        {"query": "WITH o AS (SELECT * FROM orders) SELECT id, UPPER(name) AS name FROM o "
         "WHERE id > 2;"},
        {"table": "shouted"},
        {"table": "qp_test.`shouted`"},
    ],
)  # fmt: skip
def test_queries_and_views_are_read_like_tables(
    project: Project, database: MariaDb, source: dict[str, Any]
) -> None:
    database.run(
        ORDERS, "CREATE VIEW shouted AS SELECT id, UPPER(name) AS name FROM orders WHERE id > 2"
    )
    numbered(database, 1, 4)
    platform = mysql_table(project, database, "orders", COLUMNS, source=source).open()

    load_table(platform, "orders", "r1")

    assert column_of(platform, "shop.orders", "name") == ["ROW 3", "ROW 4"]


def test_names_are_quoted_whatever_is_in_them(project: Project, database: MariaDb) -> None:
    database.run("CREATE TABLE `a ``.\"; DROP` (`select ``x``` int)", "INSERT INTO `a ``.\"; DROP` VALUES (7)")  # fmt: skip  # noqa: E501
    columns = {"x": integer(physicalName="select `x`")}
    source = {"table": '`a ``."; DROP`'}
    platform = mysql_table(project, database, "orders", columns, source=source).open()

    load_table(platform, "orders", "r1")

    assert column_of(platform, "shop.orders", "x") == [7]


def test_many_batches_hold_every_row_once(project: Project, database: MariaDb) -> None:
    database.run(ORDERS)
    numbered(database, 1, 150_000)
    platform = mysql_table(project, database, "orders", COLUMNS).open()

    outcome = load_table(platform, "orders", "r1")

    assert outcome.rows_read == outcome.rows_published == 150_000
    assert column_of(platform, "shop.orders", "id") == list(range(1, 150_001))


def test_append_by_id_reads_what_is_new_and_nothing_twice(
    project: Project, database: MariaDb
) -> None:
    database.run(ORDERS)
    numbered(database, 1, 3)
    platform = mysql_table(project, database, "orders", COLUMNS, load=BY_ID).open()
    load_table(platform, "orders", "r1")
    numbered(database, 4, 9)

    outcome = load_table(platform, "orders", "r2")
    again = load_table(platform, "orders", "r3")

    assert (outcome.rows_published, again.state) == (6, "nothing_new")
    assert column_of(platform, "shop.orders", "id") == list(range(1, 10))


def test_a_row_with_a_lower_id_that_is_committed_late_is_waited_for(
    project: Project, database: MariaDb
) -> None:
    database.run(ORDERS)
    platform = mysql_table(project, database, "orders", COLUMNS, load=BY_ID).open()
    slow = database.connect()
    slow.begin()
    slow.cursor().execute("INSERT INTO orders (name) VALUES ('late')")
    database.run("INSERT INTO orders (name) VALUES ('early')")
    committing = threading.Timer(1.5, slow.commit)
    committing.start()

    load_table(platform, "orders", "r1")
    committing.join()
    slow.close()

    assert column_of(platform, "shop.orders", "id") == [1, 2]


def test_a_writer_that_does_not_end_stops_the_load_and_nothing_is_lost(
    project: Project, database: MariaDb
) -> None:
    database.run(ORDERS)
    platform = mysql_table(project, database, "orders", COLUMNS, load=BY_ID).open()
    slow = database.connect()
    slow.begin()
    slow.cursor().execute("INSERT INTO orders (name) VALUES ('late')")
    database.run("INSERT INTO orders (name) VALUES ('early')")
    waiting = database.run("SELECT @@GLOBAL.innodb_lock_wait_timeout")[0][0]
    database.run("SET GLOBAL innodb_lock_wait_timeout = 1")
    try:
        with pytest.raises(SourceTimeoutError, match="lock"):
            load_table(platform, "orders", "r1")
    finally:
        database.run(f"SET GLOBAL innodb_lock_wait_timeout = {waiting}")
    slow.commit()
    slow.close()

    load_table(platform, "orders", "r2")

    assert column_of(platform, "shop.orders", "id") == [1, 2]


def test_append_needs_an_index_by_which_it_can_wait(project: Project, database: MariaDb) -> None:
    database.run("CREATE TABLE orders (id bigint, name text)", "INSERT INTO orders VALUES (1, '')")
    platform = mysql_table(project, database, "orders", COLUMNS, load=BY_ID).open()

    with pytest.raises(RunnerFileError, match="rows could be lost: no index"):
        load_table(platform, "orders", "r1")


@pytest.mark.parametrize("value", ["NULL", "'0000-00-00'"])
def test_append_refuses_rows_that_no_range_would_have(
    project: Project, database: MariaDb, value: str
) -> None:
    database.run(
        "SET sql_mode = ''",
        "CREATE TABLE events (id bigint PRIMARY KEY, at datetime, KEY (at))",
        f"INSERT INTO events VALUES (1, '2024-01-01'), (2, {value})",
    )
    columns = {"id": integer(), "at": {"logicalType": "timestamp", "physicalType": "timestamp"}}
    platform = mysql_table(project, database, "events", columns, load=BY_TIME).open()

    with pytest.raises(SourceError, match="whose cursor 'at' is NULL or a zero date"):
        load_table(platform, "events", "r1")


def test_append_by_time_follows_moments_to_the_microsecond(
    project: Project, database: MariaDb
) -> None:
    database.run(
        "CREATE TABLE events (id bigint PRIMARY KEY, at timestamp(6) NOT NULL, KEY (at))",
        "SET time_zone = '+05:30'",
        "INSERT INTO events VALUES (1, '2024-01-01 00:00:00.000001')",
    )
    columns = {"id": integer(), "at": ZONED}
    platform = mysql_table(project, database, "events", columns, load=BY_TIME).open()
    load_table(platform, "events", "r1")
    database.run(
        "SET time_zone = '+05:30'",
        "INSERT INTO events VALUES (2, '2024-01-01 00:00:00.000002')",
    )

    outcome = load_table(platform, "events", "r2")

    assert outcome.rows_published == 1
    moments = [row.isoformat() for row in column_of(platform, "shop.events", "at")]
    assert moments == ["2023-12-31T18:30:00.000001+00:00", "2023-12-31T18:30:00.000002+00:00"]


def test_merge_with_a_lookback_takes_what_was_changed_and_committed_late(
    project: Project, database: MariaDb
) -> None:
    database.run(
        "CREATE TABLE events (id bigint PRIMARY KEY, at timestamp(6) NULL)",
        "INSERT INTO events VALUES (1, '2024-01-01 10:00:00'), (2, NULL)",
    )
    columns = {"id": key(integer()), "at": ZONED}
    load = {"mode": "merge", "incremental": {"cursor": "at", "lookback": "1h"}}
    platform = mysql_table(project, database, "events", columns, load=load).open()
    load_table(platform, "events", "r1")
    database.run(
        "INSERT INTO events VALUES (3, '2024-01-01 09:30:00')",
        "UPDATE events SET at = '2024-01-02 00:00:00' WHERE id = 1",
    )

    load_table(platform, "events", "r2")

    rows = {row["id"]: row["at"] for row in rows_of_table(platform, "shop.events")}
    days = {n: at and at.isoformat()[:16] for n, at in rows.items()}
    assert days == {1: "2024-01-02T00:00", 2: None, 3: "2024-01-01T09:30"}


@pytest.mark.parametrize(
    ("drift", "expected"), [("fail", HeaderError), ("evolve", 2), ("quarantine", 2)]
)
def test_other_columns_at_the_source_follow_the_policy(
    project: Project, database: MariaDb, drift: str, expected: Any
) -> None:
    database.run(
        "CREATE TABLE orders (id int, nam text)", "INSERT INTO orders VALUES (1,''),(2,'')"
    )
    load = {"mode": "replace", "schema_drift": drift}
    platform = mysql_table(project, database, "orders", COLUMNS, load=load).open()

    if drift == "fail":
        with pytest.raises(HeaderError) as raised:
            load_table(platform, "orders", "r1")
        assert "'nam' of the source may be meant" in str(raised.value)
        assert "no column 'nam'" in str(raised.value)
    else:
        load_table(platform, "orders", "r1")
        names = [row["name"] for row in rows_of_table(platform, "shop.orders")]
        assert names == [None, None]


def test_columns_that_are_ignored_may_be_there(project: Project, database: MariaDb) -> None:
    database.run("CREATE TABLE orders (id int, name text, more geometry)")
    source = {"table": "orders", "ignore_columns": ["more"]}
    platform = mysql_table(project, database, "orders", COLUMNS, source=source).open()

    assert load_table(platform, "orders", "r1").state == "published"


def test_a_type_that_never_fits_is_refused_before_anything_is_read(
    project: Project, database: MariaDb
) -> None:
    database.run("CREATE TABLE orders (id date, name geometry)")
    platform = mysql_table(project, database, "orders", COLUMNS).open()

    with pytest.raises(HeaderError) as raised:
        load_table(platform, "orders", "r1")

    assert len(raised.value.problems) == 2
    assert "geometry" in str(raised.value)


def test_a_query_cannot_write(project: Project, database: MariaDb) -> None:
    database.run(ORDERS, "CREATE SEQUENCE s")
    source = {"query": "SELECT NEXTVAL(s) AS id, 'x' AS name"}
    platform = mysql_table(project, database, "orders", COLUMNS, source=source).open()

    with pytest.raises(QualityPlatformError):
        load_table(platform, "orders", "r1")

    assert database.run("SELECT next_not_cached_value FROM s") == [(1,)]
