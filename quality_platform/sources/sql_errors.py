"""Errors of databases, told so that neither a URL nor a password nor a value of a row is shown.

What a driver says can hold all of them. Its text is passed on only where the caller knows that it
speaks of names alone, and through `redacted`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from quality_platform.config.secret_text import ConfiguredSecret
from quality_platform.errors import Location, SourceError
from quality_platform.sources.protocol import UNLIMITED, RequestLimit, SourceContext

_HIDDEN = "***"
_LONGEST_TEXT = 300
_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s\"']+", re.IGNORECASE)
_PASSWORD = re.compile(r"(?i)\b(password|passwd|pwd)\s*=\s*('[^']*'|[^\s&;]+)")


@dataclass(frozen=True)
class Failure:
    """What went wrong at a database: the error's class, what to say, and what to do."""

    kind: type[SourceError]
    message: str
    action: str = ""


@dataclass(frozen=True)
class DatabasePlace:
    """Where a database is named in runner.yaml, and what must never be shown of it.

    `limit` is how often it may be asked. `hidden` are texts of secrets that are in the URL, which
    may be a host or a user too.
    """

    connection: str
    field: str
    location: Location
    url: str = dataclasses.field(repr=False)
    limit: RequestLimit = UNLIMITED
    hidden: tuple[str, ...] = dataclasses.field(default=(), repr=False)

    @classmethod
    def of(cls, connection: str, context: SourceContext) -> DatabasePlace:
        """The place of a table's source, whose connection has this name."""
        configured = context.connection.url if context.connection else ConfiguredSecret("")
        return cls(
            connection,
            f"tables.{context.table}.source",
            context.location("source"),
            configured.get_secret_value(),
            context.limit,
            configured.asked_texts(),
        )

    def request(self) -> None:
        """Waits for the turn of one request: to be called before each.

        Raises:
            SourceTimeoutError: it does not come in time.
        """
        self.limit.wait()

    def error(self, failure: Failure, text: str = "") -> SourceError:
        """The error to raise; `text` is the driver's, where it holds no value of a row."""
        return failure.kind(
            f"connection {self.connection}: {failure.message}",
            location=self.location,
            field=self.field,
            received=redacted(text, self.url, self.hidden),
            action=failure.action,
        )


def redacted(text: str, url: str, hidden: Sequence[str] = ()) -> str:
    """The first line of a driver's text, without URLs, what `url` keeps secret, and `hidden`."""
    lines = text.strip().splitlines()
    found = lines[0] if lines else ""
    for secret in sorted(_secrets(url).union(hidden), key=len, reverse=True):
        found = found.replace(secret, _HIDDEN)
    found = _PASSWORD.sub(rf"\1={_HIDDEN}", _URL.sub(_HIDDEN, found))
    return found if len(found) <= _LONGEST_TEXT else found[:_LONGEST_TEXT] + "..."


def _secrets(url: str) -> set[str]:
    if not url:
        return set()
    try:
        parts = urlsplit(url)
        password = parts.password or ""
    except ValueError:
        return {url}
    settings = re.findall(r"(?i)(?:password|passwd|pwd|token|secret)=([^&]+)", parts.query)
    return {s for s in (url, password, unquote(password), *settings, *map(unquote, settings)) if s}
