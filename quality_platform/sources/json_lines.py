"""The lines of a text as blocks: where each begins and ends, without its line end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from quality_platform.errors import Location, MalformedSourceError

_LF, _CR = 10, 13
_WHITE_SPACE = b" \t\r"


@dataclass(frozen=True)
class Block:
    """Whole lines of a text; blank ones are left out.

    `starts` and `ends` are the offsets of each line's text in `data`, without the LF or CRLF;
    `lines` are the 1-based physical lines of the file.
    """

    data: bytes
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    lines: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts)

    def text(self, line: int) -> bytes:
        """The bytes of a line of the block, by its place in the block."""
        return self.data[self.starts[line] : self.ends[line]]

    def raw(self, line: int) -> str:
        r"""The same for people; bytes that are not UTF-8 are shown as escapes (`\xff`)."""
        return self.text(line).decode("utf-8", errors="backslashreplace")

    def pieces(self, size: int) -> Iterator[tuple[int, int]]:
        """Ranges of lines of about `size` bytes each."""
        start = 0
        while start < len(self):
            limit = self.starts[start] + size
            end = max(int(np.searchsorted(self.ends, limit)), start + 1)
            yield start, end
            start = end


def blocks_of(
    stream: BinaryIO, path: str, block_bytes: int, max_record_bytes: int
) -> Iterator[Block]:
    """The lines of a stream, in blocks of about `block_bytes`; none is empty.

    Lines end with LF or CRLF.

    Raises:
        MalformedSourceError: a line is longer than `max_record_bytes`.
    """
    rest, line, final = b"", 1, False
    while not final:
        # A line longer than the block doubles what is read: linear work in its length.
        wanted = max(block_bytes, len(rest))
        block = stream.read(wanted)
        final = len(block) < wanted
        data = rest + block
        cut = len(data) if final else data.rfind(b"\n") + 1
        found, following = _lines(data[:cut], line)
        rest = data[cut:]
        _require_within_bounds(found, len(rest), following, path, max_record_bytes)
        line = following
        if len(found):
            yield found


def _lines(data: bytes, first: int) -> tuple[Block, int]:
    """The lines of whole lines of text, and the number of the line behind them."""
    octets = np.frombuffer(data, np.uint8)
    feeds = np.flatnonzero(octets == _LF)
    is_open = len(data) > (int(feeds[-1]) + 1 if len(feeds) else 0)
    ends = np.append(feeds, len(data)) if is_open else feeds
    starts = np.zeros_like(ends)
    starts[1:] = ends[:-1] + 1
    if b"\r" in data:
        ends = ends - ((ends > starts) & (octets[ends - 1] == _CR))
    keep = ends > starts
    keep[keep] = ~_are_blank(data, octets, starts[keep], ends[keep])
    numbers = np.arange(first, first + len(ends))
    return Block(data, starts[keep], ends[keep], numbers[keep]), first + len(feeds)


def _are_blank(data: bytes, octets: Any, starts: Any, ends: Any) -> Any:
    blank = np.isin(octets[starts], np.frombuffer(_WHITE_SPACE, np.uint8))
    for n in np.flatnonzero(blank):
        blank[n] = not data[starts[n] : ends[n]].strip(_WHITE_SPACE)
    return blank


def _require_within_bounds(found: Block, rest: int, following: int, path: str, limit: int) -> None:
    too_long = np.flatnonzero(found.ends - found.starts > limit)
    if not len(too_long) and rest <= limit:
        return
    raise MalformedSourceError(
        f"the line is longer than {limit} bytes",
        location=Location(path, int(found.lines[too_long[0]]) if len(too_long) else following),
        allowed="one JSON object a line",
        action="write each object on a line of its own; a line ends with LF or CRLF",
    )
