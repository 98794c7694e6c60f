"""What a table's source has of one partition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from quality_platform.config.load_models import IncrementalConfig, LoadConfig
from quality_platform.config.partition_models import path_of
from quality_platform.config.partition_windows import Window
from quality_platform.config.source_models import FileSourceConfig
from quality_platform.flows.contracted_tables import SourceTable
from quality_platform.flows.outcomes import Progress
from quality_platform.flows.partition_staging import part_name
from quality_platform.flows.partitions import column_of
from quality_platform.lake.position import Position
from quality_platform.sources.files import list_files
from quality_platform.sources.object_storage import absolute_pattern, storage_of
from quality_platform.sources.protocol import Part, Source, SourceContext, Wanted
from quality_platform.sources.registry import open_source
from quality_platform.sources.retrying import opened


def load_of_partitions(table: SourceTable) -> LoadConfig:
    """The table's `load`, with the column of its partitions for a cursor where a range is read."""
    config = table.config.partitions
    if config is None or isinstance(table.config.source, FileSourceConfig):
        return table.config.load
    column = next(c for c in table.object.properties if c.name == config.column)
    cursor = IncrementalConfig(cursor=column.source_name, lag=config.wait)
    return table.config.load.model_copy(update={"incremental": cursor})


@dataclass(frozen=True)
class PartitionSource:
    """The parts of partitions; `patience` is for how many seconds a source is asked again."""

    table: SourceTable
    context: SourceContext
    progress: Progress
    patience: float

    def parts(self, windows: Sequence[Window]) -> tuple[Part, ...]:
        """Everything that the source has of these partitions, in their order.

        Raises:
            SourceNotFoundError: there is no file for one of them.
            SourceError: the source cannot be read.
        """
        return tuple(part for window in windows for part in self._of(window))

    def there(self, windows: Sequence[Window]) -> list[Window]:
        """Those of the partitions that the source has: a partition of files without one has not."""
        config = self.table.config.source
        if not isinstance(config, FileSourceConfig):
            return list(windows)
        storage = storage_of(config)
        patterns = (path_of(config.path, window.local_start) for window in windows)
        found = (
            list_files(absolute_pattern(pattern, self.context.resolve), storage)
            for pattern in patterns
        )
        return [window for window, files in zip(windows, found, strict=True) if files]

    def _of(self, window: Window) -> list[Part]:
        source = self._opened(window)
        wanted = Wanted(Position(), column_of(self.table).range([window]))
        waiting = partial(self.progress, "waiting")
        found = opened(lambda: source.parts(wanted), self.patience, waiting)
        return [replace(part, name=part_name(window.key, part.name)) for part in found]

    def _opened(self, window: Window) -> Source:
        config = self.table.config.source
        if isinstance(config, FileSourceConfig):
            path = path_of(config.path, window.local_start)
            config = config.model_copy(update={"path": path})
        return open_source(config, self.context)
