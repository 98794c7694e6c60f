"""A source of somebody else, of which nothing is believed that can be checked."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from quality_platform.config.source_models import SourceConfig
from quality_platform.config.source_plugins import SourcePlugin
from quality_platform.errors import QualityPlatformError, SourceError
from quality_platform.sources.protocol import Part, Source, SourceBatch, SourceContext, Wanted


@dataclass(frozen=True)
class GuardedSource:
    """A plugin's source: what it raises is told without values, what it yields is checked."""

    plugin: SourcePlugin
    source: Source
    context: SourceContext

    @classmethod
    def opened(
        cls, plugin: SourcePlugin, config: SourceConfig, context: SourceContext
    ) -> GuardedSource:
        """The plugin's source for a table.

        Raises:
            SourceError: the plugin fails.
        """
        assert plugin.opener is not None
        with _telling(plugin, context):
            return cls(plugin, plugin.opener(config, context), context)

    def parts(self, wanted: Wanted) -> Sequence[Part]:
        """The plugin's parts.

        Raises:
            SourceError: the plugin fails, or gives several parts of one name.
        """
        with _telling(self.plugin, self.context):
            found = tuple(self.source.parts(wanted))
        names = [part.name for part in found]
        if len({*names}) < len(names):
            # The position would keep the last one's version for all of them.
            raise self._broken("several parts have the same name")
        return tuple(replace(part, batches=partial(self._batches, part)) for part in found)

    def _batches(self, part: Part) -> Iterator[SourceBatch]:
        first: SourceBatch | None = None
        with _telling(self.plugin, self.context):
            for batch in part.batches():
                first = first or batch
                problem = _problem(batch, self.context.columns.names) or _change(batch, first)
                if problem:
                    raise self._broken(problem)
                yield batch

    def _broken(self, what: str) -> SourceError:
        return _error(self.plugin, self.context, f"broke its promise: {what}")


def _problem(batch: SourceBatch, names: Sequence[str]) -> str:
    """Why a batch cannot be taken; "" where it can."""
    columns, lines = batch.columns, batch.lines
    if columns.schema.names != list(names):
        return f"a batch has the columns {', '.join(columns.schema.names)}"
    if len(lines) != columns.num_rows or lines.type != pa.int64():
        return f"a batch of {columns.num_rows} rows has {len(lines)} lines of type {lines.type}"
    if batch.text and any(field.type != pa.binary() for field in columns.schema):
        return "a batch of text has columns that are not binary"
    try:
        # Arrow of another language may point anywhere; whoever reads it then would crash.
        columns.validate(full=True)
    except pa.ArrowInvalid:
        return "a batch is no valid Arrow: offsets out of range, or text that is no UTF-8"
    return ""


def _change(batch: SourceBatch, first: SourceBatch) -> str:
    """How a batch differs from the part's first, by which all are judged; "" for not at all."""
    if batch.text != first.text or batch.columns.schema.types != first.columns.schema.types:
        return "a batch has other types than the first"
    return ""


@contextmanager
def _telling(plugin: SourcePlugin, context: SourceContext) -> Iterator[None]:
    try:
        yield
    except QualityPlatformError:
        raise
    except Exception as error:  # noqa: BLE001 - other people's code may raise anything
        # What it says may hold values of rows, and the address of the source.
        failed = f"failed with {type(error).__name__}{_place(error)}"
        raise _error(plugin, context, failed) from None


def _place(error: Exception) -> str:
    """Where it was raised, as file and line."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def _error(plugin: SourcePlugin, context: SourceContext, what: str) -> SourceError:
    return SourceError(
        f"the source type {plugin.name} {what}",
        location=context.location("source"),
        field=f"tables.{context.table}.source",
        received=f"{plugin.distribution} {plugin.version}",
        action="tell its makers, or use another version",
    )
