"""The models of the feature store in runner.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from quality_platform.config.base_models import Duration, Model, Name, seconds
from quality_platform.config.secret_text import ConfiguredSecret

REGISTRY_FILE = "${QUALITY_PLATFORM_HOME}/feast/registry.db"
ONLINE_FILE = "${QUALITY_PLATFORM_HOME}/feast/online.db"

POSTGRES_SCHEMES = ("postgresql:", "postgresql+", "postgres:")
"""How the URL of a PostgreSQL can begin."""


def _as_file(value: Any) -> Any:
    """A path that stands where there can also be a mapping, as a mapping."""
    return {"type": "sqlite", "path": value} if isinstance(value, str | Path) else value


class SqliteRegistryConfig(Model):
    """Feast's registry in a SQLite file, for the runs of one machine."""

    type: Literal["sqlite"] = "sqlite"
    """A SQLite file."""
    path: Path
    """The file. Instead of the mapping the path alone can stand."""


class PostgresRegistryConfig(Model):
    """Feast's registry in a PostgreSQL database, for runs and services on several machines."""

    type: Literal["postgres"]
    """A PostgreSQL database."""
    url: ConfiguredSecret | None = None
    """`postgresql://USER:${secret:NAME|url}@HOST/DATABASE`. Either this or `connection`."""
    connection: Name | None = None
    """A connection of this file whose database is used."""

    @model_validator(mode="after")
    def _says_where(self) -> PostgresRegistryConfig:
        if (self.url is None) == (self.connection is None):
            raise ValueError("write either `url` or `connection`")
        if self.url is not None and not self.url.can_begin_with(*POSTGRES_SCHEMES):
            raise ValueError("`url` must begin with postgresql://")
        return self


class SqliteOnlineConfig(Model):
    """Feast's online store in a SQLite file, for one machine."""

    type: Literal["sqlite"] = "sqlite"
    """A SQLite file."""
    path: Path
    """The file. Instead of the mapping the path alone can stand."""


class RedisOnlineConfig(Model):
    """Feast's online store in a Redis."""

    type: Literal["redis"]
    """A Redis server."""
    host: Annotated[str, Field(pattern=r"^[^\s,=:/@]+$")]
    """The server's name or IPv4 address."""
    port: Annotated[int, Field(ge=1, le=65535)] = 6379
    """The server's port."""
    db: Annotated[int, Field(ge=0)] = 0
    """The number of the database within the server."""
    username: str = ""
    """The user, where the server has several."""
    password: ConfiguredSecret | None = None
    """The password: `${secret:NAME}` or `${VAR}`."""
    ssl: bool = False
    """Whether the connection is encrypted by TLS."""
    ca_file: Path | None = None
    """Certificates (PEM) that the server's is checked by; the system's where left out."""
    key_ttl: Duration | None = None
    """How long an entity's values are kept after they were last written. For ever where left out:
    a view's `ttl` is no limit for online reads."""

    @model_validator(mode="after")
    def _fits_together(self) -> RedisOnlineConfig:
        if self.ca_file is not None and not self.ssl:
            raise ValueError("`ca_file` is used with `ssl: true` only")
        if self.key_ttl is not None and not seconds(self.key_ttl):
            raise ValueError("`key_ttl` must be at least 1s")
        return self


AnyRegistry = Annotated[SqliteRegistryConfig | PostgresRegistryConfig, Field(discriminator="type")]
AnyOnlineStore = Annotated[SqliteOnlineConfig | RedisOnlineConfig, Field(discriminator="type")]


class FeatureStoreConfig(Model):
    """Feast's registry and online store ([Feast](feast.md))."""

    project: Name = "quality_platform"
    """Feast's project name. What the registry holds of other projects is never touched."""
    registry: Annotated[
        AnyRegistry,
        BeforeValidator(_as_file, json_schema_input_type=str | AnyRegistry),
        Field(json_schema_extra={"default": REGISTRY_FILE}),
    ] = SqliteRegistryConfig(path=Path(REGISTRY_FILE))
    """Feast's registry: the path of a SQLite file, or a PostgreSQL database."""
    online_store: Annotated[
        AnyOnlineStore,
        BeforeValidator(_as_file, json_schema_input_type=str | AnyOnlineStore),
        Field(json_schema_extra={"default": ONLINE_FILE}),
    ] = SqliteOnlineConfig(path=Path(ONLINE_FILE))
    """Feast's online store: the path of a SQLite file, or a Redis."""
