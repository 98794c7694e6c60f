"""Runs that are killed with SIGKILL: the next one ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.project import (
    Project,
    column_of,
    csv_text,
    foreign_key,
    integer,
    key,
    number,
    predicate,
    row_count,
    text,
)

from quality_platform.flows.table_status import quarantined_rows, table_statuses

SERVER = Path(__file__).parents[1] / "support" / "crashing_runs.py"


def shop(folder: Path) -> Project:
    """A replaced table, a partitioned one of two files with rows to hold, and a feature view."""
    folder.mkdir()
    project = Project(folder)
    project.table("shops", {"code": key(text())}, load={"mode": "replace", "batch": "all"})
    project.deliver("shops/a.csv", "code\nN\nS\nX,Y\n")
    orders = {
        "id": key(integer()),
        "shop": text(required=True, **foreign_key("shops.code", "shop_known")),
        "amount": number("decimal(8,2)"),
    }
    quality = [predicate("cheap", "amount < 100", "warning"), row_count(1)]
    project.table("orders", orders, quality=quality)
    project.tables["orders"].update(partition_by=["shop", "bucket(2, id)"], sort_by=["amount"])
    # Rows held for a cell, a width, a rule; and, when all is read, for keys in file and table.
    project.deliver("orders/a.csv", "id,shop,amount\n1,N,1\n2,S,2\n3,X,3\n4,N,x\n")
    project.deliver("orders/b.csv", "id,shop,amount\n5,N,1\n6,S,200\n6,N,3\n1,N,4\n7\n")
    view = {
        "shop": key(text()),
        "at": {"logicalType": "timestamp", "required": True},
        "amount": number(),
    }
    settings = {
        "inputs": ["orders"],
        "entities": [{"name": "shop", "join_key": "shop"}],
        "event_timestamp": "at",
        "online": False,
    }
    sql = (
        "SELECT shop, TIMESTAMPTZ '2024-01-01 00:00:00+00' AS at, "
        "CAST(sum(amount) AS DOUBLE) AS amount FROM orders GROUP BY shop"
    )
    return project.view("sales", sql, view, settings)


class Server:
    """Runs in processes that can be killed; see support/crashing_runs.py."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._homes = 0
        runner = shop(folder / "project").write_runner()
        scratch = folder / "scratch"
        scratch.mkdir()
        self._process = subprocess.Popen(
            [sys.executable, str(SERVER), str(runner)],
            text=True,
            # A killed process cannot clear away its temporary folders.
            env={**os.environ, "TMPDIR": str(scratch), "PYTHONPATH": str(SERVER.parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, *kills: str | float) -> dict[str, Any]:
        """Kills runs of a new platform at these moments, then lets one end."""
        self._homes += 1
        asked = {"home": str(self._folder / f"home{self._homes}"), "kills": kills}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answered: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answered

    def stop(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("crash"))
    yield started
    started.stop()


@pytest.fixture(scope="module")
def undisturbed(server: Server) -> dict[str, Any]:
    """What a run gives that nobody kills."""
    return server.ask()


def assert_recovered(answer: dict[str, Any], undisturbed: dict[str, Any]) -> None:
    for name, expected in undisturbed["state"].items():
        # Feature views are recomputed from another snapshot where an input got one for itself.
        times = ("loads", "attempts") if name == "sales" else ()
        found = answer["state"][name]
        assert {k: v for k, v in found.items() if k not in times} == {
            k: v for k, v in expected.items() if k not in times
        }


def test_an_undisturbed_run_is_what_the_files_say(undisturbed: dict[str, Any]) -> None:
    orders, sales = undisturbed["state"]["orders"], undisturbed["state"]["sales"]
    assert [re.findall(r"\d+", row)[0] for row in orders["rows"]] == ["1", "2", "5"]
    assert (len(orders["held"]), orders["stored in quarantine"], orders["loads"]) == (6, 6, 2)
    assert len(undisturbed["state"]["shops"]["held"]) == 1
    assert len(sales["rows"]) == 2


MOMENTS = [
    # Before there is anything: the table's metadata is written and not yet in the catalog.
    "shops reading 1 > after _write_metadata",
    "shops quarantine_committed 1",
    "shops published 1",
    "orders reading 1",
    # The table is there, without its partitions.
    "orders reading 1 > before commit_table",
    # In the middle of arranging rows by partition.
    "orders staged 1 > after close",
    # In the middle of writing the second file of the load.
    "orders reading 2 > after close",
    # In the middle of moving rows whose key is not unique.
    "orders staged 2 > after close",
    # The quarantine's new metadata is written and not yet in the catalog.
    "orders checked 2 > after _write_metadata",
    "orders checked 2 > after append",
    "orders quarantine_committed 2",
    # Main's new metadata is written and not yet in the catalog.
    "orders quarantine_committed 2 > after _write_metadata",
    "orders published 2",
    # History: of the two tables one is written.
    "orders published 2 > after append_rows",
    "sales computing 1",
    "sales checked 1 > after _write_metadata",
    "sales published 1 > before drift_results",
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_killed_at_a_step_is_made_good_by_the_next(
    server: Server, undisturbed: dict[str, Any], moment: str
) -> None:
    answer = server.ask(moment)
    assert answer["died"] == ["killed"]
    assert_recovered(answer, undisturbed)


@pytest.mark.parametrize(
    "moments",
    [
        ("orders quarantine_committed 1", "orders quarantine_committed 1"),
        # The second run dies while it cleans up after the first: before the fence, between fence
        # and removal, and when all is removed.
        ("orders quarantine_committed 2", "begin > before drop_uncommitted_attempts"),
        ("orders quarantine_committed 2", "begin > after publish"),
        ("orders quarantine_committed 1", "begin > after drop_uncommitted_attempts"),
        ("shops staged 1", "orders checked 1 > after append", "orders checked 2 > after append"),
    ],
)
def test_runs_killed_one_after_another_are_made_good(
    server: Server, undisturbed: dict[str, Any], moments: tuple[str, ...]
) -> None:
    answer = server.ask(*moments)
    assert answer["died"] == ["killed"] * len(moments)
    assert_recovered(answer, undisturbed)


@pytest.mark.parametrize("seed", range(3))
def test_runs_killed_at_any_time_are_made_good(
    server: Server, undisturbed: dict[str, Any], seed: int
) -> None:
    chance = random.Random(seed)
    answer = server.ask(chance.uniform(0.05, 0.6), chance.uniform(0.05, 0.6))
    # Where it ended before its time, there was nothing to kill.
    assert "failed" not in answer["died"]
    assert_recovered(answer, undisturbed)


def test_the_command_line_killed_half_way_ends_as_if_nothing_had_happened(
    project: Project,
) -> None:
    project.table("orders", {"id": key(integer()), "name": text(required=True)})
    for file in range(3):
        rows = [(file * 10 + n, "" if n == 5 else "x") for n in range(10)]
        project.deliver(f"orders/{file}.csv", csv_text("id,name", rows))
    project.write_runner()
    killed = start(project)
    assert killed.stdout is not None
    seen = ""
    for line in killed.stdout:
        seen += line
        if "quarantine committed" in line and "published" in seen:
            os.kill(killed.pid, signal.SIGKILL)
            break
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL, seen
    ended = start(project)
    output, _ = ended.communicate()
    assert ended.returncode == 0, output
    platform = project.open()
    expected = [n for n in range(30) if n % 10 != 5]
    assert column_of(platform, "shop.orders", "id") == expected
    held = list(quarantined_rows(platform, "orders"))
    assert sorted(row["id"] for row in held) == [5, 15, 25]
    assert column_of(platform, "quarantine.orders", "id") == [5, 15, 25]
    (status,) = table_statuses(platform)
    assert (status.rows, status.quarantined) == (27, 3)


def start(project: Project) -> subprocess.Popen[str]:
    """The command line as a person starts it; -u, so that its lines come as they are printed."""
    command = [sys.executable, "-u", "-m", "quality_platform.cli", "run", "-r", str(project.runner)]
    return subprocess.Popen(
        command,
        text=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "COLUMNS": "200", "TMPDIR": str(project.folder)},
    )
