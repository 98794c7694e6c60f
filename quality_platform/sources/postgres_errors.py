"""What PostgreSQL and its driver say, as errors of the platform.

Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyarrow as pa

from quality_platform.errors import (
    SourceAccessError,
    SourceError,
    SourceNotFoundError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from quality_platform.sources.sql_errors import DatabasePlace, Failure

_LOST = Failure(
    SourceUnreachableError,
    "the connection was lost; nothing of what was read is published",
    "run it again once the server is up",
)
_TOO_MANY = Failure(
    SourceUnreachableError,
    "the server has no connection left for this user",
    "run it again later, lower `parallel`, or raise max_connections",
)
_STARTING = Failure(
    SourceUnreachableError,
    "the server is starting up or shutting down",
    "run it again once the server is up",
)
_NO_DATABASE = Failure(
    SourceNotFoundError, "there is no such database", "correct the end of the connection's url"
)
_NOT_ALLOWED = Failure(
    SourceAccessError,
    "the server refuses the user",
    "correct user and password in the connection's url, or let the user in in pg_hba.conf",
)
_NO_RIGHT = Failure(
    SourceAccessError, "the user may not read this", "GRANT SELECT on it to the connection's user"
)
_CANCELLED = Failure(
    SourceTimeoutError,
    "the server stopped the statement",
    "raise the connection's statement_timeout, read less at once (load.incremental), or make the "
    "query cheaper",
)
_SCHEMA_CHANGED = Failure(
    SourceUnreachableError,
    "the table was changed while it was read, or the standby replayed such a change",
    "run it again",
)

_WRITES = Failure(SourceError, "the query writes, and sources are only read", "correct `query`")
_NO_UTF8 = Failure(
    SourceError,
    "a text of the source cannot be written in UTF-8",
    "correct it at the source, or read encode(convert_to(...), 'hex') of it in a `query`",
)

_BY_CODE: tuple[tuple[str, Failure], ...] = (
    ("57014", _CANCELLED),
    ("57P01", _LOST),
    ("57P02", _LOST),
    ("57P03", _STARTING),
    ("53300", _TOO_MANY),
    ("3D000", _NO_DATABASE),
    ("42501", _NO_RIGHT),
    ("42P01", Failure(SourceNotFoundError, "there is no such table", "correct its name")),
    ("3F000", Failure(SourceNotFoundError, "there is no such schema", "correct its name")),
    ("42703", Failure(SourceNotFoundError, "there is no such column", "correct its name")),
    ("42601", Failure(SourceError, "the query is no SELECT", "correct `query`")),
    ("40001", _SCHEMA_CHANGED),
    ("55P03", Failure(SourceTimeoutError, "a lock was not given in time", "run it again later")),
    ("25006", _WRITES),
    ("22021", _NO_UTF8),
    ("22P05", _NO_UTF8),
    ("08", _LOST),
    ("28", _NOT_ALLOWED),
    (
        "53",
        Failure(SourceUnreachableError, "the server has run out of memory, disk or connections"),
    ),
    ("42", Failure(SourceError, "the query cannot be run", "correct `query`")),
)
"""By an SQLSTATE or the class that it begins with; the first that fits."""

_CONNECTING: tuple[tuple[str, Failure], ...] = (
    ("password authentication failed", _NOT_ALLOWED),
    ("no password supplied", _NOT_ALLOWED),
    ("no pg_hba.conf entry", _NOT_ALLOWED),
    ("authentication failed", _NOT_ALLOWED),
    ("is not permitted to log in", _NOT_ALLOWED),
    ("permission denied for database", _NOT_ALLOWED),
    ("too many clients", _TOO_MANY),
    ("too many connections", _TOO_MANY),
    ("remaining connection slots", _TOO_MANY),
    ("the database system is", _STARTING),
    ('role "', _NOT_ALLOWED),
    ('database "', _NO_DATABASE),
    (
        "could not translate host name",
        Failure(SourceUnreachableError, "its host has no address", "correct the host in the url"),
    ),
    (
        "timeout expired",
        Failure(SourceUnreachableError, "no answer in time", "check host and port, firewalls, and "
                "the connection's connect_timeout"),
    ),
    (
        "refused",
        Failure(SourceUnreachableError, "nothing listens there", "start the server, or correct "
                "host and port in the url"),
    ),
)  # fmt: skip
"""By words of libpq, which gives no code when it cannot connect; the first that fits."""

_NO_ANSWER = Failure(
    SourceUnreachableError,
    "no connection can be made",
    "check the connection's url and that the server answers",
)
_AMID_ROWS: tuple[tuple[str, Failure], ...] = (
    ("statement timeout", _CANCELLED),
    ("due to conflict with recovery", _SCHEMA_CHANGED),
    ("canceling statement", _CANCELLED),
    ("read-only transaction", _WRITES),
    ("invalid byte sequence for encoding", _NO_UTF8),
    ("has no equivalent in encoding", _NO_UTF8),
    ("permission denied", _NO_RIGHT),
)
"""By words of the server's, amid rows, where the driver gives no code; the first that fits."""
_BAD_ROW = Failure(
    SourceError,
    "the server could not give a row as it was asked for",
    "find the row with the query in psql; what it holds is not repeated here",
)
_TELLING_CLASSES = ("42", "3D", "3F")
"""Classes of codes whose text speaks of names; that of others can hold values."""


