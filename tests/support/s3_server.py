"""A store that speaks S3 on a loopback port of its own: moto, in this process. It has Glue too."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch
from urllib.request import Request, urlopen

KEYS = {"access_key_id": "test-key-id", "secret_access_key": "test-secret-key"}

_ALIVE: list[str] = []
"""The endpoints of the stores that are running now: they share what they hold."""


@dataclass(frozen=True)
class S3Server:
    """A running store; `settings` are what `storage` in runner.yaml says of it."""

    endpoint: str
    client: Any
    _running: list[Any]

    @property
    def settings(self) -> dict[str, str]:
        """The store as runner.yaml names it."""
        return {"endpoint": self.endpoint, "region": "us-east-1", **KEYS}

    def stop(self) -> None:
        """Ends the store: nobody listens any more. What it holds stays."""
        self._running.pop().stop()

    def start(self) -> None:
        """Starts it again at the same address."""
        from moto.server import ThreadedMotoServer

        port = int(self.endpoint.rpartition(":")[2])
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
        server.start()
        self._running.append(server)

    def forget_databases(self) -> None:
        """Makes Glue's catalog empty: an account has one, and all tests have one account."""
        import boto3

        glue = boto3.client(
            "glue",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=KEYS["access_key_id"],
            aws_secret_access_key=KEYS["secret_access_key"],
        )
        for database in glue.get_databases()["DatabaseList"]:
            glue.delete_database(Name=database["Name"])
        glue.close()

    def bucket(self, name: str) -> str:
        """A new bucket, empty."""
        self.client.create_bucket(Bucket=name)
        return name

    def stored(self, bucket: str) -> set[str]:
        """What a bucket holds: `bucket/key` of each object, and `upload of bucket/key` of each that
        was begun and neither finished nor given up.
        """
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        begun = self.client.list_multipart_uploads(Bucket=bucket).get("Uploads", ())
        uploads = {f"upload of {bucket}/{upload['Key']}" for upload in begun}
        # Arrow marks folders by keys that end like this.
        return {f"{bucket}/{key}" for key in keys if not key.endswith("/")} | uploads

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Writes an object."""
        self.client.put_object(Bucket=bucket, Key=key, Body=content)


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A store without buckets, gone at the end."""
    import boto3  # type: ignore[import-untyped]
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    if not _ALIVE:
        # moto keeps what it holds as long as this process lives, whatever server it was given to.
        with urlopen(Request(f"{endpoint}/moto-api/reset", method="POST")):
            pass
    _ALIVE.append(endpoint)
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEYS["access_key_id"],
        aws_secret_access_key=KEYS["secret_access_key"],
    )
    running = [server]
    try:
        with _compared_versions():
            yield S3Server(endpoint, client, running)
    finally:
        _ALIVE.remove(endpoint)
        client.close()
        for one in running:
            one.stop()


@contextmanager
def _compared_versions() -> Iterator[None]:
    """Lets moto's Glue (5.2) compare the version of a table that is updated, as AWS does."""
    from moto.core.exceptions import JsonRESTError
    from moto.glue.responses import GlueResponse

    update, alone = GlueResponse.update_table, threading.Lock()

    def compared(self: Any) -> Any:
        with alone:
            name, wanted = self.parameters["TableInput"]["Name"], self.parameters.get("VersionId")
            table = self.glue_backend.get_table(self.parameters["DatabaseName"], name)
            if wanted is not None and wanted != table.as_dict()["VersionId"]:
                raise JsonRESTError("ConcurrentModificationException", "another version")
            return update(self)

    with patch.object(GlueResponse, "update_table", compared):
        yield
