"""The object store breaks down in the middle of loads: a clear error, and nothing half done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.accounts import stored_rows
from support.catalogs import s3_properties
from support.events_table import MODES, Scene, set_scene
from support.postgres_database import postgres_database
from support.project import Project
from support.s3_server import S3Server, s3_server
from support.worker_server import WorkerServer

BUCKET = "lake"
MOMENTS = [
    "reading > before close",
    "staged > before close",
    "merging > before close",
    "checked > before append",
    "quarantine_committed > before publish",
    "quarantine_committed > before _write_metadata",
]


@pytest.fixture(scope="module")
def store() -> Iterator[S3Server]:
    with s3_server() as server:
        server.bucket(BUCKET)
        yield server


@pytest.fixture
def scene(
    project: Project, home: Path, postgres_url: str, server: WorkerServer, store: S3Server
) -> Iterator[Scene]:
    catalog = {"uri": f"sqlite:///{home}/catalog.db", "properties": s3_properties(store)}
    project.settings["lake"] = {"catalog": catalog, "warehouse": f"s3://{BUCKET}/warehouse"}
    with postgres_database(postgres_url) as database:
        found = set_scene(MODES["merge_partitioned"], project, database, server, home)
        with found.source.changing():
            found.load_to_the_end()
            yield replace(found, stored=lambda _: store.stored(BUCKET))


def test_a_load_whose_store_breaks_down_changes_nothing_and_the_next_is_right(
    scene: Scene, store: S3Server, tmp_path: Path
) -> None:
    for number, moment in enumerate(MOMENTS):
        before = stored_rows(scene.platform, "shop.events")
        with scene.workers.waiting(moment, tmp_path / f"meeting{number}"):
            store.stop()
        ended = scene.workers.ended()
        store.start()
        assert ended == "StorageError", moment
        assert stored_rows(scene.platform, "shop.events") == before
        scene.load_to_the_end()
    scene.assert_nothing_remains()
