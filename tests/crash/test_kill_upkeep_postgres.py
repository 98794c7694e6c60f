"""Upkeep that is killed in the middle of its work, beside loads: nothing lost, nothing left."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.events_table import MODES, Scene, set_scene
from support.postgres_database import postgres_database
from support.project import Project
from support.worker_server import Workers, WorkerServer, worker_server

BESIDE_LOADS = [
    # Compaction: while it writes, before its commit, with its metadata written, just committed.
    "begin > after close",
    "begin > before swap",
    "begin > after _write_metadata",
    "begin > after swap",
    # Expiry: before and after the snapshots are gone from the metadata; while it deletes files.
    "begin > before _remove",
    "begin > after _remove",
    "begin > after delete",
]


@pytest.fixture(scope="module")
def keepers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerServer]:
    """Starts those who look after the table while others load it."""
    with worker_server(tmp_path_factory.mktemp("keepers")) as started:
        yield started


@pytest.fixture(params=["append", "merge_partitioned"])
def scene(
    request: pytest.FixtureRequest,
    project: Project,
    home: Path,
    postgres_url: str,
    server: WorkerServer,
) -> Iterator[Scene]:
    with postgres_database(postgres_url) as database:
        found = set_scene(MODES[request.param], project, database, server, home)
        with found.source.changing():
            found.load_to_the_end()
            yield found


def test_upkeep_that_dies_beside_loads_leaves_all_as_it_was(
    scene: Scene, keepers: WorkerServer, project: Project, home: Path
) -> None:
    keeper: Workers = keepers.on(project.runner, home, "events")
    chance = random.Random(1)
    for moment in BESIDE_LOADS:
        death = {"at": moment, "times": chance.randint(1, 2)}
        with scene.workers.loading(chance.uniform(0.5, 1.5)):
            ended = keeper.ask("maintain", tasks=["compact", "expire"], **death)
        assert ended == "SIGKILL", moment
        scene.load_to_the_end()
    scene.assert_nothing_remains()


def test_a_sweep_that_dies_is_ended_by_the_next(scene: Scene) -> None:
    for _ in range(3):
        assert scene.workers.ask(at="checked > after append", times=1) == "SIGKILL"
    sweep = {"tasks": ["orphans"], "force": True}
    with scene.source.still():
        assert (
            scene.workers.ask("maintain", at="begin > after delete", times=2, **sweep) == "SIGKILL"
        )
    scene.assert_nothing_remains()
