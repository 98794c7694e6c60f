"""Names in the feature store's sections of runner.yaml that refer to other parts of it."""

from __future__ import annotations

from collections.abc import Iterator

from quality_platform.config.feature_store_models import POSTGRES_SCHEMES, PostgresRegistryConfig
from quality_platform.config.models import RunnerConfig
from quality_platform.config.sensor_references import Reference
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.documents.yaml_documents import PathInDocument, YamlDocument
from quality_platform.errors import Problem

VIEW_OF_A_SERVICE = "feature view or on-demand feature view"
"""What a feature service can name."""

_CONNECTION = ("feature_store", "registry", "connection")


def feature_store_references(config: RunnerConfig) -> Iterator[Reference]:
    """The names in feature services, on-demand feature views and the registry."""
    views = sorted(config.feature_views)
    both = views + sorted(config.on_demand_feature_views)
    for name, service in config.feature_services.items():
        for n, choice in enumerate(service.features):
            path = ("feature_services", name, "features", n)
            yield path, choice.view, both, VIEW_OF_A_SERVICE
    for name, view in config.on_demand_feature_views.items():
        for n, choice in enumerate(view.inputs):
            path = ("on_demand_feature_views", name, "inputs", n)
            yield path, choice.view, views, "feature view"
    registry = config.feature_store.registry
    if isinstance(registry, PostgresRegistryConfig) and registry.connection is not None:
        yield _CONNECTION, registry.connection, sorted(config.connections), "connection"


def feature_store_problems(config: RunnerConfig, document: YamlDocument) -> Iterator[Problem]:
    """A connection that can hold no registry, names that Feast takes for one, unknown features."""
    yield from _problems_of_registry(config, document)
    known = {name.casefold(): name for name in config.feature_views}
    for name in config.on_demand_feature_views:
        other = known.setdefault(name.casefold(), name)
        if other != name or name in config.feature_views:
            path = ("on_demand_feature_views", name)
            message = f"{other!r} is the name of another feature view, and case makes no difference"
            yield _problem(document, path, message, name, action="rename one of them")
    for name, service in config.feature_services.items():
        for n, choice in enumerate(service.features):
            view = config.on_demand_feature_views.get(choice.view)
            for feature in choice.features:
                if view is not None and feature not in view.features:
                    yield Problem(
                        f"the on-demand feature view {choice.view!r} computes no such feature",
                        document.location(("feature_services", name, "features", n)),
                        f"feature_services.{name}.features.{n}",
                        feature,
                        ", ".join(view.features),
                        did_you_mean(feature, list(view.features)),
                    )


def _problems_of_registry(config: RunnerConfig, document: YamlDocument) -> Iterator[Problem]:
    registry = config.feature_store.registry
    if not isinstance(registry, PostgresRegistryConfig) or registry.connection is None:
        return
    connection = config.connections.get(registry.connection)
    if connection is None:
        return
    if not connection.url.can_begin_with(*POSTGRES_SCHEMES):
        message = "the registry is kept in PostgreSQL, and this connection leads elsewhere"
        yield _problem(document, _CONNECTION, message, registry.connection)
    if connection.tenant is not None:
        message = f"the connection {registry.connection!r} is that of a tenant"
        yield _problem(document, _CONNECTION, message, registry.connection)


def _problem(
    document: YamlDocument, path: PathInDocument, message: str, received: str, action: str = ""
) -> Problem:
    field = ".".join(map(str, path))
    return Problem(message, document.location(path), field, received, action=action)
