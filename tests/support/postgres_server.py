"""A PostgreSQL of the tests' own: in a temporary folder, on a socket and a free port."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.local_servers import PASSWORD, free_port, named_url, unprivileged

_DEBIAN = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class LocalPostgres:
    """A running server of this machine; `url` is in SQLAlchemy's form."""

    url: str
    data: Path
    user: str | None

    def restart(self) -> None:
        """Ends it as a power failure would, and starts it again."""
        log = self.data.with_name("server.log")
        _run("pg_ctl", self.user, "-D", self.data, "-l", log, "-m", "immediate", "-w", "restart")


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a running server (SQLAlchemy's form); one started here is gone afterwards.

    Raises:
        RuntimeError: PostgreSQL is not installed, or does not start.
    """
    if url := named_url("postgres"):
        yield url
        return
    with local_postgres() as server:
        yield server.url


@contextmanager
def local_postgres() -> Iterator[LocalPostgres]:
    """A server that is started here, and gone afterwards.

    Raises:
        RuntimeError: PostgreSQL is not installed, or does not start.
    """
    # Not pytest's own folder: nobody but its owner may enter that, and root may not run PostgreSQL.
    folder = Path(tempfile.mkdtemp(prefix="qp-postgres-"))
    user = unprivileged("postgres")
    if user is not None:
        shutil.chown(folder, user)
    data, port = folder / "data", free_port()
    try:
        _run("initdb", user, "-D", data, *_initial(folder))
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = folder / "server.log"
        _run("pg_ctl", user, "-D", data, "-l", log, "-o", options, "-w", "start")
        try:
            url = f"postgresql+psycopg2://tester:{PASSWORD}@127.0.0.1:{port}/postgres"
            yield LocalPostgres(url, data, user)
        finally:
            _run("pg_ctl", user, "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)


def _initial(folder: Path) -> list[str]:
    """Options of a new server: passwords are asked for, as they are anywhere."""
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    return ["-U", "tester", "--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8"]


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
