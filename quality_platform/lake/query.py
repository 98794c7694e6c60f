"""DuckDB sessions over the lake's files, with bounded memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from quality_platform.checks.predicate_language import INSTANT
from quality_platform.errors import EngineError
from quality_platform.lake.scratch import scratch_folder

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from quality_platform.lake.remote_files import RemoteFiles


_INTERRUPT_EVERY = 0.05


@dataclass(frozen=True)
class EngineSettings:
    """Limits of one session: megabytes of memory, threads, and seconds for one check.

    What does not fit into the memory spills to disk; None sets no limit of time. `files` are those
    of a lake in an object store, where the session reads them.
    """

    memory_limit_mb: int = 512
    threads: int = 2
    check_timeout_seconds: float | None = None
    files: RemoteFiles | None = field(default=None, repr=False, compare=False)


@contextmanager
def duckdb_session(settings: EngineSettings) -> Iterator[DuckDBPyConnection]:
    """An in-memory DuckDB that spills to a temporary folder and loads no extension from outside.

    Raises:
        EngineError: what ran in the session failed; the message is DuckDB's.
        StorageError: a file of an object store could not be read.
    """
    import duckdb

    with (
        settings.files.watched() if settings.files else nullcontext(),
        scratch_folder() as spill,
    ):
        connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": f"{settings.memory_limit_mb}MB",
                "threads": str(settings.threads),
                "temp_directory": str(spill),
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            },
        )
        try:
            files = settings.files
            with engine_errors(), files.shown_to(connection) if files else nullcontext():
                connection.execute("SET TimeZone = 'UTC'")
                # The present of all statements: a load judges batch after batch.
                connection.execute(f"SET VARIABLE {INSTANT} = now()")
                yield connection
        finally:
            connection.close()


@contextmanager
def engine_errors() -> Iterator[None]:
    """Turns DuckDB's exceptions into `EngineError`."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise EngineError(f"DuckDB: {error}") from error


@contextmanager
def time_limit(
    connection: DuckDBPyConnection, seconds: float | None
) -> Iterator[threading.Event | None]:
    """Interrupts what the connection runs once the seconds are over; None sets no limit.

    Gives an event that is set from then on: who swallows DuckDB's exceptions can ask it.

    Raises:
        EngineError: a statement was interrupted.
    """
    import duckdb

    if seconds is None:
        yield None
        return
    done, expired = threading.Event(), threading.Event()
    arguments = (connection, seconds, done, expired)
    timer = threading.Thread(target=_interrupt_late, args=arguments, daemon=True)
    timer.start()
    try:
        yield expired
    except (duckdb.Error, EngineError) as error:
        if expired.is_set():
            raise EngineError(
                f"took longer than {seconds:g} s and was stopped",
                action="raise engine.check_timeout_seconds, or make the check cheaper",
            ) from error
        raise
    finally:
        done.set()
        timer.join()


def _interrupt_late(
    connection: DuckDBPyConnection, seconds: float, done: threading.Event, expired: threading.Event
) -> None:
    if done.wait(seconds):
        return
    expired.set()
    # An interrupt stops one statement only, and there may be more to come.
    while not done.wait(_INTERRUPT_EVERY):
        connection.interrupt()


def shut(connection: DuckDBPyConnection, files: Iterable[str]) -> None:
    """Closes the session to everything but these files; cannot be undone within it.

    SQL that people wrote has passed a guard before it comes here; this is the second wall.
    """
    listed = ", ".join(quote_literal(file) for file in files)
    connection.execute(f"SET allowed_paths = [{listed}]")
    connection.execute("SET enable_external_access = false")
    # Otherwise an unknown table's name is looked up among the variables of this process.
    connection.execute("SET python_enable_replacements = false")
    connection.execute("SET lock_configuration = true")


def quote_identifier(name: str) -> str:
    """The name as a SQL identifier."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def quote_literal(value: str) -> str:
    """The text as a SQL string literal."""
    escaped = value.replace("'", "''")
    return f"'{escaped}'"
