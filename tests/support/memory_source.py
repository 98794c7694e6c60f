"""A source that is a list of rows in memory, read as a whole or by a cursor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from quality_platform.flows import load_table, partition_sources
from quality_platform.sources.incremental import cursor_name, cursor_range
from quality_platform.sources.protocol import Part, SourceBatch, SourceContext, Wanted


@dataclass
class MemorySource:
    """Stands in for the source of every table; `rows` are what it has at the moment.

    Without a cursor every read is of all rows and new. With one, a column of whole numbers, it is
    of a range, as at a database. `texts` are columns that come as text instead.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    texts: dict[str, list[str]] = field(default_factory=dict)
    reads: int = 0

    def install(self, monkeypatch: pytest.MonkeyPatch) -> MemorySource:
        """Lets the flows open this source, whatever runner.yaml says."""
        for module in (load_table, partition_sources):
            monkeypatch.setattr(module, "open_source", lambda _, context: _Opened(self, context))
        return self


@dataclass
class _Opened:
    source: MemorySource
    context: SourceContext

    def parts(self, wanted: Wanted) -> Sequence[Part]:
        if self.context.load.incremental is None:
            self.source.reads += 1
            rows = list(self.source.rows)
            version = f"{self.source.reads}"
            return [Part("everything", version, lambda: self._batches(rows), whole=True)]
        return self._range(wanted)

    def _range(self, wanted: Wanted) -> Sequence[Part]:
        assert self.context.load.incremental is not None
        cursor = self.context.load.incremental.cursor
        values = [row[cursor] for row in self.source.rows if row[cursor] is not None]
        found = cursor_range(self.context, wanted, max(values, default=None), datetime.now(UTC))
        if found is None:
            return []
        rows = [
            row
            for row in self.source.rows
            if (found.nulls and row[cursor] is None)
            or (
                row[cursor] is not None
                and (found.after is None or row[cursor] > found.after)
                and (found.first is None or row[cursor] >= found.first)
                and (found.up_to is None or row[cursor] <= found.up_to)
                and (found.before is None or row[cursor] < found.before)
            )
        ]
        name = cursor_name(self.context.load.incremental)
        return [Part(name, found.version, lambda: self._batches(rows))]

    def _batches(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[SourceBatch]:
        schema = pa.schema([f.with_nullable(True).remove_metadata() for f in self.context.columns])
        if self.source.texts:
            names = list(self.source.texts)
            for name in names:
                place = schema.get_field_index(name)
                schema = schema.set(place, pa.field(name, pa.string()))
            texts = zip(*self.source.texts.values(), strict=True)
            rows = [
                {**row, **dict(zip(names, cells, strict=True))}
                for row, cells in zip(rows, texts, strict=True)
            ]
        # Two batches, so that their order matters.
        for part in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
            batch = pa.RecordBatch.from_pylist([dict(row) for row in part], schema=schema)
            yield SourceBatch(batch, pa.nulls(len(part), pa.int64()), text=False)
