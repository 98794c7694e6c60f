"""A project of Dativo, written anew as our own files."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from support.command_line import call
from support.dativo import DativoProject
from support.project import rows_of_table

from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import open_platform


@pytest.fixture
def dativo(tmp_path: Path, home: Path) -> DativoProject:
    return DativoProject.copied(tmp_path / "project")


def migrated(dativo: DativoProject, *more: str) -> Path:
    """The runner file that comes out."""
    folder = dativo.folder.parent / "ours"
    ended = call("import", "dativo", dativo.runner, "--output", folder, *more)
    assert ended.code == 0, ended.text
    return folder / "runner.yaml"


def test_what_comes_out_says_the_same_and_is_fit_for_use(dativo: DativoProject):
    ours = open_platform(migrated(dativo), strict=True)
    theirs = dativo.open()

    assert ours.runner.config.schedules.items() <= {**theirs.runner.config.schedules}.items()
    assert list(ours.tables) == list(theirs.tables)
    for name, table in ours.tables.items():
        other = theirs.tables[name]
        assert table.config.load == other.config.load
        assert table.schema == other.schema
        assert {s.name for s in table.checks} == {s.name for s in other.checks}
        assert table.contract.custom == other.contract.custom
        paths = [
            Path(pattern).resolve() for pattern in (table.source_pattern, other.source_pattern)
        ]
        assert paths[0] == paths[1]


def test_what_comes_out_loads_the_same_rows(dativo: DativoProject):
    ours = open_platform(migrated(dativo))

    load_table(ours, "oak_park_visits", "run-1")
    assert [row["visit_id"] for row in rows_of_table(ours, "oak.oak_park_visits")] == [1, 4]


def test_what_cannot_be_carried_over_is_listed(dativo: DativoProject):
    folder = dativo.folder.parent / "ours"
    ended = call("import", "dativo", dativo.runner, "--output", folder, "--strict")

    assert ended.code == 1
    for told in (
        "tables.oak_tickets: sources of the type 'zendesk' are not supported yet",
        "schedules.lost_daily: there is no such file",
        "set the environment variable OAK_LEDGER_URL to it",
    ):
        assert told in ended.text
    schedules = yaml.safe_load((folder / "runner.yaml").read_text())["schedules"]
    # Without its only table the schedule would run everything.
    assert "tickets_daily" not in schedules


def test_variables_stay_variables_and_no_password_is_written(
    dativo: DativoProject, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("KEY", "canary-key")
    monkeypatch.setenv("TRIES", "3")
    dativo.change("jobs/oak/ledger.yaml", "sslmode: disable", "user: me, password: canary-word")
    dativo.change("jobs/oak/visits.yaml", "max_retries: 4", "max_retries: ${TRIES}")
    store = "{bucket: park, access_key_id: '${KEY}', secret_access_key: '${KEY}'}"
    dativo.schedule("jobs/oak/visits.yaml", "jobs/oak/ledger.yaml")
    for job in ("visits", "ledger"):
        dativo.add(f"jobs/oak/{job}.yaml", f"target: {{connection: {{s3: {store}}}}}\n")

    text = migrated(dativo).read_text()
    assert "canary" not in text
    assert "max_retries: ${TRIES}" in text
    assert "s3.access-key-id: ${KEY}" in text


def test_files_that_are_there_are_not_overwritten(dativo: DativoProject):
    migrated(dativo)

    again = call("import", "dativo", dativo.runner, "--output", dativo.folder.parent / "ours")
    assert (again.code, "the file is there already" in again.text) == (2, True)
    migrated(dativo, "--force")


def test_a_folder_must_be_named(dativo: DativoProject):
    ended = call("import", "dativo", dativo.runner)

    assert (ended.code, "the folder to write to is missing" in ended.text) == (2, True)
