"""A store that speaks S3 on a loopback port of its own: moto, in this process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

KEYS = {"access_key_id": "test-key-id", "secret_access_key": "test-secret-key"}


@dataclass(frozen=True)
class S3Server:
    """A running store; `settings` are what `storage` in runner.yaml says of it."""

    endpoint: str
    client: Any

    @property
    def settings(self) -> dict[str, str]:
        """The store as runner.yaml names it."""
        return {"endpoint": self.endpoint, "region": "us-east-1", **KEYS}

    def bucket(self, name: str) -> str:
        """A new bucket, empty."""
        self.client.create_bucket(Bucket=name)
        return name

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
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEYS["access_key_id"],
        aws_secret_access_key=KEYS["secret_access_key"],
    )
    try:
        yield S3Server(endpoint, client)
    finally:
        client.close()
        server.stop()
