"""Opening the source that runner.yaml names: a built-in one or a plugin's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from quality_platform.config.source_models import BUILT_IN, SourceConfig
from quality_platform.config.source_plugins import plugins, type_of
from quality_platform.sources.plugin_guard import GuardedSource
from quality_platform.sources.protocol import Source, SourceContext

_MODULES = {
    "csv": "file_source",
    "jsonl": "file_source",
    "parquet": "file_source",
    "arrow": "file_source",
    "postgres": "postgres",
    "mysql": "mysql",
    "sql": "sql_database",
    "iceberg": "iceberg_table",
}
"""The module of each built-in type; it is loaded when a source of the type is opened."""


@dataclass(frozen=True)
class KnownType:
    """A source type of this installation.

    `distribution` is "" for those of the platform itself; `problem` says why a plugin's cannot be
    used.
    """

    type: str
    description: str
    distribution: str = ""
    version: str = ""
    problem: str = ""


def known_types() -> list[KnownType]:
    """The built-in source types, and those of the plugins, usable or not."""
    own = [KnownType(type_of(model), _described(model)) for model in BUILT_IN]
    return own + [
        KnownType(
            plugin.name,
            _described(plugin.model),
            plugin.distribution,
            plugin.version,
            plugin.problem,
        )
        for plugin in plugins().values()
    ]


def open_source(config: SourceConfig, context: SourceContext) -> Source:
    """The source of a table, ready to be asked for its parts; connects to nothing yet.

    Raises:
        SourceError: a plugin fails.
    """
    if config.type in _MODULES:
        module = import_module(f"quality_platform.sources.{_MODULES[config.type]}")
        opened: Callable[[Any, SourceContext], Source] = module.open_source
        return opened(config, context)
    return GuardedSource.opened(plugins()[config.type], config, context)


def _described(model: type[SourceConfig] | None) -> str:
    return ((model.__doc__ if model else "") or "").strip().partition("\n")[0]
