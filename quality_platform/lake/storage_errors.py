"""What file systems and object stores raise, as errors of the platform."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from quality_platform.errors import Location, StorageAccessError, StorageError

if TYPE_CHECKING:
    from pyiceberg.table import Table

_AWS_ERROR = re.compile(r"AWS Error ([A-Z_]+)(?: \(HTTP status (\d+)\))?(?: during (\w+))?")
_REFUSED = (
    "ACCESS_DENIED",
    "INVALID_ACCESS_KEY_ID",
    "INVALID_CLIENT_TOKEN_ID",
    "MISSING_AUTHENTICATION_TOKEN",
    "NO_SUCH_BUCKET",
    "SIGNATURE_DOES_NOT_MATCH",
    "UNRECOGNIZED_CLIENT",
)
NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)
"""Errors of a file system that last until somebody gives a right."""


@contextmanager
def reading(table: Table) -> Iterator[None]:
    """Turns what the file system raises while a table's files are read into `StorageError`."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, "a table cannot be read", table.location()) from None


def storage_error(
    error: OSError, failing: str, place: str = "", location: Location | None = None
) -> StorageError:
    """What an error of a file system means; `failing` says what could not be done.

    The text of an object store is not passed on: it can hold the request with parts of a
    credential. The name of the error is, and `place` (a path or URI).
    """
    reason, kept_out = _reason(error)
    kind = StorageAccessError if kept_out else StorageError
    return kind(
        f"{failing}: {reason}",
        location=location,
        field="lake.warehouse",
        received=place,
        action="correct the warehouse, or give these credentials the right to read and write it"
        if kept_out
        else "check that the warehouse exists, is writable and has space",
    )


def _reason(error: OSError) -> tuple[str, bool]:
    """The reason in words, and whether it stays until somebody changes something."""
    if error.errno is not None:
        return error.strerror or type(error).__name__, error.errno in NOT_ALLOWED
    found = _AWS_ERROR.search(str(error))
    if found is None:
        # pyiceberg's own words for a file that may not be opened have no number.
        return type(error).__name__, isinstance(error, PermissionError)
    name, status, operation = found.groups()
    parts = (name, status and f"HTTP {status}", operation and f"during {operation}")
    return " ".join(part for part in parts if part), name in _REFUSED or status in ("401", "403")
