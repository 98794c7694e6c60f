"""${VAR} in runner.yaml, and the environment that is read in one place."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.problems import place, problems_of

from quality_platform.config.environment import environment, expanded, runner_path
from quality_platform.documents.yaml_documents import parse_yaml
from quality_platform.errors import EnvironmentVariableError


def expand(text: str, **variables: str):
    return expanded(parse_yaml(text, Path("runner.yaml")), variables)


def test_a_variable_takes_the_place_of_its_reference():
    assert expand("a: x-${A}-${B}\n", A="1", B="2") == {"a": "x-1-2"}


def test_references_are_replaced_at_every_depth():
    text = "a: {b: ['${A}', {c: '${A}'}]}\nd: 5\n"
    assert expand(text, A="v") == {"a": {"b": ["v", {"c": "v"}]}, "d": 5}


@pytest.mark.parametrize(
    ("text", "value"),
    [("${A:-x y}", "x y"), ("${A:-}", ""), ("${A:-http://h:1/p}", "http://h:1/p")],
)
def test_a_default_takes_the_place_of_a_variable_that_is_not_set(text, value):
    assert expand(f"a: '{text}'\n") == {"a": value}


def test_a_variable_wins_over_its_default():
    assert expand("a: ${A:-x}\n", A="y") == {"a": "y"}


def test_an_empty_variable_is_as_one_that_is_not_set():
    assert expand("a: '${A:-x}'\n", A="") == {"a": "x"}
    with pytest.raises(EnvironmentVariableError):
        expand("a: '${A}'\n", A="")


def test_all_variables_that_are_not_set_are_listed_with_their_lines():
    text = "a: ${FIRST}\nb:\n  - ok\n  - ${SECOND}/${THIRD}\n"
    first, second, third = problems_of(EnvironmentVariableError, lambda: expand(text))
    assert (place(first), place(second), place(third)) == (
        ("runner.yaml", 1),
        ("runner.yaml", 4),
        ("runner.yaml", 4),
    )
    assert [p.received for p in (first, second, third)] == ["${FIRST}", "${SECOND}", "${THIRD}"]
    assert second.field == "b.1"
    assert "SECOND" in second.message
    assert "${SECOND:-...}" in second.action


def test_the_content_of_a_variable_is_never_read_as_yaml_or_as_a_reference():
    content = "x\nb: {c: 1}\n- ${OTHER} &anchor"
    assert expand("a: ${A}\n", A=content, OTHER="never") == {"a": content}


@pytest.mark.parametrize("text", ["$A", "${}", "${1A}", "${A", "${A-x}"])
def test_what_is_no_reference_stays_as_it_is(text):
    assert expand(f"a: '{text}'\n", A="v") == {"a": text}


def test_keys_are_not_expanded():
    assert expand("${A}: 1\n", A="v") == {"${A}": 1}


def test_the_home_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QUALITY_PLATFORM_HOME", "state")
    assert environment()["QUALITY_PLATFORM_HOME"] == str(tmp_path / "state")


@pytest.mark.parametrize("value", [None, ""])
def test_the_home_is_a_folder_of_the_working_directory_where_nothing_is_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str | None
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QUALITY_PLATFORM_HOME", raising=False)
    if value is not None:
        monkeypatch.setenv("QUALITY_PLATFORM_HOME", value)
    assert environment()["QUALITY_PLATFORM_HOME"] == str(tmp_path / ".local")


def test_other_variables_are_passed_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SOME_VARIABLE", "x")
    assert environment()["SOME_VARIABLE"] == "x"


def test_the_runner_file_is_the_one_named_or_that_of_the_working_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    assert runner_path({"QUALITY_PLATFORM_RUNNER": "/a/b.yaml"}) == Path("/a/b.yaml")
    assert runner_path({"QUALITY_PLATFORM_RUNNER": ""}) == tmp_path / "runner.yaml"
    assert runner_path({}) == tmp_path / "runner.yaml"