def of_sqlstate(code: str) -> Failure | None:
    """What went wrong by PostgreSQL's code; None where the code tells nothing."""
    return next((failure for start, failure in _BY_CODE if code.startswith(start)), None)


def of_connecting(text: str) -> Failure | None:
    """Why no connection was made, by libpq's text; None where it tells nothing."""
    return next((failure for words, failure in _CONNECTING if words in text), None)


@contextmanager
def connecting(place: DatabasePlace) -> Iterator[None]:
    """Turns what a driver raises while it connects into errors that show nothing of the URL."""
    import psycopg2
    from adbc_driver_manager import Error

    try:
        yield
    except (Error, psycopg2.Error) as error:
        found = of_connecting(str(error)) or _NO_ANSWER
        # Not even as the cause: the driver's text can have a part of the URL.
        raise place.error(found) from None


@contextmanager
def running(place: DatabasePlace, probe: Callable[[], bool]) -> Iterator[None]:
    """Turns what a driver raises while it runs a statement or reads its rows.

    `probe` tells whether the connection still answers: ADBC's errors amid the rows have no code.
    """
    import psycopg2
    from adbc_driver_manager import Error

    try:
        yield
    except Error as error:
        text = str(error)
        found = _of_code(error.sqlstate or "", _telling(text), place)
        raise found or _of_text(text, place, probe) from None
    except psycopg2.Error as error:
        found = _of_code(error.pgcode or "", error.diag.message_primary or "", place)
        raise found or _of_text(str(error), place, probe) from None
    except (OSError, pa.ArrowException) as error:
        raise _of_text(str(error), place, probe) from None


def _of_code(code: str, told: str, place: DatabasePlace) -> SourceError | None:
    """The error of a code, with the server's sentence where it speaks of names."""
    if not code:
        return None
    found = of_sqlstate(code) or _BAD_ROW
    return place.error(found, f"{told} ({code})" if code[:2] in _TELLING_CLASSES else code)


def _telling(text: str) -> str:
    """PostgreSQL's own sentence, without what ADBC puts around it."""
    lines = text.splitlines()
    return lines[0].partition("ERROR: ")[2].strip() if lines else ""


def _of_text(text: str, place: DatabasePlace, probe: Callable[[], bool]) -> SourceError:
    found = next((failure for words, failure in _AMID_ROWS if words in text), None)
    if found is None:
        found = _BAD_ROW if probe() else _LOST
    return place.error(found)
