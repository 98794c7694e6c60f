"""The commands of deploy/compose.yaml together, as processes of this machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from support.dagster_storage import storage_copy
from support.local_servers import free_port, stop
from support.postgres_database import PostgresDatabase
from support.project import Project
from support.webserver import Webserver

from quality_platform.orchestration.instance_file import POSTGRES_URL_VARIABLE
from quality_platform.orchestration.run_attribution import LAUNCHED_BY

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
PATIENCE = 120.0


def _filled(text: str) -> str:
    """A value as Compose makes it where the variables that it names are not set."""
    return re.sub(r"\$\{\w+(?::-([^}]*))?\}", lambda found: found[1] or "", text)


class Stack:
    """The services on ports of their own, on one home, as on the volume of the containers."""

    def __init__(self, shop: Project, home: Path, storage: str) -> None:
        self.shop, self.home, self.storage = shop, home, storage
        self.ports = {"code": free_port(), "webserver": free_port(), "viewer": free_port()}
        home.mkdir()
        # Beside runner.yaml, as in the image.
        (shop.folder / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
        workspace = yaml.safe_load((ROOT / "deploy" / "workspace.yaml").read_text())
        server = workspace["load_from"][0]["grpc_server"]
        server |= {"host": "127.0.0.1", "port": self.ports["code"]}
        self.workspace = home / "workspace.yaml"
        self.workspace.write_text(yaml.safe_dump(workspace))

    def command(self, name: str) -> list[str]:
        """The command of a service behind the image's entrypoint, on this machine's addresses."""
        words = " ".join(COMPOSE["services"][name]["command"])
        words = words.replace("/app/deploy/workspace.yaml", str(self.workspace))
        words = words.replace("0.0.0.0", "127.0.0.1")
        for port in ("3000", "4000"):
            words = words.replace(f"--port={port}", f"--port={self.ports.get(name, '')}")
        return [str(ROOT / "deploy" / "entrypoint.sh"), *words.split()]

    def environment(self, name: str) -> dict[str, str]:
        """The environment of a service, with the folders and the storage of the test."""
        written = COMPOSE["services"][name]["environment"]
        ours = {
            "QUALITY_PLATFORM_HOME": os.environ["QUALITY_PLATFORM_HOME"],
            "QUALITY_PLATFORM_RUNNER": str(self.shop.write_runner()),
            "DAGSTER_HOME": str(self.home),
            POSTGRES_URL_VARIABLE: self.storage,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        return {**os.environ, **{key: _filled(text) for key, text in written.items()}, **ours}

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """A service, until the block ends."""
        with (self.home / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                self.command(name),
                cwd=self.shop.folder,
                env=self.environment(name),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield
        finally:
            stop(process)

    def logs(self) -> str:
        """What all services have written."""
        return "\n".join(path.read_text() for path in sorted(self.home.glob("*.log")))

    def wait_for(self, what: str, answers: Any) -> None:
        """Waits until something is so."""
        last = time.monotonic() + PATIENCE
        while not answers():
            assert time.monotonic() < last, f"waited in vain for {what}\n{self.logs()[-8000:]}"
            time.sleep(0.2)

    def webserver(self, name: str) -> Webserver:
        """A webserver that answers."""
        server = Webserver(f"http://127.0.0.1:{self.ports[name]}", self.home / f"{name}.log")

        def answers() -> bool:
            try:
                with urllib.request.urlopen(f"{server.address}/server_info", timeout=5):
                    return True
            except OSError:
                return False

        self.wait_for(name, answers)
        return server


@pytest.fixture
def stack(
    shop: Project, tmp_path: Path, storage_server: str, empty_storage: PostgresDatabase
) -> Iterator[Stack]:
    with storage_copy(storage_server, empty_storage) as database:
        yield Stack(shop, tmp_path / "shared", database.url)


def test_operators_launch_viewers_only_look_and_the_code_server_runs(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as parts:
        parts.enter_context(stack.running("code"))
        health = ["dagster", "api", "grpc-health-check", "--port", str(stack.ports["code"])]
        assert COMPOSE["services"]["code"]["healthcheck"]["test"][1:] == [*health[:-1], "4000"]
        program = str(Path(sys.executable).parent / health[0])
        stack.wait_for(
            "the code server",
            lambda: (
                subprocess.run([program, *health[1:]], capture_output=True, check=False).returncode
                == 0
            ),
        )
        for name in ("webserver", "viewer", "daemon"):
            parts.enter_context(stack.running(name))
        operator, viewer = stack.webserver("webserver"), stack.webserver("viewer")
        header = {"X-Forwarded-User": "ada@example.com"}
        run_id = operator.launch(["shop/customers"], header)
        with pytest.raises(AssertionError, match="UnauthorizedError"):
            viewer.launch(["shop/customers"], header)
        monkeypatch.setenv(POSTGRES_URL_VARIABLE, stack.storage)
        with dg.DagsterInstance.from_config(str(stack.home)) as instance:

            def ended() -> bool:
                found = instance.get_run_by_id(run_id)
                return found is not None and found.is_finished

            stack.wait_for("the run", ended)
            (run,) = instance.get_runs()
    assert run.status is dg.DagsterRunStatus.SUCCESS, stack.logs()
    assert run.tags[LAUNCHED_BY] == "ada@example.com"
    assert not list(stack.home.rglob("*.db"))
