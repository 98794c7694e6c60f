"""The whole records of a block of CSV text, found one by one only where that is needed.

In most blocks every line is a record. Then it is enough to count the lines, which is cheaper than
to find the records: whoever parses the block compares the numbers. Where a line end is quoted, or a
line is blank, there are more lines than records, and the two numbers tell it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from quality_platform.sources.csv_records import (
    LF,
    Dialect,
    RecordIndex,
    broken_closings,
    index_records,
    number_of,
    quote_toggles,
)


@dataclass(frozen=True)
class Lines:
    """The lines of a block up to the end of its last record.

    Attributes:
        count: How many there are, those that are blank or end within quotes included.
        consumed: Offset behind the last one.
        has_quotes: Whether any text is quoted.
    """

    count: int
    consumed: int
    has_quotes: bool


@dataclass(frozen=True)
class Stretch:
    """A block of text which begins at the beginning of a record.

    Attributes:
        data: The block.
        dialect: Its delimiter, quote and escape.
        first_line: 1-based physical line of the block's first byte.
        final: Whether the file ends with this block.
    """

    data: bytes
    dialect: Dialect
    first_line: int
    final: bool

    @cached_property
    def records(self) -> RecordIndex:
        """The records that are complete, one by one."""
        return index_records(self.data, self.dialect, first_line=self.first_line, final=self.final)

    @cached_property
    def lines(self) -> Lines | None:
        """The lines; None where each record has to be looked at."""
        data, dialect = self.data, self.dialect
        escapes = dialect.escape is not None and dialect.escape in data
        if b"\r" in data or escapes:
            return None
        octets = np.frombuffer(data, dtype=np.uint8)
        toggles = quote_toggles(data, octets, dialect)
        end = data.rfind(b"\n") + 1
        last_line_end = end - 1
        is_last_open = self.final and end < len(data)
        if is_last_open:
            end = last_line_end = len(data)
        is_quoted = np.searchsorted(toggles, last_line_end) % 2 == 1
        if not end or is_quoted or len(broken_closings(octets[:end], toggles, dialect)):
            return None
        return Lines(number_of(octets[:end], LF) + is_last_open, end, len(toggles) > 0)

    @property
    def consumed(self) -> int:
        """Offset behind the last record that is complete; what follows is an open one."""
        return self.lines.consumed if self.lines else self.records.consumed

    @property
    def next_line(self) -> int:
        """Physical line of the byte at `consumed`."""
        return self.first_line + self.lines.count if self.lines else self.records.next_line
