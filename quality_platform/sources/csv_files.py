"""CSV files as sources: every record becomes a row of text columns or a reject, or the file errs.

The file is read in blocks that are cut at record boundaries. Each block is indexed by
`csv_records`, parsed by pyarrow into binary columns, and counted: rows plus rejects are the
records of the index, or the file is refused.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

import numpy as np

from quality_platform.errors import (
    ConfigurationError,
    EmptySourceError,
    HeaderError,
    Location,
    MalformedSourceError,
    Problem,
)
from quality_platform.sources.csv_records import (
    BlockParser,
    Dialect,
    RecordIndex,
    field_counts,
    index_records,
    parse_fields,
)
from quality_platform.sources.files import open_version, refuse_binary_formats
from quality_platform.sources.protocol import SourceBatch, SourceFile

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MAX_BLOCK_BYTES = 2**30
_NAMES_SHOWN = 20
_HINTS = 5


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
    """

    delimiter: str = ","
    quote: str = '"'
    null_strings: tuple[str, ...] = ("",)
    block_bytes: int = 8 * 2**20
    max_record_bytes: int = 64 * 2**20

    def __post_init__(self) -> None:
        written = f"delimiter {self.delimiter!r}, quote {self.quote!r}"
        special = [character for character in (self.delimiter, self.quote) if character]
        if len(set(special) - {"\r", "\n"}) < len(special) or not self.delimiter:
            self._refuse(
                "delimiter and quote must differ from each other and from a line end", written
            )
        if not all(len(character) == 1 and character.isascii() for character in special):
            self._refuse("delimiter and quote must each be one ASCII character", written)
        if not 0 < self.block_bytes <= _MAX_BLOCK_BYTES >= self.max_record_bytes > 0:
            self._refuse(
                f"block and record sizes must be between 1 and {_MAX_BLOCK_BYTES} bytes",
                f"{self.block_bytes} and {self.max_record_bytes}",
            )

    @property
    def dialect(self) -> Dialect:
        """The bytes that the record index looks for."""
        return Dialect(ord(self.delimiter), ord(self.quote) if self.quote else None)

    def _refuse(self, message: str, received: str) -> None:
        raise ConfigurationError(message, field="format", received=received)


@dataclass(frozen=True)
class CsvSource:
    """One CSV file, read by the names in its header.

    Attributes:
        file: The version to read; another one is refused.
        columns: The columns wanted, by their names in the header; the order of the result.
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
            HeaderError: The header does not fit `columns` and `ignored`.
            MalformedSourceError: Another format, a quote open at the end, a record that is too
                long; batches before that place were already given: discard them.
            SourceChangedError: The file is not the version that was found.
            SourceError: The file cannot be read.
        """
        parser: BlockParser | None = None
        with open_version(self.file) as stream:
            self._begin(stream)
            for data, index in self._blocks(stream):
                records = index
                if parser is None:
                    parser = self._parser(data, index)
                    records = index[1:]
                if len(records):
                    yield parser.batch(data, records)
        if parser is None:
            raise HeaderError(
                "the file has no header: nothing but line ends",
                location=Location(self.file.path, 1),
                action="deliver the file again; a file without records still has a header",
            )

    def _begin(self, stream: BinaryIO) -> None:
        """Refuses what is no text and leaves the stream behind the byte order mark."""
        first_bytes = stream.read(16)
        if not first_bytes:
            raise EmptySourceError(
                "the file has no bytes",
                location=Location(self.file.path),
                action="deliver the file again; a file without records still has a header",
            )
        refuse_binary_formats(self.file.path, first_bytes)
        stream.seek(len(_BYTE_ORDER_MARK) if first_bytes.startswith(_BYTE_ORDER_MARK) else 0)

    def _blocks(self, stream: BinaryIO) -> Iterator[tuple[bytes, RecordIndex]]:
        """Stretches of the file that end with a record, each with its records; none is empty."""
        rest, line, final = b"", 1, False
        while not final:
            # A record longer than the block doubles what is read: linear work in its length.
            wanted = max(self.format.block_bytes, len(rest))
            block = stream.read(wanted)
            final = len(block) < wanted
            data = rest + block
            index = index_records(data, self.format.dialect, first_line=line, final=final)
            rest, line = data[index.consumed :], index.next_line
            self._require_records_within_bounds(index, len(rest))
            if final and rest:
                self._refuse("a quote that is opened in this record is never closed", line=line)
            if len(index):
                yield data, index

    def _require_records_within_bounds(self, index: RecordIndex, rest: int) -> None:
        limit = self.format.max_record_bytes
        too_long = np.flatnonzero(index.ends - index.starts > limit)
        if not len(too_long) and rest <= limit:
            return
        line = int(index.lines[too_long[0]]) if len(too_long) else index.next_line
        self._refuse(f"the record is longer than {limit} bytes", line=line)

    def _parser(self, data: bytes, index: RecordIndex) -> BlockParser:
        """The parser for this file's header, which is the first record of the index."""
        line = int(index.lines[0])
        if index.broken[0]:
            self._refuse("text follows a closing quote in the header", line=line)
        dialect = self.format.dialect
        header = data[index.starts[0] : index.ends[0]]
        width = int(field_counts(data[: index.ends[0]], index[:1], dialect)[0])
        cells = parse_fields(header, range(width), width, dialect)
        positions = _require_header(
            [column[0].as_py() for column in cells.columns],
            self.columns,
            self.ignored,
            Location(self.file.path, line),
        )
        wanted = dict(zip(self.columns, positions, strict=True))
        return BlockParser(self.file.path, wanted, width, dialect, self.format.null_strings)

    def _refuse(self, message: str, *, line: int) -> NoReturn:
        raise MalformedSourceError(
            message,
            location=Location(self.file.path, line),
            allowed=f"records as in RFC 4180, quoted with {self.format.quote!r}",
            action="close or double the quote, or correct the quote in runner.yaml; "
            "if the file was cut short, deliver it again",
        )


