"""Where the Dagster instance keeps its state: one variable is the switch."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from support.command_line import call

from quality_platform.errors import ConfigurationError
from quality_platform.orchestration.instance_file import (
    POSTGRES_URL_VARIABLE,
    InstanceFile,
    driver_url,
    instance_file,
)

URL = "postgresql://keeper:canary-12%40@db.example.com:5432/dagster"


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "dagster.yaml"
    path.write_text("# Ours.\ntelemetry: {enabled: false}\n")
    return path


def written(file: InstanceFile) -> dict[str, object]:
    file.write()
    found = yaml.safe_load(file.path.read_text())
    assert isinstance(found, dict)
    return found


def test_without_the_variable_the_file_is_the_projects(tmp_path: Path, template: Path) -> None:
    file = InstanceFile(tmp_path / "home", template, "")
    assert written(file) == {"telemetry": {"enabled": False}}
    assert file.storage == "SQLite"


def test_with_the_variable_the_storage_is_added_and_the_url_is_not(
    tmp_path: Path, template: Path
) -> None:
    file = InstanceFile(tmp_path / "home", template, URL)
    custom = written(file)["storage"]["custom"]  # type: ignore[index]
    assert custom["config"] == {"postgres_url": {"env": POSTGRES_URL_VARIABLE}}
    assert "canary" not in file.path.read_text() + repr(file)
    assert file.storage == "PostgreSQL"


def test_the_switch_can_be_thrown_back_and_forth(tmp_path: Path, template: Path) -> None:
    home = tmp_path / "home"
    for url in ("", URL, ""):
        assert ("storage" in written(InstanceFile(home, template, url))) == bool(url)


def test_a_project_needs_no_dagster_yaml(tmp_path: Path) -> None:
    file = InstanceFile(tmp_path / "home", tmp_path / "none.yaml", URL)
    assert list(written(file)) == ["storage"]


def test_a_file_copied_from_an_older_version_of_the_projects_is_replaced(
    tmp_path: Path, template: Path
) -> None:
    file = InstanceFile(tmp_path, template.rename(tmp_path / "template.yaml"), "")
    file.path.write_text("# Ours.\nnux: {enabled: true}\n")
    assert written(file) == {"telemetry": {"enabled": False}}


@pytest.mark.parametrize("content", ["nux: {enabled: true}\n", "# Another's.\n", ""])
def test_the_file_of_somebody_else_is_left_alone(
    tmp_path: Path, template: Path, content: str
) -> None:
    file = InstanceFile(tmp_path / "home", template, URL)
    file.home.mkdir()
    file.path.write_text(content)
    with pytest.raises(ConfigurationError, match="not written by quality-platform"):
        file.write()
    assert file.path.read_text() == content


def test_a_storage_that_is_told_twice_is_refused(tmp_path: Path, template: Path) -> None:
    template.write_text("storage: {sqlite: {base_dir: /data}}\n")
    with pytest.raises(ConfigurationError, match="`storage` stands in this file"):
        InstanceFile(tmp_path / "home", template, URL).write()
    assert written(InstanceFile(tmp_path / "home", template, ""))["storage"]


@pytest.mark.parametrize(("first", "then", "where"), [("", URL, "SQLite"), (URL, "", "PostgreSQL")])
def test_state_never_moves_because_a_process_lacks_the_variable(
    tmp_path: Path, template: Path, first: str, then: str, where: str
) -> None:
    home = tmp_path / "home"
    InstanceFile(home, template, first).ensure()
    InstanceFile(home, template, first).ensure()
    with pytest.raises(ConfigurationError, match=f"keeps its state in {where}"):
        InstanceFile(home, template, then).ensure()


def test_another_storage_of_an_own_instance_is_left_alone(tmp_path: Path, template: Path) -> None:
    file = InstanceFile(tmp_path / "home", template, URL)
    file.home.mkdir()
    file.path.write_text("storage: {postgres: {postgres_url: {env: OTHER}}}\n")
    file.ensure()
    assert "OTHER" in file.path.read_text()


def test_the_environment_names_the_instance(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv(POSTGRES_URL_VARIABLE, URL)
    file = instance_file(tmp_path / "runner.yaml")
    assert (file.home, file.template) == (home / "dagster", tmp_path / "dagster.yaml")
    assert file.postgres_url == URL
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "named"))
    assert instance_file(tmp_path / "runner.yaml").home == tmp_path / "named"


@pytest.mark.parametrize(
    ("written_as", "expected"),
    [
        ("postgresql://u:p%40@h/db", "postgresql+psycopg2://u:p%40@h/db"),
        ("postgres://u@h:5433/db", "postgresql+psycopg2://u@h:5433/db"),
        (
            "postgresql+psycopg2://u:p@h/db?sslmode=verify-full",
            "postgresql+psycopg2://u:p@h/db?sslmode=verify-full",
        ),
    ],
)
def test_any_way_to_write_the_url_names_the_driver(written_as: str, expected: str) -> None:
    assert driver_url(written_as) == expected


@pytest.mark.parametrize(
    "url",
    ["canary", "mysql://u:canary@h/db", "postgresql://u:pa:ss@canary:w@h/db", "postgresql://u@h:canary/d"],
)  # fmt: skip
def test_a_url_that_is_none_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError, match="not one of PostgreSQL") as caught:
        driver_url(url)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_command_writes_the_file_and_tells_the_storage_without_the_url(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    runner = tmp_path / "runner.yaml"
    (tmp_path / "dagster.yaml").write_text("# Ours.\nnux: {enabled: false}\n")
    for url, storage in ((URL, "PostgreSQL"), ("", "SQLite")):
        monkeypatch.setenv(POSTGRES_URL_VARIABLE, url)
        ended = call("instance", "--runner", runner)
        assert ended.code == 0
        assert ended.text == f"Dagster instance {home / 'dagster'} ({storage})\n"
        assert "nux" in (home / "dagster" / "dagster.yaml").read_text()
