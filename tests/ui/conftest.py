"""A webserver over an instance with a finished run, and a browser."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from support.project import Project
from support.shop import furnish, orders_csv
from ui.browser import Page, open_browser

from quality_platform.orchestration.launch import launch

ROOT = Path(__file__).parents[2]
SERVE_SECONDS = 90

# These tests are meant to fail where there is no browser; leaving them out must be said aloud.
collect_ignore_glob = ["test_*"] if os.environ.get("QUALITY_PLATFORM_UI_TESTS") == "off" else []


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a webserver over the shop after two launches."""
    folder = tmp_path_factory.mktemp("ui")
    dagster_home = folder / "home" / "dagster"
    dagster_home.mkdir(parents=True)
    shutil.copy(ROOT / "dagster.yaml", dagster_home)
    (folder / "project").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUALITY_PLATFORM_HOME", str(folder / "home"))
        patch.setenv("DAGSTER_HOME", str(dagster_home))
        shop = furnish(Project(folder / "project"))
        shop.deliver("orders/february.csv", orders_csv(11, 5, -1, 7))
        patch.setenv("QUALITY_PLATFORM_RUNNER", str(shop.write_runner()))
        for _ in range(2):
            launch(shop.open(), lambda *_: None, lambda _: None)
        with _webserver(folder / "webserver.log") as address:
            yield address


@contextmanager
def _webserver(log: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    host, port = address.split(":")
    command = [
        Path(sys.executable).parent / "dagster-webserver",
        *("--host", host, "--port", port, "--workspace", ROOT / "workspace.yaml"),
    ]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)
    try:
        _wait(f"http://{address}/server_info", process, log)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(timeout=SERVE_SECONDS)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SERVE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(url, timeout=5):
                return
        except URLError:
            time.sleep(0.25)
    raise RuntimeError(f"the webserver does not answer:\n{log.read_text()}")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A browser's page."""
    with open_browser(tmp_path_factory.mktemp("browser") / "profile") as page:
        yield page
