"""Where the Dagster instances of the tests keep their state: SQLite, or PostgreSQL.

`QUALITY_PLATFORM_TEST_DAGSTER=postgres` runs the same tests on PostgreSQL.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from support.postgres_database import PostgresDatabase, postgres_database

from quality_platform.orchestration.instance_file import POSTGRES_URL_VARIABLE, InstanceFile

ON_POSTGRES = os.environ.get("QUALITY_PLATFORM_TEST_DAGSTER", "sqlite") == "postgres"
"""Whether instances are in PostgreSQL in this run of the tests."""

ROOT = Path(__file__).parents[2]


@contextmanager
def storage_template(server: str, folder: Path) -> Iterator[PostgresDatabase]:
    """A database with Dagster's tables, empty: it is copied in a tenth of the time to make them."""
    with postgres_database(server) as database, pytest.MonkeyPatch.context() as patch:
        patch.setenv(POSTGRES_URL_VARIABLE, database.url)
        file = InstanceFile(folder, ROOT / "dagster.yaml", database.url)
        file.write()
        with dg.DagsterInstance.from_config(str(folder)):
            pass
        patch.undo()
        yield database


@contextmanager
def storage_copy(server: str, template: PostgresDatabase) -> Iterator[PostgresDatabase]:
    """A database of a test's own."""
    name = template.url.rpartition("/")[2]
    with postgres_database(server, f"TEMPLATE {name} STRATEGY FILE_COPY") as database:
        yield database
