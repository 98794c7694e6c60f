"""What is told of materializations that were killed, by `killed_materializations`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

SCRIPT = Path(__file__).with_name("killed_materializations.py")
TESTS = SCRIPT.parents[1]
STORIES = ("first", "second", "back", "rebuild")


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
    for which in STORIES:
        undisturbed, *killed = [story for story in told if story["story"] == which]
        assert undisturbed["died"] == "ended"
        assert sum(writing in story["moment"] for story in killed) > 3
        for story in killed:
            assert story["died"] == "killed", story
            assert story["stored"] == undisturbed["stored"], story
    ends = {which: {s["stored"] for s in told if s["story"] == which} for which in STORIES}
    assert ends["first"] == ends["second"] == ends["rebuild"]
    # Nine persons as in the beginning; the one who came later is gone.
    assert ends["back"] != ends["first"]
