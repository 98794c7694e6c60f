"""Files as a table's source: each file is a part, and new by its content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath

from quality_platform.config.source_models import CsvSourceConfig, FileSourceConfig
from quality_platform.errors import SourceChangedError
from quality_platform.lake.position import Position
from quality_platform.sources.csv_files import CsvFormat, CsvSource
from quality_platform.sources.files import find_files
from quality_platform.sources.protocol import (
    Part,
    SourceBatch,
    SourceContext,
    SourceFile,
    Wanted,
)


@dataclass(frozen=True)
class FileSource:
    """The files that a path or glob of runner.yaml names."""

    config: FileSourceConfig
    context: SourceContext

    def parts(self, wanted: Wanted) -> Sequence[Part]:
        """The files whose content is not yet in the table; for `replace`, all files or none.

        Raises:
            SourceNotFoundError: there is no file.
            SourceChangedError: a file that was appended has another content now.
        """
        files = self._files()
        new = files if wanted.full_refresh else self._new(files, wanted.position)
        return tuple(
            Part(name, file.sha256, partial(self._batches, file)) for name, file in new.items()
        )

    def _files(self) -> dict[str, SourceFile]:
        """By their name below the source's folder."""
        pattern = str(self.context.resolve(self.config.path))
        files = find_files(
            pattern,
            location=self.context.location("source", "path"),
            field=f"tables.{self.context.table}.source.path",
        )
        folder = _fixed_folder(pattern)
        return {str(PurePath(file.path).relative_to(folder)): file for file in files}

    def _new(self, files: Mapping[str, SourceFile], position: Position) -> Mapping[str, SourceFile]:
        known = {name: source.version for name, source in position.sources.items()}
        if self.context.load.mode == "replace":
            return {} if {n: f.sha256 for n, f in files.items()} == known else files
        for name, file in files.items():
            if name in known and known[name] != file.sha256:
                raise SourceChangedError(
                    f"the file {name} was ingested by load {position.sources[name].load_id} and "
                    "has changed since",
                    location=self.context.location(),
                    field=f"tables.{self.context.table}",
                    received=f"sha256 {file.sha256[:12]}",
                    allowed=f"sha256 {known[name][:12]}",
                    action="deliver the corrected rows in a file of another name, "
                    "or use load.mode: replace",
                )
        return {name: file for name, file in files.items() if name not in known}

    def _batches(self, file: SourceFile) -> Iterator[SourceBatch]:
        assert isinstance(self.config, CsvSourceConfig)
        source = CsvSource(
            file=file,
            columns=tuple(self.context.columns.names),
            ignored=self.config.ignore_columns,
            format=CsvFormat(self.config.delimiter, self.config.quote, self.config.null_strings),
        )
        return source.batches()


def open_source(config: FileSourceConfig, context: SourceContext) -> FileSource:
    """The files that the configuration names."""
    return FileSource(config, context)


def _fixed_folder(pattern: str) -> str:
    """The part of a glob before its first wildcard: where the source's folder begins."""
    path = Path(pattern)
    for parent in reversed(path.parents):
        if any(sign in parent.name for sign in "*?["):
            return str(parent.parent)
    return str(path.parent)
