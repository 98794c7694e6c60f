"""Sessions of the generic SQL source: the statements they make, and how much they read at once."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.dialects.mssql.base import MSDialect
from sqlalchemy.dialects.oracle.base import OracleDialect
from sqlalchemy.dialects.postgresql.base import PGDialect

from quality_platform.config.source_models import ConnectionConfig, SqlSourceConfig
from quality_platform.errors import Location, RunnerFileError
from quality_platform.sources.adbc_session import AdbcSession
from quality_platform.sources.alchemy_session import BATCH_BYTES, alchemy_session, relation_of
from quality_platform.sources.sql_errors import DatabasePlace

PLACE = DatabasePlace("db", "tables.t.source", Location("runner.yaml"), "")


def source(**what: str) -> SqlSourceConfig:
    return SqlSourceConfig(type="sql", connection="db", **what)


@pytest.mark.parametrize(
    ("dialect", "table", "sql"),
    [
        (PGDialect, "sales.Orders", 'SELECT * \nFROM "sales"."Orders"'),
        (PGDialect, '"a.b".c', 'SELECT * \nFROM "a.b"."c"'),
        (PGDialect, '"x""; drop"', 'SELECT * \nFROM "x""; drop"'),
        (MSDialect, "dbo.orders", "SELECT * \nFROM [dbo].[orders]"),
        # It keeps names in capitals, and everybody writes them small.
        (OracleDialect, "sales.orders", "SELECT * \nFROM sales.orders"),
        (OracleDialect, "sales.Orders", 'SELECT * \nFROM sales."Orders"'),
    ],
)
def test_a_table_is_quoted_as_its_database_does(dialect: Any, table: str, sql: str):
    found = relation_of(source(table=table), PLACE, dialect())
    statement = sa.select(sa.text("*")).select_from(found)
    assert str(statement.compile(dialect=dialect())) == sql


@pytest.mark.parametrize("table", ["a.b.c", "a.", ".", 'a b"', ""])
def test_what_is_no_name_of_a_table_is_refused(table: str):
    with pytest.raises(RunnerFileError, match=r"no(t a| more).*(name|parts)"):
        relation_of(source(table=table), PLACE, PGDialect())


def test_a_batch_is_bounded_in_bytes(tmp_path: Path):
    path = tmp_path / "wide.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x TEXT)")
        rows = [("x" * 400_000,) for _ in range(100)] + [("y",)] * 30_000
        connection.executemany("INSERT INTO t VALUES (?)", rows)
        connection.commit()
    url = SecretStr(f"sqlite:///{path}")
    schema = pa.schema([("x", pa.string())])
    with alchemy_session(ConnectionConfig(url=url), source(table="t"), PLACE) as session:
        batches = [batch for batch, _ in session.stream(schema, None)]
    assert sum(batch.num_rows for batch in batches) == 30_100
    assert max(batch.nbytes for batch in batches) <= BATCH_BYTES * 1.1
    assert max(batch.num_rows for batch in batches) == 10_000


@pytest.mark.parametrize(
    ("vendor", "sql"), [("SQLite", '"a"."b"'), ("Google BigQuery", "`a`.`b`"), (None, '"a"."b"')]
)
def test_names_are_quoted_as_the_vendor_of_the_adbc_driver_does(vendor: str | None, sql: str):
    info = {} if vendor is None else {"vendor_name": vendor}
    connection = SimpleNamespace(adbc_get_info=lambda: info)
    assert AdbcSession(connection, source(table="a.b"), PLACE)._relation == sql
