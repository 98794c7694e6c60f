"""`quality-platform diff` as a person or a build server calls it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from junitparser import JUnitXml
from support.command_line import Ended, call
from support.project import Project, integer, key, number, text

COLUMNS = {"id": key(integer()), "name": text(description="a | b"), "amount": number("float")}
ADDED = {**COLUMNS, "more": text()}
TIGHTER = {**COLUMNS, "name": text(description="a | b", required=True)}
BROKEN = {"id": key(integer()), "name": text(description="<b>"), "amount": number("double")}
DROPPED = {name: column for name, column in BROKEN.items() if name != "id"}


def diff(project: Project, columns: object, *more: str, version: str = "1.0.0") -> Ended:
    old = project.contract("old", COLUMNS).read_text().replace("old", "orders")
    new = project.contract("new", columns, version=version).read_text()  # type: ignore[arg-type]
    paths = [project.folder / name for name in ("old.odcs.yaml", "new.odcs.yaml")]
    for path, content in zip(paths, (old, new.replace("new", "orders")), strict=True):
        path.write_text(content)
    return call("diff", *paths, *more)


@pytest.mark.parametrize(
    ("columns", "level", "code"),
    [
        (COLUMNS, "any", 0),
        (ADDED, "any", 1),
        (ADDED, "forward-only", 0),
        (TIGHTER, "forward-only", 1),
        (TIGHTER, "breaking", 0),
        (DROPPED, "breaking", 1),
    ],
)
def test_the_exit_code_says_whether_a_change_is_as_bad_as_asked(
    project: Project, columns: object, level: str, code: int
) -> None:
    ended = diff(project, columns, "--fail-on", level)
    assert (ended.code, ended.err) == (code, "")


@pytest.mark.parametrize(
    ("version", "code", "told"),
    [
        ("1.0.0", 1, "not enough, it must be at least 2.0.0"),
        ("1.1.0", 1, "not enough, it must be at least 2.0.0"),
        ("2.0.0", 0, "version 1.0.0 -> 2.0.0: enough"),
    ],
)
def test_the_version_alone_may_be_judged(
    project: Project, version: str, code: int, told: str
) -> None:
    ended = diff(project, DROPPED, "--fail-on", "version", version=version)
    assert ended.code == code
    assert told in ended.out


def test_breaking_changes_fail_where_nothing_else_is_asked_for(project: Project) -> None:
    ended = diff(project, DROPPED, version="2.0.0")
    first, *lines = ended.out.splitlines()
    assert ended.code == 1
    assert first == "breaking      schema.orders.properties.id: column removed, id"
    assert lines[-2].endswith(": breaking")


def test_markdown_is_a_table_that_no_text_breaks_out_of(project: Project) -> None:
    ended = diff(project, BROKEN, "--format", "markdown")
    rows = [line for line in ended.out.splitlines() if line.startswith("|")]
    assert ended.out.startswith("### Contract changes: 🟢 compatible\n")
    assert len({row.replace("\\|", "").count("|") for row in rows}) == 1
    assert "a \\| b | &lt;b>" in ended.out


def test_json_has_every_change_and_the_version_that_is_needed(project: Project) -> None:
    found = json.loads(diff(project, DROPPED, "--format", "json").out)
    kinds = {change["kind"]: change["compatibility"] for change in found["changes"]}
    assert kinds == {
        "column_removed": "breaking",
        "primary_key_removed": "breaking",
        "type_widened": "compatible",
        "prose_changed": "compatible",
    }
    assert (found["verdict"], found["least_version"]) == ("breaking", "2.0.0")
    assert found["version_is_high_enough"] is False


def test_junit_has_a_case_for_each_change_and_fails_those_that_are_bad(
    project: Project, tmp_path: Path
) -> None:
    report = tmp_path / "report.xml"
    ended = diff(project, DROPPED, "--format", "junit", "--output", str(report))
    assert (ended.code, ended.out) == (1, "")
    document = JUnitXml.fromfile(str(report))
    assert (document.tests, document.failures) == (4, 2)
    (suite,) = document
    failed = [case.name for case in suite if case.result]
    assert failed == [
        "schema.orders.properties.id column_removed",
        "schema.orders.primaryKey primary_key_removed",
    ]


def test_junit_judges_the_version_where_that_is_asked_for(project: Project) -> None:
    ended = diff(project, ADDED, "--format", "junit", "--fail-on", "version")
    (suite,) = JUnitXml.fromstring(ended.out.encode())
    assert {case.name: bool(case.result) for case in suite} == {
        "schema.orders.properties.more column_added": False,
        "version": True,
    }


@pytest.mark.parametrize("content", [None, "nonsense", "apiVersion: v9\n"])
def test_a_contract_that_cannot_be_read_ends_with_2(
    project: Project, tmp_path: Path, content: str | None
) -> None:
    old, new = project.contract("orders", COLUMNS), tmp_path / "other.yaml"
    if content is not None:
        new.write_text(content)
    ended = call("diff", old, new)
    assert ended.code == 2
    assert "other.yaml" in ended.err
    assert ended.out == ""


def git(folder: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def test_a_contract_may_be_taken_from_git(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = project.contract("orders", COLUMNS)
    git(project.folder, "init", "--quiet")
    git(project.folder, "add", "contracts")
    tree = git(project.folder, "write-tree").strip()
    project.contract("orders", ADDED)
    monkeypatch.chdir(project.folder)
    ended = call("diff", f"git:{tree}:contracts/orders.odcs.yaml", path, "--fail-on", "any")
    assert ended.code == 1
    assert "schema.orders.properties.more: column added" in ended.out


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("git:nowhere:orders.yaml", "git cannot show this contract"),
        ("git:--version", "git cannot show this contract"),
        ("git:TREE:notes.txt", "git:TREE:notes.txt:1:1"),
    ],
)
def test_what_git_has_not_or_is_no_contract_ends_with_2(
    project: Project, monkeypatch: pytest.MonkeyPatch, named: str, told: str
) -> None:
    path = project.contract("orders", COLUMNS)
    (project.folder / "notes.txt").write_text("nonsense")
    git(project.folder, "init", "--quiet")
    git(project.folder, "add", "notes.txt")
    tree = git(project.folder, "write-tree").strip()
    monkeypatch.chdir(project.folder)
    ended = call("diff", named.replace("TREE", tree), path)
    assert (ended.code, ended.out) == (2, "")
    assert told.replace("TREE", tree) in ended.err
