"""Loads of partitions that are killed: readers see the old partitions or the new ones, whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from support.partitioned import by_day
from support.project import Project

PROGRAM = Path(__file__).parents[1] / "support" / "killed_partitions.py"


def version(number: int) -> list[list[int]]:
    """The orders of a version of two days, with those of the third, and the held ones."""
    first = 1000 * number
    return [sorted([3, first + 10, first + 20]), sorted([33, first + 11, first + 21])]


def test_a_killed_load_leaves_the_old_partitions_or_the_new_ones_and_the_next_ends_right(
    project: Project,
) -> None:
    runner = by_day(project).write_runner()
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(runner)],
        env={**os.environ, "PYTHONPATH": str(PROGRAM.parents[1])},
        stdout=subprocess.PIPE,
        check=True,
    )
    states = json.loads(done.stdout)

    assert len(states) > 3
    seen = set()
    for moment, state in states.items():
        number = state["version"]
        assert state["died"] == "killed", moment
        assert state["after"] in (version(number - 1), version(number)), (moment, state)
        assert state["end"] == version(number), (moment, state)
        seen.add(state["after"] == version(number))
    assert seen == {True, False}
