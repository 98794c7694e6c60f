"""A job of Dativo over a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.dativo import DativoProject
from support.postgres_database import PostgresDatabase, postgres_database
from support.project import rows_of_table

from quality_platform.errors import QualityPlatformError, StorageError
from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform
from quality_platform.lake import commits

LEDGER = "oak.oak_ledger"


@pytest.fixture
def database(postgres_url: str) -> Iterator[PostgresDatabase]:
    with postgres_database(postgres_url) as found:
        found.run(
            "CREATE TABLE ledger (entry int PRIMARY KEY, amount numeric, note text, "
            "updated_at timestamptz)",
            "INSERT INTO ledger VALUES (1, 10.50, 'a', '2026-03-01'), (2, 3, 'b', '2026-03-02')",
        )
        yield found


@pytest.fixture
def platform(
    database: PostgresDatabase,
    tmp_path: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Platform:
    """The ledger of the database, whose user and password are in variables, as Dativo has them."""
    where = urlsplit(database.url)
    monkeypatch.setenv("PGUSER", str(where.username))
    monkeypatch.setenv("DATIVO_SECRET__OAK__PGPASSWORD", where.password or "unused")
    dativo = DativoProject.copied(tmp_path / "project")
    dativo.change(
        "jobs/oak/ledger.yaml",
        "host: db.example.org, database: shop",
        f"host: {where.hostname}, port: {where.port}, database: {where.path[1:]}",
    )
    dativo.schedule("jobs/oak/ledger.yaml")
    return dativo.open()


def amounts(platform: Platform) -> dict[int, str]:
    return {row["entry"]: str(row["amount"]) for row in rows_of_table(platform, LEDGER)}


def test_rows_are_read_by_the_cursor_and_put_in_place_of_older_ones(
    platform: Platform, database: PostgresDatabase
):
    load_table(platform, "oak_ledger", "run-1")
    assert amounts(platform) == {1: "10.50", 2: "3.00"}

    database.run(
        "UPDATE ledger SET amount = 11, updated_at = '2026-03-03' WHERE entry = 1",
        # Committed late, within the two days that the job looks back.
        "INSERT INTO ledger VALUES (3, 7, 'c', '2026-03-01 12:00')",
    )
    load_table(platform, "oak_ledger", "run-2")
    assert amounts(platform) == {1: "11.00", 2: "3.00", 3: "7.00"}


def test_a_load_that_fails_before_its_commit_reads_the_same_rows_again(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object, **__: object) -> None:
        raise StorageError("the commit was refused")

    with monkeypatch.context() as broken:
        broken.setattr(commits, "publish", refuse)
        with pytest.raises(QualityPlatformError, match="the commit was refused"):
            load_table(platform, "oak_ledger", "run-1")

    # In Dativo the state was saved before, and the next run reads nothing.
    outcome = load_table(platform, "oak_ledger", "run-2")
    assert outcome.rows_published == 2
