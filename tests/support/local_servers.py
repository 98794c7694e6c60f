"""What the servers of the tests have in common: a port, a user who is not root, and an end.

Where the environment names a server instead (`URLS`), none is started: its databases and keys whose
names begin with `qp_test` belong to the tests.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

PASSWORD = "s3cr3t-pw"
"""The password that no message may show."""

URLS = {
    "postgres": "QUALITY_PLATFORM_TEST_POSTGRES_URL",
    "mariadb": "QUALITY_PLATFORM_TEST_MARIADB_URL",
    "redis": "QUALITY_PLATFORM_TEST_REDIS_URL",
}
"""The variables that name a server that runs already; scripts/run_tests reads them too."""

_STARTING_SECONDS = 30.0
_STOPPING_SECONDS = 20.0


def named_url(kind: str) -> str:
    """The URL of the server that the environment names; "" where it names none."""
    return os.environ.get(URLS[kind], "")


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def unprivileged(name: str) -> str | None:
    """Whom to be when this is root, which no database server wants to be; None otherwise."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return name if name in known else "nobody"


def program(name: str, *folders: str, package: str) -> str:
    """The path of a server's program.

    Raises:
        RuntimeError: it is not installed.
    """
    for folder in ("", *folders):
        found = shutil.which(str(Path(folder) / name) if folder else name)
        if found:
            return found
    raise RuntimeError(f"{name} is missing: install Debian's package {package}")


def start(command: Sequence[object], user: str | None, log: Path) -> subprocess.Popen[bytes]:
    """Starts a server, whose output goes to a file."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [str(part) for part in command],
            user=user,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        )


def wait_until(answers: Callable[[], bool], server: subprocess.Popen[bytes], log: Path) -> None:
    """Waits until a server answers.

    Raises:
        RuntimeError: it has ended, or does not answer in time.
    """
    last = time.monotonic() + _STARTING_SECONDS
    while not answers():
        if server.poll() is not None or time.monotonic() > last:
            raise RuntimeError(f"it does not answer: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)


def stop(server: subprocess.Popen[bytes]) -> None:
    """Ends a server, with force where it does not go by itself."""
    server.terminate()
    try:
        server.wait(_STOPPING_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
