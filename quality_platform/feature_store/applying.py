"""Declarations into Feast's registry, which then holds what is declared and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from quality_platform.errors import MaterializationError
from quality_platform.feature_store.definitions import (
    FeatureViewDefinition,
    StoreDefinitions,
    StoreSettings,
)
from quality_platform.feature_store.feast_objects import FeastObjects, feast_objects
from quality_platform.feature_store.feast_settings import FeastFile, feast_file
from quality_platform.feature_store.guarding import feast_errors, registry_lock
from quality_platform.feature_store.opening import open_store

if TYPE_CHECKING:
    from feast import FeatureStore


_MARK = "quality_platform_declarations"
"""The tag of Feast's project that says which declarations were applied last."""


@dataclass(frozen=True)
class Applied:
    """What the registry holds now of this project.

    Attributes:
        names: The entities, views and services that are declared, by name.
        removed: Those that were no longer declared.
        errors: Why a declared view or service is not registered as it is declared, by its name.
    """

    names: tuple[str, ...]
    removed: tuple[str, ...] = ()
    errors: dict[str, MaterializationError] = field(default_factory=dict)


def apply_views(settings: StoreSettings, views: Sequence[FeatureViewDefinition]) -> None:
    """Registers the views and their entities, and makes room for them in the online store.

    Applying the same definitions again changes nothing. Views that are registered and not among
    `views` stay as they are. Beside the registry a `feature_store.yaml` is written, with which
    Feast's command line and `FeatureStore(repo_path=...)` work; of what is secret it has the names
    of environment variables only.

    Raises:
        MaterializationError: a definition does not fit Feast, or Feast failed.
        FeatureStoreUnreachableError: the registry or the online store does not answer.
    """
    with feast_errors(settings, "the feature views cannot be applied"):
        objects = feast_objects(StoreDefinitions(tuple(views)))
        for error in objects.errors.values():
            raise error
        with registry_lock(settings):
            store = open_store(settings)
            _keep_history(store, objects.views.values())
            store.apply(objects.all)
        write_feature_store_yaml(settings)


def apply_definitions(
    settings: StoreSettings, definitions: StoreDefinitions, mark: str = ""
) -> Applied:
    """Makes this project in the registry what is declared; other projects in it stay as they are.

    What is no longer declared is removed, its values in the online store too. What is declared and
    cannot be registered stays as it was, and is told in `errors`: nothing else waits for it. Views
    keep the record of their materializations. `feature_store.yaml` is written as by `apply_views`.
    `mark` is what `registered_mark` gives from then on; "" where something could not be registered.

    Raises:
        MaterializationError: Feast failed.
        FeatureStoreUnreachableError: the registry or the online store does not answer.
    """
    with feast_errors(settings, "the declarations cannot be applied"):
        objects = feast_objects(definitions)
        kept = {*definitions.kept, *objects.errors}
        with registry_lock(settings):
            store = open_store(settings)
            _keep_history(store, objects.views.values())
            _forget_what_feast_takes_for_equal(store, objects)
            gone = _no_longer_declared(store, objects, kept)
            _forget_materialized(store, gone)
            project = _marked(store, "" if objects.errors else mark)
            store.apply([*objects.all, project], objects_to_delete=gone, partial=False)
        write_feature_store_yaml(settings)
    names = tuple(found.name for found in objects.all)
    return Applied(names, tuple(found.name for found in gone), dict(objects.errors))


def registered_mark(settings: StoreSettings) -> str:
    """The mark of what was applied last, from whatever machine; "" where there is none.

    Raises:
        MaterializationError: Feast failed.
        FeatureStoreUnreachableError: the registry does not answer.
    """
    with feast_errors(settings, "the registry cannot be read"):
        from feast.errors import ProjectObjectNotFoundException

        # Whoever asks a new registry first makes its tables.
        with registry_lock(settings):
            registry = open_store(settings).registry
        try:
            project = registry.get_project(settings.project, allow_cache=False)
        except ProjectObjectNotFoundException:
            return ""
        return str(project.tags.get(_MARK, ""))


