"""`quality-platform secrets`: which secrets can be had, and no values."""

from __future__ import annotations

import json
from pathlib import Path

from support.command_line import call
from support.project import Project, integer

CANARY = "canary-1a5e"


def furnished(project: Project, **files: str) -> Path:
    folder = project.folder / "kept"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_text(content)
    project.settings = {
        "secrets": {"type": "files", "folder": "kept"},
        "connections": {"db": {"url": "mysql://${secret:user}:${secret:pw#password|url}@h/d"}},
    }
    return project.table("orders", {"id": integer()}).write_runner()


def test_secrets_that_can_be_had_are_listed_without_their_values(project: Project):
    runner = furnished(project, user=CANARY, pw=json.dumps({"password": CANARY}))
    ended = call("secrets", "--runner", runner)
    assert ended.code == 0
    assert ended.text.count("found") == 2
    assert "${secret:pw#password|url}" in ended.text
    assert "connections.db.url" in ended.text
    assert CANARY not in ended.text


def test_a_secret_that_cannot_be_had_is_told_with_its_line_and_code(project: Project):
    runner = furnished(project, user=CANARY, pw=CANARY)
    ended = call("secrets", "--runner", runner, "--json")
    assert ended.code == 1
    user, password = json.loads(ended.out)
    assert user["error"] is None
    assert password["error"].startswith("QP704 ")
    assert password["reference"] == "${secret:pw#password|url}"
    lines = runner.read_text().splitlines()
    assert "${secret:pw" in lines[password["line"] - 1]
    assert CANARY not in ended.text
    table = call("secrets", "--runner", runner)
    assert (table.code, table.text.count("found")) == (1, 1)
    assert CANARY not in table.text


def test_a_file_without_references_says_so(project: Project):
    runner = project.table("orders", {"id": integer()}).write_runner()
    ended = call("secrets", "--runner", runner)
    assert (ended.code, ended.out) == (0, "runner.yaml refers to no secret.\n")
    assert call("secrets", "--runner", runner, "--json").out == "[]\n"
