"""A PostgreSQL of the tests' own: in a temporary folder, on a socket and a free port."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_DEBIAN = Path("/usr/lib/postgresql")


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a running server (SQLAlchemy's form), gone afterwards with all its data.

    Raises:
        RuntimeError: PostgreSQL is not installed, or does not start.
    """
    # Not pytest's own folder: nobody but its owner may enter that, and root may not run PostgreSQL.
    folder = Path(tempfile.mkdtemp(prefix="qp-postgres-"))
    user = _user()
    if user is not None:
        shutil.chown(folder, user)
    data, port = folder / "data", _free_port()
    try:
        _run("initdb", user, "-D", data, "-U", "tester", "--auth=trust", "--encoding=UTF8")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = folder / "server.log"
        _run("pg_ctl", user, "-D", data, "-l", log, "-o", options, "-w", "start")
        try:
            yield f"postgresql+psycopg2://tester:s3cr3t-pw@127.0.0.1:{port}/postgres"
        finally:
            _run("pg_ctl", user, "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)


def _user() -> str | None:
    """Whom to be: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _run(program: str, user: str | None, *arguments: object) -> None:
    ended = subprocess.run(
        [_path(program), *map(str, arguments)],
        user=user,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        check=False,
    )
    if ended.returncode:
        raise RuntimeError(f"{program} ended with {ended.returncode}: {ended.stderr}")


def _path(program: str) -> str:
    versions = sorted(_DEBIAN.glob(f"*/bin/{program}"))
    found = shutil.which(program) or (str(versions[-1]) if versions else "")
    if not found:
        raise RuntimeError(f"{program} is missing: install Debian's package postgresql")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