def _marked(store: FeatureStore, mark: str) -> Any:
    """Feast's project as it is registered, with the mark."""
    from feast import Project
    from feast.errors import ProjectObjectNotFoundException

    try:
        known = store.registry.get_project(store.project, allow_cache=False)
    except ProjectObjectNotFoundException:
        known = Project(name=store.project)
    return Project(
        name=known.name,
        description=known.description,
        tags={**known.tags, _MARK: mark},
        owner=known.owner,
    )


def _keep_history(store: FeatureStore, views: Iterable[Any]) -> None:
    """Gives new definitions what their registered ones have gone through.

    Feast would take a view without it for a changed one, and forget that it is available online.
    """
    registered = {view.name: view for view in store.list_feature_views()}
    for view in views:
        if view.name in registered:
            view.materialization_intervals = registered[view.name].materialization_intervals
            view.state = registered[view.name].state


def _forget_what_feast_takes_for_equal(store: FeatureStore, objects: FeastObjects) -> None:
    """Removes registered views of which Feast would not see what has changed.

    It compares on-demand feature views without their features, tags and owners.
    """
    registered = {view.name: view for view in store.list_on_demand_feature_views()}
    for name, view in objects.on_demand.items():
        if name in registered and _shown(view) != _shown(registered[name]):
            store.delete_feature_view(name)


def _shown(view: Any) -> tuple[object, ...]:
    return (sorted((f.name, str(f.dtype)) for f in view.features), view.tags, view.owner)


def _no_longer_declared(
    store: FeatureStore, objects: FeastObjects, kept: Iterable[str]
) -> list[Any]:
    """What the registry has of this project, and what is not declared.

    An entity or table that a view which stays as it is needs is not among it, and neither is
    anything that only Feast's users make: saved datasets, validation references, permissions.
    """
    from feast.feature_view import DUMMY_ENTITY_NAME

    declared = {found.name for found in (*objects.views.values(), *objects.on_demand.values())}
    staying = declared | set(kept)
    views = store.list_feature_views()
    gone: list[Any] = [
        s for s in store.list_feature_services() if s.name not in {*objects.services, *kept}
    ]
    gone += [view for view in store.list_on_demand_feature_views() if view.name not in staying]
    gone += [view for view in views if view.name not in staying]
    left = [view for view in views if view.name in kept]
    entities = {name for view in left for name in view.entities} | {DUMMY_ENTITY_NAME}
    entities |= set(objects.entities)
    gone += [entity for entity in store.list_entities() if entity.name not in entities]
    return gone + _sources_of_none(store, objects, left, kept)


def _forget_materialized(store: FeatureStore, gone: Iterable[Any]) -> None:
    """Removes what Redis knows of the materializations of views whose values Feast will remove.

    A view that is declared again would else get only what was published since.
    """
    from feast import FeatureView

    config: Any = store.config.online_store
    if config.type != "redis":
        return
    from quality_platform.feature_store.online_rows import OnlineView
    from quality_platform.feature_store.redis_writer import state_key

    online_store: Any = store.provider.online_store
    for view in gone:
        if isinstance(view, FeatureView):
            state = state_key(OnlineView.of(view, store.config))
            online_store._get_client(config).delete(state)


def _sources_of_none(
    store: FeatureStore, objects: FeastObjects, left: Sequence[Any], kept: Iterable[str]
) -> list[Any]:
    """The data sources of the platform's kinds that no view reads any more."""
    from feast.data_source import RequestSource

    from quality_platform.feature_store.iceberg_source import IcebergTableSource
    from quality_platform.feature_store.on_demand import request_source_name

    views = [*objects.views.values(), *left]
    read = {view.batch_source.name for view in views if view.batch_source is not None}
    read |= {request_source_name(name) for name in (*objects.on_demand, *kept)}
    return [
        source
        for source in store.list_data_sources()
        if isinstance(source, IcebergTableSource | RequestSource) and source.name not in read
    ]


def write_feature_store_yaml(settings: StoreSettings) -> FeastFile:
    """Writes `feature_store.yaml`, where the settings say where it is; gives what it holds.

    Raises:
        SecretError: a secret cannot be had.
        ConfigurationError: the registry's URL is not one of PostgreSQL.
    """
    found, file = feast_file(settings), settings.yaml_file
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        complete = file.with_suffix(f".{os.getpid()}.tmp")
        complete.write_text(found.text, encoding="utf-8")
        complete.replace(file)
    return found
