"""Raw records of the quarantine, read again with the settings that the source has now.

Only text says what a record was: CSV and JSON lines. What another source gave is shown to people in
the quarantine, but cannot be read back exactly.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from quality_platform.config.source_models import CsvSourceConfig, JsonLinesSourceConfig
from quality_platform.errors import SourceError
from quality_platform.lake.position import Position
from quality_platform.sources.csv_files import CsvSource
from quality_platform.sources.drifting_files import csv_format, file_batches
from quality_platform.sources.file_source import FileSource
from quality_platform.sources.files import find_files
from quality_platform.sources.protocol import SourceBatch, SourceContext
from quality_platform.sources.schema_drift import SchemaDrift

_ESCAPE = re.compile(r"\\x[0-9a-f]{2}")
"""How bytes that are not UTF-8 are shown: the text is not what the source had."""


@dataclass(frozen=True)
class Reread:
    """Records that could be read again, and the places of those that could not.

    The `lines` of the batches and of their rejects are places in what was given.
    """

    batches: tuple[SourceBatch, ...] = ()
    unread: tuple[int, ...] = ()


@dataclass(frozen=True)
class RawRecords:
    """Reads raw records of one table; `position` tells which files its rows came from."""

    context: SourceContext
    config: object
    position: Position
    _headers: dict[str, str | None] = field(default_factory=dict, hash=False)

    def read(self, file: str, records: Sequence[str]) -> Reread:
        """Reads records of one source file again, each by itself.

        A file with a header must still be there as it was loaded: only its header tells which cell
        is which.
        """
        header = self._header(file)
        if header is None:
            return Reread(unread=tuple(range(len(records))))
        whole = [n for n, text in enumerate(records) if text and not _ESCAPE.search(text)]
        found = self._read(header, records, whole)
        escaped = set(range(len(records))) - set(whole)
        return Reread(found.batches, tuple(sorted({*found.unread, *escaped})))

    def _header(self, file: str) -> str | None:
        """The line that must stand before the records; None where it cannot be told."""
        if isinstance(self.config, JsonLinesSourceConfig):
            return ""
        if not isinstance(self.config, CsvSourceConfig):
            return None
        if not self.config.header:
            return ""
        if file not in self._headers:
            self._headers[file] = self._header_of(self.config, file)
        return self._headers[file]

    def _header_of(self, config: CsvSourceConfig, name: str) -> str | None:
        version = self.position.sources.get(name)
        if version is None:
            return None
        try:
            file = FileSource(config, self.context).loaded(name, version)
            names = CsvSource(file, (), (), csv_format(config)).header() if file else ()
        except SourceError:
            return None
        return _written(names, config.delimiter, config.quote) if names else None

    def _read(self, header: str, records: Sequence[str], places: Sequence[int]) -> Reread:
        """Halves what cannot be read as so many records: one may reach into the next."""
        if not places:
            return Reread()
        batches = self._tried(header, [records[n] for n in places])
        if batches is not None:
            return Reread(tuple(_placed(batch, places, records) for batch in batches))
        if len(places) == 1:
            return Reread(unread=tuple(places))
        middle = len(places) // 2
        first = self._read(header, records, places[:middle])
        rest = self._read(header, records, places[middle:])
        return Reread((*first.batches, *rest.batches), (*first.unread, *rest.unread))

    def _tried(self, header: str, texts: Sequence[str]) -> list[SourceBatch] | None:
        """The records as batches whose lines are places in `texts`; None where they are others."""
        assert isinstance(self.config, CsvSourceConfig | JsonLinesSourceConfig)
        plain = {"compression": "none", "storage": None}
        if isinstance(self.config, CsvSourceConfig):
            plain["encoding"] = "utf-8"
        config = self.config.model_copy(update=plain)
        lines = [*([header] if header else []), *texts]
        with tempfile.TemporaryDirectory(prefix="quality-platform-") as folder:
            path = Path(folder) / "records"
            path.write_bytes("".join(f"{line}\n" for line in lines).encode())
            try:
                (file,) = find_files(str(path), location=None, field="")
                drift = SchemaDrift.of(self.context, config)
                batches = list(file_batches(file, config, drift))
            except SourceError:
                return None
        places = _places(header, texts)
        found = [line for batch in batches for line in _lines(batch)]
        if sorted(found) != sorted(places):
            return None
        return [_at(batch, places) for batch in batches]


def _written(names: Sequence[str], delimiter: str, quote: str) -> str:
    return delimiter.join(
        f"{quote}{n.replace(quote, 2 * quote) if quote else n}{quote}" for n in names
    )


def _places(header: str, texts: Sequence[str]) -> dict[int, int]:
    """The place of each text by the line where it begins."""
    line = 1 + (header.count("\n") + 1 if header else 0)
    places = {}
    for place, text in enumerate(texts):
        places[line] = place
        line += text.count("\n") + 1
    return places


def _lines(batch: SourceBatch) -> list[int]:
    lines = [line or 0 for line in batch.lines.to_pylist()]
    return [*lines, *(reject.line or 0 for reject in batch.rejects)]


def _at(batch: SourceBatch, places: dict[int, int]) -> SourceBatch:
    lines = pa.array([places[line or 0] for line in batch.lines.to_pylist()], pa.int64())
    rejects = tuple(replace(r, line=places[r.line or 0]) for r in batch.rejects)
    return replace(batch, lines=lines, rejects=rejects)


def _placed(batch: SourceBatch, places: Sequence[int], records: Sequence[str]) -> SourceBatch:
    """The batch by places in all records, with their own texts as raw ones."""
    there = [places[n or 0] for n in batch.lines.to_pylist()]
    return replace(
        batch,
        lines=pa.array(there, pa.int64()),
        raw=lambda rows: [records[there[n]] for n in rows],
        rejects=tuple(
            replace(r, line=places[r.line or 0], raw=records[places[r.line or 0]])
            for r in batch.rejects
        ),
    )
