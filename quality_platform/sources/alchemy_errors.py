"""What any database says through SQLAlchemy, as errors of the platform.

PostgreSQL, MySQL and SQLite are told by their codes; of others only words are known.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    NotSupportedError,
    ProgrammingError,
    SQLAlchemyError,
)

from quality_platform.errors import (
    MalformedSourceError,
    QualityPlatformError,
    SourceAccessError,
    SourceError,
    SourceNotFoundError,
    SourceUnreachableError,
)
from quality_platform.sources.mysql_errors import of_number
from quality_platform.sources.postgres_errors import of_connecting, of_sqlstate
from quality_platform.sources.sql_errors import DatabasePlace, Failure

UNREACHABLE = Failure(
    SourceUnreachableError,
    "the database does not answer",
    "run it again once it is up, or correct the connection's url",
)
NO_SUCH = Failure(
    SourceNotFoundError,
    "the table or query cannot be read",
    "correct `table` or `query`, and the rights of the connection's user",
)
STOPPED = Failure(
    SourceUnreachableError,
    "the reading was stopped; nothing of what was read is published",
    "run it again once the database is up",
)
REFUSED = Failure(
    SourceError,
    "the database refuses the settings of the session",
    "read it through ADBC, or with another driver",
)
_NOT_ALLOWED = Failure(
    SourceAccessError,
    "the database refuses the user",
    "correct user, password and rights of the connection",
)
_BUSY = Failure(SourceUnreachableError, "the database is locked by a writer", "run it again later")
_DAMAGED = Failure(
    MalformedSourceError, "the file is no database, or damaged", "correct the connection's url"
)
_SQLITE = {
    "SQLITE_BUSY": _BUSY,
    "SQLITE_LOCKED": _BUSY,
    "SQLITE_NOTADB": _DAMAGED,
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_CANTOPEN": Failure(
        SourceNotFoundError, "there is no such database file", "correct the connection's url"
    ),
    "SQLITE_AUTH": _NOT_ALLOWED,
    "SQLITE_PERM": _NOT_ALLOWED,
}
"""By the name of SQLite's result code: https://www.sqlite.org/rescode.html."""
_BAD_ROW = Failure(
    SourceError,
    "the database could not give a row as it was asked for",
    "find the row with the query; what it holds is not repeated here",
)
_LASTING = (DataError, ProgrammingError, NotSupportedError)
"""What comes again each time, by DB-API 2.0."""
_DENIED = ("password", "authentication", "access denied", "not authorized", "permission")


@contextmanager
def telling(place: DatabasePlace, otherwise: Failure, *, shown: bool = False) -> Iterator[None]:
    """Turns what a driver raises into errors that show neither the URL nor a value of a row.

    `otherwise` is told where nothing better is known. The driver's text is `shown` where the
    statement reads no row, so that it speaks of names alone.
    """
    try:
        yield
    except QualityPlatformError:
        raise
    except DBAPIError as error:
        raise place.error(_failure(error, otherwise), str(error.orig) if shown else "") from None
    except SQLAlchemyError as error:
        message = f"the statement cannot be made ({type(error).__name__})"
        raise place.error(Failure(SourceError, message)) from None
    except Exception as error:  # noqa: BLE001 - a driver of somebody else may raise anything
        message = f"the driver failed ({type(error).__name__})"
        action = "correct the connection's url or `query`, or use another driver"
        raise place.error(Failure(SourceError, message, action)) from None


def _failure(error: DBAPIError, otherwise: Failure) -> Failure:
    driver = error.orig
    state = getattr(driver, "sqlstate", None) or getattr(driver, "pgcode", None) or ""
    number = driver.args[0] if driver is not None and driver.args else None
    code = getattr(driver, "sqlite_errorname", "")
    text = str(driver)
    return (
        of_sqlstate(state)
        or (of_number(number) if isinstance(number, int) else None)
        or _SQLITE.get("_".join(code.split("_")[:2]))
        or (STOPPED if error.connection_invalidated else None)
        or (_BAD_ROW if otherwise is STOPPED and isinstance(error, _LASTING) else None)
        or (of_connecting(text) if otherwise is UNREACHABLE else None)
        or (_NOT_ALLOWED if any(word in text.casefold() for word in _DENIED) else otherwise)
    )
