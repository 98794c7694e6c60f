"""The generic SQL source on real databases: SQLite, PostgreSQL and MariaDB, SQLAlchemy and ADBC."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support.mariadb_server import MariaDb
from support.project import Project, integer, key, number, rows_of_table, text

from quality_platform.errors import (
    HeaderError,
    QualityPlatformError,
    RunnerFileError,
    SourceAccessError,
    SourceError,
    SourceNotFoundError,
    SourceUnreachableError,
)
from quality_platform.flows.load_table import load_table

COLUMNS = {
    "id": key(integer()),
    "name": text(),
    "price": number("decimal(10,2)"),
    "at": {"logicalType": "timestamp", "logicalTypeOptions": {"timezone": True}},
}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A SQLite database with three orders, one of them with a price that is none."""
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER, name TEXT, price, at TEXT)")
        connection.executemany(
            "INSERT INTO orders VALUES (?, ?, ?, ?)",
            [
                (1, "a", "1.50", "2024-01-01T00:00:00Z"),
                (2, "ü€😀", 2.25, "2024-01-02T00:00:00+01:00"),
                (3, None, "cheap", None),
            ],
        )
    connection.close()
    return path


def loading(project: Project, url: str, load: dict[str, Any], **source: Any) -> Project:
    project.settings["connections"] = {"shop": {"url": url}}
    project.table("orders", COLUMNS, load=load)
    project.tables["orders"]["source"] = {
        "type": "sql",
        "connection": "shop",
        **(source or {"table": "orders"}),
    }
    project.write_runner()
    return project


@pytest.mark.parametrize("scheme", ["sqlite:///{}", "adbc+adbc_driver_sqlite:{}"])
def test_rows_are_published_exactly_and_those_that_do_not_fit_held_back(
    project: Project, database: Path, scheme: str
):
    # SQLite's ADBC driver wants one type for a column, so the query makes texts of all prices.
    query = "SELECT id, name, CAST(price AS TEXT) AS price, at FROM orders"
    loading(project, scheme.format(database), {"mode": "replace"}, query=query)
    platform = project.open()
    outcome = load_table(platform, "orders", "run-1")
    assert (outcome.rows_read, outcome.rows_published, outcome.rows_quarantined) == (3, 2, 1)
    rows = rows_of_table(platform, "shop.orders")
    assert [(r["id"], r["name"], r["price"]) for r in rows] == [
        (1, "a", Decimal("1.50")),
        (2, "ü€😀", Decimal("2.25")),
    ]
    assert rows[1]["at"].isoformat() == "2024-01-01T23:00:00+00:00"
    held = rows_of_table(platform, "quarantine.orders")
    assert [row["id"] for row in held] == [3]
    assert '"price": "cheap"' in held[0]["_raw_record"]


def test_a_column_of_mixed_types_is_judged_value_by_value(project: Project, database: Path):
    loading(project, f"sqlite:///{database}", {"mode": "replace"})
    platform = project.open()
    outcome = load_table(platform, "orders", "run-1")
    assert (outcome.rows_published, outcome.rows_quarantined) == (2, 1)


@pytest.mark.parametrize("scheme", ["sqlite:///{}", "adbc+adbc_driver_sqlite:{}"])
def test_only_what_is_new_is_read(project: Project, tmp_path: Path, scheme: str):
    path = tmp_path / "grows.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE orders (id INTEGER, name TEXT, price TEXT, at TEXT)")
    connection.executemany(
        "INSERT INTO orders VALUES (?, 'x', '1', NULL)", [(n,) for n in range(5000)]
    )
    connection.commit()
    load = {"mode": "append", "incremental": {"cursor": "id"}}
    loading(project, scheme.format(path), load)
    platform = project.open()
    assert load_table(platform, "orders", "run-1").rows_published == 5000
    assert load_table(platform, "orders", "run-2").state == "nothing_new"
    connection.execute("INSERT INTO orders VALUES (5000, 'y', '2', NULL)")
    connection.commit()
    assert load_table(platform, "orders", "run-3").rows_read == 1
    assert sorted(r["id"] for r in rows_of_table(platform, "shop.orders")) == list(range(5001))
    connection.execute("INSERT INTO orders VALUES (NULL, 'z', '2', NULL)")
    connection.commit()
    connection.close()
    with pytest.raises(SourceError, match="no load would ever read them"):
        load_table(platform, "orders", "run-4")


def test_a_time_that_the_database_keeps_as_text_is_no_cursor(project: Project, database: Path):
    load = {"mode": "append", "incremental": {"cursor": "at"}}
    loading(project, f"sqlite:///{database}", load, query="SELECT * FROM orders WHERE at <> ''")
    with pytest.raises(HeaderError, match="rows cannot be followed"):
        load_table(project.open(), "orders", "run-1")


SERVERS = ["postgres", "mariadb"]


