"""JSON lines as sources: every line is one object, or a reject, or the file errs.

The lines are parsed by pyarrow into columns of the contract's types wherever that is exact. It is
proven for every stretch of lines: each line begins with `{` and ends with `}`, so that no object
reaches over a line's end, and there are as many objects as lines. Where pyarrow refuses a stretch,
or the proof fails, the stretch is halved, and in the end `json_records` reads the lines one by one.
Whatever pyarrow takes, `json_records` would take with the same values.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa

from quality_platform.errors import EmptySourceError, Location, MalformedSourceError
from quality_platform.sources.encodings import recoded
from quality_platform.sources.files import open_version
from quality_platform.sources.json_columns import ColumnParser, Trouble
from quality_platform.sources.json_lines import Block, blocks_of
from quality_platform.sources.json_records import RecordReader, keys_of
from quality_platform.sources.protocol import RejectedRecord, SourceBatch, SourceFile
from quality_platform.sources.unpacking import DEFAULT_LIMITS, UnpackLimits, unpacked

_PIECE_BYTES = 2**20
_FEW_LINES = 64
_SUFFIXES = (".jsonl", ".ndjson")


def is_json_lines(path: str) -> bool:
    """Whether a file's name says that it is JSON lines, packed or not."""
    name = path.casefold()
    for packed in (".gz", ".zst", ".zip"):
        name = name.removesuffix(packed)
    return name.endswith(_SUFFIXES)


@dataclass(frozen=True)
class JsonLinesSource:
    """One file of JSON lines, read by the names of its keys.

    Attributes:
        file: The version to read.
        columns: The contract's columns under their names in the file, with the contract's types.
        ignored: Keys that may stand in a record and are not read; None for all.
        block_bytes: How much is read at a time; memory is a small multiple of it.
        max_record_bytes: The longest line that is read.
        compression: `auto`, `none`, `gzip`, `zstd` or `zip`.
        limits: How much a packed file may become.
    """

    file: SourceFile
    columns: pa.Schema
    ignored: tuple[str, ...] | None = ()
    block_bytes: int = 8 * 2**20
    max_record_bytes: int = 64 * 2**20
    compression: str = "auto"
    limits: UnpackLimits = DEFAULT_LIMITS

    def batches(self) -> Iterator[SourceBatch]:
        """The records of the file in order; a file without bytes has none.

        Raises:
            MalformedSourceError: another format, or a line that is too long; batches before that
                place were already given: discard them.
            SourceChangedError: the file is not the version that was found.
            SourceError: the file cannot be read.
        """
        reader = _Reader(
            ColumnParser(self.columns, self.ignored), RecordReader(self.columns, self.ignored)
        )
        with open_version(self.file) as stream:
            for block in self._blocks(self._text(stream)):
                pieces: list[_Piece] = []
                for start, end in block.pieces(_PIECE_BYTES):
                    pieces += reader.pieces(block, np.arange(start, end))
                yield from _batches(block, pieces)

    def keys(self) -> tuple[str, ...]:
        """The keys of the first record; () where there is none, or where it is no object."""
        return next(iter(self.first_keys(1)), ())

    def first_keys(self, records: int) -> list[tuple[str, ...]]:
        """The keys of each of the first records; () for one that is no object."""
        with open_version(self.file) as stream:
            for block in self._blocks(self._text(stream)):
                return [keys_of(block.text(n)) for n in range(min(records, len(block)))]
        return []

    def _text(self, stream: BinaryIO) -> BinaryIO:
        """The file's text, behind the byte order mark."""
        path = self.file.path
        data = unpacked(stream, self.compression, path, self.limits)
        try:
            return recoded(data, "utf-8", path)
        except EmptySourceError:
            # JSON lines have no header: nothing at all is a file of no records.
            return io.BytesIO()

    def _blocks(self, stream: BinaryIO) -> Iterator[Block]:
        found = blocks_of(stream, self.file.path, self.block_bytes, self.max_record_bytes)
        for number, block in enumerate(found):
            if not number:
                _refuse_documents(self.file.path, block)
            yield block


