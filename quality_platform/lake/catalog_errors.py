"""What catalogs raise, as errors of the platform.

Texts of drivers and servers can hold a connection string or a token: the class of an error is
passed on, and never its text.
"""

from __future__ import annotations

import re
from typing import Any

from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)
from pydantic import ValidationError
from pyiceberg.exceptions import (
    AuthorizationExpiredError,
    CommitStateUnknownException,
    ForbiddenError,
    NotInstalledError,
    OAuthError,
    RESTError,
    ServerError,
    ServiceUnavailableError,
    TooManyRequestsError,
    UnauthorizedError,
)
from requests.exceptions import (  # type: ignore[import-untyped]
    InvalidSchema,
    InvalidURL,
    JSONDecodeError,
    MissingSchema,
    RequestException,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from quality_platform.errors import (
    CatalogAccessError,
    CatalogUnreachableError,
    LakeError,
    Location,
    QualityPlatformError,
    RunnerFileError,
)

_UNUSABLE = (
    NotInstalledError,
    NoSuchModuleError,
    ArgumentError,
    InvalidSchema,
    InvalidURL,
    MissingSchema,
    ProfileNotFound,
)
_REFUSED = (
    AuthorizationExpiredError,
    ForbiddenError,
    OAuthError,
    UnauthorizedError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)
_AWAY = (
    CommitStateUnknownException,
    ServerError,
    ServiceUnavailableError,
    TooManyRequestsError,
    BotoCoreError,
    SQLAlchemyError,
    RequestException,
    ConnectionError,
    TimeoutError,
)
_NO_CATALOG = (ValidationError, JSONDecodeError)

ERRORS = (*_UNUSABLE, *_REFUSED, *_AWAY, *_NO_CATALOG, ClientError, RESTError)
"""All that a catalog raises when it cannot be used, and that is no answer to a question."""

_AWS_BUSY = re.compile(r"Throttl|TooManyRequests|RequestLimit|ServiceUnavailable|Internal|Timeout")

_SQL_REFUSED = re.compile(
    r"password authentication failed|no password supplied|pg_hba\.conf|permission denied"
    r'|(role|database|user) "[^"]*" (does not exist|is not permitted)|readonly database',
    re.IGNORECASE,
)
"""What a driver says where it gives no code: libpq when it connects, and SQLite."""

_SQL_REFUSED_STATES = ("28", "3D", "42501")


def catalog_error(
    error: Exception, name: str, kind: str, location: Location | None
) -> QualityPlatformError:
    """What an error of a catalog of this name and type means."""
    where: dict[str, Any] = {"location": location, "received": f"type {kind}"}
    told = _told(error)
    if isinstance(error, _UNUSABLE):
        return RunnerFileError(
            f"the URL of the Iceberg catalog cannot be used ({told})",
            **where,
            field="lake.catalog.uri",
            allowed="sqlite:///..., postgresql+psycopg2://..., for a REST catalog https://...",
            action="correct the URL, or install the driver that it names",
        )
    if isinstance(error, _NO_CATALOG):
        return LakeError(
            f"what the Iceberg catalog {name!r} gives is not Iceberg's ({told})",
            **where,
            field="lake.catalog.uri",
            action="check that the URL is that of a catalog, and that no proxy answers in its "
            "place; otherwise a metadata file is damaged",
        )
    if _is_refused(error):
        return CatalogAccessError(
            f"the Iceberg catalog {name!r} refuses the request ({told})",
            **where,
            field="lake.catalog",
            action="check the credentials, what they may do, and lake.warehouse in runner.yaml",
        )
    silent = "does not answer"
    if isinstance(error, CommitStateUnknownException):
        silent = "did not say whether it committed; the next run finds out"
    return CatalogUnreachableError(
        f"the Iceberg catalog {name!r} {silent} ({told})",
        **where,
        field="lake.catalog",
        action="check lake.catalog.uri in runner.yaml, and that the catalog is up",
    )


def _is_refused(error: Exception) -> bool:
    if isinstance(error, _REFUSED):
        return True
    if isinstance(error, ClientError):
        answer = error.response
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
        return status < 500 and not _AWS_BUSY.search(_aws_code(error))
    if isinstance(error, DBAPIError):
        state = str(getattr(error.orig, "pgcode", None) or "")
        return state.startswith(_SQL_REFUSED_STATES) or bool(_SQL_REFUSED.search(str(error.orig)))
    return isinstance(error, RESTError) and not isinstance(error, _AWAY)


def _told(error: Exception) -> str:
    """The name of the error, of the driver's own where there is one."""
    return _aws_code(error) if isinstance(error, ClientError) else type(error).__name__


def _aws_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "ClientError"))
