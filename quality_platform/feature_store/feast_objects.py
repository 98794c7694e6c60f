"""Definitions as Feast's objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from quality_platform.errors import MaterializationError
from quality_platform.feature_store.definitions import (
    EntityDefinition,
    FeatureChoice,
    FeatureServiceDefinition,
    FeatureViewDefinition,
    OnDemandViewDefinition,
    StoreDefinitions,
)
from quality_platform.feature_store.feast_types import KEY_TYPES, feast_type
from quality_platform.feature_store.on_demand import chosen, on_demand_view

if TYPE_CHECKING:
    from feast import Entity, FeatureService, FeatureView

Definition = TypeVar(
    "Definition", FeatureViewDefinition, OnDemandViewDefinition, FeatureServiceDefinition
)


@dataclass
class FeastObjects:
    """Feast's objects by kind and name, and what cannot be one, by its name."""

    entities: dict[str, Entity] = field(default_factory=dict)
    views: dict[str, Any] = field(default_factory=dict)
    on_demand: dict[str, Any] = field(default_factory=dict)
    services: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, MaterializationError] = field(default_factory=dict)

    @property
    def all(self) -> list[Any]:
        """Every object, each after those that it needs."""
        kinds = (self.entities, self.views, self.on_demand, self.services)
        return [found for kind in kinds for found in kind.values()]


def feast_objects(definitions: StoreDefinitions) -> FeastObjects:
    """All that is declared, each once, as Feast's objects. What cannot be one stops no other."""
    found = FeastObjects()
    entities = _entities(definitions.views, found)
    views = [view for view in definitions.views if view.name not in found.errors]
    _convert(views, lambda view: _feature_view(view, entities), found.views, found)
    needed = {name for view in found.views.values() for name in view.entities}
    found.entities = {name: entity for name, entity in entities.items() if name in needed}
    _convert(
        definitions.on_demand,
        lambda view: on_demand_view(view, _usable(view.name, view.inputs, found.views, found)),
        found.on_demand,
        found,
    )
    views_of_services = {**found.views, **found.on_demand}
    _convert(
        definitions.services,
        lambda service: _feature_service(
            service, _usable(service.name, service.features, views_of_services, found)
        ),
        found.services,
        found,
    )
    return found


def _usable(
    name: str, choices: Iterable[FeatureChoice], views: Mapping[str, Any], found: FeastObjects
) -> Mapping[str, Any]:
    """The views; what is called `name` must choose none of those that cannot be registered."""
    for choice in choices:
        if choice.view in found.errors:
            raise MaterializationError(
                f"needs the feature view {choice.view!r}, which cannot be registered",
                field=name,
                action="mend that first",
            )
    return views


def _convert(
    definitions: Iterable[Definition],
    convert: Callable[[Definition], Any],
    into: dict[str, Any],
    found: FeastObjects,
) -> None:
    for definition in definitions:
        try:
            into[definition.name] = convert(definition)
        except MaterializationError as error:
            found.errors[definition.name] = error


def _entities(views: Sequence[FeatureViewDefinition], found: FeastObjects) -> dict[str, Entity]:
    """The entities; those that cannot be, and views that disagree, are among the errors."""
    meant: dict[str, EntityDefinition] = {}
    entities = {}
    for view in views:
        try:
            for definition in view.entities:
                _require_same(view, definition, meant.setdefault(definition.name, definition))
                entities[definition.name] = _entity(definition)
        except MaterializationError as error:
            found.errors[view.name] = error
    return entities


def _require_same(
    view: FeatureViewDefinition, entity: EntityDefinition, first: EntityDefinition
) -> None:
    if entity != first:
        raise MaterializationError(
            f"two feature views define the entity {entity.name!r} differently",
            field=view.name,
            received=f"{entity.join_key} ({entity.type}), {first.join_key} ({first.type})",
            action="give the entity one join key of one type",
        )


def _entity(definition: EntityDefinition) -> Entity:
    from feast import Entity

    type_ = feast_type(definition.type, definition.join_key)
    if str(type_) not in KEY_TYPES:
        raise MaterializationError(
            "Feast cannot find entities by a key of this type",
            field=definition.join_key,
            received=definition.type,
            allowed="int32, int64, string",
        )
    return Entity(
        name=definition.name, join_keys=[definition.join_key], value_type=type_.to_value_type()
    )


def _feature_view(view: FeatureViewDefinition, entities: Mapping[str, Entity]) -> FeatureView:
    from feast import FeatureView, Field

    from quality_platform.feature_store.iceberg_source import IcebergTableSource

    if not view.entities or not view.features.names:
        raise MaterializationError(
            "a feature view needs at least one entity and one feature", field=view.name
        )
    keys = [Field(name=e.join_key, dtype=feast_type(e.type, e.join_key)) for e in view.entities]
    features = [
        Field(
            name=column.name,
            dtype=feast_type(column.type, column.name),
            description=(column.metadata or {}).get(b"doc", b"").decode(),
        )
        for column in view.features
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
        online=view.online,
        description=view.description,
        owner=view.owner,
        tags=dict(view.tags),
    )


def _feature_service(service: FeatureServiceDefinition, views: Mapping[str, Any]) -> FeatureService:
    from feast import FeatureService

    return FeatureService(
        name=service.name,
        features=[chosen(choice, views, service.name) for choice in service.features],
        description=service.description,
        owner=service.owner,
        tags=dict(service.tags),
    )
