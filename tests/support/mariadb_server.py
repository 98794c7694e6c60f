"""A MariaDB of the tests' own: in a temporary folder, on loopback and a free port."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql
from support.local_servers import (
    PASSWORD,
    free_port,
    named_url,
    program,
    start,
    stop,
    unprivileged,
    wait_until,
)

DATABASE = "qp_test"
_LIGHT = (
    "--skip-log-bin",
    "--skip-name-resolve",
    "--performance-schema=OFF",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-log-file-size=16M",
    "--innodb-buffer-pool-size=64M",
)


@dataclass(frozen=True)
class MariaDb:
    """A running server, and a connection to it for the tests' own statements."""

    url: str

    def connect(self, **settings: Any) -> pymysql.Connection[Any]:
        """A connection that commits by itself."""
        parts = urlsplit(self.url)
        return pymysql.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            database=parts.path.strip("/") or None,
            charset="utf8mb4",
            autocommit=True,
            **settings,
        )

    def run(self, *statements: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Runs statements in one session; the rows of the last one."""
        with self.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement, values or None)
            return list(cursor.fetchall())

    def empty(self) -> None:
        """Drops everything in the database."""
        self.run(
            f"DROP DATABASE IF EXISTS {DATABASE}",
            f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4",
        )

    def url_with(self, **parts: str) -> str:
        """The URL with another `user`, `password`, `port` or `database`."""
        known = urlsplit(self.url)
        given: Mapping[str, str] = {
            "user": known.username or "",
            "password": known.password or "",
            "port": str(known.port or 3306),
            "database": known.path.strip("/"),
            **parts,
        }
        address = f"{known.hostname}:{given['port']}/{given['database']}"
        return f"mysql://{given['user']}:{given['password']}@{address}"


@contextmanager
def mariadb_server() -> Iterator[MariaDb]:
    """A running server with an empty database; one that was started here is gone afterwards.

    Raises:
        RuntimeError: MariaDB is not installed, or does not start.
    """
    if url := named_url("mariadb"):
        yield _emptied(url)
        return
    # Not pytest's own folder: nobody but its owner may enter that, and this is another user.
    folder = Path(tempfile.mkdtemp(prefix="qp-mariadb-"))
    try:
        user = unprivileged("mysql")
        if user is not None:
            shutil.chown(folder, user)
        with _running(folder, user) as url:
            yield _emptied(url)
    finally:
        shutil.rmtree(folder)


@contextmanager
def _running(folder: Path, user: str | None) -> Iterator[str]:
    data, log, port = folder / "data", folder / "server.log", free_port()
    _install(data, user)
    bootstrap = folder / "users.sql"
    bootstrap.write_text(
        f"CREATE USER tester@'%' IDENTIFIED BY '{PASSWORD}';\n"
        "GRANT ALL ON *.* TO tester@'%' WITH GRANT OPTION;"
    )
    bootstrap.chmod(0o644)
    server = start(
        [
            program("mariadbd", "/usr/sbin", "/usr/local/sbin", package="mariadb-server"),
            "--no-defaults",
            f"--datadir={data}",
            f"--socket={folder / 'socket'}",
            f"--pid-file={folder / 'pid'}",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            f"--init-file={bootstrap}",
            *_LIGHT,
        ],
        user,
        log,
    )
    url = f"mysql://tester:{PASSWORD}@127.0.0.1:{port}/"
    try:
        wait_until(lambda: _answers(url), server, log)
        yield url
    finally:
        stop(server)


def _install(data: Path, user: str | None) -> None:
    ended = subprocess.run(
        [
            program("mariadb-install-db", package="mariadb-server"),
            "--no-defaults",
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ],
        user=user,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise RuntimeError(f"mariadb-install-db ended with {ended.returncode}: {ended.stdout}")


def _answers(url: str) -> bool:
    try:
        MariaDb(url).run("SELECT 1")
    except pymysql.OperationalError:
        return False
    return True


def _emptied(url: str) -> MariaDb:
    """The server with a database of the tests' own, in which nothing is."""
    server = MariaDb(url)
    server.empty()
    return MariaDb(server.url_with(database=DATABASE))
