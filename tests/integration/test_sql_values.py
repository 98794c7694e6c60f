"""Values that drivers like to change, through the generic SQL source, into the lake and back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support.mariadb_server import MariaDb
from support.project import Columns, Project, integer, key, rows_of_table, text

from quality_platform.errors import (
    HeaderError,
    QualityPlatformError,
    RunnerFileError,
    SourceAccessError,
    SourceNotFoundError,
    SourceTimeoutError,
)
from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform

SQLITE = ["sqlite:///{}", "adbc+adbc_driver_sqlite:{}"]
ZONED = {"logicalType": "timestamp", "logicalTypeOptions": {"timezone": True}}
UTC_BY_DEFAULT = {
    "logicalType": "timestamp",
    "logicalTypeOptions": {"timezone": True, "defaultTimezone": "Etc/UTC"},
}


def reading(
    project: Project,
    url: str,
    columns: Columns,
    *,
    load: dict[str, Any] | None = None,
    connection: dict[str, Any] | None = None,
    **source: Any,
) -> Platform:
    project.settings["connections"] = {"db": {"url": url, **(connection or {})}}
    project.table("things", columns, load=load or {"mode": "replace"})
    wanted = source or {"table": "things"}
    project.tables["things"]["source"] = {"type": "sql", "connection": "db", **wanted}
    return project.open()


def sqlite_file(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return path


@pytest.mark.parametrize("scheme", SQLITE)
def test_a_text_that_is_no_utf8_takes_its_row_out(project: Project, tmp_path: Path, scheme: str):
    file = sqlite_file(
        tmp_path / "a.db",
        "CREATE TABLE things (id INTEGER, t TEXT)",
        "INSERT INTO things VALUES (1, 'ä'), (2, CAST(x'4DFC' AS TEXT)), (3, NULL)",
    )
    platform = reading(project, scheme.format(file), {"id": key(integer()), "t": text()})
    outcome = load_table(platform, "things", "run-1")
    assert (outcome.rows_read, outcome.rows_published, outcome.rows_quarantined) == (3, 2, 1)
    assert [row["t"] for row in rows_of_table(platform, "shop.things")] == ["ä", None]
    (held,) = rows_of_table(platform, "quarantine.things")
    assert json.loads(held["_raw_record"]) == {"id": 2, "t": "M\\xfc"}


@pytest.mark.parametrize("scheme", SQLITE)
def test_a_column_that_begins_with_nulls_has_no_type_yet(
    project: Project, tmp_path: Path, scheme: str
):
    file = sqlite_file(
        tmp_path / "a.db",
        "CREATE TABLE things (id INTEGER, t)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
        "INSERT INTO things SELECT i, CASE WHEN i > 2500 THEN i END FROM n",
    )
    platform = reading(project, scheme.format(file), {"id": key(integer()), "t": text()})
    assert load_table(platform, "things", "run-1").rows_published == 3000
    rows = {row["id"]: row["t"] for row in rows_of_table(platform, "shop.things")}
    assert (rows[2500], rows[2501], rows[3000]) == (None, "2501", "3000")


def test_a_column_of_two_types_is_refused_by_the_driver_of_arrow(project: Project, tmp_path: Path):
    file = sqlite_file(
        tmp_path / "a.db",
        "CREATE TABLE things (id INTEGER, t)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
        "INSERT INTO things SELECT i, CASE WHEN i > 2500 THEN 'secret' ELSE i END FROM n",
    )
    url = f"adbc+adbc_driver_sqlite:{file}"
    platform = reading(project, url, {"id": key(integer()), "t": integer()})
    with pytest.raises(QualityPlatformError, match="cast what may be of several types") as caught:
        load_table(platform, "things", "run-1")
    assert not caught.value.transient
    assert "secret" not in str(caught.value)
    assert platform.lake.find_table("shop.things") is None or not rows_of_table(
        platform, "shop.things"
    )


@pytest.mark.parametrize("scheme", SQLITE)
def test_a_query_may_have_signs_that_mean_something_to_sqlalchemy(
    project: Project, tmp_path: Path, scheme: str
):
    file = sqlite_file(
        tmp_path / "a.db",
        "CREATE TABLE things (id INTEGER, t TEXT)",
        "INSERT INTO things VALUES (1, 'a:b%c'), (2, 'x')",
    )
    query = "SELECT id, t || ':x \\: %s %(a)s' AS t FROM things WHERE t LIKE '%:b%' -- :end"
    url = scheme.format(file)
    platform = reading(project, url, {"id": key(integer()), "t": text()}, query=query)
    load_table(platform, "things", "run-1")
    (row,) = rows_of_table(platform, "shop.things")
    assert row["t"] == "a:b%c:x \\: %s %(a)s"


def test_a_file_that_is_not_there_is_not_made(project: Project, tmp_path: Path):
    missing = tmp_path / "no.db"
    with pytest.raises(SourceNotFoundError, match="no such database file"):
        load_table(reading(project, f"sqlite:///{missing}", {"id": key(integer())}), "things", "r")
    assert not missing.exists()


def test_texts_are_followed_where_they_are_in_the_order_of_bytes(project: Project, tmp_path: Path):
    file = sqlite_file(
        tmp_path / "a.db",
        "CREATE TABLE things (id TEXT COLLATE NOCASE)",
        "INSERT INTO things VALUES ('B'), ('a')",
    )
    load = {"mode": "append", "incremental": {"cursor": "id"}}
    platform = reading(project, f"sqlite:///{file}", {"id": key(text())}, load=load)
    assert load_table(platform, "things", "run-1").rows_published == 2
    sqlite_file(file, "INSERT INTO things VALUES ('b')")
    assert load_table(platform, "things", "run-2").rows_published == 1
    url = f"adbc+adbc_driver_sqlite:{file}"
    with pytest.raises(HeaderError, match="an order of its own"):
        load_table(reading(project, url, {"id": key(text())}, load=load), "things", "run-3")


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[sa.Engine]:
    """A PostgreSQL; the table `things` is gone afterwards."""
    engine = sa.create_engine(postgres_url)
    yield engine
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE IF EXISTS things"))
    engine.dispose()


def made(engine: sa.Engine, *statements: str) -> str:
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    return engine.url.render_as_string(hide_password=False)


def test_postgresql_is_read_as_its_server_writes(project: Project, postgres: sa.Engine):
    url = made(
        postgres,
        "CREATE TABLE things (id int, at timestamptz, d date, span interval, j jsonb, "
        "n numeric, r int4range, a numeric[], u uuid)",
        "INSERT INTO things VALUES "
        "(1, '2024-01-01 00:00+05:30', '2024-02-29', '1 month 3 days', "
        "'{\"n\": 1.10000000000000000001}', 12345678901234567890.123456789, '[1,10)', "
        "'{1.50,NULL}', '0e984725-c51c-4bf4-9960-e1c80e27aba0'), "
        "(2, 'infinity', NULL, NULL, NULL, NULL, NULL, NULL, NULL), "
        "(3, NULL, '-infinity', NULL, NULL, NULL, NULL, NULL, NULL), "
        "(4, '20000-01-01', NULL, NULL, NULL, NULL, NULL, NULL, NULL), "
        "(5, NULL, NULL, NULL, NULL, 'NaN', NULL, NULL, NULL)",
    )
    columns = {
        "id": key(integer()),
        "at": ZONED,
        "d": {"logicalType": "date"},
        **{name: text() for name in ("span", "j", "r", "u")},
        "n": {"logicalType": "number", "physicalType": "decimal(38,9)"},
        "a": {
            "logicalType": "array",
            "items": {"logicalType": "number", "physicalType": "decimal(10,2)"},
        },
    }
    platform = reading(project, url, columns)
    outcome = load_table(platform, "things", "run-1")
    assert (outcome.rows_published, outcome.rows_quarantined) == (1, 4)
    (row,) = rows_of_table(platform, "shop.things")
    assert row["at"].isoformat() == "2023-12-31T18:30:00+00:00"
    assert (row["span"], row["r"]) == ("1 mon 3 days", "[1,10)")
    assert row["j"] == '{"n": 1.10000000000000000001}'
    assert str(row["n"]) == "12345678901234567890.123456789"
    assert [str(item) for item in row["a"]] == ["1.50", "None"]
    raws = {row["id"]: row["_raw_record"] for row in rows_of_table(platform, "quarantine.things")}
    assert '"at": "infinity"' in raws[2]
    assert '"d": "-infinity"' in raws[3]
    assert "20000-01-01" in raws[4]


def test_a_server_is_read_through_its_adbc_driver(project: Project, postgres: sa.Engine):
    url = made(
        postgres,
        "CREATE TABLE things (id bigint, at timestamptz, n numeric(20,4), t text)",
        "INSERT INTO things SELECT i, '2024-01-01 00:00+02', i / 4.0, 'ä' || i "
        "FROM generate_series(1, 3000) i",
    )
    adbc = url.replace("postgresql+psycopg2", "adbc+adbc_driver_postgresql:postgresql")
    columns = {
        "id": key(integer()),
        "at": ZONED,
        "n": {"logicalType": "number", "physicalType": "decimal(20,4)"},
        "t": text(),
    }
    load = {"mode": "append", "incremental": {"cursor": "id"}}
    query = "SELECT id, at, n::text AS n, t FROM things"
    platform = reading(project, adbc, columns, load=load, query=query, single_writer=True)
    assert load_table(platform, "things", "run-1").rows_published == 3000
    assert load_table(platform, "things", "run-2").state == "nothing_new"
    rows = {row["id"]: row for row in rows_of_table(platform, "shop.things")}
    assert (str(rows[3000]["n"]), rows[3000]["t"]) == ("750.0000", "ä3000")
    assert rows[1]["at"].isoformat() == "2023-12-31T22:00:00+00:00"
    made(postgres, "INSERT INTO things VALUES (3001, 'infinity', NULL, NULL)")
    assert load_table(platform, "things", "run-3").rows_quarantined == 1
    url = adbc.replace("tester:", "tester:wr0ng")
    wrong = reading(project, url, columns, load=load, query=query, single_writer=True)
    with pytest.raises(SourceAccessError) as caught:
        load_table(wrong, "things", "run-4")
    assert "wr0ng" not in str(caught.value)


def test_what_a_server_refuses_is_told_by_its_kind(project: Project, postgres: sa.Engine):
    url = made(postgres, "CREATE TABLE things (id int)", "INSERT INTO things VALUES (1)")
    columns = {"id": key(integer())}

    def failure(url: str, **settings: Any) -> QualityPlatformError:
        with pytest.raises(QualityPlatformError) as caught:
            load_table(reading(project, url, columns, **settings), "things", "run-1")
        assert "s3cr3t" not in str(caught.value)
        return caught.value

    no_database = url.rpartition("/")[0] + "/nowhere"
    assert isinstance(failure(no_database), SourceNotFoundError)
    assert isinstance(failure(url.replace("tester", "nobody")), SourceAccessError)
    assert isinstance(failure(url, query="SELECT nix FROM things"), SourceNotFoundError)
    assert isinstance(failure(f"{url}?nonsense=s3cr3t"), QualityPlatformError)
    slow = {"statement_timeout": "1s"}
    query = "SELECT id FROM things, pg_sleep(60)"
    found = failure(url, query=query, connection=slow)
    assert isinstance(found, SourceTimeoutError)
    assert found.transient
    value = "SELECT CAST('s3cr3t' || id AS int) AS id FROM things"
    load = {"mode": "append", "incremental": {"cursor": "id"}}
    assert not failure(url, query=value, load=load, single_writer=True).transient
    assert isinstance(failure(url, table="a.b.things"), RunnerFileError)
    made(
        postgres,
        "DROP ROLE IF EXISTS visitor",
        "CREATE ROLE visitor LOGIN PASSWORD 's3cr3t'",
    )
    try:
        parts = sa.make_url(url).set(username="visitor", password="s3cr3t")
        refused = failure(parts.render_as_string(hide_password=False))
        assert isinstance(refused, SourceAccessError)
    finally:
        made(postgres, "DROP ROLE visitor")


@pytest.fixture
def maria_url(mariadb: MariaDb) -> Iterator[str]:
    """The URL for pymysql; the table `things` is gone afterwards."""
    yield mariadb.url.replace("mysql://", "mysql+pymysql://")
    mariadb.run("DROP TABLE IF EXISTS things")


def test_mariadb_is_read_as_its_server_writes(project: Project, mariadb: MariaDb, maria_url: str):
    mariadb.run(
        "DROP TABLE IF EXISTS things",
        "CREATE TABLE things (id int, big bigint unsigned, n decimal(20,4), d date, t time(6), "
        "stamp timestamp(6) NULL, at datetime(6), j json, b blob, txt text, flag tinyint(1))",
        "SET sql_mode = '', time_zone = '+03:00'",
        "INSERT INTO things VALUES (1, 18446744073709551615, 1.5, '2024-02-29', '23:59:59.5', "
        "'2024-01-01 03:00:00', '2024-01-01 00:00:00.000001', '{\"a\": 1.10}', x'00ff', '😀', 1), "
        "(2, NULL, NULL, '0000-00-00', NULL, NULL, NULL, NULL, NULL, NULL, 0), "
        "(3, NULL, NULL, NULL, '100:00:00', NULL, NULL, NULL, NULL, NULL, NULL)",
    )
    columns = {
        "id": key(integer()),
        "big": {"logicalType": "number", "physicalType": "decimal(20,0)"},
        "n": {"logicalType": "number", "physicalType": "decimal(20,4)"},
        "d": {"logicalType": "date"},
        "t": {"logicalType": "time"},
        "stamp": UTC_BY_DEFAULT,
        "at": {"logicalType": "timestamp", "logicalTypeOptions": {"timezone": False}},
        "j": text(),
        "b": {"logicalType": "string", "physicalType": "binary"},
        "txt": text(),
        "flag": {"logicalType": "boolean"},
    }
    platform = reading(project, maria_url, columns)
    outcome = load_table(platform, "things", "run-1")
    assert (outcome.rows_published, outcome.rows_quarantined) == (1, 2)
    (row,) = rows_of_table(platform, "shop.things")
    assert (str(row["big"]), str(row["n"])) == ("18446744073709551615", "1.5000")
    assert (row["d"].isoformat(), row["t"].isoformat()) == ("2024-02-29", "23:59:59.500000")
    assert row["stamp"].isoformat() == "2024-01-01T00:00:00+00:00"
    assert row["at"].isoformat() == "2024-01-01T00:00:00.000001"
    assert (row["j"], row["b"], row["txt"], row["flag"]) == ('{"a": 1.10}', b"\x00\xff", "😀", True)
    raws = {row["id"]: row["_raw_record"] for row in rows_of_table(platform, "quarantine.things")}
    assert "0000-00-00" in raws[2]
    assert "4 days, 4:00:00" in raws[3]


def test_times_without_a_zone_are_followed_where_the_contract_says_that_they_are_of_utc(
    project: Project, mariadb: MariaDb, maria_url: str
):
    mariadb.run(
        "CREATE TABLE things (id int, at datetime(6))",
        "INSERT INTO things VALUES (1, '2024-01-01 00:00:00'), (2, '2024-01-02 00:00:00.000001')",
    )
    load = {"mode": "append", "incremental": {"cursor": "at", "lag": "1h"}}
    columns = {"id": key(integer()), "at": ZONED}
    with pytest.raises(HeaderError, match="without a zone"):
        load_table(reading(project, maria_url, columns, load=load), "things", "run-1")
    columns["at"] = UTC_BY_DEFAULT
    platform = reading(project, maria_url, columns, load=load)
    assert load_table(platform, "things", "run-1").rows_published == 2
    assert load_table(platform, "things", "run-2").state == "nothing_new"
    mariadb.run("INSERT INTO things VALUES (3, '2024-01-02 00:00:00.000002')")
    assert load_table(platform, "things", "run-3").rows_published == 1


def test_texts_are_not_followed_where_the_order_is_the_servers(
    project: Project, mariadb: MariaDb, maria_url: str
):
    mariadb.run("CREATE TABLE things (name varchar(5))")
    load = {"mode": "append", "incremental": {"cursor": "name"}}
    source = {"table": "things", "single_writer": True}
    platform = reading(project, maria_url, {"name": key(text())}, load=load, **source)
    with pytest.raises(HeaderError, match="an order of its own"):
        load_table(platform, "things", "run-1")
