"""Files as a table's source: each file is a part, and new by its content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from glob import has_magic
from itertools import takewhile
from typing import NoReturn

from quality_platform.config.base_models import megabytes
from quality_platform.config.source_models import (
    CsvSourceConfig,
    FileSourceConfig,
    JsonLinesSourceConfig,
    ParquetSourceConfig,
)
from quality_platform.errors import SourceChangedError
from quality_platform.lake.position import Position
from quality_platform.sources.csv_files import CsvFormat, CsvSource
from quality_platform.sources.files import find_files
from quality_platform.sources.jsonl_files import JsonLinesSource
from quality_platform.sources.object_storage import absolute_pattern, storage_of
from quality_platform.sources.protocol import (
    Part,
    SourceBatch,
    SourceContext,
    SourceFile,
    Wanted,
)
from quality_platform.sources.typed_files import Form, TypedFile
from quality_platform.sources.unpacking import UnpackLimits


@dataclass(frozen=True)
class FileSource:
    """The files that a path or glob of runner.yaml names."""

    config: FileSourceConfig
    context: SourceContext

    def parts(self, wanted: Wanted) -> Sequence[Part]:
        """The files whose content is not yet in the table; where all matter, all files or none.

        All matter in `replace`, and where rows that are gone are told by comparison.

        Raises:
            SourceNotFoundError: there is no file.
            SourceChangedError: a file that was appended has another content now.
        """
        files = self._files(wanted.position)
        new = files if wanted.full_refresh else self._new(files, wanted.position)
        whole = len(new) == len(files)
        return tuple(
            Part(name, file.sha256, partial(self._batches, file), whole, file.stamp)
            for name, file in new.items()
        )

    def _files(self, position: Position) -> dict[str, SourceFile]:
        """By their name below the source's folder."""
        pattern = absolute_pattern(self.config.path, self.context.resolve)
        folder = _fixed_folder(pattern)
        files = find_files(
            pattern,
            location=self.context.location("source", "path"),
            field=f"tables.{self.context.table}.source.path",
            storage=storage_of(self.config),
            known={f"{folder}/{name}": entry for name, entry in position.sources.items()},
        )
        return {file.path.removeprefix(f"{folder}/"): file for file in files}

    def _new(self, files: Mapping[str, SourceFile], position: Position) -> Mapping[str, SourceFile]:
        load = self.context.load
        known = {name: source.version for name, source in position.sources.items()}
        new = {name: file for name, file in files.items() if known.get(name) != file.sha256}
        if load.mode == "replace" or (load.deletes and load.deletes.by == "comparison"):
            return {} if not new and known.keys() == files.keys() else files
        changed = [name for name in new if name in known]
        if changed and load.mode == "append":
            self._refuse_changed(changed[0], new[changed[0]], position)
        return new

    def _refuse_changed(self, name: str, file: SourceFile, position: Position) -> NoReturn:
        before = position.sources[name]
        raise SourceChangedError(
            f"the file {name} was ingested by load {before.load_id} and has changed since",
            location=self.context.location(),
            field=f"tables.{self.context.table}",
            received=f"sha256 {file.sha256[:12]}",
            allowed=f"sha256 {before.version[:12]}",
            action="deliver the corrected rows in a file of another name, "
            "or use load.mode: replace or merge",
        )

    def _batches(self, file: SourceFile) -> Iterator[SourceBatch]:
        config, columns = self.config, self.context.columns
        if isinstance(config, CsvSourceConfig):
            names = tuple(columns.names)
            return CsvSource(file, names, config.ignore_columns, _csv_format(config)).batches()
        if isinstance(config, JsonLinesSourceConfig):
            return JsonLinesSource(
                file,
                columns,
                config.ignore_columns,
                compression=config.compression,
                limits=unpack_limits(config),
            ).batches()
        form: Form = "parquet" if isinstance(config, ParquetSourceConfig) else "arrow"
        return TypedFile(file, form).batches(columns.names, config.ignore_columns)


def open_source(config: FileSourceConfig, context: SourceContext) -> FileSource:
    """The files that the configuration names."""
    return FileSource(config, context)


def _csv_format(config: CsvSourceConfig) -> CsvFormat:
    return CsvFormat(
        config.delimiter,
        config.quote,
        config.null_strings,
        escape=config.escape or "",
        header=config.header,
        encoding=config.encoding,
        compression=config.compression,
        limits=unpack_limits(config),
    )


def unpack_limits(config: FileSourceConfig) -> UnpackLimits:
    """How much a packed file of the source may become."""
    return UnpackLimits(max_bytes=megabytes(config.max_unpacked_size) * 10**6)


def _fixed_folder(pattern: str) -> str:
    """The part of a glob before its first wildcard: where the source's folder begins."""
    *folders, _ = pattern.split("/")
    return "/".join(takewhile(lambda part: not has_magic(part), folders))
