"""The warehouse's disk is full in the middle of a load: a clear error, and nothing half done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.accounts import stored_rows
from support.events_table import MODES, Scene, set_scene
from support.postgres_database import postgres_database
from support.project import Project
from support.small_disk import full, small_disk
from support.worker_server import WorkerServer

MOMENTS = {
    "append": [
        # Data files, the quarantine's commit and its metadata, the table's commit and metadata.
        "reading > before close",
        "checked > before append",
        "checked > before _write_metadata",
        "quarantine_committed > before publish",
        "quarantine_committed > before _write_metadata",
    ],
    "merge_partitioned": [
        "staged > before close",
        "merging > before close",
        "quarantine_committed > before publish",
    ],
}


@pytest.fixture(params=MOMENTS)
def scene(
    request: pytest.FixtureRequest,
    project: Project,
    home: Path,
    postgres_url: str,
    server: WorkerServer,
) -> Iterator[Scene]:
    with (
        postgres_database(postgres_url) as database,
        small_disk(home / "warehouse"),
    ):
        found = set_scene(MODES[request.param], project, database, server, home)
        with found.source.changing():
            found.load_to_the_end()
            yield found


def ended_on_a_full_disk(scene: Scene, moment: str, home: Path, meeting: Path) -> str:
    """How a load ends that finds no more room from this moment on."""
    with ExitStack() as filled:
        with scene.workers.waiting(moment, meeting):
            filled.enter_context(full(home / "warehouse"))
        return scene.workers.ended()


def test_a_load_on_a_full_disk_changes_nothing_and_the_next_is_right(
    scene: Scene, request: pytest.FixtureRequest, home: Path, tmp_path: Path
) -> None:
    mode = request.node.callspec.params["scene"]
    for number, moment in enumerate(MOMENTS[mode]):
        before = stored_rows(scene.platform, "shop.events")
        meeting = tmp_path / f"meeting{number}"
        assert ended_on_a_full_disk(scene, moment, home, meeting) == "StorageError", moment
        assert stored_rows(scene.platform, "shop.events") == before
        scene.load_to_the_end()
    scene.assert_nothing_remains()


def test_what_was_published_stays_when_there_is_no_room_for_its_record(
    scene: Scene, home: Path, tmp_path: Path
) -> None:
    moment = "published > before record_run"
    assert ended_on_a_full_disk(scene, moment, home, tmp_path / "meeting") == "StorageError"
    scene.load_to_the_end()
    scene.assert_nothing_remains()
