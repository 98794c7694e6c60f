"""An Iceberg REST catalog on a loopback port of its own: the protocol over pyiceberg's SQL catalog.

It has the routes of the specification that the platform uses: configuration, OAuth2 tokens,
namespaces, tables, commits with requirements (409 where one does not hold). Like Polaris and
Lakekeeper it puts a prefix into the paths, knows its warehouses by name, and hands out the keys of
the object store with each table.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import BaseModel
from pyiceberg.catalog.rest import CreateTableRequest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchNamespaceError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.table import CommitTableRequest, Table

CLIENT, SECRET, TOKEN, WAREHOUSE = "tester", "rest-s3cr3t", "t0ken-of-the-test", "shop_warehouse"
"""What a client must say, and the token that it gets; none of the secrets may be shown."""

_STATUS: dict[type[Exception], int] = {
    NoSuchNamespaceError: 404,
    NoSuchTableError: 404,
    NamespaceAlreadyExistsError: 409,
    TableAlreadyExistsError: 409,
    CommitFailedException: 409,
}


@dataclass
class RestServer:
    """A running catalog.

    `vended` are the properties that its tables come with. `broken` answers every commit with 500
    after it was done, `refused` all requests with 403.
    """

    catalog: SqlCatalog
    vended: Mapping[str, str]
    uri: str = ""
    broken: bool = False
    refused: bool = False
    requests: list[str] = field(default_factory=list)

    @property
    def settings(self) -> dict[str, Any]:
        """The catalog as runner.yaml names it."""
        return {
            "type": "rest",
            "uri": self.uri,
            "properties": {"credential": f"{CLIENT}:{SECRET}", "scope": "catalog"},
        }

    def answer(self, method: str, path: str, body: bytes, token: str) -> tuple[int, Any]:
        """The status and the content of the answer to a request."""
        url = urlsplit(path)
        self.requests.append(f"{method} {url.path}")
        if url.path == "/v1/oauth/tokens":
            return _token(parse_qs(body.decode()))
        if self.refused or token != f"Bearer {TOKEN}":
            status = 403 if self.refused else 401
            return status, _error(status, "NotAuthorizedException", f"refused {token}")
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        if url.path == "/v1/config":
            return _config(query)
        steps = [unquote(step) for step in url.path.split("/")[3:]]
        try:
            return 200, self._answer(method, steps, json.loads(body or b"{}"), query)
        except tuple(_STATUS) as error:
            status = _STATUS[type(error)]
            return status, _error(status, type(error).__name__, str(error))

    def _answer(  # noqa: PLR0911 - one for each route
        self, method: str, steps: list[str], body: dict[str, Any], query: Mapping[str, str]
    ) -> Any:
        match method, steps:
            case "GET", ["namespaces"]:
                parent = tuple(query["parent"].split("\x1f")) if "parent" in query else ()
                return {"namespaces": self.catalog.list_namespaces(parent)}
            case "POST", ["namespaces"]:
                self.catalog.create_namespace(tuple(body["namespace"]))
                return body
            case (("GET" | "HEAD"), ["namespaces", name]):
                found = self.catalog.load_namespace_properties(_levels(name))
                return {"namespace": _levels(name), "properties": found}
            case "GET", ["namespaces", name, "tables"]:
                found = self.catalog.list_tables(_levels(name))
                entries = [{"namespace": one[:-1], "name": one[-1]} for one in found]
                return {"identifiers": entries}
            case "POST", ["namespaces", name, "tables"]:
                # The specification lets clients leave these out; pyiceberg's model does not.
                optional = dict.fromkeys(("location", "partition-spec", "write-order"))
                wanted = CreateTableRequest.model_validate(optional | body)
                return self._told(self._create(name, wanted))
            case (("GET" | "HEAD"), ["namespaces", name, "tables", table]):
                return self._told(self.catalog.load_table((*_levels(name), table)))
            case "POST", ["namespaces", name, "tables", table]:
                return self._commit(
                    (*_levels(name), table), CommitTableRequest.model_validate(body)
                )
            case "DELETE", ["namespaces", name, "tables", table]:
                return self.catalog.drop_table((*_levels(name), table))
            case "POST", ["tables", "rename"]:
                ends = [(*body[end]["namespace"], body[end]["name"]) for end in _ENDS]
                self.catalog.rename_table(*ends)
                return None
            case _:
                raise AssertionError(f"the platform used {method} {steps}, which is not here")

    def _create(self, namespace: str, wanted: CreateTableRequest) -> Table:
        return self.catalog.create_table(
            (*_levels(namespace), wanted.name),
            wanted.table_schema,
            wanted.location,
            properties=wanted.properties,
            **{
                name: value
                for name, value in (
                    ("partition_spec", wanted.partition_spec),
                    ("sort_order", wanted.write_order),
                )
                if value is not None
            },
        )

    def _commit(self, identifier: tuple[str, ...], wanted: CommitTableRequest) -> Any:
        table = self.catalog.load_table(identifier)
        done = self.catalog.commit_table(table, wanted.requirements, wanted.updates)
        if self.broken:
            raise _BrokenError
        return done

    def _told(self, table: Table) -> Any:
        return {
            "metadata-location": table.metadata_location,
            "metadata": json.loads(table.metadata.model_dump_json()),
            "config": dict(self.vended),
        }


class _BrokenError(Exception):
    """The server fails after it has done what it was asked for."""


_ENDS = ("source", "destination")


def _levels(name: str) -> tuple[str, ...]:
    return tuple(name.split("\x1f"))


def _token(form: Mapping[str, list[str]]) -> tuple[int, Any]:
    given = [form.get(key, [""])[0] for key in ("grant_type", "client_id", "client_secret")]
    if given != ["client_credentials", CLIENT, SECRET]:
        return 401, {"error": "invalid_client", "error_description": f"no such client {given}"}
    return 200, {"access_token": TOKEN, "token_type": "bearer", "expires_in": 3600}


def _config(query: Mapping[str, str]) -> tuple[int, Any]:
    if query.get("warehouse") != WAREHOUSE:
        return 404, _error(404, "NotFoundException", "Unable to find warehouse")
    return 200, {"defaults": {}, "overrides": {"prefix": WAREHOUSE}}


def _error(code: int, kind: str, message: str) -> Any:
    return {"error": {"message": message, "type": kind, "code": code}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    catalog: RestServer

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        token = self.headers.get("Authorization", "")
        try:
            status, content = self.catalog.answer(self.command, self.path, body, token)
        except _BrokenError:
            status, content = 500, _error(500, "InternalServerError", "broken")
        if content is None:
            self._send(204, b"")
        elif isinstance(content, BaseModel):
            self._send(status, content.model_dump_json(by_alias=True).encode())
        else:
            self._send(status, json.dumps(content).encode())

    def _send(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_POST = do_HEAD = do_DELETE = _handle  # noqa: N815 - http.server's names

    def log_message(self, *_: Any) -> None:
        """Nothing: a test tells what went wrong."""


@contextmanager
def rest_catalog(
    properties: Mapping[str, str], vended: Mapping[str, str] | None = None
) -> Iterator[RestServer]:
    """A catalog over a SQL catalog with these properties, gone at the end."""
    catalog = SqlCatalog("rest", **properties)
    handler = type("_CatalogHandler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    running = RestServer(catalog, vended or {}, f"http://127.0.0.1:{server.server_port}")
    handler.catalog = running  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        catalog.engine.dispose()
