"""What can go wrong at a real MariaDB: each its own error, and never a secret in it."""

from __future__ import annotations

import os
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.local_servers import PASSWORD, free_port
from support.mariadb_server import MariaDb
from support.mariadb_tables import mysql_table
from support.project import Project, data_files, integer, text

from quality_platform.errors import (
    RunnerFileError,
    SourceAccessError,
    SourceError,
    SourceNotFoundError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform

COLUMNS = {"id": integer(), "name": text()}
STALLS = "SELECT id, IF(id = 40000, SLEEP(20), name) AS name FROM orders"
"""Stops amid the rows."""


@pytest.fixture(scope="module")
def database(mariadb: MariaDb) -> Iterator[MariaDb]:
    """A database with 50,000 orders, and a user who may do nothing."""
    mariadb.empty()
    mariadb.run(
        "CREATE TABLE orders (id bigint PRIMARY KEY, name text)",
        "CREATE TABLE secrets LIKE orders",
        "INSERT INTO orders SELECT seq, REPEAT('x', 100) FROM seq_1_to_50000",
        f"CREATE OR REPLACE USER qp_test_guest@'%' IDENTIFIED BY '{PASSWORD}'",
        "GRANT SELECT (id) ON orders TO qp_test_guest@'%'",
    )
    yield mariadb
    mariadb.run("DROP USER qp_test_guest@'%'")


def failure(platform: Platform, kind: type[SourceError], capfd: pytest.CaptureFixture[str]) -> str:
    """The text of the error that loading `orders` ends with; no secret may be anywhere."""
    with pytest.raises(kind) as raised:
        load_table(platform, "orders", "r1")
    captured = capfd.readouterr()
    everything = str(raised.value) + "".join(traceback.format_exception(raised.value))
    everything += captured.out + captured.err
    url = platform.runner.config.connections["shop_db"].url.get_secret_value()
    for secret in (PASSWORD, "wr0ng-pw", url, url.partition("://")[2]):
        assert secret not in everything
    assert type(raised.value) is kind
    assert captured.err == ""
    assert not data_files(platform, "shop/**/*.parquet")
    return str(raised.value)


def test_a_port_that_nobody_listens_on(
    project: Project, mariadb: MariaDb, capfd: pytest.CaptureFixture[str]
) -> None:
    nobody = MariaDb(mariadb.url_with(port=str(free_port())))
    platform = mysql_table(project, nobody, "orders", COLUMNS).open()
    began = time.monotonic()

    told = failure(platform, SourceUnreachableError, capfd)

    assert "connection shop_db: the server does not answer" in told
    # connectorx would try for 30 seconds.
    assert time.monotonic() - began < 25


def test_a_server_that_accepts_and_says_nothing(
    project: Project,
    mariadb: MariaDb,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("quality_platform.sources.mysql_session._GRACE_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = MariaDb(mariadb.url_with(port=str(silent.getsockname()[1])))
        table = mysql_table(project, mute, "orders", COLUMNS, connect_timeout="1s")
        failure(table.open(), SourceUnreachableError, capfd)


def test_a_wrong_password_is_tried_once(
    project: Project, database: MariaDb, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = MariaDb(database.url_with(password="wr0ng-pw"))
    platform = mysql_table(project, wrong, "orders", COLUMNS).open()
    before = database.run("SHOW GLOBAL STATUS LIKE 'Access_denied_errors'")

    told = failure(platform, SourceAccessError, capfd)

    assert "Access denied for user" in told
    after = database.run("SHOW GLOBAL STATUS LIKE 'Access_denied_errors'")
    assert int(after[0][1]) - int(before[0][1]) <= 2


@pytest.mark.parametrize(
    ("parts", "source", "kind", "message"),
    [
        ({"database": "nowhere"}, {"table": "orders"}, SourceNotFoundError, "no such database"),
        ({}, {"table": "order"}, SourceNotFoundError, "no such table"),
        ({}, {"table": "nowhere.orders"}, SourceNotFoundError, "there is no such"),
        ({}, {"query": "SELECT id, nam FROM orders"}, SourceNotFoundError, "no such column"),
        ({}, {"query": "SELEC id FROM orders"}, SourceError, "no SELECT"),
        ({}, {"query": "SELECT id, id FROM orders"}, SourceError, "two columns of one name"),
        ({}, {"query": "SELECT 1 AS id, POINT(1, 2) AS name"}, SourceError, "type GEOMETRY"),
        ({"user": "qp_test_guest"}, {"table": "secrets"}, SourceAccessError, "may not read"),
        ({"user": "qp_test_guest"}, {"table": "mysql.user"}, SourceAccessError, "may not read"),
    ],
)  # fmt: skip
def test_what_is_not_there_or_not_allowed(
    project: Project,
    database: MariaDb,
    parts: dict[str, str],
    source: dict[str, str],
    kind: type[SourceError],
    message: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    server = MariaDb(database.url_with(**parts))
    columns = {"id": integer(), "name": text()}
    told = failure(
        mysql_table(project, server, "orders", columns, source=source).open(), kind, capfd
    )

    assert message in told


@pytest.mark.parametrize("table", ["a.b.c", "", "orders`"])
def test_a_name_that_is_none(project: Project, database: MariaDb, table: str) -> None:
    platform = mysql_table(project, database, "orders", COLUMNS, source={"table": table}).open()

    with pytest.raises(RunnerFileError):
        load_table(platform, "orders", "r1")


@pytest.mark.parametrize("url", ["postgresql://u:s3cr3t-pw@h/d", "mysql://u:s3cr3t-pw@127.0.0.1"])
def test_a_url_that_is_none(project: Project, url: str, capfd: pytest.CaptureFixture[str]) -> None:
    platform = mysql_table(project, MariaDb(url), "orders", COLUMNS).open()

    assert "url is none of MySQL" in failure(platform, SourceError, capfd)


def test_an_option_that_the_driver_does_not_know(
    project: Project, database: MariaDb, capfd: pytest.CaptureFixture[str]
) -> None:
    odd = MariaDb(database.url + "?bogus=1")
    platform = mysql_table(project, odd, "orders", COLUMNS).open()

    assert "url is none of the driver's" in failure(platform, SourceError, capfd)


def test_a_statement_that_takes_too_long(
    project: Project, database: MariaDb, capfd: pytest.CaptureFixture[str]
) -> None:
    source = {"query": STALLS}
    table = mysql_table(project, database, "orders", COLUMNS, source=source, statement_timeout="1s")

    assert "statement_timeout" in failure(table.open(), SourceTimeoutError, capfd)


@pytest.mark.parametrize("what", ["CONNECTION", "QUERY"])
def test_a_connection_that_is_lost_amid_the_rows_publishes_nothing(
    project: Project, database: MariaDb, what: str, capfd: pytest.CaptureFixture[str]
) -> None:
    platform = mysql_table(project, database, "orders", COLUMNS, source={"query": STALLS}).open()
    killer = threading.Thread(target=_kill, args=(database, what))
    killer.start()

    failure(platform, SourceUnreachableError, capfd)

    killer.join()


def _kill(database: MariaDb, what: str) -> None:
    """Ends the session that reads the rows, once it stalls."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = database.run(
            "SELECT id FROM information_schema.processlist WHERE info LIKE '%SLEEP(20)%' "
            "AND info NOT LIKE '%processlist%' AND info NOT LIKE '%LIMIT 0%' AND time >= 1"
        )
        for (session,) in found:
            database.run(f"KILL {what} {session}")
        if found:
            return
        time.sleep(0.1)


def test_a_reader_that_is_given_up_leaves_neither_process_nor_file(
    project: Project, database: MariaDb
) -> None:
    from quality_platform.flows.load_table import source_context
    from quality_platform.lake.position import Position
    from quality_platform.sources.protocol import Wanted
    from quality_platform.sources.registry import open_source

    platform = mysql_table(project, database, "orders", COLUMNS).open()
    table = platform.tables["orders"]
    source = open_source(table.config.source, source_context(platform, table))
    before = _children()
    (part,) = source.parts(Wanted(Position()))

    batches = part.batches()
    next(batches)
    assert len(_children()) == len(before) + 1
    batches.close()  # type: ignore[attr-defined]

    assert _children() == before
    assert not [path for path in platform.home.rglob("*") if path.is_file()]


def test_a_reader_that_is_planned_and_never_read_ends_with_its_source(
    project: Project, database: MariaDb
) -> None:
    from quality_platform.flows.load_table import source_context
    from quality_platform.lake.position import Position
    from quality_platform.sources.protocol import Wanted
    from quality_platform.sources.registry import open_source

    platform = mysql_table(project, database, "orders", COLUMNS).open()
    table = platform.tables["orders"]
    source = open_source(table.config.source, source_context(platform, table))
    before = _children()
    parts = source.parts(Wanted(Position()))
    assert len(_children()) == len(before) + 1

    del source, parts

    assert _children() == before


def _children() -> set[str]:
    """The processes that this one has started."""
    folder = Path(f"/proc/{os.getpid()}/task")
    return {child for task in folder.iterdir() for child in (task / "children").read_text().split()}