@pytest.fixture(params=SERVERS)
def server_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The SQLAlchemy URL of a server with a table of 3,000 orders."""
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
        stamp = "timestamptz"
    else:
        server: MariaDb = request.getfixturevalue("mariadb")
        url = server.url.replace("mysql://", "mysql+pymysql://")
        stamp = "datetime(6)"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE IF EXISTS generic_orders"))
        connection.execute(
            sa.text(
                "CREATE TABLE generic_orders (id bigint primary key, name varchar(20), "
                f"price numeric(12,2), at {stamp})"
            )
        )
        connection.execute(
            sa.text("INSERT INTO generic_orders VALUES (:id, :name, :price, NULL)"),
            [{"id": n, "name": f"n{n}", "price": Decimal(n) / 100} for n in range(3000)],
        )
    yield url
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE generic_orders"))
    engine.dispose()


def test_servers_are_read_through_sqlalchemy(project: Project, server_url: str):
    load = {"mode": "append", "incremental": {"cursor": "id"}}
    source = {"table": "generic_orders", "single_writer": True}
    platform = loading(project, server_url, load, **source).open()
    assert load_table(platform, "orders", "run-1").rows_published == 3000
    rows = sorted(rows_of_table(platform, "shop.orders"), key=lambda row: row["id"])
    assert [row["price"] for row in rows] == [Decimal(n) / 100 for n in range(3000)]
    assert load_table(platform, "orders", "run-2").state == "nothing_new"


@pytest.mark.parametrize(
    "load",
    [
        {"mode": "append", "incremental": {"cursor": "id"}},
        {"mode": "append", "incremental": {"cursor": "at"}},
        {"mode": "merge", "incremental": {"cursor": "id"}},
    ],
    ids=["append by id", "append by time", "merge without lookback"],
)
@pytest.mark.parametrize("url", ["postgresql+psycopg2://h/d", "adbc+adbc_driver_postgresql:x"])
def test_a_cursor_that_late_commits_could_pass_by_is_refused(
    project: Project, load: dict[str, Any], url: str
):
    platform = loading(project, url, load).open()
    with pytest.raises(RunnerFileError, match="commits late") as caught:
        load_table(platform, "orders", "run-1")
    (problem,) = caught.value.problems
    assert problem.field == "tables.orders.load.incremental"
    assert "runner.yaml" in str(problem.location)
    assert "single_writer: true" in problem.action


def test_a_cursor_that_looks_back_is_followed(project: Project, server_url: str):
    load = {"mode": "merge", "incremental": {"cursor": "id", "lookback": 10}}
    platform = loading(project, server_url, load, table="generic_orders").open()
    assert load_table(platform, "orders", "run-1").rows_published == 3000
    again = load_table(platform, "orders", "run-2")
    assert (again.rows_read, again.rows_published) == (10, 0)


def failure(project: Project, url: str, **source: Any) -> QualityPlatformError:
    platform = loading(project, url, {"mode": "replace"}, **source).open()
    with pytest.raises(QualityPlatformError) as caught:
        load_table(platform, "orders", "run-1")
    assert "s3cr3t" not in str(caught.value)
    assert platform.lake.find_table("shop.orders") is None
    return caught.value


def test_what_is_wrong_is_told_without_the_password(
    project: Project, postgres_url: str, database: Path
):
    sqlite = f"sqlite:///{database}"
    assert isinstance(failure(project, sqlite, table="order"), SourceNotFoundError)
    assert isinstance(failure(project, sqlite, query="SELEC 1"), SourceNotFoundError)
    assert isinstance(failure(project, sqlite, query="SELECT id FROM orders"), HeaderError)
    assert isinstance(failure(project, "nodb://u:s3cr3t@h/d", table="t"), RunnerFileError)
    assert isinstance(failure(project, "adbc+no_such:s3cr3t", table="t"), RunnerFileError)
    assert isinstance(failure(project, "adbc+:s3cr3t", table="t"), QualityPlatformError)
    adbc = f"adbc+adbc_driver_sqlite:{database}"
    assert isinstance(failure(project, adbc, table="order"), SourceNotFoundError)
    assert isinstance(failure(project, adbc, query="SELEC 1"), SourceNotFoundError)
    assert isinstance(failure(project, adbc, table='a"'), RunnerFileError)
    missing = f"adbc+adbc_driver_sqlite:{database.parent}/s3cr3t/no.db"
    assert isinstance(failure(project, missing, table="t"), SourceUnreachableError)
    refused = "postgresql+psycopg2://u:s3cr3t@127.0.0.1:1/d"
    found = failure(project, refused, table="t")
    assert isinstance(found, SourceUnreachableError)
    assert found.transient
    database_url = postgres_url.rpartition("/")[0].replace("s3cr3t-pw", "s3cr3t")
    nobody = database_url.replace("tester", "nobody-here") + "/postgres"
    assert isinstance(
        failure(project, nobody, table="t"), SourceAccessError | SourceUnreachableError
    )
