"""Dativo's runner.yaml, read as our own: schedules, what they run, and what is broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.dativo import DativoProject, broken
from support.problems import only_problem, place, problems_of

from quality_platform.config.dativo.translation import is_dativo
from quality_platform.config.loading import load_runner
from quality_platform.errors import (
    ConfigurationError,
    EnvironmentVariableError,
    RunnerFileError,
)


@pytest.fixture
def dativo(tmp_path: Path) -> DativoProject:
    return DativoProject.copied(tmp_path / "project")


def test_each_schedule_runs_its_own_job(dativo: DativoProject):
    targets = {name: s.targets for name, s in dativo.read().config.schedules.items()}

    # In Dativo all of them run the last one.
    assert targets == {
        "visits_hourly": ("oak_park_visits",),
        "guests_every_90_minutes": ("oak_park_guests",),
        "ledger_nightly": ("oak_ledger",),
        "tickets_daily": ("oak_tickets",),
    }


def test_a_schedule_keeps_its_rhythm_zone_limit_tags_and_switch(dativo: DativoProject):
    schedules = dativo.read().config.schedules

    visits, guests = schedules["visits_hourly"], schedules["guests_every_90_minutes"]
    assert (visits.cron, visits.interval_seconds) == ("15 * * * *", None)
    assert (visits.timezone, visits.max_concurrent_runs) == ("Europe/Berlin", 2)
    assert (visits.tags, visits.enabled) == ({"team": "park", "priority": "1"}, True)
    # 90 minutes stay 90 minutes: in Dativo they become an hour.
    assert (guests.cron, guests.interval_seconds) == (None, 5400)
    assert (guests.timezone, guests.max_concurrent_runs, guests.enabled) == ("UTC", 1, False)


@pytest.mark.parametrize("seconds", [30, 5400, 7 * 86400])
def test_an_interval_is_not_rounded_to_what_cron_can_say(dativo: DativoProject, seconds: int):
    dativo.change("configs/runner.yaml", "5400", str(seconds))

    found = dativo.read().config.schedules["guests_every_90_minutes"]
    assert (found.cron, found.interval_seconds) == (None, seconds)


def test_a_file_without_the_wrapper_says_the_same(dativo: DativoProject):
    wrapped, bare = dativo.read(), dativo.read("configs/bare.yaml")

    assert bare.config.tables == {
        "oak_park_visits": wrapped.config.tables["oak_park_visits"],
    }
    assert bare.config.schedules["visits_hourly"].cron == "15 * * * *"


def test_schedules_may_stand_at_the_top(dativo: DativoProject):
    dativo.runner.write_text('schedules: [{name: v, config: jobs/oak/visits.yaml, cron: "@daily"}]')

    found = dativo.read().config
    assert (list(found.tables), list(found.schedules)) == (["oak_park_visits"], ["v"])


def test_in_oneshot_mode_no_schedule_starts_by_itself(dativo: DativoProject):
    assert not dativo.read("configs/bare.yaml").config.schedules["visits_hourly"].enabled


def test_a_job_file_alone_is_a_runner_without_schedules(dativo: DativoProject):
    found = dativo.read("jobs/oak/visits.yaml").config

    assert (list(found.tables), found.schedules) == (["oak_park_visits"], {})


def test_a_broken_job_is_visible_and_takes_no_other_down(dativo: DativoProject):
    file = dativo.read()

    assert list(file.config.tables) == ["oak_park_visits", "oak_park_guests", "oak_ledger"]
    assert {(part.section, part.name) for part in file.broken} == {
        ("tables", "oak_tickets"),
        ("schedules", "lost_daily"),
    }


def test_a_connector_that_is_not_supported_is_named_with_its_line(dativo: DativoProject):
    (part,) = (part for part in dativo.read().broken if part.section == "tables")

    (problem,) = part.error.problems
    assert problem.message == "sources of the type 'zendesk' are not supported yet"
    assert place(problem) == ("tickets.yaml", 3)
    assert "postgres" in problem.allowed


def test_a_job_that_is_not_there_is_told_where_the_schedule_names_it(dativo: DativoProject):
    (part,) = (part for part in dativo.read().broken if part.section == "schedules")

    (problem,) = part.error.problems
    assert place(problem) == ("runner.yaml", 25)
    assert problem.field == "runner.orchestrator.schedules.4.config"
    assert str(dativo.folder / "jobs" / "oak" / "lost.yaml") in problem.message


def test_a_file_whose_jobs_are_all_broken_tells_all_of_it(dativo: DativoProject):
    dativo.schedule("jobs/oak/lost.yaml", "jobs/oak/nowhere.yaml")

    problems = problems_of(RunnerFileError, dativo.read)
    assert [place(problem) for problem in problems] == [("runner.yaml", 5), ("runner.yaml", 8)]


def test_a_file_without_schedules_says_that_it_names_no_job(dativo: DativoProject):
    dativo.runner.write_text("runner:\n  mode: orchestrated\n  orchestrator:\n    schedules:\n")

    problem = only_problem(RunnerFileError, dativo.read)
    assert (problem.message, place(problem)) == ("the file names no job", ("runner.yaml", 4))


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("mode: orchestrated", "mod: orchestrated", 2, "unknown key 'mod'"),
        ("concurrency_per_tenant", "concurrency_per_tennant", 27, "unknown key"),
        ("type: dagster", "type: cron", 4, "Input should be 'dagster' or 'airflow'"),
    ],
)
def test_a_key_that_nobody_knows_is_an_error_with_its_line(
    dativo: DativoProject, old: str, new: str, line: int, message: str
):
    dativo.change("configs/runner.yaml", old, new)

    found = problems_of(RunnerFileError, dativo.read)
    assert any(place(p)[1] == line and p.message.startswith(message) for p in found), found


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("tags: {team: park, priority: 1}", "tag: {team: park}", 11, "unknown key 'tag'"),
        ("config: /app/jobs/oak/visits.yaml", "conf: x", 6, "the key is missing"),
        ('cron: "15 * * * *"', 'cron: "61 * * * *"', 8, "not a cron expression"),
        ('cron: "15 * * * *"', "enabled: true", 6, "either `cron` or `interval_seconds`"),
        ("interval_seconds: 5400", "interval_seconds: 2", 14, "greater than or equal to 10"),
        ("Europe/Berlin", "Europe/Atlantis", 9, "no such time zone"),
        ("max_concurrent_runs: 2", "max_concurrent_runs: 0", 10, "greater than or equal to 1"),
    ],
)
def test_a_schedule_that_is_written_wrongly_breaks_itself_alone(
    dativo: DativoProject, old: str, new: str, line: int, message: str
):
    dativo.change("configs/runner.yaml", old, new)

    file = dativo.read()
    parts = {part.name: part for part in file.broken}
    (name,) = set(parts) - {"oak_tickets", "lost_daily"}
    problem = parts[name].error.problems[0]
    assert message in problem.message
    assert place(problem) == ("runner.yaml", line)
    assert "oak_ledger" in file.config.tables


def test_the_tables_of_a_schedule_that_is_written_wrongly_are_there(dativo: DativoProject):
    dativo.change("configs/runner.yaml", "tags: {team", "tag: {team")

    file = dativo.read()
    assert "unknown key 'tag'" in broken(file)["visits_hourly"]
    assert "oak_park_visits" in file.config.tables


def test_a_variable_in_the_path_of_a_job_breaks_its_schedule(dativo: DativoProject):
    dativo.change("configs/runner.yaml", "jobs/oak/guests.yaml", "${JOBS}/guests.yaml")

    assert "JOBS is not set" in broken(dativo.read())["guests_every_90_minutes"]
    assert "oak_park_guests" in dativo.read(JOBS="jobs/oak").config.tables


def test_two_schedules_of_one_name_are_told_apart(dativo: DativoProject):
    dativo.change("configs/runner.yaml", "guests-every-90-minutes", "visits hourly")

    file = dativo.read()
    assert "another schedule has this name" in broken(file)["visits_hourly_2"]
    assert file.config.schedules["visits_hourly"].targets == ("oak_park_visits",)


def test_two_schedules_may_run_one_job(dativo: DativoProject):
    dativo.change("configs/runner.yaml", "jobs/oak/guests.yaml", "/app/jobs/oak/visits.yaml")

    schedules = dativo.read().config.schedules
    assert schedules["visits_hourly"].targets == ("oak_park_visits",)
    assert schedules["guests_every_90_minutes"].targets == ("oak_park_visits",)


def test_what_has_no_meaning_here_needs_no_variable(dativo: DativoProject):
    # The notifications of the file hold a variable that nobody sets.
    assert "oak_park_visits" in dativo.read().config.tables


def test_a_variable_of_one_job_that_is_not_set_breaks_that_job(dativo: DativoProject):
    dativo.change("jobs/oak/guests.yaml", "${LANDING:-landing}", "${LANDING}")

    file = dativo.read()
    (part,) = (part for part in file.broken if part.name == "oak_park_guests")
    assert isinstance(part.error, EnvironmentVariableError)
    (problem,) = part.error.problems
    assert place(problem) == ("guests.yaml", 11)
    assert problem.received == "${LANDING}"
    assert "oak_park_visits" in file.config.tables


def test_variables_and_their_defaults_are_put_in(dativo: DativoProject):
    default, given = dativo.read(), dativo.read(LANDING="elsewhere")

    paths = [file.config.tables["oak_park_guests"].source.path for file in (default, given)]
    assert paths == [
        str(dativo.folder / "landing" / "guests.csv"),
        str(dativo.folder / "elsewhere" / "guests.csv"),
    ]


def test_a_variable_is_shown_by_its_name_in_messages(dativo: DativoProject):
    dativo.change("jobs/oak/visits.yaml", "max_retries: 4", "max_retries: ${TRIES}")

    (error,) = (p.error for p in dativo.read(TRIES="many").broken if p.name == "oak_park_visits")
    assert "${TRIES}" in str(error)
    assert "many" not in str(error)


def test_the_limit_of_runs_of_a_tenant_is_that_of_each_tenant(dativo: DativoProject):
    tenants = dativo.read().config.tenants

    assert {tenant.max_concurrent_runs for tenant in tenants.values()} == {1}
    assert list(tenants) == ["oak"]


def test_the_project_is_the_nearest_folder_that_has_the_jobs(dativo: DativoProject):
    inner = dativo.folder / "configs" / "deep" / "runner.yaml"
    inner.parent.mkdir()
    dativo.runner.rename(inner)

    assert "oak_park_visits" in dativo.read("configs/deep/runner.yaml").config.tables


def test_the_project_can_be_named(dativo: DativoProject, tmp_path: Path):
    away = tmp_path / "away" / "runner.yaml"
    away.parent.mkdir()
    dativo.runner.rename(away)
    variables = {"QUALITY_PLATFORM_HOME": "/home", "QUALITY_PLATFORM_DATIVO_ROOT": dativo.folder}

    with pytest.raises(ConfigurationError, match="there is no such file"):
        load_runner(away, {"QUALITY_PLATFORM_HOME": "/home"})
    with pytest.raises(ConfigurationError) as raised:
        load_runner(away, {key: str(value) for key, value in variables.items()})
    # Only what is broken wherever the runner file is.
    assert {place(problem)[0] for problem in raised.value.problems} == {
        "tickets.yaml",
        "runner.yaml",
    }


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"runner": {"mode": "oneshot"}}, True),
        ({"orchestrator": {"schedules": None}}, True),
        ({"schedules": [{"name": "a", "config": "b"}]}, True),
        ({"tenant_id": "a", "asset_path": "b"}, True),
        ({"tables": {}, "schedules": {}}, False),
        ({"tables": {}, "schedules": []}, False),
        ({"schedules": []}, False),
        ({"schedules": {"daily": {"cron": "@daily"}}}, False),
        ([], False),
        (None, False),
    ],
)
def test_a_file_is_told_by_its_shape(data: object, expected: bool):
    assert is_dativo(data) is expected
