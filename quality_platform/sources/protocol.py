"""What every source gives: batches of records as text, and the records that could not be split."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa


@dataclass(frozen=True)
class SourceFile:
    """One version of one file: the unit of a position.

    `path` is absolute, as found; `size` is in bytes; `mtime_ns` is the time of the last change in
    nanoseconds since the epoch; `sha256` is the digest of the whole content in hexadecimal.
    """

    path: str
    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True)
class RejectedRecord:
    r"""A record that could not be split into the header's fields.

    `line` is the 1-based physical line where the record begins. `raw` is its text without the line
    end; bytes that are not UTF-8 are shown as backslash escapes (`\xff`).
    """

    line: int
    raw: str
    reason: str


@dataclass(frozen=True)
class SourceBatch:
    """Records of one file, in the file's order.

    Attributes:
        columns: One binary column per column asked for, in the order asked for. A cell is null
            where its text is one of the null strings, quoted and unquoted alike. Nothing else is
            changed: bytes that are not UTF-8, NUL bytes and white space are as in the file.
        lines: The 1-based physical line where each record of `columns` begins.
        raw: Gives the raw text of the records at these positions of `columns`, without their line
            ends; bytes that are not UTF-8 are shown as backslash escapes. It holds the block of
            the file in memory for as long as the batch lives.
        rejects: The records of the same stretch of the file that could not be split.
    """

    columns: pa.RecordBatch
    lines: pa.Int64Array
    raw: Callable[[Sequence[int]], list[str]]
    rejects: tuple[RejectedRecord, ...]

    @property
    def records(self) -> int:
        """The number of records read: rows plus rejects."""
        return self.columns.num_rows + len(self.rejects)


class Source(Protocol):
    """Anything that can be read as batches of records."""

    def batches(self) -> Iterator[SourceBatch]:
        """The records, in order, in bounded memory; each call reads from the beginning."""
        ...
