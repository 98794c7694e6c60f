"""Connections of SQLAlchemy, with limits, and so prepared that values come as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from quality_platform.config.base_models import seconds
from quality_platform.config.source_models import ConnectionConfig
from quality_platform.errors import RunnerFileError, SourceNotFoundError
from quality_platform.sources.sql_errors import DatabasePlace, Failure

_NO_FILE = Failure(
    SourceNotFoundError, "there is no such database file", "correct the connection's url"
)
_CONNECT_TIMEOUTS = {
    "postgresql": "connect_timeout",
    "mysql": "connect_timeout",
    "sqlite": "timeout",
}
_SETTINGS: dict[str, tuple[str, ...]] = {
    "postgresql": ("SET statement_timeout = {ms}", "SET TIME ZONE 'UTC'", "SET DateStyle = ISO"),
    "mariadb": ("SET max_statement_time = {s}", "SET time_zone = '+00:00'"),
    "mysql": ("SET max_execution_time = {ms}", "SET time_zone = '+00:00'"),
}
"""What is said to a server first, in its dialect; of others nothing is known."""

_PSYCOPG2_TEXTS = {
    "date": (1082, 1182),
    "timestamp": (1114, 1115),
    "timestamptz": (1184, 1185),
    "time": (1083, 1183),
    "timetz": (1266, 1270),
    "interval": (1186, 1187),
    "int4range": (3904, 3905),
    "numrange": (3906, 3907),
    "tsrange": (3908, 3909),
    "tstzrange": (3910, 3911),
    "daterange": (3912, 3913),
    "int8range": (3926, 3927),
}
"""Types, by their and their arrays' numbers (pg_type.dat), that are read as the server writes them:
psycopg2 makes 9999-12-31 of infinity, and 30 days of a month."""


def engine_of(connection: ConnectionConfig, place: DatabasePlace) -> sa.Engine:
    """The engine of a connection's URL; connects to nothing yet.

    Raises:
        RunnerFileError: the URL cannot be used, or names a driver that is not installed.
        SourceNotFoundError: it names a file that is not there, which SQLite would make.
    """
    try:
        url = sa.make_url(connection.url.get_secret_value())
        option = _CONNECT_TIMEOUTS.get(url.get_backend_name().replace("mariadb", "mysql"))
        arguments = {option: seconds(connection.connect_timeout)} if option else {}
        # Rows hold what people are; SQLAlchemy's messages would show them.
        engine = sa.create_engine(
            url, poolclass=sa.NullPool, connect_args=arguments, hide_parameters=True
        )
    except (ArgumentError, NoSuchModuleError, ImportError, TypeError, ValueError) as error:
        raise RunnerFileError(
            f"the URL cannot be used ({type(error).__name__})",
            location=place.location,
            field=f"connections.{place.connection}.url",
            allowed="a URL of SQLAlchemy whose driver is installed, or adbc+DRIVER:URI",
            action="correct it, or install the driver that it names",
        ) from None
    if url.get_backend_name() == "sqlite" and not _is_there(url.database or ""):
        raise place.error(_NO_FILE)
    return engine


def _is_there(database: str) -> bool:
    return database.startswith("file:") or Path(database).is_file()


def prepare(opened: sa.Connection, connection: ConnectionConfig) -> None:
    """Limits what statements may take, and makes the session's times those of UTC."""
    limit = seconds(connection.statement_timeout)
    dialect = opened.dialect
    name = "mariadb" if getattr(dialect, "is_mariadb", False) else dialect.name
    for statement in _SETTINGS.get(name, ()):
        opened.execute(sa.text(statement.format(s=limit, ms=limit * 1000).replace(":", "\\:")))


def read_exactly(opened: sa.Connection) -> None:
    """Has the driver give the server's text where its own values would say less.

    Raises:
        DBAPIError: the connection is lost.
    """
    driver: Any = opened.connection.dbapi_connection
    if opened.dialect.driver == "psycopg2":
        _psycopg2_exactly(driver)
    if opened.dialect.name == "sqlite":
        # A text that is no UTF-8 would end the reading; as bytes its row can be told.
        driver.text_factory = bytes


def _psycopg2_exactly(driver: Any) -> None:
    from psycopg2 import extensions
    from psycopg2.extras import register_default_json, register_default_jsonb

    for register in (register_default_json, register_default_jsonb):
        # Python's reading of JSON would round its numbers.
        register(driver, loads=str)
    for name, (one, many) in _PSYCOPG2_TEXTS.items():
        kind = extensions.new_type((one,), name, lambda text, _: text)
        extensions.register_type(kind, driver)
        extensions.register_type(extensions.new_array_type((many,), f"{name}[]", kind), driver)
