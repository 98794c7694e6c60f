"""Training sets on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from support.command_line import call
from support.project import Project
from support.training_sets import TABLE, deliver_more, loaded, with_training_set


@pytest.fixture
def shop(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    with_training_set(project)
    loaded(project)
    monkeypatch.setenv("QUALITY_PLATFORM_RUNNER", str(project.runner))
    return project


def test_a_version_is_made_found_again_verified_and_written(shop: Project, tmp_path: Path) -> None:
    first, second = tmp_path / "one.parquet", tmp_path / "two.parquet"
    made = call("training-set", "churn", "--tag", "v1", "--to", first)
    assert made.code == 0, made.text
    assert "churn v1: made" in made.out
    assert "3 rows in training_sets.churn" in made.out
    assert "shop.orders pinned at snapshot" in made.out
    shop.settings["maintenance"] = {
        "compact_below": "1000MB",
        "keep_snapshots": "0s",
        "keep_at_least": 1,
    }
    deliver_more(shop, 1)
    upkeep = call("maintain", "--force")
    assert upkeep.code == 0, upkeep.text
    assert "files (" in upkeep.out
    again = call("training-set", "churn", "--tag", "v1", "--verify", "--to", second)
    assert again.code == 0, again.text
    assert "there already, and unchanged; computed once more: the same" in again.out
    assert first.read_bytes() == second.read_bytes()
    assert pq.read_table(first).num_rows == 3
    assert [path.name for path in tmp_path.glob("*.tmp")] == []


def test_json_tells_everything(shop: Project) -> None:
    told = json.loads(call("training-set", "churn", "--tag", "v1", "--json").out)
    assert (told["state"], told["table"], told["manifest"]["rows"]) == ("made", TABLE, 3)
    (listed,) = json.loads(call("training-sets", "list", "--json").out)
    assert listed["manifest"] == told["manifest"]
    assert listed["expires_at"]
    shown = json.loads(call("training-sets", "show", "churn", "v1", "--json").out)
    assert shown == listed


def test_versions_are_listed_shown_and_removed(shop: Project, tmp_path: Path) -> None:
    call("training-set", "churn", "--tag", "v1")
    listed = call("training-sets", "list", "churn").out
    assert all(text in listed for text in ("churn", "v1", "ml@example.org", "3"))
    to = tmp_path / "rows.parquet"
    shown = call("training-sets", "show", "churn", "v1", "--to", to).out
    assert all(text in shown for text in ("totals:total", "shop.orders", "sha-256", "duckdb"))
    assert to.exists()
    arguments = ("training-sets", "remove", "churn", "v1", "--by", "ada")
    assert call(*arguments).code == 2
    removed = call(*arguments, "--reason", "wrong month", "--yes")
    assert removed.code == 0, removed.text
    assert "churn v1 is removed" in removed.out
    assert json.loads(call("training-sets", "list", "--json").out) == []


def test_rows_of_another_file_can_be_named(shop: Project, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("customer,placed_at,amount\n1,2026-01-20T00:00:00Z,1\n")
    made = call("training-set", "churn", "--tag", "v1", "--entities", file, "--json")
    manifest = json.loads(made.out)["manifest"]
    assert (manifest["entities"]["file"], manifest["rows"]) == ("rows.csv", 1)
    other = call("training-set", "churn", "--tag", "v1")
    assert other.code == 2
    assert "QP603" in other.err
    assert "choose another tag" in other.err


def test_upkeep_tells_of_pins_that_are_left_behind(shop: Project) -> None:
    told = call("maintain", "--only", "tags", "--dry-run")
    assert told.code == 0, told.text
    assert "nothing to do" in told.out


def test_what_is_not_there_is_an_error(shop: Project) -> None:
    for arguments in (
        ("training-set", "chrun"),
        ("training-sets", "show", "churn", "v1"),
        ("training-sets", "list", "chrun"),
        ("training-set", "churn", "--entities", "oders"),
        ("training-set", "churn", "--tag", "v1", "--to", shop.folder / "no" / "x.parquet"),
    ):
        ended = call(*arguments)
        assert ended.code == 2, arguments
        assert "QP" in ended.err


@pytest.mark.parametrize("command", [("list", "churn"), ("show", "churn", "v1")])
def test_a_training_set_that_is_broken_is_told_to_be_so(
    project: Project, command: tuple[str, ...]
) -> None:
    with_training_set(project)
    project.settings["training_sets"]["churn"]["features"] = ["totals:totl"]
    ended = call("training-sets", *command, "-r", project.write_runner())
    assert ended.code == 2
    assert "training_sets.churn.features.0: the feature view 'totals' has no such" in ended.err
    assert "no training set" not in ended.err


def test_versions_of_a_training_set_that_is_broken_now_are_still_told(shop: Project) -> None:
    assert call("training-set", "churn", "--tag", "v1").code == 0
    shop.settings["training_sets"]["churn"]["features"] = ["totals:totl"]
    shop.write_runner()
    (listed,) = json.loads(call("training-sets", "list", "churn", "--json").out)
    assert listed["manifest"]["tag"] == "v1"
    assert call("training-sets", "show", "churn", "v1").code == 0
