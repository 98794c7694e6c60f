"""The records of CSV text by a plain state machine, byte by byte: what the fast reader must match.

Nothing of it is shared with the platform, and it does not use Python's csv module.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

_State = Literal["begin", "plain", "quoted", "closed"]


@dataclass(frozen=True)
class NaiveDialect:
    """The characters with a meaning, as single bytes; b"" for none."""

    delimiter: bytes = b","
    quote: bytes = b'"'
    escape: bytes = b""


RFC_4180 = NaiveDialect()


@dataclass
class NaiveRecord:
    """One record: its first physical line, its bytes, its fields, and whether one is broken."""

    line: int
    raw: bytes = b""
    fields: list[bytes] = field(default_factory=list)
    broken: bool = False


@dataclass
class NaiveCounter:
    """Splits text into records.

    `open_at` is the line where a record begins in which a quote is never closed; 0 for none.
    """

    dialect: NaiveDialect
    records: list[NaiveRecord] = field(default_factory=list)
    open_at: int = 0

    def read(self, text: bytes) -> NaiveCounter:
        """Splits the whole text, which has no byte order mark."""
        self._line, self._state = 1, "begin"
        self._record, self._cell = NaiveRecord(1), b""
        position = 0
        while position < len(text):
            position += self._step(text, position)
        if self._state == "quoted":
            self.open_at = self._record.line
        else:
            self._end_record()
        return self

    def _step(self, text: bytes, at: int) -> int:
        """Takes what stands there; how many bytes that was."""
        taken = self._state_of_quotes(text, at)
        if taken:
            self._record.raw += text[at : at + taken]
            return taken
        size = 2 if text[at : at + 2] == b"\r\n" else 1
        here = text[at : at + size]
        if here in (b"\n", b"\r", b"\r\n"):
            self._line += 1
            if self._state != "quoted":
                self._end_record()
                return size
        elif here == self.dialect.delimiter and self._state != "quoted":
            self._record.raw += here
            self._end_field()
            return size
        elif self._state == "closed":
            self._record.broken = True
        if self._state != "quoted":
            self._state: _State = "plain"
        self._record.raw += here
        self._cell += here
        return size

    def _state_of_quotes(self, text: bytes, at: int) -> int:
        """Takes a quote or an escape that has a meaning there; 0 where there is none."""
        quote, escape = self.dialect.quote, self.dialect.escape
        here, following = text[at : at + 1], text[at + 1 : at + 2]
        if not quote:
            return 0
        if self._state == "begin" and here == quote:
            self._state = "quoted"
            return 1
        if self._state != "quoted":
            return 0
        if escape and here == escape and following in (quote, escape):
            self._cell += following
            return 2
        if here == quote and following == quote:
            self._cell += quote
            return 2
        if here == quote:
            self._state = "closed"
            return 1
        return 0

    def _end_field(self) -> None:
        self._record.fields.append(self._cell)
        self._cell, self._state = b"", "begin"

    def _end_record(self) -> None:
        self._end_field()
        if self._record.raw:
            self.records.append(self._record)
        self._record = NaiveRecord(self._line)


def naive_records(text: bytes, dialect: NaiveDialect = RFC_4180) -> NaiveCounter:
    """The records of a text."""
    return NaiveCounter(dialect).read(text)
