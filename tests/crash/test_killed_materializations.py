"""Materialization killed with SIGKILL at every step: done again, the store is the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from support.redis_server import redis_server

SCRIPT = Path(__file__).parents[1] / "support" / "killed_materializations.py"
TESTS = SCRIPT.parents[1]


def stories(folder: Path, *arguments: str) -> list[dict[str, str]]:
    """What the script tells."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), *arguments],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def require_the_same_store(told: Sequence[dict[str, str]], writing: str) -> None:
    """Whatever was killed, and wherever, the store ends like an undisturbed one."""
    for which in ("first", "second"):
        undisturbed, *killed = [story for story in told if story["story"] == which]
        assert undisturbed["died"] == "ended"
        assert sum(writing in story["moment"] for story in killed) > 3
        for story in killed:
            assert story["died"] == "killed", story
            assert story["stored"] == undisturbed["stored"], story
    assert len({story["stored"] for story in told}) == 1


def test_sqlite_ends_the_same_wherever_a_materialization_dies(tmp_path: Path) -> None:
    require_the_same_store(stories(tmp_path), "_upsert")


def test_redis_ends_the_same_wherever_a_materialization_dies(tmp_path: Path) -> None:
    with redis_server() as url:
        told = stories(tmp_path, str(urlsplit(url).port))
    require_the_same_store(told, "send_packed_command")
