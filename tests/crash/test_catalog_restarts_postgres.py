"""The catalog's database breaks down in the middle of loads: the next one makes it good."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.events_table import MODES, Scene, set_scene
from support.postgres_database import postgres_database
from support.postgres_server import LocalPostgres, local_postgres
from support.project import Project
from support.worker_server import WorkerServer

MOMENTS = [
    "reading",
    "staged",
    "checked > before commit_table",
    "checked > after commit_table",
    "quarantine_committed > before commit_table",
    "quarantine_committed > after commit_table",
    "published > before commit_table",
]


@pytest.fixture(scope="module")
def catalog() -> Iterator[LocalPostgres]:
    """A server of the catalog's own, which can be restarted."""
    with local_postgres() as server:
        yield server


@pytest.fixture
def scene(
    project: Project,
    home: Path,
    postgres_url: str,
    server: WorkerServer,
    catalog: LocalPostgres,
) -> Iterator[Scene]:
    with postgres_database(postgres_url) as source, postgres_database(catalog.url) as lake:
        uri = lake.url.replace("postgresql:", "postgresql+psycopg2:")
        project.settings["lake"] = {"catalog": {"type": "sql", "uri": uri}}
        found = set_scene(MODES["append"], project, source, server, home)
        with found.source.changing():
            found.load_to_the_end()
            yield found


def test_a_load_whose_catalog_breaks_down_is_made_good_by_the_next(
    scene: Scene, catalog: LocalPostgres, tmp_path: Path
) -> None:
    for number, moment in enumerate(MOMENTS):
        with scene.workers.waiting(moment, tmp_path / f"meeting{number}"):
            catalog.restart()
        assert scene.workers.ended() in ("by itself", "CatalogUnreachableError"), moment
        scene.load_to_the_end()
    scene.assert_nothing_remains()


def test_a_catalog_that_breaks_down_again_and_again_loses_nothing(
    scene: Scene, catalog: LocalPostgres
) -> None:
    scene.workers.begin(lasts=4)
    for _ in range(4):
        catalog.restart()
        threading.Event().wait(0.4)
    assert scene.workers.ended() in ("by itself", "CatalogUnreachableError")
    scene.load_to_the_end()
    scene.assert_nothing_remains()
