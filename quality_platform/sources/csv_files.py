"""CSV files as sources: every record becomes a row of text columns or a reject, or the file errs.

The file is unpacked and recoded as a stream, and read in blocks that are cut at record boundaries.
Each block is indexed by `csv_records`, parsed by pyarrow into binary columns, and counted: rows
plus rejects are the records of the index, or the file is refused.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

import numpy as np

from quality_platform.errors import (
    ConfigurationError,
    HeaderError,
    Location,
    MalformedSourceError,
)
from quality_platform.sources.csv_header import header_positions
from quality_platform.sources.csv_parsing import BlockParser, parse_fields, unescaped
from quality_platform.sources.csv_records import (
    Dialect,
    RecordIndex,
    field_counts,
)
from quality_platform.sources.csv_stretches import Stretch
from quality_platform.sources.encodings import recoded
from quality_platform.sources.files import open_version
from quality_platform.sources.protocol import SourceBatch, SourceFile
from quality_platform.sources.unpacking import DEFAULT_LIMITS, UnpackLimits, unpacked

_MAX_BLOCK_BYTES = 2**30


@dataclass(frozen=True)
class CsvFormat:
    """How a CSV file is written.

    Attributes:
        delimiter: One ASCII character.
        quote: One ASCII character, or "" where no character quotes.
        null_strings: The cell texts that stand for NULL.
        block_bytes: How much of the file is read at a time; memory is a small multiple of it.
        max_record_bytes: The longest record that is read as one. A longer one is refused: it is
            nearly always a quote that was never closed.
        escape: One ASCII character that makes the quote or escape behind it a literal within
            quotes, beside the doubled quote; "" for none.
        header: Whether the first record has the columns' names.
        encoding: A text encoding that Python knows; a byte order mark wins.
        compression: `auto`, `none`, `gzip`, `zstd` or `zip`.
        limits: How much a packed file may become.
    """

    delimiter: str = ","
    quote: str = '"'
    null_strings: tuple[str, ...] = ("",)
    block_bytes: int = 8 * 2**20
    max_record_bytes: int = 64 * 2**20
    escape: str = ""
    header: bool = True
    encoding: str = "utf-8"
    compression: str = "auto"
    limits: UnpackLimits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        written = f"delimiter {self.delimiter!r}, quote {self.quote!r}, escape {self.escape!r}"
        special = [mark for mark in (self.delimiter, self.quote, self.escape) if mark]
        if len(set(special) - {"\r", "\n"}) < len(special) or not self.delimiter:
            self._refuse(
                "delimiter, quote and escape must differ from each other and from a line end",
                written,
            )
        if not all(len(mark) == 1 and mark.isascii() for mark in special):
            self._refuse("delimiter, quote and escape must each be one ASCII character", written)
        if self.escape and not self.quote:
            self._refuse("an escape character needs a quote character", written)
        if not 0 < self.block_bytes <= _MAX_BLOCK_BYTES >= self.max_record_bytes > 0:
            self._refuse(
                f"block and record sizes must be between 1 and {_MAX_BLOCK_BYTES} bytes",
                f"{self.block_bytes} and {self.max_record_bytes}",
            )

    @property
    def dialect(self) -> Dialect:
        """The bytes that the record index looks for."""
        quote, escape = (ord(mark) if mark else None for mark in (self.quote, self.escape))
        return Dialect(ord(self.delimiter), quote, escape)

    def _refuse(self, message: str, received: str) -> None:
        raise ConfigurationError(message, field="format", received=received)


@dataclass(frozen=True)
class CsvSource:
    """One CSV file.

    Attributes:
        file: The version to read; another one is refused.
        columns: The columns wanted, in the order of the result: by their names in the header, or
            all columns of a file without one.
        ignored: Columns of the header that may be left out, whether they are there or not.
        format: How the file is written.
    """

    file: SourceFile
    columns: tuple[str, ...]
    ignored: tuple[str, ...] = ()
    format: CsvFormat = CsvFormat()

    def batches(self) -> Iterator[SourceBatch]:
        """The records of the file, one batch per block that has any.

        Raises:
            EmptySourceError: The file has no bytes.
            HeaderError: The header does not fit `columns` and `ignored`, or, without a header, no
                record of the first block has as many fields as there are columns.
            MalformedSourceError: Another format, packed data that are damaged or too large, text
                that breaks its encoding, a quote open at the end, a record that is too long;
                batches before that place were already given: discard them.
            SourceChangedError: The file is not the version that was found.
            SourceError: The file cannot be read.
        """
        parser: BlockParser | None = None
        with open_version(self.file) as stream:
            for stretch in self._stretches(self._text(stream)):
                if parser is not None:
                    batch = parser.whole(stretch)
                elif len(stretch.records):
                    parser, batch = self._first(stretch)
                else:
                    continue
                if batch is not None:
                    yield batch
                # Or this block would stay in memory until the next one is ready.
                del stretch, batch
        if parser is None and self.format.header:
            raise HeaderError(
                "the file has no header: nothing but line ends",
                location=Location(self.file.path, 1),
                action="deliver the file again; a file without records still has a header",
            )

    def header(self) -> tuple[str, ...]:
        """The names in the header; () where the file has no record.

        Raises:
            MalformedSourceError: as `batches`.
        """
        with open_version(self.file) as stream:
            for stretch in self._stretches(self._text(stream)):
                if len(stretch.records):
                    cells = self._header(stretch.data, stretch.records)
                    return tuple(cell.decode("utf-8", "replace") for cell in cells)
        return ()

    def _text(self, stream: BinaryIO) -> BinaryIO:
        """The file's text as UTF-8, behind the byte order mark."""
        path, form = self.file.path, self.format
        return recoded(unpacked(stream, form.compression, path, form.limits), form.encoding, path)

    def _stretches(self, stream: BinaryIO) -> Iterator[Stretch]:
        """The blocks of the file, each from the beginning of a record."""
        rest, line, final = b"", 1, False
        while not final:
            # A record longer than the block doubles what is read: linear work in its length.
            wanted = len(rest) + max(self.format.block_bytes, len(rest))
            data = _filled(stream, wanted, rest)
            final = len(data) < wanted
            stretch = Stretch(data, self.format.dialect, line, final)
            rest, line = data[stretch.consumed :], stretch.next_line
            if len(data) > self.format.max_record_bytes:
                self._require_records_within_bounds(stretch.records, len(rest))
            if final and rest:
                self._refuse("a quote that is opened in this record is never closed", line=line)
            yield stretch
            del data, stretch

    def _first(self, stretch: Stretch) -> tuple[BlockParser, SourceBatch | None]:
        """The parser of the file, and the rows of its first stretch with records."""
        data, index = stretch.data, stretch.records
        if not self.format.header:
            parser = self._parser_without_header(data, index)
            return parser, parser.batch(data, index)
        parser = self._parser(data, index)
        return parser, parser.batch(data, index[1:]) if len(index) > 1 else None

    def _require_records_within_bounds(self, index: RecordIndex, rest: int) -> None:
        limit = self.format.max_record_bytes
        too_long = np.flatnonzero(index.ends - index.starts > limit)
        if not len(too_long) and rest <= limit:
            return
        line = int(index.lines[too_long[0]]) if len(too_long) else index.next_line
        self._refuse(f"the record is longer than {limit} bytes", line=line)

    def _parser(self, data: bytes, index: RecordIndex) -> BlockParser:
        """The parser for this file's header, which is the first record of the index."""
        cells = self._header(data, index)
        where = Location(self.file.path, int(index.lines[0]))
        positions = header_positions(cells, self.columns, self.ignored, where)
        wanted = dict(zip(self.columns, positions, strict=True))
        form = self.format
        return BlockParser(self.file.path, wanted, len(cells), form.dialect, form.null_strings)

    def _header(self, data: bytes, index: RecordIndex) -> list[bytes]:
        """The cells of the first record of the index."""
        if index.broken[0]:
            self._refuse("text follows a closing quote in the header", line=int(index.lines[0]))
        dialect = self.format.dialect
        width = int(field_counts(data[: index.ends[0]], index[:1], dialect)[0])
        plain, found = unescaped(data[: index.ends[0]], index[:1], dialect)
        text = plain[found.starts[0] : found.ends[0]]
        return [
            column[0].as_py() for column in parse_fields(text, range(width), width, dialect).columns
        ]

    def _parser_without_header(self, data: bytes, index: RecordIndex) -> BlockParser:
        """The parser of the contract's columns, if the file can be one with them."""
        form, width = self.format, len(self.columns)
        counts = field_counts(data, index, form.dialect)
        if not (counts == width).any():
            raise HeaderError(
                f"none of the first {len(index)} records has as many fields as the contract has "
                "columns",
                location=Location(self.file.path, int(index.lines[0])),
                received=f"{counts.min()} to {counts.max()} fields",
                allowed=f"{width} fields: without a header they are the contract's columns in "
                "its order",
                action="correct the delimiter or `header` in runner.yaml, or the contract",
            )
        wanted = {name: position for position, name in enumerate(self.columns)}
        return BlockParser(
            self.file.path, wanted, width, form.dialect, form.null_strings, "the contract"
        )

    def _refuse(self, message: str, *, line: int) -> NoReturn:
        raise MalformedSourceError(
            message,
            location=Location(self.file.path, line),
            allowed=f"records as in RFC 4180, quoted with {self.format.quote!r}",
            action="close or double the quote, or correct the quote in runner.yaml; "
            "if the file was cut short, deliver it again",
        )


def _filled(stream: BinaryIO, wanted: int, rest: bytes) -> bytes:
    """So many bytes, or all that are left, from the `rest` on that was read last.

    Less than was asked for is not always the end.
    """
    block = rest
    if stream.seekable():
        # To read the rest twice takes less than to copy all that comes behind it.
        stream.seek(-len(rest), io.SEEK_CUR)
        block = b""
    while len(block) < wanted and (more := stream.read(wanted - len(block))):
        block += more
    return block
