"""What runner.yaml declares for Feast, as the feature store's definitions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from quality_platform.config.base_models import seconds
from quality_platform.config.feature_service_models import FeatureChoiceConfig, OnDemandViewConfig
from quality_platform.config.feature_store_models import (
    PostgresRegistryConfig,
    RedisOnlineConfig,
    SqliteOnlineConfig,
    SqliteRegistryConfig,
)
from quality_platform.errors import ConfigurationError, RunnerFileError
from quality_platform.feature_store.definitions import (
    EntityDefinition,
    FeatureChoice,
    FeatureServiceDefinition,
    FeatureViewDefinition,
    OnDemandViewDefinition,
    OnlineLocation,
    PostgresRegistry,
    RedisOnline,
    RegistryLocation,
    SqliteOnline,
    SqliteRegistry,
    StoreDefinitions,
    StoreSettings,
)
from quality_platform.flows.broken_tables import error_of
from quality_platform.flows.contracted_tables import FeatureTable
from quality_platform.flows.feature_store_rules import feature_names
from quality_platform.flows.outcomes import Progress, silent
from quality_platform.flows.platform import Platform

if TYPE_CHECKING:
    from quality_platform.feature_store.applying import Applied

_SECTIONS = ("feature_views", "on_demand_feature_views", "feature_services")


def store_settings(platform: Platform) -> StoreSettings:
    """Where the platform's feature store stands. Of secrets only the lake's are asked for.

    Raises:
        RunnerFileError: the registry's connection is broken.
    """
    config = platform.runner.config.feature_store
    is_file = isinstance(config.registry, SqliteRegistryConfig)
    return StoreSettings(
        project=config.project,
        registry=_registry(platform, config.registry),
        online_store=_online_store(platform, config.online_store),
        lake=platform.lake,
        folder=None if is_file else platform.home / "feast",
    )


def store_definitions(platform: Platform) -> StoreDefinitions:
    """Everything that runner.yaml declares for Feast.

    What is declared and cannot be told, because it is broken or was not built, is in `kept`.
    """
    config = platform.runner.config
    broken = {part.name for part in platform.broken if part.section in _SECTIONS}
    views = tuple(feature_view_definition(view) for view in platform.feature_tables.values())
    on_demand = tuple(
        on_demand_definition(name, view)
        for name, view in config.on_demand_feature_views.items()
        if name not in broken
    )
    services = tuple(
        FeatureServiceDefinition(
            name,
            _choices(service.features),
            service.description,
            service.owner,
            service.tags,
        )
        for name, service in config.feature_services.items()
        if name not in broken
    )
    names = (*config.on_demand_feature_views, *config.feature_services)
    told = {*platform.feature_tables, *(name for name in names if name not in broken)}
    return StoreDefinitions(views, services, on_demand, frozenset(_declared(platform) - told))


def broken_definitions(platform: Platform) -> dict[str, ConfigurationError]:
    """What is declared for Feast and broken, with what is wrong with it: it stays as it was."""
    broken = [part for part in platform.broken if part.section in _SECTIONS]
    return {part.name: error_of(part) for part in broken}


def feature_view_definition(view: FeatureTable) -> FeatureViewDefinition:
    """The view as Feast will know it."""
    config = view.config
    return FeatureViewDefinition(
        name=view.name,
        table=view.identifier,
        entities=tuple(
            EntityDefinition(e.name, e.join_key, view.schema.field(e.join_key).type)
            for e in config.entities
        ),
        event_timestamp=config.event_timestamp,
        features=pa.schema([view.schema.field(name) for name in feature_names(view)]),
        created_timestamp=config.created_timestamp,
        ttl=config.time_to_live,
        description=view.object.description,
        owner=next(iter(config.all_owners), ""),
        tags={**config.tags, "odcs": f"{view.contract.id}@{view.contract.version}"},
        online=config.online,
    )


def register_all(platform: Platform) -> Applied:
    """Makes Feast's registry what runner.yaml declares, and remembers that it is.

    Raises:
        MaterializationError: Feast failed.
        FeatureStoreUnreachableError: the registry or the online store does not answer.
    """
    from quality_platform.feature_store.store import apply_definitions

    settings, definitions = store_settings(platform), store_definitions(platform)
    # What is broken is registered once it is mended, whether or not its own lines change then.
    mark = "" if definitions.kept else _digest(platform)
    applied = apply_definitions(settings, definitions, mark)
    if not applied.errors and (note := _note_of(settings)):
        note.write_text(mark, encoding="ascii")
    return applied


def register_for(platform: Platform, view: FeatureTable, progress: Progress = silent) -> None:
    """As `register_all`; what cannot be registered is told as progress, unless it is the view.

    Where the registry says that it is what runner.yaml declares, nothing is done: of a thousand
    views that a run materializes only the first one registers them all.

    Raises:
        MaterializationError: the view cannot be registered, or Feast failed.
        FeatureStoreUnreachableError: the registry or the online store does not answer.
    """
    from quality_platform.feature_store.applying import registered_mark

    if registered_mark(store_settings(platform)) == _digest(platform):
        return
    applied = register_all(platform)
    if view.name in applied.errors:
        raise applied.errors[view.name]
    for name, error in applied.errors.items():
        progress("registering", f"{name} is not registered as it is declared: {error}")
    if applied.removed:
        progress("registering", f"no longer declared, and removed: {', '.join(applied.removed)}")


def is_registered(platform: Platform) -> bool:
    """Whether the registry is known to be what runner.yaml declares, without asking it.

    That is so where the same declarations were registered from this machine last.
    """
    note = _note_of(store_settings(platform))
    if note is None or not note.exists():
        return False
    return note.read_text(encoding="ascii") == _digest(platform)


def _note_of(settings: StoreSettings) -> Path | None:
    """The file beside `feature_store.yaml` that says what was registered last."""
    file = settings.yaml_file
    return None if file is None else file.with_name("registered.sha256")


def _digest(platform: Platform) -> str:
    """A text that is another where something else is declared, told without reading a contract."""
    runner = platform.runner
    digest = hashlib.sha256(runner.config.feature_store.project.encode())
    for section in _SECTIONS:
        for name, entry in getattr(runner.config, section).items():
            digest.update(f"\n{section}.{name} {entry.model_dump_json()}".encode())
    for name, view in runner.config.feature_views.items():
        with suppress(OSError):
            contract = runner.resolver("feature_views", name)(view.contract).read_bytes()
            digest.update(hashlib.sha256(contract).digest())
    return digest.hexdigest()


def _declared(platform: Platform) -> set[str]:
    """The names in the file, also those of parts that are broken."""
    data, broken = platform.runner.document.data, platform.broken
    written = [data.get(section) for section in _SECTIONS] if isinstance(data, dict) else []
    names = {str(name) for section in written if isinstance(section, dict) for name in section}
    return names | {part.name for part in broken if part.section in _SECTIONS}


def on_demand_definition(name: str, view: OnDemandViewConfig) -> OnDemandViewDefinition:
    """The on-demand view as Feast will know it."""
    return OnDemandViewDefinition(
        name=name,
        python=view.python,
        features=view.features,
        inputs=_choices(view.inputs),
        request=view.request,
        mode=view.mode,
        description=view.description,
        owner=view.owner,
        tags=view.tags,
    )


def _choices(choices: Iterable[FeatureChoiceConfig]) -> tuple[FeatureChoice, ...]:
    return tuple(FeatureChoice(choice.view, choice.features) for choice in choices)


def _registry(
    platform: Platform, config: SqliteRegistryConfig | PostgresRegistryConfig
) -> RegistryLocation:
    if isinstance(config, SqliteRegistryConfig):
        return SqliteRegistry(platform.runner.resolve(config.path))
    if config.url is not None:
        return PostgresRegistry(config.url)
    connection = platform.runner.config.connections.get(config.connection or "")
    if connection is None:
        path = ("feature_store", "registry", "connection")
        raise RunnerFileError(
            f"the connection {config.connection!r} is broken",
            location=platform.runner.location(*path),
            field=".".join(path),
            action="mend that first",
        )
    return PostgresRegistry(connection.url)


def _online_store(
    platform: Platform, config: SqliteOnlineConfig | RedisOnlineConfig
) -> OnlineLocation:
    if isinstance(config, SqliteOnlineConfig):
        return SqliteOnline(platform.runner.resolve(config.path))

    def resolved(path: Path | None) -> Path | None:
        return None if path is None else platform.runner.resolve(path)

    return RedisOnline(
        host=config.host,
        port=config.port,
        db=config.db,
        username=config.username,
        password=config.password,
        tls=config.ssl,
        ca_file=resolved(config.ca_file),
        key_ttl=timedelta(seconds=seconds(config.key_ttl)) if config.key_ttl else None,
    )
