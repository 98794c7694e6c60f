"""What the feature store holds, and where it stands: values, without Feast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
from pydantic import SecretStr

if TYPE_CHECKING:
    from quality_platform.lake.catalog import Lake


@dataclass(frozen=True)
class EntityDefinition:
    """What features describe: the entity's name, and the column that identifies it."""

    name: str
    join_key: str
    type: pa.DataType


@dataclass(frozen=True)
class FeatureViewDefinition:
    """Features of entities over time, as rows of one table of the lake.

    `table` is the Iceberg identifier (`features.flights`). `features` has the feature columns only;
    a field's metadata `doc` becomes the feature's description. `created_timestamp` decides between
    rows of one entity and event time. `ttl` is how old a value may be in historical reads, None for
    any age; online reads know no age. A view that is not `online` is read back in time only.
    """

    name: str
    table: str
    entities: tuple[EntityDefinition, ...]
    event_timestamp: str
    features: pa.Schema
    created_timestamp: str | None = None
    ttl: timedelta | None = None
    description: str = ""
    owner: str = ""
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    online: bool = True


@dataclass(frozen=True)
class FeatureChoice:
    """Features of one view, by its name; all of them where `features` is empty."""

    view: str
    features: tuple[str, ...] = ()


@dataclass(frozen=True)
class FeatureServiceDefinition:
    """Features that are asked for together, under one name."""

    name: str
    features: tuple[FeatureChoice, ...]
    description: str = ""
    owner: str = ""
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class OnDemandViewDefinition:
    """Features that a function computes when they are asked for.

    `inputs` are features of views, `request` values that come with each request. `python` is
    `package.module:function`; it takes and gives what `mode` says: a dict of lists, or a DataFrame.
    Types are the words of `feast_types.feast_type_of_word`.
    """

    name: str
    python: str
    features: Mapping[str, str] = field(hash=False)
    inputs: tuple[FeatureChoice, ...] = ()
    request: Mapping[str, str] = field(default_factory=dict, hash=False)
    mode: Literal["python", "pandas"] = "python"
    description: str = ""
    owner: str = ""
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class StoreDefinitions:
    """Everything that is declared of one feature store. Entities are those of the views.

    `kept` are names of declared things that cannot be told because they are broken: what the
    registry holds under them stays as it is.
    """

    views: tuple[FeatureViewDefinition, ...] = ()
    services: tuple[FeatureServiceDefinition, ...] = ()
    on_demand: tuple[OnDemandViewDefinition, ...] = ()
    kept: frozenset[str] = frozenset()


@dataclass(frozen=True)
class SqliteRegistry:
    """A registry in a SQLite file; its folder is made when needed."""

    path: Path


@dataclass(frozen=True)
class PostgresRegistry:
    """A registry in a PostgreSQL database, by SQLAlchemy's URL, which is asked for when needed."""

    url: SecretStr


RegistryLocation = SqliteRegistry | PostgresRegistry


@dataclass(frozen=True)
class SqliteOnline:
    """An online store in a SQLite file; its folder is made when needed."""

    path: Path


@dataclass(frozen=True)
class RedisOnline:
    """An online store in a Redis. `key_ttl` is how long after a write an entity's values live."""

    host: str
    port: int = 6379
    db: int = 0
    username: str = ""
    password: SecretStr | None = None
    tls: bool = False
    ca_file: Path | None = None
    key_ttl: timedelta | None = None


OnlineLocation = SqliteOnline | RedisOnline


@dataclass(frozen=True)
class StoreSettings:
    """Where a feature store stands.

    `refs` pins tables: identifier to branch, tag, snapshot id or time; a table that it does not
    name is read at the head of `main`. A training set is determined by the registry's version, the
    refs and the entity rows. `folder` is where `feature_store.yaml` is written: beside the registry
    where None, and nowhere where that is no file.
    """

    project: str
    registry: RegistryLocation
    online_store: OnlineLocation
    lake: Lake
    refs: Mapping[str, str] = field(default_factory=dict, hash=False)
    folder: Path | None = None

    @property
    def yaml_file(self) -> Path | None:
        """The `feature_store.yaml` with which Feast's own command line works; None without one."""
        folder = self.folder
        if folder is None and isinstance(self.registry, SqliteRegistry):
            folder = self.registry.path.parent
        return None if folder is None else folder.absolute() / "feature_store.yaml"
