"""A source type `tickets`: records of a REST interface, page by page, with what is new by a time.

The interface that it speaks (test_ticket_source.py has a server of it):

    GET /tickets/newest            -> {"updated_at": "2024-01-01T00:00:00Z" or null, "now": "..."}
    GET /tickets?after=..&up_to=.. -> {"items": [{...}, ...], "next": "a token" or null}
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

import pyarrow as pa
from quality_platform.sources.plugin import (
    CursorRange,
    HeaderError,
    Name,
    Part,
    RejectedRecord,
    SourceAccessError,
    SourceBatch,
    SourceConfig,
    SourceContext,
    SourceError,
    SourceNotFoundError,
    SourceUnreachableError,
    Wanted,
    cursor_field,
    cursor_name,
    cursor_range,
    parsed,
)

_SECONDS = 30
"""How long the server may be silent."""


class TicketSourceConfig(SourceConfig):
    """Records of a ticket system, by its REST interface."""

    type: Literal["tickets"]
    """`tickets`."""
    connection: Name
    """The connection, by its name in this file; the password of its URL is the token."""
    resource: str = "tickets"
    """What is read: the path behind the connection's URL."""


@dataclass(frozen=True)
class TicketSource:
    """One resource of the ticket system."""

    config: TicketSourceConfig
    context: SourceContext

    def parts(self, wanted: Wanted) -> Sequence[Part]:
        """The range that is new, or everything; () where nothing is."""
        newest = self._get(f"{self.config.resource}/newest", {})
        incremental = self.context.load.incremental
        if incremental is None:
            version = f"read at {newest['now']}"
            return (Part(self.config.resource, version, partial(self._batches, {}), whole=True),)
        column = cursor_field(self.context)
        at = newest["updated_at"]
        greatest = None if at is None else parsed(at, column, self.context)
        now = datetime.fromisoformat(newest["now"])
        found = cursor_range(self.context, wanted, greatest, now, has_nulls=False)
        if found is None:
            return ()
        batches = partial(self._batches, _parameters(found))
        return (Part(cursor_name(incremental), found.version, batches),)

    def _batches(self, range_of_rows: dict[str, str]) -> Iterator[SourceBatch]:
        """The records of a range, one batch for each page: no more than that is in memory."""
        token: str | None = ""
        while token is not None:
            page = self._get(self.config.resource, {**range_of_rows, "token": token})
            yield self._batch(page["items"])
            token = page["next"]

    def _batch(self, items: Sequence[Any]) -> SourceBatch:
        records = [item for item in items if isinstance(item, dict)]
        rejects = [item for item in items if not isinstance(item, dict)]
        self._require_known({name for record in records for name in record})
        names = self.context.columns.names
        # Text, that the platform reads by the contract: a cell that does not convert holds back its
        # row and no other.
        columns = [pa.array([_text(r.get(name)) for r in records], pa.binary()) for name in names]
        return SourceBatch(
            columns=pa.record_batch(columns, names=names),
            lines=pa.nulls(len(records), pa.int64()),
            raw=lambda rows: [json.dumps(records[row], ensure_ascii=False) for row in rows],
            rejects=tuple(
                RejectedRecord(None, json.dumps(item), "no JSON object") for item in rejects
            ),
        )

    def _require_known(self, names: set[str]) -> None:
        """What nobody knows is not left out without a word."""
        unknown = names - {*self.context.columns.names, *self.config.ignore_columns}
        if unknown:
            raise HeaderError(
                "the records have fields that the contract does not have",
                location=self.context.location("source"),
                field=f"tables.{self.context.table}.source",
                received=", ".join(sorted(unknown)),
                action="add them to the contract, or list them under `ignore_columns`",
            )

    def _get(self, path: str, parameters: dict[str, str]) -> Any:
        connection = self.context.connection
        assert connection is not None
        parts = urlsplit(connection.url.get_secret_value())
        query = urlencode({name: value for name, value in parameters.items() if value})
        address = f"{parts.scheme}://{parts.hostname}:{parts.port}{parts.path}/{path}?{query}"
        headers = {"Authorization": f"Bearer {parts.password}"}
        request = Request(address, headers=headers)  # noqa: S310 - runner.yaml names the address
        # Waits where `connections.NAME.rate_limit` says so, together with all other runs.
        self.context.request()
        try:
            with urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
                # Fractions stay as they are written.
                return json.load(answer, parse_float=_Digits)
        except HTTPError as error:
            raise self._refused(error.code, error.headers.get("Retry-After", "")) from None
        except (URLError, TimeoutError, ConnectionError) as error:
            raise self._error(SourceUnreachableError, type(error).__name__) from None
        except ValueError:
            raise self._error(SourceUnreachableError, "no JSON") from None

    def _refused(self, status: int, retry_after: str) -> SourceError:
        kinds = {401: SourceAccessError, 403: SourceAccessError, 404: SourceNotFoundError}
        is_passing = status == 429 or status >= 500
        kind = SourceUnreachableError if is_passing else kinds.get(status, SourceError)
        error = self._error(kind, f"status {status}")
        if retry_after.isdecimal():
            # The platform does not ask again before that.
            error.retry_after_seconds = float(retry_after)
        return error

    def _error(self, kind: type[SourceError], received: str) -> SourceError:
        """An error without the address, which has the token."""
        return kind(
            f"connection {self.config.connection}: the ticket system did not answer as it should",
            location=self.context.location("source"),
            field=f"tables.{self.context.table}.source",
            received=received,
        )


class _Digits(str):
    """A number of JSON with all its digits."""


def _text(value: Any) -> bytes | None:
    """A value of JSON as a cell of text."""
    if value is None:
        return None
    if isinstance(value, bool | dict | list):
        return json.dumps(value, ensure_ascii=False).encode()
    return str(value).encode()


def _parameters(found: CursorRange) -> dict[str, str]:
    bounds = {
        "after": found.after,
        "from": found.first,
        "up_to": found.up_to,
        "before": found.before,
    }
    return {
        name: value.isoformat() for name, value in bounds.items() if isinstance(value, datetime)
    }


class TicketSourceType:
    """What the entry point leads to: the model of the configuration, and how it is opened."""

    config = TicketSourceConfig

    @staticmethod
    def open_source(config: TicketSourceConfig, context: SourceContext) -> TicketSource:
        """The source; connects to nothing yet."""
        return TicketSource(config, context)
