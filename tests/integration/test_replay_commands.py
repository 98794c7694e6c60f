"""`quality-platform replay`, `release` and `discard`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.project import Project, foreign_key, integer, key
from support.replays import changed, deliver, held, ids, loaded, orders
from typer.testing import CliRunner

from quality_platform.cli.app import app
from quality_platform.flows.platform import Platform


@pytest.fixture
def platform(project: Project) -> Platform:
    """Orders of which 2 and 3 were held back, and a contract under which 2 passes."""
    deliver(project, "a", (1, 5), (2, 50), (3, 500))
    loaded(project)
    return changed(project, orders(100))


def called(project: Project, *words: str) -> Any:
    runner: Path = project.runner
    return CliRunner().invoke(app, [*words, "--runner", str(runner)])


def test_a_replay_tells_what_became_of_the_rows(project: Project, platform: Platform) -> None:
    tried = called(project, "replay", "orders", "--dry-run")
    assert (tried.exit_code, held(platform)) == (0, [2, 3])
    assert "nothing was changed" in tried.output
    done = called(project, "replay", "orders", "--rule", "amount_in_range")
    assert done.exit_code == 0
    assert "orders: 2 quarantined rows" in done.output
    assert "1 published" in done.output
    assert "1 stay in quarantine" in done.output
    assert "amount_in_range: 1" in done.output
    assert (ids(platform), held(platform)) == ([1, 2], [3])


def test_decisions_are_told_as_json(project: Project, platform: Platform) -> None:
    decided = ["--reason", "confirmed", "--by", "Grace", "--json"]
    release = json.loads(called(project, "release", "orders", "--where", "id = 3", *decided).output)
    assert (release["state"], release["rows_published"], release["broken"]) == ("done", 1, {})
    discard = json.loads(called(project, "discard", "orders", *decided).output)
    assert (discard["kind"], discard["rows_discarded"]) == ("discard", 1)
    assert (ids(platform), held(platform)) == ([1, 3], [])


def test_a_decision_without_a_reason_is_a_wrong_call(project: Project, platform: Platform) -> None:
    assert called(project, "release", "orders").exit_code == 2
    assert called(project, "discard", "orders").exit_code == 2
    assert held(platform) == [2, 3]


def test_a_check_that_cannot_run_ends_with_code_1(project: Project, platform: Platform) -> None:
    project.table("customers", {"id": key(integer())})
    to = foreign_key("customers.id", "known_customer")
    changed(project, {**orders(100), "amount": integer(**to)})
    done = called(project, "replay", "orders")
    assert done.exit_code == 1
    assert "nothing was changed" in done.output
    assert held(platform) == [2, 3]


def test_the_status_tells_the_last_that_was_done(project: Project, platform: Platform) -> None:
    called(project, "replay", "orders")
    assert "replayed shop.orders: 1 published, 1 stay" in " ".join(
        called(project, "status").output.split()
    )
    called(project, "discard", "orders", "--reason", "wrong")
    assert "discarded shop.orders: 1 rows discarded" in " ".join(
        called(project, "status").output.split()
    )
