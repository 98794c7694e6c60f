"""Opening the source that runner.yaml names: a built-in one or a plugin's."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

from quality_platform.config.source_models import SourceConfig, plugins
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


class SourceType(Protocol):
    """What an entry point of the group `quality_platform.sources` leads to."""

    config: type[SourceConfig]

    @staticmethod
    def open_source(config: Any, context: SourceContext) -> Source:
        """The source; connects to nothing yet."""
        ...


def open_source(config: SourceConfig, context: SourceContext) -> Source:
    """The source of a table, ready to be asked for its parts; connects to nothing yet."""
    if config.type in _MODULES:
        module = import_module(f"quality_platform.sources.{_MODULES[config.type]}")
        opened: Callable[[Any, SourceContext], Source] = module.open_source
        return opened(config, context)
    plugin: SourceType = plugins()[config.type].load()
    return plugin.open_source(config, context)
