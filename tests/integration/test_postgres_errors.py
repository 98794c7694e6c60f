"""What can go wrong at a real PostgreSQL: each its own error, and never a secret in it."""

from __future__ import annotations

import signal
import socket
import threading
import time
import traceback
from collections.abc import Generator, Iterator

import pytest
from support.local_servers import PASSWORD, free_port
from support.postgres_database import PostgresDatabase, postgres_database, postgres_table
from support.project import Project, data_files, integer, text

from quality_platform.errors import (
    RunnerFileError,
    SourceAccessError,
    SourceError,
    SourceNotFoundError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from quality_platform.flows.load_table import load_table, source_context
from quality_platform.flows.platform import Platform
from quality_platform.lake.position import Position
from quality_platform.sources.protocol import SourceBatch, Wanted
from quality_platform.sources.registry import open_source

COLUMNS = {"id": integer(), "name": text()}
STALLS = "SELECT id, CASE WHEN id = 40000 THEN pg_sleep(20)::text ELSE name END AS name FROM orders"
"""Stops amid the rows."""


@pytest.fixture(scope="module")
def database(postgres_url: str) -> Iterator[PostgresDatabase]:
    """A database with 50,000 orders, and a role that may do nothing."""
    with postgres_database(postgres_url) as found:
        found.run(
            "CREATE TABLE orders (id bigint, name text)",
            "INSERT INTO orders SELECT n, repeat('x', 100) FROM generate_series(1, 50000) n",
            f"CREATE ROLE qp_test_guest LOGIN PASSWORD '{PASSWORD}'",
        )
        try:
            yield found
        finally:
            found.run("DROP OWNED BY qp_test_guest", "DROP ROLE qp_test_guest")


def guest(database: PostgresDatabase) -> PostgresDatabase:
    """The same database for the role without rights."""
    return PostgresDatabase(database.url.replace("tester:", "qp_test_guest:"))


def failure(platform: Platform, kind: type[SourceError]) -> str:
    """The text of the error that loading `orders` ends with; no secret may be in any of it."""
    with pytest.raises(kind) as raised:
        load_table(platform, "orders", "r1")
    everything = str(raised.value) + "".join(traceback.format_exception(raised.value))
    url = platform.runner.config.connections["shop_db"].url.get_secret_value()
    for secret in (PASSWORD, "wr0ng-pw", url, url.partition("://")[2]):
        assert secret not in everything
    assert type(raised.value) is kind
    assert "runner.yaml:" in str(raised.value)
    return str(raised.value)


def opened(project: Project, url: str, **settings: str) -> Platform:
    return postgres_table(project, PostgresDatabase(url), "orders", COLUMNS, **settings).open()


def test_a_refused_connection(project: Project) -> None:
    url = f"postgresql://tester:{PASSWORD}@127.0.0.1:{free_port()}/postgres"

    assert "nothing listens there" in failure(opened(project, url), SourceUnreachableError)


def test_a_host_without_an_address(project: Project) -> None:
    url = f"postgresql://tester:{PASSWORD}@no-such-host.invalid/postgres"

    assert "its host has no address" in failure(opened(project, url), SourceUnreachableError)


def test_a_server_that_never_answers(project: Project) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgresql://tester:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/postgres"
        platform = opened(project, url, connect_timeout="2s")

        assert "no answer in time" in failure(platform, SourceUnreachableError)


def test_a_wrong_password(project: Project, database: PostgresDatabase) -> None:
    url = database.url.replace(PASSWORD, "wr0ng-pw")

    assert "refuses the user" in failure(opened(project, url), SourceAccessError)


def test_no_such_database(project: Project, database: PostgresDatabase) -> None:
    url = f"{database.url.rpartition('/')[0]}/nowhere"

    assert "no such database" in failure(opened(project, url), SourceNotFoundError)


def test_a_url_of_something_else(project: Project) -> None:
    url = f"mysql://tester:{PASSWORD}@127.0.0.1/x"

    with pytest.raises(RunnerFileError, match="needs a URL of PostgreSQL") as raised:
        load_table(opened(project, url), "orders", "r1")

    assert PASSWORD not in str(raised.value)


def test_a_table_that_the_user_may_not_read(project: Project, database: PostgresDatabase) -> None:
    told = failure(opened(project, guest(database).url), SourceAccessError)

    assert "permission denied for table orders (42501)" in told


def test_a_role_without_connections_left(project: Project, database: PostgresDatabase) -> None:
    database.run("ALTER ROLE qp_test_guest CONNECTION LIMIT 0")
    try:
        told = failure(opened(project, guest(database).url), SourceUnreachableError)
    finally:
        database.run("ALTER ROLE qp_test_guest CONNECTION LIMIT -1")

    assert "no connection left" in told


def test_a_statement_that_takes_too_long(project: Project, database: PostgresDatabase) -> None:
    source, limit = {"query": STALLS}, {"statement_timeout": "1s"}
    platform = postgres_table(project, database, "orders", COLUMNS, source=source, **limit).open()

    assert "stopped the statement" in failure(platform, SourceTimeoutError)
    assert data_files(platform, "shop/**/*.parquet") == set()


def test_one_of_several_connections_that_is_lost_publishes_nothing(
    project: Project, database: PostgresDatabase
) -> None:
    """The others are stopped; no thread and no connection is left."""
    source = {"table": "orders", "parallel": 3}
    batches = reading(postgres_table(project, database, "orders", COLUMNS, source=source).open())
    next(batches)
    database.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
        "AND datname = current_database() AND query LIKE '%ctid%'"
    )

    with pytest.raises(SourceUnreachableError, match="the connection was lost"):
        list(batches)

    assert not [thread for thread in threading.enumerate() if "_work" in thread.name]


