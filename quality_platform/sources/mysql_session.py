"""A session with MySQL or MariaDB, in a process of its own: see `mysql_process.py`.

What the process reads goes to a file without a name in the platform's folder, so that the server is
done as soon as it can be, and memory stays bounded however slow the reader is. The file is gone
with the session, also when the platform is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from quality_platform.config.base_models import seconds
from quality_platform.config.source_models import ConnectionConfig
from quality_platform.errors import SourceError
from quality_platform.sources.mysql_errors import LOST, TIMED_OUT, UNREACHABLE, driver_error
from quality_platform.sources.sql_errors import DatabasePlace, Failure

_SMALL_ROWS = 4096
_GRACE_SECONDS = 15.0
"""What starting the process and stopping a statement may take beyond the timeouts."""
_CHUNK = 65_536
# The pool of connectorx logs what went wrong, and then tries again for half a minute.
_REFUSED = re.compile(r"ERROR r2d2\] ([^\n]+)\n")
_PROCESS = "quality_platform.sources.mysql_process"
_MEMORY = {
    # A second arena would be for the few small things that its other thread makes.
    "MALLOC_ARENA_MAX": "1",
    # connectorx makes the values of 32 rows before it frees any: of a size, glibc keeps 7 at hand.
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=256",
}
"""How glibc gives memory to the process; what the environment says of it comes first."""
_SCHEMES = ("mysql", "mariadb")


class MySqlSession:
    """Asks the server; used as a context, whose end ends the process and its connection.

    Every statement has a connection of its own, in UTC, read only, with no sql_mode set, and is
    stopped by the server after the connection's `statement_timeout`.
    """

    def __init__(self, connection: ConnectionConfig, place: DatabasePlace, folder: Path) -> None:
        self._place = place
        self._url = _driver_url(connection, place)
        self._setup = _setup(seconds(connection.statement_timeout))
        self._connecting = seconds(connection.connect_timeout) + _GRACE_SECONDS
        self._answering = seconds(connection.statement_timeout) + self._connecting
        self._folder = folder

    def __enter__(self) -> MySqlSession:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=self._folder)
        # Without -P, a file in the working directory could stand for a module.
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, and a module of ours
            [sys.executable, "-P", "-m", _PROCESS, str(self._descriptor)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[self._descriptor],
            env={**_MEMORY, **os.environ},
        )
        self._told = _Lines(self._process)
        self._read = self._read_before = 0
        self._send({"url": self._url, "setup": self._setup})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._told.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self._process.wait()
        self._file.close()

    def begin_anew(self) -> None:
        """Takes the next statement for the first of a session: it is waited for as for that."""
        self._read_before = self._read

    @property
    def _descriptor(self) -> int:
        return self._file.fileno()

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """All rows of a small result, texts as `str`."""
        _, batches = self.stream(sql, _SMALL_ROWS)
        return [_decoded(row) for batch in batches for row in batch.to_pylist()]

    def stream(self, sql: str, rows: int) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """The schema of a query's result, and its rows in batches of at most so many.

        The batches must be read to their end before the next query.

        Raises:
            SourceError: the server refuses it; also while the batches are read.
        """
        self._place.request()
        self._send({"sql": sql, "rows": rows})
        deadline = time.monotonic() + self._answering
        schema = pa.ipc.read_schema(self._take(self._tell(deadline)["schema"]))
        return schema, self._batches(schema, deadline)

    def _batches(self, schema: pa.Schema, deadline: float) -> Iterator[pa.RecordBatch]:
        while "batch" in (told := self._tell(deadline)):
            yield pa.ipc.read_record_batch(self._take(told["batch"]), schema)

    def _take(self, size: int) -> pa.Buffer:
        parts = []
        while size:
            part = os.pread(self._descriptor, size, self._read)
            self._read += len(part)
            size -= len(part)
            parts.append(part)
        return pa.py_buffer(parts[0] if len(parts) == 1 else b"".join(parts))

    def _tell(self, deadline: float) -> Mapping[str, Any]:
        """What the process tells next.

        Raises:
            SourceError: it failed, or is silent for too long.
        """
        connecting = time.monotonic() + self._connecting
        while True:
            line = self._told.next_line()
            if line is not None:
                told: dict[str, Any] = json.loads(line)
                if "error" in told:
                    raise driver_error(told["error"], self._place)
                return told
            if refused := _REFUSED.search(self._told.errors):
                raise driver_error(refused[1], self._place)
            is_first = self._read == self._read_before
            if self._told.ended:
                raise self._place.error(UNREACHABLE if is_first else LOST)
            if is_first and time.monotonic() > connecting:
                raise self._place.error(UNREACHABLE)
            if time.monotonic() > deadline:
                raise self._place.error(TIMED_OUT)

    def _send(self, request: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._place.error(LOST) from None


class IdleSession:
    """Keeps an entered session for whoever asks next: its process takes a while to start.

    It ends with this object, and with the program.
    """

    def __init__(self) -> None:
        self._end: weakref.finalize[[], IdleSession] | None = None
        self._session: MySqlSession | None = None

    def keep(self, session: MySqlSession) -> None:
        """Keeps a session in place of the one that is kept."""
        self._drop()
        self._session = session
        self._end = weakref.finalize(self, partial(session.__exit__, None, None, None))

    def taken(self) -> MySqlSession | None:
        """The session, which is the caller's to end from now on; None where none is kept."""
        session, self._session = self._session, None
        if self._end is not None:
            self._end.detach()
        if session is not None:
            session.begin_anew()
        return session

    def _drop(self) -> None:
        if self._end is not None:
            self._end()


