"""The files of a deployment fit each other, the code and Dagster."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from quality_platform.orchestration.run_attribution import (
    USER_HEADER_VARIABLE,
    AttributedRunCoordinator,
)

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PROGRAMS = Path(sys.executable).parent
TEXTS = (
    *(ROOT / name for name in ("Dockerfile", "Makefile", "docs/deploy.md")),
    *sorted(path for path in DEPLOY.rglob("*") if path.suffix in {".yaml", ".sh", ".example"}),
)
PLATFORM = ("code", "webserver", "viewer", "daemon")


def parsed(path: Path) -> dict[str, Any]:
    found = yaml.safe_load(path.read_text())
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return parsed(DEPLOY / "compose.yaml")


@pytest.fixture(scope="module")
def helm() -> dict[str, Any]:
    return parsed(DEPLOY / "helm" / "values.yaml")


def lines_of(name: str) -> str:
    """The configuration of the proxy, without its comments."""
    text = (DEPLOY / "proxy" / name).read_text()
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def test_only_the_proxy_can_be_reached(compose: dict[str, Any]) -> None:
    assert [name for name, service in compose["services"].items() if "ports" in service] == [
        "proxy"
    ]
    assert all("back" not in compose["services"][n]["networks"] for n in ("proxy", "oauth2-proxy"))
    assert compose["services"]["postgres"]["networks"] == ["back"]


def test_every_part_of_the_platform_is_the_same_image_with_the_same_storage(
    compose: dict[str, Any],
) -> None:
    services = [compose["services"][name] for name in PLATFORM]
    assert len({service["image"] for service in services}) == 1
    environments = [dict(service["environment"]) for service in services]
    for environment in environments:
        environment.pop(USER_HEADER_VARIABLE, None)
    assert all(environment == environments[0] for environment in environments)
    assert sum("build" in service for service in services) == 1


def test_who_is_believed_is_the_proxy_alone(compose: dict[str, Any]) -> None:
    believing = {
        name: service["environment"][USER_HEADER_VARIABLE]
        for name, service in compose["services"].items()
        if USER_HEADER_VARIABLE in service.get("environment", {})
    }
    assert list(believing) == ["webserver"]
    assert f"proxy_set_header {believing['webserver']} $person;" in lines_of("nginx.conf")


def test_viewers_get_a_webserver_that_only_reads(compose: dict[str, Any]) -> None:
    commands = {name: compose["services"][name]["command"] for name in PLATFORM}
    assert commands["viewer"] == [*commands["webserver"], "--read-only"]
    upstreams = dict(re.findall(r"upstream (\w+) \{\s*server ([\w:]+);", lines_of("nginx.conf")))
    assert upstreams == {"operator": "webserver:3000", "viewer": "viewer:3000"}
    assert "default viewer;" in lines_of("operators.conf")


@pytest.mark.parametrize("name", PLATFORM)
def test_the_commands_are_those_of_the_installed_programs(
    compose: dict[str, Any], name: str
) -> None:
    words = compose["services"][name]["command"]
    options = [word for word in words if word.startswith("--")]
    names = [word for word in words if not word.startswith("--")]
    told = subprocess.run(
        [PROGRAMS / names[0], *names[1:], "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert [option for option in options if option.partition("=")[0] not in told] == []


def test_files_that_are_mounted_and_included_exist(compose: dict[str, Any]) -> None:
    mounted = {}
    for volume in compose["services"]["proxy"]["volumes"]:
        source, target, mode = volume.rsplit(":", 2) if volume.count(":") == 2 else ("", "", "")
        if not source:
            source, target, mode = re.fullmatch(r"(.*):(/\S+):(\w+)", volume).groups()  # type: ignore[union-attr]
        mounted[target] = source
        assert mode == "ro"
    for login in ("basic", "oidc"):
        for source in mounted.values():
            path = DEPLOY / source.replace("${LOGIN:-basic}", login)
            # People make this one: it has their passwords.
            assert path.is_file() or path.name == "users.htpasswd"
    included = re.findall(r"include (\S+);", lines_of("nginx.conf"))
    assert set(included) <= set(mounted)
    for name in ("nginx.conf", "basic.conf", "oidc.conf", "operators.conf"):
        assert lines_of(name).count("{") == lines_of(name).count("}")


def test_variables_of_the_example_are_those_of_compose() -> None:
    asked = set(re.findall(r"\$\{([A-Z0-9_]+)", (DEPLOY / "compose.yaml").read_text()))
    offered = set(
        re.findall(r"^#?([A-Z0-9_]+)=", (DEPLOY / "compose.env.example").read_text(), re.M)
    )
    images = {name for name in asked if name.endswith("_IMAGE")}
    assert asked - images == offered


def test_the_image_takes_what_there_is_and_is_nobody_special() -> None:
    text = (ROOT / "Dockerfile").read_text()
    taken = re.findall(r"^COPY (?!--)(.+) \S+$", text, re.M)
    names = [name for line in taken for name in line.split()]
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert [name for name in names if not (ROOT / name).exists()] == []
    assert [name for name in names if name.split("/")[0] in ignored] == []
    assert text.index("USER platform") < text.index("CMD [")
    assert "requirements-image.lock" in names
    assert (DEPLOY / "entrypoint.sh").stat().st_mode & 0o111
    subprocess.run(["sh", "-n", DEPLOY / "entrypoint.sh"], check=True)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_variable_of_ours_is_read_somewhere(path: Path) -> None:
    named = set(re.findall(r"\bQUALITY_PLATFORM_[A-Z_]+\b", path.read_text()))
    code = "\n".join(p.read_text() for p in (ROOT / "quality_platform").rglob("*.py"))
    assert [name for name in sorted(named) if f'"{name}"' not in code] == []


def test_kubernetes_gets_the_settings_of_dagster_yaml(helm: dict[str, Any]) -> None:
    ours, theirs = parsed(ROOT / "dagster.yaml"), helm["additionalInstanceConfig"]
    for section in ("run_retries", "run_monitoring", "concurrency"):
        assert set(theirs[section]) == set(ours[section])
    assert theirs["run_retries"] == ours["run_retries"]
    assert theirs["concurrency"]["pools"] == ours["concurrency"]["pools"]
    assert helm["postgresql"]["postgresqlScheme"] == "postgresql+psycopg2"
    webserver = helm["dagsterWebserver"]
    assert webserver["enableReadOnly"] is True
    # Nobody special opens it.
    assert webserver["readinessProbe"]["httpGet"]["port"] == webserver["service"]["port"] > 1023
    images = [helm[name]["image"] for name in ("dagsterWebserver", "dagsterDaemon")]
    (location,) = helm["dagster-user-deployments"]["deployments"]
    assert images == [location["image"]] * 2


def test_dagster_takes_the_instance_that_the_chart_writes(
    helm: dict[str, Any], tmp_path: Path
) -> None:
    coordinator = helm["dagsterDaemon"]["runCoordinator"]["config"]["customRunCoordinator"]
    document = {"run_coordinator": coordinator, **helm["additionalInstanceConfig"]}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(document))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert isinstance(instance.run_coordinator, AttributedRunCoordinator)


def test_kubernetes_takes_the_settings_of_a_runs_pod(helm: dict[str, Any]) -> None:
    from dagster_k8s.job import UserDefinedDagsterK8sConfig

    launcher = helm["runLauncher"]["config"]["k8sRunLauncher"]
    given = launcher["runK8sConfig"]
    taken = UserDefinedDagsterK8sConfig(
        pod_spec_config=given["podSpecConfig"], job_spec_config=given["jobSpecConfig"]
    )
    assert taken.pod_spec_config == given["podSpecConfig"]
