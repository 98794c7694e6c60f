"""A small shop, and a Dagster instance of its own for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import dagster as dg
import pytest
from support.dagster_storage import ON_POSTGRES, storage_copy, storage_template
from support.postgres_database import PostgresDatabase
from support.postgres_server import postgres_server
from support.project import Project
from support.shop import furnish

from quality_platform.orchestration.instance_file import POSTGRES_URL_VARIABLE, InstanceFile

ROOT = Path(__file__).parents[2]

# Leaving them out is said aloud by scripts/run_tests.
_NO_POSTGRES = os.environ.get("QUALITY_PLATFORM_POSTGRES_TESTS") == "off"
collect_ignore_glob = ["*_postgres.py"] if _NO_POSTGRES else []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL only tests with an instance are of interest: all have run on SQLite."""
    if ON_POSTGRES:
        has_instance = ["dagster_home" in getattr(item, "fixturenames", ()) for item in items]
        others = [item for item, has in zip(items, has_instance, strict=True) if not has]
        items[:] = [item for item, has in zip(items, has_instance, strict=True) if has]
        config.hook.pytest_deselected(items=others)


@pytest.fixture
def shop(project: Project) -> Project:
    """Customers, orders that refer to them, and a feature view over the orders; all delivered."""
    return furnish(project)


@pytest.fixture(scope="session")
def storage_server() -> Iterator[str]:
    """The PostgreSQL of the instances' storage."""
    with postgres_server() as url:
        yield url


@pytest.fixture(scope="session")
def empty_storage(
    storage_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PostgresDatabase]:
    """A database with Dagster's tables, to be copied."""
    with storage_template(storage_server, tmp_path_factory.mktemp("template")) as database:
        yield database


@pytest.fixture
def dagster_home(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The folder of an instance after the repository's dagster.yaml, on the storage under test."""
    folder = tmp_path / "dagster"
    with ExitStack() as stack:
        url = ""
        if ON_POSTGRES:
            server = request.getfixturevalue("storage_server")
            template = request.getfixturevalue("empty_storage")
            url = stack.enter_context(storage_copy(server, template)).url
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.setenv(POSTGRES_URL_VARIABLE, url)
        InstanceFile(folder, ROOT / "dagster.yaml", url).write()
        yield folder


@pytest.fixture
def instance(dagster_home: Path) -> Iterator[dg.DagsterInstance]:
    """An instance as `make run` makes it."""
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        yield instance
