"""What every source is: parts that are loaded as a whole, each read as batches of records.

docs/plugins.md shows a complete source of somebody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import pyarrow as pa

from quality_platform.config.load_models import LoadConfig
from quality_platform.config.source_models import ConnectionConfig
from quality_platform.errors import Location
from quality_platform.lake.position import Position
from quality_platform.sources.fences import NO_FENCE, Fence

if TYPE_CHECKING:
    # Reading a file needs no pyiceberg, nor what that imports.
    from quality_platform.lake.catalog import Lake


class RequestLimit(Protocol):
    """How often something may be asked."""

    def wait(self) -> None:
        """Waits for the turn of one request.

        Raises:
            SourceTimeoutError: it does not come in time.
        """
        ...


class Unlimited:
    """No limit."""

    def wait(self) -> None:
        """Does not wait."""


UNLIMITED = Unlimited()


class Storage(Protocol):
    """Where files are that are not on this machine's disks."""

    def find(self, pattern: str) -> list[SourceFile]:
        """The files that a URL or a glob names, sorted by path, without checksums."""
        ...

    def opened(self, path: str) -> AbstractContextManager[BinaryIO]:
        """A file as a stream that can be sought in."""
        ...

    def now(self, path: str) -> SourceFile:
        """The file as it is at this moment, with its etag."""
        ...


@dataclass(frozen=True)
class SourceFile:
    """One version of one file: the unit of a position.

    Attributes:
        path: Absolute, as found, or a URL.
        size: In bytes.
        mtime_ns: The time of the last change, in nanoseconds since the epoch.
        checksum: Of the whole content, as `checksum_of` tells it; "" where the file was only found.
        stamp: Size and time, by which the version is told again without the file being read; ""
            where it may have changed since without their telling.
        storage: Where the file is; None for this machine's disks.
        etag: The object store's own name of the version; "" where there is none.
    """

    path: str
    size: int
    mtime_ns: int
    checksum: str
    stamp: str = field(default="", compare=False)
    storage: Storage | None = field(default=None, compare=False, repr=False)
    etag: str = field(default="", compare=False)


@dataclass(frozen=True)
class RejectedRecord:
    r"""A record that could not be split into the header's fields.

    `line` is the 1-based physical line where the record begins. `raw` is its text without the line
    end; bytes that are not UTF-8 are shown as backslash escapes (`\xff`).
    """

    line: int | None
    raw: str
    reason: str


def no_raw(positions: Sequence[int]) -> list[str]:
    """The raw text of records that have none."""
    return [""] * len(positions)


@dataclass(frozen=True)
class SourceBatch:
    """Records of one part, in the part's order.

    Attributes:
        columns: One column per column asked for, in the order asked for. Where `text`, all are
            binary: a cell is null where its text is one of the null strings, quoted and unquoted
            alike, and nothing else is changed; bytes that are not UTF-8, NUL bytes and white space
            are as in the file. Otherwise they have types of their own, which must never have lost
            anything: what Arrow has no type for comes as text.
        lines: The 1-based physical line where each record of `columns` begins; null where the
            source has no lines.
        raw: Gives the raw text of the records at these positions of `columns`, without their line
            ends; bytes that are not UTF-8 are shown as backslash escapes. It may hold a block of
            the source in memory for as long as the batch lives.
        rejects: The records of the same stretch of the source that could not be split.
        text: Whether `columns` are text still.
    """

    columns: pa.RecordBatch
    lines: pa.Array[Any]
    raw: Callable[[Sequence[int]], list[str]] = no_raw
    rejects: tuple[RejectedRecord, ...] = ()
    text: bool = True

    @property
    def records(self) -> int:
        """The number of records read: rows plus rejects."""
        return self.columns.num_rows + len(self.rejects)


@dataclass(frozen=True)
class Part:
    """What is loaded as a whole: a file, or a range or the whole of a table.

    `name` and `version` become the position's entry once the part is published: with the same
    version under the same name the part counts as loaded. `batches` reads it from the beginning in
    bounded memory; it may be called again. `whole` says that no row of the source is missing from
    it, so that a row which is not in it is deleted. `stamp` tells the version without the part
    being read, where that can be.
    """

    name: str
    version: str
    batches: Callable[[], Iterator[SourceBatch]] = field(hash=False, compare=False)
    whole: bool = False
    stamp: str = ""


@dataclass(frozen=True)
class Backfill:
    """A range of the incremental cursor that is to be read again, as texts; "" has no bound.

    `start` is inclusive, `end` exclusive. `is_partition` says that it is read whatever was loaded
    before; otherwise `append` reads no further than the position.
    """

    start: str = ""
    end: str = ""
    is_partition: bool = False


@dataclass(frozen=True)
class Wanted:
    """What a run wants of a source: what is new since a position, a range again, or everything."""

    position: Position
    backfill: Backfill | None = None
    full_refresh: bool = False


def tell_nobody(sentence: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class SourceContext:
    """What a source is opened with, beside its own part of runner.yaml.

    Attributes:
        table: The table's name in runner.yaml.
        columns: The contract's columns under their names at the source, with the contract's types.
        load: The table's `load`.
        resolve: Makes a path of runner.yaml absolute.
        location: Where a setting below `tables.NAME` stands in runner.yaml.
        connection: The connection that the source names.
        lake: The lake; connects on first use.
        home: The folder for the platform's own state.
        limit: How often the connection may be asked.
        tell: Takes a sentence that people must know of the load, such as a column left out; one
            that was told before is told once.
        fence: Where the source's files may be.
    """

    table: str
    columns: pa.Schema
    load: LoadConfig
    resolve: Callable[[str | Path], Path]
    location: Callable[..., Location]
    connection: ConnectionConfig | None
    lake: Lake
    home: Path
    limit: RequestLimit = UNLIMITED
    tell: Callable[[str], None] = tell_nobody
    fence: Fence = NO_FENCE

    def request(self) -> None:
        """Waits for the turn of one request of the connection: to be called before each.

        Raises:
            SourceTimeoutError: it does not come within the `max_wait` of the connection's limit.
        """
        self.limit.wait()


class Source(Protocol):
    """A table's source, opened."""

    def parts(self, wanted: Wanted) -> Sequence[Part]:
        """What is there to load, in order; () where nothing is new.

        Raises:
            SourceError: the source cannot be read, or what was loaded has changed.
        """
        ...
