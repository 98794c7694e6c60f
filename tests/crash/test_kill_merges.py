"""Runs that merge and keep versions, killed with SIGKILL: the next one ends as if nothing was."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.project import Project, integer, key, text

SERVER = Path(__file__).parents[1] / "support" / "crashing_runs.py"
FILES = {
    # Rows held for a cell and a rule; a key that comes twice.
    "a.csv": ["1,1,a,", "2,1,b,", "3,1,c,", "2,2,B,"],
    "b.csv": ["1,3,A,", "3,3,,D", "4,3,,", "5,x,e,"],
    # Late, as it is, changed.
    "c.csv": ["1,2,z,", "2,2,B,", "1,5,Z,"],
}


def project_of(folder: Path) -> Project:
    """The same files merged into one table, and kept as versions in another."""
    folder.mkdir()
    project = Project(folder)
    columns = {
        "id": key(integer()),
        "at": {"logicalType": "timestamp", "required": True},
        "name": text(required=True),
        "op": text(),
    }
    deletes = {"by": "flag", "column": "op", "value": "D"}
    for name, mode in (("merged", "merge"), ("kept", "snapshot")):
        load = {"mode": mode, "batch": "file", "order_by": "at", "deletes": deletes}
        project.table(name, columns, load=load)
        for file, lines in FILES.items():
            dated = [re.sub(r",(\d),", r",2024-01-0\1T00:00:00Z,", line) for line in lines]
            project.deliver(f"{name}/{file}", "\n".join(["id,at,name,op", *dated, ""]))
    return project


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Kills runs of a new platform at these moments, then lets one end; what it gives."""
    folder = tmp_path_factory.mktemp("crash")
    runner = project_of(folder / "project").write_runner()
    scratch = folder / "scratch"
    scratch.mkdir()
    server = subprocess.Popen(
        [sys.executable, str(SERVER), str(runner)],
        text=True,
        env={**os.environ, "TMPDIR": str(scratch), "PYTHONPATH": str(SERVER.parents[1])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    homes = iter(range(1000))

    def answered(*kills: str) -> dict[str, Any]:
        assert server.stdin is not None
        assert server.stdout is not None
        asked = {"home": str(folder / f"home{next(homes)}"), "kills": kills}
        server.stdin.write(json.dumps(asked) + "\n")
        server.stdin.flush()
        answer: dict[str, Any] = json.loads(server.stdout.readline())
        return answer

    yield answered
    server.communicate()


@pytest.fixture(scope="module")
def undisturbed(ask: Any) -> dict[str, Any]:
    """What a run gives that nobody kills."""
    answer: dict[str, Any] = ask()
    return answer


def test_an_undisturbed_run_is_what_the_files_say(undisturbed: dict[str, Any]) -> None:
    merged, kept = undisturbed["state"]["merged"], undisturbed["state"]["kept"]
    assert [row[:8] for row in merged["rows"]] == ["{'id': 1", "{'id': 2"]
    assert ["'Z'" in row for row in merged["rows"]] == [True, False]
    # 1 in three versions, 2 in one, and 3, which has ended.
    assert len(kept["rows"]) == 5
    assert [len(merged["held"]), len(kept["held"])] == [2, 2]


@pytest.mark.parametrize(
    "moment",
    [
        # While the changed files are being written anew.
        "merged merging 1 > before close",
        "merged merging 2",
        # The quarantine is committed, the table is not.
        "merged quarantine_committed 1 > after _write_metadata",
        "kept merging 1 > after close",
        "kept quarantine_committed 1",
        "kept checked 3 > after publish",
    ],
)
def test_a_merge_killed_at_a_step_is_made_good_by_the_next_run(
    ask: Any, undisturbed: dict[str, Any], moment: str
) -> None:
    assert moment in undisturbed["events"], undisturbed["events"]
    answer = ask(moment)
    assert answer["died"] == ["killed"]
    for name, expected in undisturbed["state"].items():
        assert answer["state"][name] == expected
