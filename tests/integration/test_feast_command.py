"""Feast's own command line and web server, on what the platform registers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.command_line import Ended, call
from support.local_servers import free_port, stop
from support.online_shop import online_shop
from support.project import Project

STARTING_SECONDS = 120
SECTIONS = {
    "on_demand_feature_views": {
        "rounded": {
            "inputs": ["totals"],
            "request": {"limit": "double"},
            "python": "support.feature_functions:is_above",
            "features": {"above": "boolean"},
        }
    },
    "feature_services": {
        "offers": {"features": ["totals:total", {"rounded": ["above"]}], "owner": "team:shop"}
    },
}


@pytest.fixture
def shop(project: Project) -> Project:
    project = online_shop(project)
    project.settings |= SECTIONS
    project.write_runner()
    return project


def arguments(shop: Project, *words: str) -> list[str]:
    """The arguments of a process that runs `quality-platform feast`."""
    script = "from quality_platform.cli import main; main()"
    return [sys.executable, "-c", script, "feast", "-r", str(shop.runner), *words]


def feast(shop: Project, *words: str) -> subprocess.CompletedProcess[str]:
    """How Feast's command line ended."""
    return subprocess.run(arguments(shop, *words), capture_output=True, text=True, check=False)


def registered(shop: Project) -> Ended:
    """The end of the command that registers."""
    return call("register-features", "-r", shop.runner)


def test_the_platform_runs_feast_on_its_registry(shop: Project) -> None:
    ended = registered(shop)
    assert (ended.code, ended.out) == (0, "registered: customer, totals, rounded, offers\n")
    listed = feast(shop, "feature-services", "list")
    assert listed.returncode == 0, listed.stderr
    assert "offers" in listed.stdout


@pytest.mark.parametrize(("kind", "name"), [("feature-views", "totals"), ("entities", "customer")])
def test_feast_itself_reads_the_file_that_is_written(shop: Project, kind: str, name: str) -> None:
    registered(shop)
    folder = shop.open().home / "feast"
    command = [str(Path(sys.executable).with_name("feast")), "-c", str(folder), kind, "list"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert name in ended.stdout


def test_feast_cannot_undo_what_is_declared(shop: Project) -> None:
    for command in ("apply", "teardown"):
        ended = call("feast", "-r", shop.runner, command)
        assert ended.code == 2
        assert "register-features" in ended.err


def test_feasts_exit_code_is_passed_on(shop: Project) -> None:
    registered(shop)
    assert feast(shop, "feature-views", "describe", "nothing").returncode == 1


@contextmanager
def serving(shop: Project, port: int) -> Iterator[str]:
    """The address of Feast's web server, as `quality-platform feast ui` starts it."""
    server = subprocess.Popen(
        arguments(shop, "ui", "-h", "127.0.0.1", "-p", str(port)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(server)


def answer(url: str) -> bytes:
    """What the server says, once it has started."""
    for _ in range(STARTING_SECONDS):
        try:
            with urllib.request.urlopen(url, timeout=30) as found:
                return bytes(found.read())
        except (urllib.error.URLError, ConnectionError):
            time.sleep(1)
    raise AssertionError(f"{url} never answered")


def test_the_web_server_of_feast_shows_the_registry(shop: Project) -> None:
    registered(shop)
    with serving(shop, free_port()) as address:
        projects = json.loads(answer(f"{address}/projects-list.json"))
        where = f"{address}/api/v1"
        views = json.loads(answer(f"{where}/feature_views?project=quality_platform"))
        services = json.loads(answer(f"{where}/feature_services?project=quality_platform"))
    assert "quality_platform" in {project["id"] for project in projects["projects"]}
    names = {view["spec"]["name"] for view in views["featureViews"]}
    assert names == {"totals", "rounded"}
    assert [service["spec"]["name"] for service in services["featureServices"]] == ["offers"]
