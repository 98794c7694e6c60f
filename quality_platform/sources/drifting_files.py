"""Files by the columns that they share with the contract, as far as drift is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

from quality_platform.config.base_models import megabytes
from quality_platform.config.source_models import (
    CsvSourceConfig,
    FileSourceConfig,
    JsonLinesSourceConfig,
    ParquetSourceConfig,
)
from quality_platform.errors import HeaderError, Location, Problem
from quality_platform.sources.csv_files import CsvFormat, CsvSource
from quality_platform.sources.jsonl_files import JsonLinesSource
from quality_platform.sources.protocol import SourceBatch, SourceFile
from quality_platform.sources.schema_drift import SchemaDrift, with_missing
from quality_platform.sources.typed_files import Form, TypedFile
from quality_platform.sources.unpacking import UnpackLimits

FIRST_RECORDS = 100
"""So many records of JSON lines tell which keys a file has."""


def file_batches(
    file: SourceFile, config: FileSourceConfig, drift: SchemaDrift
) -> Iterator[SourceBatch]:
    """The records of a file, with all of the contract's columns.

    Raises:
        HeaderError: the file's columns do not fit, and drift is not allowed that far.
        SourceError: the file cannot be read.
    """
    reader = _Reader(file, drift)
    if isinstance(config, CsvSourceConfig):
        batches = reader.csv(csv_format(config))
    elif isinstance(config, JsonLinesSourceConfig):
        batches = reader.json_lines(config)
    else:
        batches = reader.typed("parquet" if isinstance(config, ParquetSourceConfig) else "arrow")
    for batch in batches:
        yield with_missing(batch, drift.columns)


@dataclass(frozen=True)
class _Reader:
    file: SourceFile
    drift: SchemaDrift

    def csv(self, form: CsvFormat) -> Iterator[SourceBatch]:
        """Without a header, and where nothing may differ, the reading itself judges the names."""
        names, ignored = tuple(self.drift.columns.names), self.drift.ignored
        if form.header and self.drift.policy != "fail":
            present = CsvSource(self.file, (), (), form).header()
            names, ignored = self._taken(present)
        return CsvSource(self.file, names, ignored, form).batches()

    def typed(self, form: Form) -> Iterator[SourceBatch]:
        found = TypedFile(self.file, form)
        names, ignored = tuple(self.drift.columns.names), self.drift.ignored
        if self.drift.policy != "fail":
            names, ignored = self._taken(tuple(found.schema().names))
        return found.batches(names, ignored)

    def json_lines(self, config: JsonLinesSourceConfig) -> Iterator[SourceBatch]:
        ignored = self.drift.ignored
        first = self._json(config, None).first_keys(FIRST_RECORDS)
        records = [keys for keys in first if keys]
        if self.drift.policy != "fail":
            seen = tuple(dict.fromkeys(key for keys in records for key in keys))
            ignored = (*ignored, *self.drift.further(seen))
            self.drift.tell_further(seen, self._name)
        elif further := self.drift.unknown(
            [key for key in (records or [()])[0] if all(key in keys for keys in records)]
        ):
            raise HeaderError.of([self._unknown(key, len(records)) for key in further])
        return self._json(config, ignored).batches()

    def _json(
        self, config: JsonLinesSourceConfig, ignored: tuple[str, ...] | None
    ) -> JsonLinesSource:
        return JsonLinesSource(
            self.file,
            self.drift.columns,
            ignored,
            compression=config.compression,
            limits=unpack_limits(config),
        )

    def _unknown(self, key: str, records: int) -> Problem:
        return Problem(
            f"the contract has no column {key!r}",
            Location(self.file.path, 1),
            received=f"a key of each of the first {records} records",
            action="add it to the contract, or ignore it: `ignore_columns` or "
            "`load.schema_drift: evolve` in runner.yaml",
        )

    def _taken(self, present: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The columns to read, and those to leave out, of a file that may differ."""
        missing = self.drift.missing(present)
        self.drift.tell_names(present, self._name)
        names = tuple(name for name in self.drift.columns.names if name not in missing)
        return names, (*self.drift.ignored, *self.drift.further(present))

    @property
    def _name(self) -> str:
        return f"the file {PurePath(self.file.path).name}"


def csv_format(config: CsvSourceConfig) -> CsvFormat:
    """How the files of a source are written."""
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
