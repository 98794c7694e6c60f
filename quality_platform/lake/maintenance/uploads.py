"""Uploads to an object store that were begun and never ended, as those of a process that died.

They are no objects, and no list of objects shows them; yet the store keeps what was sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table

from quality_platform.lake.timeouts import ANSWER_SECONDS, CONNECT_SECONDS

_S3 = ("s3", "s3a", "s3n")
_KEYS = {
    "region_name": "region",
    "aws_access_key_id": "access-key-id",
    "aws_secret_access_key": "secret-access-key",
    "aws_session_token": "session-token",
}
"""Parameters of botocore's clients, and pyiceberg's properties that say the same."""
_UNKNOWN_WAYS = ("role-arn", "profile-name")
"""Properties by which pyiceberg gets keys in ways that are not followed here."""


@dataclass(frozen=True)
class Upload:
    """An upload that was begun: the URI that its file would have had, and since when."""

    uri: str
    upload_id: str
    begun_at: datetime


@dataclass(frozen=True)
class Uploads:
    """The uploads into a table's folder; `unknown` says why they could not be looked at."""

    found: tuple[Upload, ...] = ()
    unknown: str = ""


def uploads_before(table: Table, before: datetime) -> Uploads:
    """The uploads into the table's folder that were begun before this moment.

    None where the table is in no store that speaks S3.
    """
    scheme, bucket, path = PyArrowFileIO.parse_location(table.location())
    if scheme not in _S3:
        return Uploads()
    if _setting(table, *_UNKNOWN_WAYS):
        return Uploads(unknown="the catalog's credentials are of a role or a profile")
    try:
        prefix = path.removeprefix(f"{bucket}/").rstrip("/") + "/"
        listed = _listed(_client(table), bucket, prefix)
        found = (
            Upload(f"{scheme}://{bucket}/{entry['Key']}", entry["UploadId"], entry["Initiated"])
            for entry in listed
        )
        return Uploads(tuple(upload for upload in found if upload.begun_at < before))
    except (BotoCoreError, ClientError) as error:
        return Uploads(unknown=_reason(error))


def give_up(table: Table, uploads: Iterable[Upload]) -> str:
    """Lets the store forget the uploads, and what was sent; why it does not, "" where it does."""
    client = None
    for upload in uploads:
        client = client or _client(table)
        _, bucket, path = PyArrowFileIO.parse_location(upload.uri)
        key = path.removeprefix(f"{bucket}/")
        try:
            client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload.upload_id)
        except (BotoCoreError, ClientError) as error:
            # One that has ended meanwhile is what was wanted.
            if _code(error) != "NoSuchUpload":
                return _reason(error)
    return ""


def _listed(client: Any, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        yield from page.get("Uploads", ())


def _client(table: Table) -> Any:
    from botocore.config import Config  # type: ignore[import-untyped]
    from botocore.session import Session  # type: ignore[import-untyped]

    endpoint = table.io.properties.get("s3.endpoint")
    # As Arrow does: a store of one's own has names of buckets in paths.
    style = "path" if endpoint else "auto"
    return Session().create_client(
        "s3",
        endpoint_url=endpoint,
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=ANSWER_SECONDS,
            s3={"addressing_style": style},
        ),
        **{parameter: _setting(table, name) for parameter, name in _KEYS.items()},
    )


def _setting(table: Table, *names: str) -> str | None:
    """The first of pyiceberg's properties of these names that is there."""
    properties = table.io.properties
    keys = [f"{kind}.{name}" for name in names for kind in ("s3", "client")]
    return next((properties[key] for key in keys if properties.get(key)), None)


def _code(error: Exception) -> str:
    found = error.response.get("Error", {}) if isinstance(error, ClientError) else {}
    return str(found.get("Code", ""))


def _reason(error: Exception) -> str:
    """The name of an error: its text can hold what the store answered."""
    return _code(error) or type(error).__name__
