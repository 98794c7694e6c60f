"""Upkeep of a quarantine killed with SIGKILL at every step: what counts stays, the rest goes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from support.project import Project
from support.replays import deliver, orders

SCRIPT = Path(__file__).parents[1] / "support" / "killed_purges.py"
TESTS = SCRIPT.parents[1]


def test_wherever_upkeep_dies_held_rows_stay_and_discarded_ones_go(
    project: Project, tmp_path: Path
) -> None:
    project.settings["maintenance"] = {
        "keep_snapshots": "0s",
        "keep_at_least": 1,
        "orphans_after": "0s",
    }
    deliver(project, "a", (1, 5), (2, 50), (3, 500))
    deliver(project, "b", (4, 4), (6, 60), (7, 70))
    runner = project.table("orders", orders()).write_runner()
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(runner), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    undisturbed, *stories = [json.loads(line) for line in done.stdout.splitlines()]
    assert undisturbed["died"] == "ended"
    assert any("swap" in story["moment"] for story in stories)
    for story in stories:
        assert story["died"] == "killed", story
    for story in (undisturbed, *stories):
        assert (story["between"], story["after"], story["on_disk"]) == ([2, 3], [2, 3], [2, 3])
