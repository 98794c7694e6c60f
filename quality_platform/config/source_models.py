"""The models of `tables.NAME.source` and of `connections` in runner.yaml.

A source that is no part of the platform brings a model of its own, a subclass of `SourceConfig`:
docs/plugins.md.
"""

from __future__ import annotations

import codecs
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from quality_platform.config.base_models import Bytes, Duration, Model, Name, seconds
from quality_platform.config.secret_text import ConfiguredSecret


class RateLimitConfig(Model):
    """How often the platform may ask a connection, over all runs together."""

    requests: Annotated[int, Field(ge=1)]
    """Requests in one `period`."""
    period: Duration = "1s"
    """The period in which so many are allowed. After a rest as many are allowed at once."""
    max_wait: Duration = "10m"
    """How long a request may wait for its turn."""

    @model_validator(mode="after")
    def _has_a_period(self) -> RateLimitConfig:
        if not seconds(self.period):
            raise ValueError("`period` must be at least 1s")
        return self


def _redis_url(url: ConfiguredSecret) -> ConfiguredSecret:
    if not url.can_begin_with("redis://", "rediss://", "unix://"):
        raise ValueError("write redis://USER:PASSWORD@HOST:PORT/NUMBER")
    return url


class RateLimitStoreConfig(Model):
    """Where runs tell each other how often they asked a connection."""

    store: Annotated[ConfiguredSecret, AfterValidator(_redis_url)] | None = None
    """`redis://...` (`rediss://` with TLS) for runs on several machines, which know a connection by
    its name; a file in the platform's home where left out, for the runs of one machine."""


class ConnectionConfig(Model):
    """A database or service that sources read from."""

    tenant: Name | None = None
    """The tenant whose tables alone may read from it; no tenant's where left out."""
    shared: bool = False
    """Whether the tables of all tenants may read from it."""
    url: ConfiguredSecret
    """Where it is: `postgresql://user:${PASSWORD}@host/database`, `mysql://...`, any URL of
    SQLAlchemy, or `adbc+DRIVER:URI` for an ADBC driver."""
    connect_timeout: Duration = "15s"
    """How long a connection may take to be made."""
    statement_timeout: Duration = "1h"
    """How long one statement may take until the server stops it."""
    rate_limit: RateLimitConfig | None = None
    """How often it may be asked: each connection that is made and each query is a request. As often
    as needed where left out."""
    max_concurrent_loads: Annotated[int, Field(ge=1, le=1000)] | None = None
    """How many tables may be read from it at the same time, by all runs in Dagster together
    ([concurrency](scheduling.md#concurrency)). As many as there are where left out."""


class SourceConfig(Model):
    """Base of all sources: a source of a distribution of its own begins here."""

    type: str
    """The kind of source."""
    ignore_columns: tuple[str, ...] = ()
    """Columns of the source that the contract does not have and that may be left out."""


_NO_CHARSETS = ("idna", "punycode", "unicode-escape", "raw-unicode-escape")
"""What Python calls encodings of text, and what no file of text is written in."""


def _known_encoding(name: str) -> str:
    try:
        "a".encode(name)
        known = codecs.lookup(name).name not in _NO_CHARSETS
    except (LookupError, ValueError):
        known = False
    if not known:
        raise ValueError(
            "no text encoding of Python's; use a name such as utf-8, utf-16-le, latin-1 or cp1252"
        )
    return name


Encoding = Annotated[str, AfterValidator(_known_encoding)]


class StorageConfig(Model):
    """An object store that speaks S3. A key that is left out is taken from AWS's environment."""

    endpoint: Annotated[str, Field(pattern=r"^https?://[^/@]+$")] | None = None
    """The store's address, such as `https://minio.example.com:9000`; AWS where left out."""
    region: str | None = None
    """The bucket's region."""
    access_key_id: ConfiguredSecret | None = None
    """The key's id: `${S3_KEY_ID}`."""
    secret_access_key: ConfiguredSecret | None = None
    """The key: `${S3_KEY}`."""
    session_token: ConfiguredSecret | None = None
    """The token that belongs to a temporary key."""
    anonymous: bool = False
    """Whether the bucket is read without a key."""
    connect_timeout: Duration = "15s"
    """How long a connection may take to be made."""
    request_timeout: Duration = "60s"
    """How long the store may be silent in an answer."""

    @model_validator(mode="after")
    def _has_whole_key(self) -> StorageConfig:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("`access_key_id` and `secret_access_key` belong together")
        if self.anonymous and self.access_key_id is not None:
            raise ValueError("`anonymous` and `access_key_id` exclude each other")
        return self


