"""The catalog in a PostgreSQL: the same tables as in any other, and its own failures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import lake_story
from support.catalogs import lake_of
from support.lake_tables import SCHEMA
from support.local_servers import PASSWORD
from support.postgres_database import PostgresDatabase, postgres_database
from support.project import Project

from quality_platform.errors import CatalogAccessError


@pytest.fixture
def database(postgres_url: str) -> Iterator[PostgresDatabase]:
    with postgres_database(postgres_url) as found:
        yield found


def settings(database: PostgresDatabase, folder: Path) -> dict[str, Any]:
    uri = database.url.replace("postgresql://", "postgresql+psycopg2://")
    return {"catalog": {"uri": uri}, "warehouse": str(folder / "warehouse")}


def test_the_life_of_a_lake_is_the_same_with_a_catalog_in_postgres(
    database: PostgresDatabase, project: Project, tmp_path: Path
) -> None:
    platform = lake_story.furnished(project, settings(database, tmp_path))
    lake_story.appended_and_replaced(project, platform)
    lake_story.merged(project, platform)
    lake_story.computed(platform)
    lake_story.rolled_back(platform)
    lake_story.looked_after(platform)
    lake_story.raced(project, platform)
    platform.lake.catalog.engine.dispose()  # type: ignore[attr-defined]


def test_of_two_writers_from_the_same_state_one_commits(
    database: PostgresDatabase, tmp_path: Path
) -> None:
    chosen = settings(database, tmp_path)
    lake_story.only_one_commits(lake_of(chosen), lake_of(chosen))


def test_a_wrong_password_and_a_missing_database_are_permanent_errors(
    database: PostgresDatabase, tmp_path: Path
) -> None:
    good = settings(database, tmp_path)["catalog"]["uri"]
    server = good.rpartition("/")[0]
    for wrong in (good.replace(PASSWORD, f"{PASSWORD}-wrong"), f"{server}/nowhere"):
        lake = lake_of({"catalog": {"uri": wrong}, "warehouse": str(tmp_path)})
        with pytest.raises(CatalogAccessError) as caught:
            lake.find_table("shop.orders")
        assert not caught.value.transient
        assert PASSWORD not in str(caught.value) + repr(lake)
        assert caught.value.__suppress_context__


def test_a_right_that_is_missing_is_a_permanent_error(
    database: PostgresDatabase, tmp_path: Path
) -> None:
    chosen = settings(database, tmp_path)
    lake_of(chosen).ensure_table("shop.orders", SCHEMA)
    role = f"reader_{id(database)}"
    database.run(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    try:
        head, _, place = chosen["catalog"]["uri"].partition("@")
        uri = f"{head.partition('//')[0]}//{role}:{PASSWORD}@{place}"
        with pytest.raises(CatalogAccessError):
            lake_of({**chosen, "catalog": {"uri": uri}}).table("shop.orders")
    finally:
        database.run(f"DROP ROLE {role}")


def test_a_catalog_that_cut_its_connections_is_found_again(
    database: PostgresDatabase, tmp_path: Path
) -> None:
    lake = lake_of(settings(database, tmp_path))
    lake.ensure_table("shop.orders", SCHEMA)
    database.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert lake.find_table("shop.orders") is not None
