"""Tables of the platform that are read from a MariaDB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from support.mariadb_server import MariaDb
from support.project import Columns, Project

CONNECTION = "shop_db"
"""The connection's name in runner.yaml."""


def mysql_table(
    project: Project,
    server: MariaDb,
    name: str,
    columns: Columns,
    *,
    source: Mapping[str, Any] | None = None,
    load: Mapping[str, Any] | None = None,
    **connection: Any,
) -> Project:
    """Adds a table that is read from a table of the same name; `connection` are settings of it."""
    project.settings["connections"] = {CONNECTION: {"url": server.url, **connection}}
    project.table(name, columns)
    wanted = dict(source or {"table": name})
    project.tables[name]["source"] = {"type": "mysql", "connection": CONNECTION, **wanted}
    project.tables[name]["load"] = dict(load or {"mode": "replace"})
    return project
