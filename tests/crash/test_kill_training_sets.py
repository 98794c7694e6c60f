"""The making of a training set killed with SIGKILL at every step: all of it is seen, or nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from support.project import Project
from support.training_sets import with_training_set

SCRIPT = Path(__file__).parents[1] / "support" / "killed_training_sets.py"
TESTS = SCRIPT.parents[1]
NOTHING = {"versions": {}, "main": 0}
ALL = {"versions": {"v1": 3}, "main": 3}
PINS = [["features.totals", "v1"], ["shop.orders", "v1"]]


def test_wherever_it_dies_a_version_is_there_or_not_and_the_next_attempt_makes_it(
    project: Project, tmp_path: Path
) -> None:
    runner = with_training_set(project).write_runner()
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(runner), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    undisturbed, *stories = [json.loads(line) for line in done.stdout.splitlines()]
    assert undisturbed["died"] == "ended"
    seen = [story["between"] for story in stories]
    assert [story["died"] for story in stories] == ["killed"] * len(stories)
    assert len(stories) >= 8
    for told in seen:
        shown = {name: told[name] for name in ("versions", "main")}
        assert shown in (NOTHING, ALL)
    assert any(not told["versions"] and told["pins"] for told in seen)
    assert any(told["versions"] for told in seen)
    for story in (undisturbed, *stories):
        assert story["after"] == {**ALL, "pins": PINS}, story["moment"]
