"""Loads of a database that changes meanwhile, killed again and again: nothing lost or doubled."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.accounts import assert_history_adds_up, rows_read
from support.catalogs import s3_properties
from support.events_table import MODES, Mode, Scene, set_scene
from support.postgres_database import postgres_database
from support.project import Project
from support.s3_server import S3Server, s3_server
from support.worker_server import WorkerServer

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "100"))
"""Rounds of all modes on a disk together; each is a worker that is killed. A mode in an object
store has a third of one on a disk."""

SEED = int(os.environ.get("CRASH_SEED", "1"))
"""What the moments and the changes at the source are drawn by."""

Death = dict[str, Any]
"""How a worker dies, as killed_workers.py is told."""

FIRST: list[Death] = [
    # There is no table yet, and then no quarantine: each has metadata and is not in the catalog.
    {"at": "reading > after _write_metadata", "times": 1},
    {"at": "reading > after _write_metadata", "times": 2},
]
STEPS: list[list[str]] = [
    ["reading"],
    ["reading > before close"],
    ["reading > after close"],
    ["staged"],
    ["checked"],
    ["checked > after _write_metadata"],
    ["checked > after commit_table"],
    # The quarantine is committed, the table is not; the next one dies while it clears that away.
    ["quarantine_committed", "begin > before drop_uncommitted_attempts"],
    ["quarantine_committed > after _write_metadata", "begin > after publish"],
    ["quarantine_committed > before commit_table", "begin > after drop_uncommitted_attempts"],
    ["quarantine_committed > after commit_table"],
    ["published"],
    ["published > before record_run"],
    ["published > after append_rows"],
]
ARRANGING = [["staged > before close"], ["staged > after close"]]
IN_S3 = ("append", "merge", "merge_partitioned")
MERGING = [["merging"], ["merging > before rewritten"], ["merging > after close"]]


def deaths(mode: Mode, rounds: int, chance: random.Random) -> Iterator[list[Death]]:
    """The moments at which workers are killed one after another, without a load in between.

    Named moments come in any order; between them any time.
    """
    steps = [*STEPS, *(ARRANGING if mode.layout else ()), *(MERGING if mode.merges else ())]
    groups, count = [FIRST], len(FIRST)
    while count < rounds:
        chance.shuffle(steps)
        for first, *others in steps:
            group: list[Death] = [{"at": first, "times": chance.randint(1, 2)}]
            group += [{"at": moment, "times": 1} for moment in others]
            if chance.random() < 0.5:
                group.append({"after": chance.uniform(0.02, 1.0)})
            groups.append(group)
            count += len(group)
            if count >= rounds:
                break
    yield from groups


@pytest.fixture(scope="module")
def store() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def scene_on_disk(
    request: pytest.FixtureRequest,
    project: Project,
    home: Path,
    postgres_url: str,
    server: WorkerServer,
) -> Iterator[Scene]:
    """The table of a mode, its catalog in SQLite."""
    with postgres_database(postgres_url) as database:
        yield set_scene(MODES[request.param], project, database, server, home, seed=SEED)


@pytest.fixture
def scene_in_s3(
    request: pytest.FixtureRequest,
    project: Project,
    home: Path,
    postgres_url: str,
    server: WorkerServer,
    store: S3Server,
) -> Iterator[Scene]:
    """The table of a mode, its catalog in PostgreSQL."""
    bucket = store.bucket(f"lake-{request.param.replace('_', '-')}")
    with postgres_database(postgres_url) as database, postgres_database(postgres_url) as catalog:
        uri = catalog.url.replace("postgresql:", "postgresql+psycopg2:")
        project.settings["lake"] = {
            "catalog": {"uri": uri, "properties": s3_properties(store)},
            "warehouse": f"s3://{bucket}/warehouse",
        }
        found = set_scene(MODES[request.param], project, database, server, home, seed=SEED)
        yield replace(found, stored=lambda _: store.stored(bucket))


@pytest.mark.parametrize("scene_on_disk", MODES, indirect=True)
def test_a_table_that_is_loaded_by_workers_that_die_equals_its_source(
    scene_on_disk: Scene,
) -> None:
    play(scene_on_disk, ROUNDS // len(MODES))


@pytest.mark.parametrize("scene_in_s3", IN_S3, indirect=True)
def test_a_table_in_an_object_store_equals_its_source_whoever_dies(scene_in_s3: Scene) -> None:
    play(scene_in_s3, ROUNDS // len(MODES) // 3)


def play(scene: Scene, rounds: int) -> None:
    """Lets workers die while they load, and counts afterwards."""
    chance = random.Random(f"{SEED} {scene.mode.load} {scene.mode.layout}")
    with scene.source.changing():
        for group in deaths(scene.mode, rounds, chance):
            for death in group:
                assert scene.workers.ask(**death) == "SIGKILL", (SEED, death)
            if chance.random() < 0.4:
                scene.load_to_the_end()
    # Only now no writer can add anything between the load and the count at the source.
    scene.load_to_the_end()
    if not scene.mode.merges:
        assert rows_read(scene.platform, "shop.events") == len(scene.source.rows())
    assert_history_adds_up(scene.platform)
    scene.assert_nothing_remains()
