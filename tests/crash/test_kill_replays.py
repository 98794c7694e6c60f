"""Replays and discards killed with SIGKILL at every step: each row is in one place, ever."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.project import Project
from support.replays import deliver, orders

SCRIPT = Path(__file__).parents[1] / "support" / "killed_replays.py"
TESTS = SCRIPT.parents[1]
BEFORE = {"published": [1], "held": [2, 3, 9]}
DONE = {
    "replay": {"published": [1, 2], "held": [3, 9]},
    "discard": {"published": [1], "held": [9]},
}


@pytest.mark.parametrize("kind", ["replay", "discard"])
def test_a_row_is_published_or_held_wherever_the_process_dies(
    project: Project, tmp_path: Path, kind: str
) -> None:
    deliver(project, "a", (1, 5), (2, 50), (3, 500), (9, 900))
    before = project.table("orders", orders()).write_runner()
    before = before.rename(before.with_name("before.yaml"))
    before.write_text(before.read_text().replace("orders.odcs", "orders_before.odcs"))
    contract = project.folder / "contracts" / "orders.odcs.yaml"
    contract.rename(contract.with_name("orders_before.odcs.yaml"))
    after = project.table("orders", orders(100), version="1.1.0").write_runner()
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(before), str(after), str(tmp_path), kind],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    undisturbed, *stories = [json.loads(line) for line in done.stdout.splitlines()]
    assert (undisturbed["died"], undisturbed["between"]) == ("ended", DONE[kind])
    assert len(stories) > 8
    for story in stories:
        assert story["died"] == "killed", story
        assert story["between"] in (BEFORE, DONE[kind]), story
        assert story["after"] == DONE[kind], story
    # Both are met: the kills reach over the commit.
    assert {len(story["between"]["held"]) for story in stories} == {
        len(BEFORE["held"]),
        len(DONE[kind]["held"]),
    }
