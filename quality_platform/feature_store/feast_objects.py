"""Definitions as Feast's objects, and as Feast's configuration."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

import pyarrow as pa

from quality_platform.errors import MaterializationError
from quality_platform.feature_store.definitions import (
    EntityDefinition,
    FeatureViewDefinition,
    StoreSettings,
)

if TYPE_CHECKING:
    from feast import Entity, FeatureView
    from feast.types import PrimitiveFeastType

_ROOM = "quality_platform.feature_store"

_TYPES = {
    pa.bool_(): "Bool",
    pa.int32(): "Int32",
    pa.int64(): "Int64",
    pa.float32(): "Float32",
    pa.float64(): "Float64",
    pa.string(): "String",
    pa.large_string(): "String",
    pa.binary(): "Bytes",
    pa.large_binary(): "Bytes",
}

_KEY_TYPES = ("Int32", "Int64", "String")


def feast_objects(views: Sequence[FeatureViewDefinition]) -> list[Any]:
    """The views and their entities, each once, as Feast's objects.

    Raises:
        MaterializationError: a type has no counterpart in Feast, a view lacks entities or features,
            or two views mean different things by one entity.
    """
    entities: dict[str, EntityDefinition] = {}
    for view in views:
        for entity in view.entities:
            if entities.setdefault(entity.name, entity) != entity:
                raise MaterializationError(
                    f"two feature views define the entity {entity.name!r} differently",
                    field=view.name,
                    received=f"{entity.join_key} ({entity.type}), "
                    f"{entities[entity.name].join_key} ({entities[entity.name].type})",
                    action="give the entity one join key of one type",
                )
    known = {name: _entity(entity) for name, entity in entities.items()}
    return [*known.values(), *(_feature_view(view, known) for view in views)]


def feast_settings(settings: StoreSettings) -> dict[str, Any]:
    """The store's configuration, as Feast reads it from `feature_store.yaml`."""
    from sqlalchemy import URL

    registry = URL.create("sqlite", database=str(settings.registry.absolute()))
    return {
        "project": settings.project,
        "provider": "local",
        "entity_key_serialization_version": 3,
        # Rows of their own per object: views that are applied at the same time do not undo each
        # other, as they would in Feast's registry file.
        "registry": {
            "registry_type": "sql",
            "path": registry.render_as_string(),
            "sqlalchemy_config_kwargs": {"connect_args": {"timeout": 60}},
        },
        "online_store": {"type": "sqlite", "path": str(settings.online_store.absolute())},
        "offline_store": {
            "type": f"{_ROOM}.iceberg_offline_store.IcebergOfflineStore",
            "catalog": settings.lake.name,
            "properties": dict(settings.lake.properties),
            "refs": dict(settings.refs),
        },
        "batch_engine": {"type": f"{_ROOM}.materialization_engine.ArrowEngine"},
        "materialization": {"pull_latest_features": True},
    }


def holds_no_secret(settings: StoreSettings) -> bool:
    """Whether the catalog's properties are known to be free of credentials; fails closed."""
    properties = settings.lake.properties
    if not set(properties) <= {"type", "uri", "warehouse"}:
        return False
    addresses = [urlparse(properties.get(name, "")) for name in ("uri", "warehouse")]
    return not any(url.password or url.query for url in addresses)


def _entity(definition: EntityDefinition) -> Entity:
    from feast import Entity

    type_ = _feast_type(definition.type, definition.join_key)
    if str(type_) not in _KEY_TYPES:
        raise MaterializationError(
            "Feast cannot find entities by a key of this type",
            field=definition.join_key,
            received=definition.type,
            allowed="int32, int64, string",
        )
    return Entity(
        name=definition.name, join_keys=[definition.join_key], value_type=type_.to_value_type()
    )


def _feature_view(view: FeatureViewDefinition, entities: dict[str, Entity]) -> FeatureView:
    from feast import FeatureView, Field

    from quality_platform.feature_store.iceberg_source import IcebergTableSource

    if not view.entities or not view.features.names:
        raise MaterializationError(
            "a feature view needs at least one entity and one feature", field=view.name
        )
    keys = [Field(name=e.join_key, dtype=_feast_type(e.type, e.join_key)) for e in view.entities]
    features = [
        Field(
            name=field.name,
            dtype=_feast_type(field.type, field.name),
            description=(field.metadata or {}).get(b"doc", b"").decode(),
        )
        for field in view.features
    ]
    return FeatureView(
        name=view.name,
        entities=[entities[entity.name] for entity in view.entities],
        schema=[*keys, *features],
        source=IcebergTableSource(
            table=view.table,
            timestamp_field=view.event_timestamp,
            created_timestamp_column=view.created_timestamp or "",
        ),
        ttl=view.ttl or timedelta(0),
        description=view.description,
        owner=view.owner,
        tags=dict(view.tags),
    )


def _feast_type(type_: pa.DataType, column: str) -> PrimitiveFeastType:
    import feast.types

    name = _TYPES.get(type_)
    if pa.types.is_timestamp(type_):
        name = "UnixTimestamp"
    elif pa.types.is_decimal(type_):
        name = "Decimal"
    if name is None:
        raise MaterializationError(
            "Feast has no type for the column",
            field=column,
            received=type_,
            allowed="boolean, int32, int64, float, double, decimal, string, binary, timestamp",
            action="cast the column in the view's SQL",
        )
    found: PrimitiveFeastType = getattr(feast.types, name)
    return found