class _Lines:
    """What the process says: lines of its standard output, and its standard error so far."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self._output, self._error = process.stdout.fileno(), process.stderr.fileno()
        self._selector = selectors.DefaultSelector()
        for descriptor in (self._output, self._error):
            self._selector.register(descriptor, selectors.EVENT_READ)
        self._text = b""
        self.errors = ""
        self.ended = False

    def next_line(self) -> bytes | None:
        """The next line; None where there is none within a moment."""
        if b"\n" not in self._text and not self.ended:
            for key, _ in self._selector.select(timeout=0.5):
                self._receive(key.fd)
        line, end, rest = self._text.partition(b"\n")
        if not end:
            return None
        self._text = rest
        return line

    def _receive(self, descriptor: int) -> None:
        part = os.read(descriptor, _CHUNK)
        if not part:
            self._selector.unregister(descriptor)
            self.ended = self.ended or descriptor == self._output
        elif descriptor == self._output:
            self._text += part
        else:
            self.errors = (self.errors + part.decode(errors="replace"))[-_CHUNK:]

    def close(self) -> None:
        """Forgets the pipes, which their owner closes."""
        self._selector.close()


def _decoded(row: Mapping[str, Any]) -> dict[str, Any]:
    # The server sends what is longer than a VARCHAR can be as bytes.
    return {k: v.decode() if isinstance(v, bytes) else v for k, v in row.items()}


def _setup(timeout: int) -> list[str]:
    """The session's settings; each of the two servers reads the comment that is meant for it."""
    return [
        "SET SESSION time_zone = '+00:00', sql_mode = ''"
        f" /*M!100101 , max_statement_time = {timeout} */"
        f" /*!50708 , max_execution_time = {timeout * 1000} */",
        "SET SESSION TRANSACTION READ ONLY",
    ]


def _driver_url(connection: ConnectionConfig, place: DatabasePlace) -> str:
    """The URL with the connection's timeout.

    Raises:
        SourceError: it is none of MySQL.
    """
    url = connection.url.get_secret_value()
    scheme, _, rest = url.partition("://")
    if scheme not in _SCHEMES or not urlsplit(url).path.strip("/"):
        raise place.error(
            Failure(
                SourceError,
                "the connection's url is none of MySQL, or names no database",
                "write mysql://USER:PASSWORD@HOST:PORT/DATABASE",
            )
        )
    known = urlsplit(url).query
    added = {
        "prefer_socket": "false",
        "tcp_connect_timeout_ms": str(seconds(connection.connect_timeout) * 1000),
    }
    more = "&".join(f"{name}={value}" for name, value in added.items() if name not in known)
    joint = "&" if known else "?"
    return f"mysql://{rest}{joint if more else ''}{more}"
