"""Text of any encoding as a stream of UTF-8, in bounded memory.

Bytes that the encoding does not have become bytes that are no UTF-8, so that the cell which holds
them is refused with its row, and every other row is read:

====================== ======================================================================
encoding               bytes that it does not have
====================== ======================================================================
utf-8                  stay as they are
utf-16, utf-32         a surrogate without its partner: the three bytes that UTF-8 would have
any other              stay as they are; ASCII bytes that are part of a broken sequence
                       (UTF-7, ISO 2022) refuse the file
====================== ======================================================================

What cannot be told from text any more refuses the file, with its line and offset: half a character
at the end, and bytes of a foreign encoding that happen to be UTF-8.
"""

from __future__ import annotations

import codecs
import io
import re
from typing import BinaryIO, NoReturn, cast

from quality_platform.errors import EmptySourceError, Location, MalformedSourceError
from quality_platform.sources.sniffing import (
    BYTE_ORDER_MARKS,
    SNIFFED_BYTES,
    refuse_binary_formats,
    wide_encoding,
)

_CHUNK = 512 * 1024
_UTF_8 = ("utf-8", "utf-8-sig")
_WIDE = ("utf-16", "utf-32")
# What Python's `surrogateescape` makes of single bytes; UTF-8 has at most four in a character.
_FOREIGN = re.compile("[\udc80-\udcff]{2,}")
_LAST_FOREIGN = re.compile("[\udc80-\udcff]{1,3}\\Z")


def recoded(stream: BinaryIO, encoding: str, path: str) -> BinaryIO:
    """The text as UTF-8, behind its byte order mark; a mark wins over `encoding`.

    Args:
        stream: What `unpacked` gives, at its beginning.
        encoding: A text encoding that Python knows.
        path: The file, for messages.

    Returns:
        A stream whose `read(n)` gives n bytes unless the text ends. Reading it raises
        MalformedSourceError where the encoding does not allow the text to go on.

    Raises:
        EmptySourceError: there is not one byte.
        MalformedSourceError: it begins like another format, or like text of another encoding.
    """
    head = stream.read(SNIFFED_BYTES)
    if not head:
        raise EmptySourceError(
            "the file has no bytes",
            location=Location(path),
            action="deliver the file again; a file without records still has a header",
        )
    mark, name = _encoding_of(head, codecs.lookup(encoding).name)
    refuse_binary_formats(path, head)
    if not mark:
        _refuse_other_width(head, name, path)
    rest = _behind(stream, head, mark)
    if name in _UTF_8:
        return rest
    return cast("BinaryIO", io.BufferedReader(_Recoded(rest, name, path, mark), _CHUNK))


def _encoding_of(head: bytes, declared: str) -> tuple[int, str]:
    """The length of the byte order mark, and the encoding."""
    for mark, name in BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return len(mark), name
    return 0, declared


def _refuse_other_width(head: bytes, name: str, path: str) -> None:
    """Refuses to guess in which order the bytes of a character come."""
    likely = wide_encoding(head)
    if name in _WIDE or likely not in ("", name):
        raise MalformedSourceError(
            f"the file is declared as {name}, and has no byte order mark"
            if name in _WIDE
            else f"the file is declared as {name}, and looks like {likely}",
            location=Location(path),
            received=f"NUL bytes as {likely} has them" if likely else "text without a mark",
            allowed=f"text in {name}, or a byte order mark",
            action=f"look at the file; if it is right, `encoding: {likely or name + '-le'}` "
            "in runner.yaml says in which order its bytes come",
        )


def _behind(stream: BinaryIO, head: bytes, mark: int) -> BinaryIO:
    if stream.seekable():
        stream.seek(mark)
        return stream
    return cast("BinaryIO", io.BufferedReader(_Joined(head[mark:], stream), _CHUNK))


class _Joined(io.RawIOBase):
    """Bytes that were read already, and the stream behind them."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast("bytearray", buffer))
        if not self._head:
            return cast("io.BufferedReader", self._stream).readinto(view)
        taken = self._head[: len(view)]
        view[: len(taken)] = taken
        self._head = self._head[len(taken) :]
        return len(taken)


class _Recoded(io.RawIOBase):
    """The UTF-8 of a stream's text; `offset` is where the stream begins in the file."""

    def __init__(self, stream: BinaryIO, encoding: str, path: str, offset: int) -> None:
        self._stream = stream
        self._encoding = encoding
        self._path = path
        self._is_wide = encoding.startswith(_WIDE)
        self._errors = "surrogatepass" if self._is_wide else "surrogateescape"
        self._decoder = codecs.getincrementaldecoder(encoding)(self._errors)
        self._offset = offset
        self._line = 1
        self._ends_with_return = False
        self._held = ""
        self._ready = memoryview(b"")
        self._at_end = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast("bytearray", buffer))
        while not self._ready and not self._at_end:
            self._ready = memoryview(self._next())
        taken = self._ready[: len(view)]
        view[: len(taken)] = taken
        self._ready = self._ready[len(taken) :]
        return len(taken)

    def _next(self) -> bytes:
        chunk = self._stream.read(_CHUNK)
        self._at_end = not chunk
        waiting = len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(chunk, final=self._at_end)
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(self._encoding, errors="replace")
            self._count_lines(before.encode("utf-8", "replace"))
            self._offset += error.start - waiting
            self._refuse(f"bytes that are no {self._encoding}: {error.reason}")
        data = self._encoded(text)
        self._offset += len(chunk)
        self._count_lines(data)
        return data

    def _encoded(self, text: str) -> bytes:
        held, self._held = self._held, ""
        try:
            return (held + text).encode("utf-8")
        except UnicodeEncodeError:
            return self._with_foreign_bytes(held + text, len(held))

    def _with_foreign_bytes(self, text: str, held: int) -> bytes:
        """The text, of which some characters stand for bytes that the encoding does not have."""
        if self._is_wide:
            return text.encode("utf-8", self._errors)
        for run in _FOREIGN.finditer(text):
            if run.group().encode("utf-8", self._errors).decode("utf-8", "ignore"):
                self._refuse_behind(text[: run.start()], held, "bytes that are UTF-8 and no")
        if not self._at_end and (last := _LAST_FOREIGN.search(text)):
            # The bytes that make UTF-8 of them may come with the next chunk.
            text, self._held = text[: last.start()], last.group()
        try:
            return text.encode("utf-8", self._errors)
        except UnicodeEncodeError as error:
            self._refuse_behind(text[: error.start], held, "half a character in")

    def _refuse_behind(self, before: str, held: int, message: str) -> NoReturn:
        self._count_lines(before.encode("utf-8", "replace"))
        self._offset += len(before.encode(self._encoding, self._errors)) - held
        self._refuse(f"{message} {self._encoding}")

    def _count_lines(self, data: bytes) -> None:
        if not data:
            return
        self._line += data.count(b"\n") - (self._ends_with_return and data[:1] == b"\n")
        if b"\r" in data:
            self._line += data.count(b"\r") - data.count(b"\r\n")
        self._ends_with_return = data[-1:] == b"\r"

    def _refuse(self, message: str) -> NoReturn:
        raise MalformedSourceError(
            f"the text is not what its encoding says: {message}",
            location=Location(self._path, self._line),
            received=f"the bytes at offset {self._offset}",
            allowed=f"text in {self._encoding}",
            action="correct `encoding` in runner.yaml; if the file was cut short or damaged, "
            "deliver it again",
        )
