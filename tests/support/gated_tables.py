"""Tables whose load waits within its source until a gate is opened, without any work."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from support.project import Project, integer, key

_WAITS = "10m"
"""How long a load waits at the gate before it gives up."""


def add_gated_tables(project: Project, names: Sequence[str], **connection: Any) -> Path:
    """Adds tables of the one row `id = 1`, read from the connection `gated`; its database."""
    file = project.folder / "gated.db"
    with closing(sqlite3.connect(file)) as opened:
        opened.execute("CREATE TABLE things AS SELECT 1 AS id")
        opened.commit()
    gated = {"url": f"sqlite:///{file}", "connect_timeout": _WAITS, **connection}
    project.settings["connections"] = {"gated": gated}
    for name in names:
        project.table(name, {"id": key(integer())}, load={"mode": "replace", "batch": "all"})
        source = {"type": "sql", "connection": "gated", "table": "things"}
        project.tables[name]["source"] = source
    return file


@contextmanager
def closed_gate(file: Path) -> Iterator[None]:
    """Keeps all loads waiting as long as the block lasts: nobody else may read the database."""
    with closing(sqlite3.connect(file, isolation_level=None, timeout=60)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        yield
        holder.execute("COMMIT")
