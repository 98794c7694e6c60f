"""Sources of other distributions, found by their entry points: docs/plugins.md.

Nothing that a plugin imports may import this module: it loads the plugins.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import Field

from quality_platform.config.source_models import BUILT_IN, SourceConfig

ENTRY_POINTS = "quality_platform.sources"
"""The group of entry points under which a distribution registers its source types."""


@dataclass(frozen=True)
class SourcePlugin:
    """A source type that another distribution brings.

    `problem` says why it cannot be used; "" where it can, and then there are a model and an opener.
    """

    name: str
    distribution: str
    version: str
    model: type[SourceConfig] | None = None
    opener: Callable[[Any, Any], Any] | None = None
    problem: str = ""


@functools.cache
def plugins() -> dict[str, SourcePlugin]:
    """The source types that other distributions registered, by name."""
    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=ENTRY_POINTS):
        found.setdefault(entry.name, []).append(entry)
    return {name: _plugin(name, entries) for name, entries in sorted(found.items())}


def type_of(model: type[SourceConfig]) -> str:
    """The `type` that a model is for; "" where it does not say it."""
    kind = model.model_fields["type"].annotation
    return str(get_args(kind)[0]) if get_origin(kind) is Literal else ""


def _plugin(name: str, entries: Sequence[EntryPoint]) -> SourcePlugin:
    homes = sorted({entry.dist.name if entry.dist else "unknown" for entry in entries})
    versions = sorted({entry.dist.version if entry.dist else "" for entry in entries})
    plugin = SourcePlugin(name, ", ".join(homes), ", ".join(versions))
    if name in {type_of(model) for model in BUILT_IN}:
        return _unusable(plugin, "the platform itself has a source of this type")
    if len(homes) > 1:
        return _unusable(plugin, "several distributions bring a source of this type")
    try:
        loaded = entries[0].load()
    except Exception as error:  # noqa: BLE001 - other people's code, and all else must go on
        return _unusable(plugin, f"{type(error).__name__}: {error}")
    model, opener = getattr(loaded, "config", None), getattr(loaded, "open_source", None)
    if not (isinstance(model, type) and issubclass(model, SourceConfig)):
        return _unusable(plugin, "its `config` is no subclass of SourceConfig")
    if type_of(model) != name:
        return _unusable(plugin, f"the model's `type` must be Literal[{name!r}]")
    if not callable(opener):
        return _unusable(plugin, "it has no function `open_source`")
    return SourcePlugin(name, plugin.distribution, plugin.version, model, opener)


def _unusable(plugin: SourcePlugin, problem: str) -> SourcePlugin:
    return SourcePlugin(plugin.name, plugin.distribution, plugin.version, problem=problem)


if TYPE_CHECKING:
    AnySource = SourceConfig
else:
    AnySource = Annotated[
        Union[(*BUILT_IN, *(plugin.model for plugin in plugins().values() if plugin.model))],
        Field(discriminator="type"),
    ]
