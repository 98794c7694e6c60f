"""Incremental computations that are killed: readers see the old windows or the new, all of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.incremental import INCREMENTAL, at, deliver, furnish
from support.project import Project

PROGRAM = Path(__file__).parents[1] / "support" / "killed_increments.py"


def state(orders: int) -> list[Any]:
    """The totals of three days of each customer after so many late orders of the first one."""
    first = [[1, day, 10.0 * min(day, 3) + orders * (3 <= day <= 5)] for day in range(1, 7)]
    # Of the second customer the third day has a total of 60, which breaks the view's rule.
    second = [[2, 1, 20.0], [2, 2, 40.0]]
    return [[*first, *second], [[2, "2024-01-03"]]]


def test_a_killed_computation_leaves_the_old_windows_or_the_new_and_the_next_ends_right(
    project: Project,
) -> None:
    runner = furnish(project, INCREMENTAL).write_runner()
    deliver(project, "first", [(day, 1, 10, at(day)) for day in range(1, 7)])
    deliver(project, "second", [(10 + day, 2, 20, at(day)) for day in range(1, 4)])
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(runner)],
        env={**os.environ, "PYTHONPATH": str(PROGRAM.parents[1])},
        stdout=subprocess.PIPE,
        check=True,
    )
    told = json.loads(done.stdout)

    assert told["notes"] == ["Computed for new rows of orders: 2024-01-03...2024-01-05."]
    assert len(told["states"]) > 3
    seen = set()
    for moment, found in told["states"].items():
        orders = found["orders"]
        assert found["died"] == "killed", moment
        assert found["after"] in (state(orders - 1), state(orders)), (moment, found)
        assert found["end"] == state(orders), (moment, found)
        is_done = found["after"] == state(orders)
        assert found["again"] == ([] if is_done else told["notes"]), moment
        seen.add(is_done)
    assert seen == {True, False}
