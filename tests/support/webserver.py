"""A real Dagster webserver beside a test, and requests to its GraphQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

from support.local_servers import free_port
from support.project import Project

ROOT = Path(__file__).parents[2]
SERVE_SECONDS = 90
REPOSITORY = {
    "repositoryLocationName": "quality_platform",
    "repositoryName": "__repository__",
}

LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}"""


@dataclass(frozen=True)
class Webserver:
    """A webserver that answers; `log` has what it writes."""

    address: str
    log: Path

    def graphql(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """The `data` of the answer to a query or mutation."""
        body = json.dumps({"query": query, "variables": dict(variables or {})}).encode()
        kind = {"Content-Type": "application/json"}
        request = urllib.request.Request(
            f"{self.address}/graphql", body, {**kind, **(headers or {})}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            data: dict[str, Any] = json.load(answer)["data"]
            return data

    def launch(
        self,
        assets: Sequence[str],
        headers: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        parent: str = "",
    ) -> str:
        """Launches assets (`shop/orders`) as the UI does; the run's id."""
        keys = [{"path": asset.split("/")} for asset in assets]
        metadata: dict[str, Any] = {
            "tags": [{"key": key, "value": value} for key, value in (tags or {}).items()]
        }
        if parent:
            metadata |= {"parentRunId": parent, "rootRunId": parent}
        params = {
            "selector": {**REPOSITORY, "pipelineName": "everything", "assetSelection": keys},
            "mode": "default",
            "executionMetadata": metadata,
        }
        answer = self.graphql(LAUNCH, {"params": params}, headers)["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])


@contextmanager
def running_webserver(
    project: Project,
    home: Path,
    extra_env: Mapping[str, str] | None = None,
    *arguments: str,
) -> Iterator[Webserver]:
    """A webserver on the instance in `home`, until the block ends; `arguments` are its own."""
    project.write_runner()
    port, log = free_port(), home / "webserver.log"
    command = [
        str(Path(sys.executable).parent / "dagster-webserver"),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--workspace", str(ROOT / "workspace.yaml"), *arguments),
    ]
    named = {"QUALITY_PLATFORM_RUNNER": str(project.runner), "DAGSTER_HOME": str(home)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=project.folder,
            env={**os.environ, **named, **(extra_env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        server = Webserver(f"http://127.0.0.1:{port}", log)
        _wait(server, process)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=SERVE_SECONDS)


def _wait(server: Webserver, process: subprocess.Popen[bytes]) -> None:
    last = time.monotonic() + SERVE_SECONDS
    while time.monotonic() < last and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.address}/server_info", timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"the webserver does not answer:\n{server.log.read_text()}")
