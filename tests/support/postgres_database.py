"""A database of a test's own, and tables of the platform that are read from it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
import psycopg2.extensions
from support.project import Columns, Project

CONNECTION = "shop_db"
"""The connection's name in runner.yaml."""


@dataclass(frozen=True)
class PostgresDatabase:
    """A database; `url` is as runner.yaml has it."""

    url: str

    def connect(self) -> psycopg2.extensions.connection:
        """A connection whose transactions the test ends itself."""
        return psycopg2.connect(self.url)

    def run(self, *statements: str) -> None:
        """Runs statements, each in a transaction of its own."""
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            for statement in statements:
                cursor.execute(statement)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())


@contextmanager
def postgres_database(server: str, options: str = "") -> Iterator[PostgresDatabase]:
    """A new database of a server, dropped afterwards; `options` are those of CREATE DATABASE."""
    url = server.replace("+psycopg2", "")
    admin, name = PostgresDatabase(url), f"qp_test_{uuid.uuid4().hex[:12]}"
    admin.run(f"CREATE DATABASE {name} {options}")
    try:
        yield PostgresDatabase(f"{url.rpartition('/')[0]}/{name}")
    finally:
        admin.run(f"DROP DATABASE {name} WITH (FORCE)")


def postgres_table(
    project: Project,
    database: PostgresDatabase,
    name: str,
    columns: Columns,
    *,
    source: Mapping[str, Any] | None = None,
    load: Mapping[str, Any] | None = None,
    **connection: Any,
) -> Project:
    """Adds a table that is read from a table of the same name; `connection` are settings of it."""
    project.settings["connections"] = {CONNECTION: {"url": database.url, **connection}}
    project.table(name, columns)
    wanted = dict(source or {"table": name})
    project.tables[name]["source"] = {"type": "postgres", "connection": CONNECTION, **wanted}
    project.tables[name]["load"] = dict(load or {"mode": "replace"})
    return project
