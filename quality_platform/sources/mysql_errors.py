"""What MySQL, MariaDB and connectorx say, as errors of the platform.

Codes: https://mariadb.com/kb/en/mariadb-error-code-reference/
"""

from __future__ import annotations

import re

from quality_platform.errors import (
    SourceAccessError,
    SourceError,
    SourceNotFoundError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from quality_platform.sources.sql_errors import DatabasePlace, Failure

UNREACHABLE = Failure(
    SourceUnreachableError,
    "the server does not answer",
    "run it again once the server is up, or correct host and port in the connection's url",
)
LOST = Failure(
    SourceUnreachableError,
    "the connection was lost; nothing of what was read is published",
    "run it again once the server is up",
)
TIMED_OUT = Failure(
    SourceTimeoutError,
    "the statement took longer than the connection's statement_timeout",
    "raise it, read less at once (load.incremental), or make the query cheaper",
)
_TOO_MANY = Failure(
    SourceUnreachableError,
    "the server has no connection left for this user",
    "run it again later, or raise max_connections or the user's limit",
)
_NOT_ALLOWED = Failure(
    SourceAccessError,
    "the server refuses the user",
    "correct user and password in the connection's url, or let the user in from this host",
)
_NO_RIGHT = Failure(
    SourceAccessError, "the user may not read this", "GRANT SELECT on it to the connection's user"
)
_LOCKED = Failure(SourceTimeoutError, "a lock was not given in time", "run it again later")
_WRITES = Failure(SourceError, "the query writes, and sources are only read", "correct `query`")
_NO_TABLE = Failure(SourceNotFoundError, "there is no such table", "correct its name")
_NO_COLUMN = Failure(SourceNotFoundError, "there is no such column", "correct its name")
_NO_DATABASE = Failure(
    SourceNotFoundError, "there is no such database", "correct the end of the connection's url"
)
_NO_SELECT = Failure(SourceError, "the query is no SELECT of the server", "correct `query`")
_TOO_LONG = Failure(
    SourceError,
    "a row is longer than max_allowed_packet",
    "raise max_allowed_packet at the server, or read fewer columns in a `query`",
)

_BY_CODE: dict[int, Failure] = {
    1040: _TOO_MANY,
    1044: _NO_RIGHT,
    1045: _NOT_ALLOWED,
    1046: _NO_DATABASE,
    1049: _NO_DATABASE,
    1051: _NO_TABLE,
    1053: LOST,
    1054: _NO_COLUMN,
    1060: Failure(SourceError, "the query has two columns of one name", "name them apart with AS"),
    1064: _NO_SELECT,
    1104: TIMED_OUT,
    1129: _NOT_ALLOWED,
    1130: _NOT_ALLOWED,
    1142: _NO_RIGHT,
    1143: _NO_RIGHT,
    1146: _NO_TABLE,
    1152: LOST,
    1153: _TOO_LONG,
    1159: LOST,
    1160: LOST,
    1161: LOST,
    1203: _TOO_MANY,
    1205: _LOCKED,
    1213: _LOCKED,
    1226: _TOO_MANY,
    1227: _NO_RIGHT,
    1290: _WRITES,
    1317: LOST,
    1412: Failure(
        SourceUnreachableError, "the table was changed while it was read", "run it again"
    ),
    1345: _NO_RIGHT,
    1356: Failure(
        SourceNotFoundError, "the view refers to what is gone", "mend the view at the server"
    ),
    1370: _NO_RIGHT,
    1698: _NOT_ALLOWED,
    1792: _WRITES,
    1836: _WRITES,
    1927: LOST,
    1969: TIMED_OUT,
    3024: TIMED_OUT,
    4151: _NOT_ALLOWED,
}
"""These speak of names alone; the text of any other may hold values of rows."""

_CODE = re.compile(r"ERROR (\d{4}) \([0-9A-Z]{5}\): ([^\n]*)")
_TYPE = re.compile(r"not implemented: (MYSQL_TYPE_[A-Z0-9_]+)")
_CONNECTING = re.compile(r"Could not connect|timed out waiting for connection|lookup address")
_BROKEN = re.compile(r"IoError|DriverError|CodecError|Broken pipe|reset by peer|UnexpectedEof")
_URL = re.compile(r"URL|url")
_NO_ROOM = re.compile(r"\[Errno (28|122)\]")


def of_number(code: int) -> Failure | None:
    """What went wrong by the server's number of it; None where the number tells nothing."""
    return _BY_CODE.get(code)


def driver_error(text: str, place: DatabasePlace) -> SourceError:
    """The error that a text of the driver tells; only names of it are shown."""
    if found := _CODE.search(text):
        code, said = int(found[1]), found[2].rstrip(" })")
        if failure := of_number(code):
            return place.error(failure, said)
        return place.error(Failure(SourceError, f"the server refuses it with error {code}"))
    if unknown := _TYPE.search(text):
        message = f"the query has a column of the type {unknown[1].removeprefix('MYSQL_TYPE_')}"
        action = "cast it: to text with CAST(... AS CHAR), geometry with ST_AsBinary(...)"
        return place.error(Failure(SourceError, message, action))
    if _NO_ROOM.search(text):
        message = "the platform's home has no room left for the rows that are read"
        return place.error(Failure(SourceError, message, "make room in QUALITY_PLATFORM_HOME"))
    if _CONNECTING.search(text):
        return place.error(UNREACHABLE)
    if _BROKEN.search(text):
        return place.error(LOST)
    if _URL.search(text):
        return place.error(
            Failure(
                SourceError,
                "the connection's url is none of the driver's",
                "write mysql://USER:PASSWORD@HOST:PORT/DATABASE; characters such as @ or / in the "
                "password as %40 or %2F",
            )
        )
    return place.error(
        Failure(
            SourceError,
            "the driver cannot read the result",
            "cast the columns to text in a `query`, one by one, to find which it is",
        )
    )