def test_a_reading_that_is_left_early_leaves_no_thread_and_no_connection(
    project: Project, database: PostgresDatabase
) -> None:
    source = {"query": "SELECT a.* FROM orders a, generate_series(1, 20)"}
    batches = reading(postgres_table(project, database, "orders", COLUMNS, source=source).open())
    assert next(batches).records < 50_000 * 20

    batches.close()

    assert not copying_threads()
    while database.rows(f"SELECT 1 {OURS} AND state = 'active'"):
        time.sleep(0.05)  # The server sees it when it sends the next rows.


def test_a_reading_is_interrupted_while_the_server_is_silent(
    project: Project, database: PostgresDatabase
) -> None:
    source = {"query": "SELECT 1::bigint AS id, pg_sleep(600)::text AS name"}
    batches = reading(postgres_table(project, database, "orders", COLUMNS, source=source).open())
    waiting = threading.Thread(target=_interrupt_the_sleeping, args=(database,))
    waiting.start()

    with pytest.raises(KeyboardInterrupt):
        next(batches)
    waiting.join()

    assert not copying_threads()
    database.run(f"SELECT pg_terminate_backend(pid) {OURS}")


OURS = "FROM pg_stat_activity WHERE application_name = 'quality-platform'"


def copying_threads() -> list[threading.Thread]:
    """The threads that read rows from PostgreSQL."""
    return [thread for thread in threading.enumerate() if "(copy)" in thread.name]


def _interrupt_the_sleeping(database: PostgresDatabase) -> None:
    while not database.rows(f"SELECT 1 {OURS} AND wait_event = 'PgSleep'"):
        time.sleep(0.05)
    identity = threading.main_thread().ident
    assert identity is not None
    signal.pthread_kill(identity, signal.SIGINT)


def reading(platform: Platform) -> Generator[SourceBatch, None, None]:
    """The batches of `orders`, as they are read."""
    table = platform.tables["orders"]
    source = open_source(table.config.source, source_context(platform, table))
    (part,) = source.parts(Wanted(Position()))
    batches = part.batches()
    assert isinstance(batches, Generator)
    return batches


def test_a_connection_that_is_lost_amid_the_rows_publishes_nothing(
    project: Project, database: PostgresDatabase
) -> None:
    source = {"query": STALLS}
    platform = postgres_table(project, database, "orders", COLUMNS, source=source).open()
    ended = threading.Thread(target=_terminate_the_sleeping, args=(database,))
    ended.start()

    told = failure(platform, SourceUnreachableError)
    ended.join()

    assert "the connection was lost" in told
    assert data_files(platform, "shop/**/*.parquet") == set()


def _terminate_the_sleeping(database: PostgresDatabase) -> None:
    query = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event = 'PgSleep'"
    )
    while not database.rows(query):
        time.sleep(0.05)


def test_a_row_that_the_server_cannot_write_is_not_shown(
    project: Project, database: PostgresDatabase
) -> None:
    source = {"query": "SELECT id, ('secret' || id)::int::text AS name FROM orders"}
    platform = postgres_table(project, database, "orders", COLUMNS, source=source).open()

    told = failure(platform, SourceError)

    assert "could not give a row" in told
    assert "secret1" not in told


def test_texts_that_are_no_utf_8_are_refused(project: Project, postgres_url: str) -> None:
    options = "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    with postgres_database(postgres_url, options) as ascii_only:
        ascii_only.run(
            "CREATE TABLE orders (id bigint, name text)",
            "INSERT INTO orders VALUES (1, convert_from('\\xff'::bytea, 'SQL_ASCII'))",
        )
        platform = postgres_table(project, ascii_only, "orders", COLUMNS).open()

        assert "cannot be written in UTF-8" in failure(platform, SourceError)


def test_texts_of_another_encoding_arrive_whole(project: Project, postgres_url: str) -> None:
    options = "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    with postgres_database(postgres_url, options) as latin:
        latin.run("CREATE TABLE orders (id bigint, name text)",
                  "INSERT INTO orders VALUES (1, 'M\u00fcnchen')")  # fmt: skip
        platform = postgres_table(project, latin, "orders", COLUMNS).open()

        assert load_table(platform, "orders", "r1").rows_published == 1