def _require_header(
    cells: list[bytes], columns: Sequence[str], ignored: Sequence[str], where: Location
) -> list[int]:
    """The positions of `columns` in the header.

    Raises:
        HeaderError: With all that is wrong with the header.
    """
    _require_readable_names(cells, where)
    names = [cell.decode("utf-8") for cell in cells]
    problems = [
        *_missing_columns(names, columns, where),
        *_unexpected_columns(names, {*columns, *ignored}, where),
        *_repeated_columns(names, where),
    ]
    if problems:
        raise HeaderError.of(problems)
    places = {name: position for position, name in enumerate(names)}
    return [places[column] for column in columns]


def _require_readable_names(cells: list[bytes], where: Location) -> None:
    damaged = [
        cell
        for cell in cells
        if b"\0" in cell or cell.decode("utf-8", errors="ignore").encode() != cell
    ]
    if damaged:
        raise HeaderError(
            "the header holds NUL bytes or is not UTF-8",
            location=where,
            received=_listed(damaged),
            allowed="UTF-8 text",
            action="convert the file to UTF-8, for example with iconv: it looks like UTF-16 "
            "without a byte order mark, an 8-bit code page, or no text at all",
        )


def _missing_columns(names: list[str], columns: Sequence[str], where: Location) -> list[Problem]:
    present = set(names)
    missing = [column for column in columns if column not in present]
    if not missing:
        return []
    free = [name for name in names if name not in set(columns)]
    hints = [hint for column in missing[:_HINTS] if (hint := _nearest(column, free))]
    hints += [
        f"the header is one field: is the delimiter {character!r}?"
        for character in ",;\t|"
        if len(names) == 1 and character in names[0]
    ]
    return [
        Problem(
            f"columns of the contract are missing in the header: {_listed(missing)}",
            where,
            received=_listed(names),
            action="; ".join(hints) or "deliver the columns, or take them out of the contract",
        )
    ]


def _nearest(column: str, names: list[str]) -> str:
    """A hint that a name of the header may be a misspelling of the column, or ""."""
    plain = {name.strip().casefold(): name for name in names}
    found = difflib.get_close_matches(column.casefold(), plain, n=1, cutoff=0.75)
    return f"{plain[found[0]]!r} in the file may be meant for {column!r}" if found else ""


def _unexpected_columns(names: list[str], known: set[str], where: Location) -> list[Problem]:
    unexpected = [name for name in names if name not in known]
    if not unexpected:
        return []
    return [
        Problem(
            f"columns in the header that the contract does not have: {_listed(unexpected)}",
            where,
            action="add them to the contract, or ignore them: `ignore_columns` in runner.yaml, "
            "--ignore-column on the command line",
        )
    ]


def _repeated_columns(names: list[str], where: Location) -> list[Problem]:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if not repeated:
        return []
    return [
        Problem(
            f"column names that the header has more than once: {_listed(repeated)}",
            where,
            action="deliver the file with one name for each column",
        )
    ]


def _listed(names: Sequence[str] | Sequence[bytes]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(repr(name) for name in names[:_NAMES_SHOWN]) + more