@dataclass(frozen=True)
class _Piece:
    """Rows of some lines of a block, and the rejects among them; `index` has the rows' lines."""

    columns: pa.RecordBatch
    index: Any
    rejects: tuple[RejectedRecord, ...] = ()
    text: bool = False


@dataclass(frozen=True)
class _Reader:
    """Reads lines as columns where that is exact, else one by one."""

    parser: ColumnParser
    records: RecordReader

    def pieces(self, block: Block, lines: Any) -> Iterator[_Piece]:
        """The rows of some lines, in order.

        After a line that fails, few lines are tried, then four times as many, and so on: what is
        tried in vain stays a small multiple of what is read.
        """
        start, few = 0, 1
        limit = len(lines) if self.parser.is_possible else 0
        while start < len(lines):
            some = lines[start : start + limit]
            found = self.parser.columns_of(block, some) if limit else Trouble(0)
            if isinstance(found, pa.RecordBatch):
                yield _Piece(found, some)
                start, limit, few = start + len(some), 4 * limit, 1
            elif found.place:
                limit = found.place
            elif found.place is None and len(some) > _FEW_LINES:
                limit = len(some) // 2
            else:
                few = len(some) if found.place is None else few
                yield self._singly(block, lines[start : start + few])
                start, few = start + few, min(2 * few, _FEW_LINES)
                limit = limit and _FEW_LINES

    def _singly(self, block: Block, lines: Any) -> _Piece:
        columns, reasons = self.records.columns_of([block.text(n) for n in lines])
        rejects = tuple(
            RejectedRecord(int(block.lines[lines[n]]), block.raw(lines[n]), why)
            for n, why in reasons.items()
        )
        good = np.delete(lines, list(reasons))
        # Without the rejects the rows are like their neighbours, and fewer batches follow.
        if reasons and len(good) and self.parser.is_possible:
            typed = self.parser.columns_of(block, good)
            if isinstance(typed, pa.RecordBatch):
                return _Piece(typed, good, rejects)
        return _Piece(columns, good, rejects, text=True)


def _batches(block: Block, pieces: Sequence[_Piece]) -> Iterator[SourceBatch]:
    """The pieces as few batches, in order: neighbours of the same kind become one."""
    run: list[_Piece] = []
    for piece in pieces:
        if run and not _can_join(run, piece):
            yield _batch(block, run)
            run = []
        run.append(piece)
    if run:
        yield _batch(block, run)


def _can_join(run: Sequence[_Piece], piece: _Piece) -> bool:
    kinds = {p.text for p in (*run, piece) if p.columns.num_rows}
    return len(kinds) < 2


def _batch(block: Block, run: Sequence[_Piece]) -> SourceBatch:
    filled = [piece for piece in run if piece.columns.num_rows] or [run[0]]
    columns = pa.Table.from_batches([piece.columns for piece in filled]).combine_chunks()
    index = np.concatenate([piece.index for piece in filled])

    def raw(positions: Sequence[int]) -> list[str]:
        return [block.raw(index[n]) for n in positions]

    return SourceBatch(
        columns=_one(columns),
        lines=_arrow(block.lines[index]),
        raw=raw,
        rejects=tuple(reject for piece in run for reject in piece.rejects),
        text=filled[0].text,
    )


def _one(table: pa.Table) -> pa.RecordBatch:
    """The table as one batch; a table without rows has none of its own."""
    batches = table.to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def _arrow(numbers: Any) -> pa.Int64Array:
    """The numbers as Arrow; `pa.array` would import pandas to look at a numpy array."""
    buffers = [None, pa.py_buffer(numbers.astype(np.int64).tobytes())]
    return cast("pa.Int64Array", pa.Array.from_buffers(pa.int64(), len(numbers), buffers))


def _refuse_documents(path: str, block: Block) -> None:
    """Refuses a file that is one JSON document over many lines."""
    first = block.text(0).strip()
    if first in (b"[", b"{") or first.startswith(b"[{"):
        raise MalformedSourceError(
            "the file is one JSON document, not an object on each line",
            location=Location(path, int(block.lines[0])),
            received=f"a first line that begins with {first[:2].decode()}",
            allowed="one JSON object a line",
            action="write each object on a line of its own, for example with jq -c '.[]'",
        )
