"""What a feature view is, and where a feature store stands: values, without Feast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pyarrow as pa

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
    any age; online reads know no age.
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


@dataclass(frozen=True)
class StoreSettings:
    """Where a feature store stands.

    `registry` and `online_store` are SQLite files; their folders are made when needed. `refs` pins
    tables: identifier to branch, tag or snapshot id; a table that it does not name is read at the
    head of `main`. A training set is determined by the registry's version, the refs and the entity
    rows.
    """

    project: str
    registry: Path
    online_store: Path
    lake: Lake
    refs: Mapping[str, str] = field(default_factory=dict, hash=False)