class FileSourceConfig(SourceConfig):
    """Base of all sources that are files."""

    path: str
    """A file or a glob (`*`, `**`), relative to the folder of this file, or a URL such as
    `s3://bucket/orders/*.csv`."""
    compression: Literal["auto", "none", "gzip", "zstd", "zip"] = "auto"
    """How the files are packed; `auto` tells it by their first bytes."""
    max_unpacked_size: Bytes = "100GB"
    """The most that one packed file may become. Beyond 100 MB it may also be no more than a
    thousand times the packed size: a small file that unpacks to what fills a disk is refused."""
    storage: StorageConfig | None = None
    """The object store of a path that begins with `s3://`."""

    @model_validator(mode="after")
    def _is_of_a_known_store(self) -> FileSourceConfig:
        scheme, sign, _ = self.path.partition("://")
        if sign and scheme != "s3":
            raise ValueError("the only URLs that are read begin with s3://")
        if self.type in ("parquet", "arrow") and self.compression not in ("auto", "none"):
            raise ValueError("`compression` belongs to text; Parquet and Arrow pack what is within")
        if self.storage is not None and not sign:
            raise ValueError("`storage` belongs to a path that begins with s3://")
        return self


class CsvSourceConfig(FileSourceConfig):
    """Delimited text files."""

    type: Literal["csv"]
    """`csv`."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """The character between fields."""
    quote: Annotated[str, Field(max_length=1)] = '"'
    """The character around fields that hold delimiters or line ends; "" where none does."""
    escape: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """The character that makes the quote, or itself, a literal within quotes; before anything else
    it is one itself. A doubled quote is always a literal quote."""
    header: bool = True
    """Whether the first record has the columns' names; without, they are the contract's in its
    order."""
    encoding: Encoding = "utf-8"
    """The files' encoding, by Python's name for it, such as `utf-8`, `utf-16-le`, `latin-1` or
    `cp1252`. A byte order mark in a file wins."""
    null_strings: tuple[str, ...] = ("",)
    """Texts that stand for "no value"."""

    @model_validator(mode="after")
    def _splits(self) -> CsvSourceConfig:
        marks = [mark for mark in (self.delimiter, self.quote, self.escape) if mark]
        if len(marks) > len({*marks} - {"\r", "\n"}) or not all(m.isascii() for m in marks):
            raise ValueError(
                "delimiter, quote and escape must be different ASCII characters, and no line end"
            )
        if self.escape and not self.quote:
            raise ValueError("`escape` needs a `quote`: it has a meaning within quotes only")
        if self.ignore_columns and not self.header:
            raise ValueError("`ignore_columns` needs a header: columns are known by their names")
        return self


class JsonLinesSourceConfig(FileSourceConfig):
    """Files with one JSON object a line."""

    type: Literal["jsonl"]
    """`jsonl`."""


class ParquetSourceConfig(FileSourceConfig):
    """Parquet files."""

    type: Literal["parquet"]
    """`parquet`."""


class ArrowSourceConfig(FileSourceConfig):
    """Arrow IPC files, also called Feather."""

    type: Literal["arrow"]
    """`arrow`."""


class DatabaseSourceConfig(SourceConfig):
    """Base of all sources that are a table or a query of a database."""

    connection: Name
    """The connection, by its name in this file."""
    table: str | None = None
    """The table or view, with its schema where it is not the default one: `sales.orders`."""
    query: str | None = None
    """A SELECT in the database's SQL instead of a table."""

    @model_validator(mode="after")
    def _reads_one(self) -> DatabaseSourceConfig:
        if (self.table is None) == (self.query is None):
            raise ValueError("say either `table` or `query`")
        return self


class PostgresSourceConfig(DatabaseSourceConfig):
    """A table or query of PostgreSQL, read by COPY."""

    type: Literal["postgres"]
    """`postgres`."""
    parallel: Annotated[int, Field(ge=1, le=16)] = 1
    """Connections that read a table at once, in one consistent snapshot."""


class MySqlSourceConfig(DatabaseSourceConfig):
    """A table or query of MySQL or MariaDB, read through connectorx."""

    type: Literal["mysql"]
    """`mysql`."""


class SqlSourceConfig(DatabaseSourceConfig):
    """A table or query of any database with a driver for SQLAlchemy or ADBC."""

    type: Literal["sql"]
    """`sql`."""
    single_writer: bool = False
    """Only one transaction writes at a time, and so none commits a row after others with a greater
    cursor. Without it a cursor needs `merge` with a `lookback`, or a `lag`; of SQLite it is known.
    """


class IcebergSourceConfig(SourceConfig):
    """An Iceberg table of this lake or of another catalog."""

    type: Literal["iceberg"]
    """`iceberg`."""
    table: str
    """The table, with its namespace: `sales.orders`."""
    catalog: dict[str, ConfiguredSecret] | None = None
    """pyiceberg's properties of the catalog (`name`, `type`, `uri`, ...); this lake's where left
    out."""
    ref: str = "main"
    """The branch or tag that is read."""


BUILT_IN: tuple[type[SourceConfig], ...] = (
    CsvSourceConfig,
    JsonLinesSourceConfig,
    ParquetSourceConfig,
    ArrowSourceConfig,
    PostgresSourceConfig,
    MySqlSourceConfig,
    SqlSourceConfig,
    IcebergSourceConfig,
)
"""The sources of the platform itself."""
