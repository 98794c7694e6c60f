"""What a variable holds is in no representation and in no error."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from pydantic import ValidationError
from support.runner_text import ORDERS, load_runner_text

from quality_platform.config.models import RunnerConfig
from quality_platform.errors import EnvironmentVariableError, RunnerFileError

PASSWORD = "correct-horse-battery"
URI = f"postgresql+psycopg2://user:{PASSWORD}@db/lake"


def test_a_password_in_the_catalogs_uri_is_not_shown_by_the_configuration(tmp_path: Path):
    text = ORDERS + "lake: {catalog: {uri: '${URI}'}}\n"
    runner = load_runner_text(tmp_path, text, {"URI": URI})
    assert runner.config.lake.catalog.uri.get_secret_value() == URI
    for shown in (repr(runner), str(runner.config), runner.config.model_dump_json()):
        assert PASSWORD not in shown


LEAKS = [
    "lake: {catalog: {uri: ['${PW}']}}",
    "lake: {catalog: {url: '${PW}', type: '${PW}', name: 'x-${PW}'}}",
    "engine: {threads: '${PW}', memory_limit: '${PW}'}",
    "retries: {jitter: '${PW}', max_retries: '${PW}'}",
    "schedules: {s: {cron: '${PW}'}}",
    "schedules: {s: {cron: '@daily', timezone: '${PW}'}}",
    "schedules: {s: {cron: '@daily', targets: ['${NAME}']}}",
    "sensors: {s: {type: '${PW}', table: '${PW}'}}",
    "sensors: {s: {type: file_arrival, table: '${NAME}'}}",
]


@pytest.mark.parametrize("line", LEAKS)
def test_the_content_of_a_variable_is_in_no_error(tmp_path: Path, line: str):
    variables = {"PW": PASSWORD, "NAME": "secretName"}
    with pytest.raises(RunnerFileError) as raised:
        load_runner_text(tmp_path, f"{ORDERS}{line}\n", variables)
    told = [repr(raised.value), *traceback.format_exception(raised.value)]
    for secret in variables.values():
        assert secret not in "\n".join(told)


def test_the_content_of_a_variable_is_in_no_error_about_another(tmp_path: Path):
    text = ORDERS + "lake: {catalog: {uri: '${URI}'}, warehouse: '${NOT_SET}'}\n"
    with pytest.raises(EnvironmentVariableError) as raised:
        load_runner_text(tmp_path, text, {"URI": URI})
    assert PASSWORD not in str(raised.value)


def test_pydantic_itself_does_not_show_what_it_was_given():
    with pytest.raises(ValidationError) as raised:
        RunnerConfig.model_validate({"tables": {}, "lake": {"catalog": {"uri": [PASSWORD]}}})
    assert PASSWORD not in str(raised.value)
