"""Rows of a COPY are handed over in pieces of bounded size, and its thread always ends."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import psycopg2
import pytest

from quality_platform.sources import postgres_copy

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)


class Connection:
    """Gives messages as psycopg2 does; one that is an exception is raised."""

    closed = 0

    def __init__(self, messages: Iterable[bytes | Exception]) -> None:
        self.messages = messages
        self.given = 0

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def cursor(self) -> Connection:
        return self

    def fileno(self) -> int:
        raise psycopg2.InterfaceError

    def copy_expert(self, _: str, sink: Any) -> None:
        for message in self.messages:
            if isinstance(message, Exception):
                raise message
            self.given += 1
            sink.write(message)


def copying() -> bool:
    return any("(copy)" in thread.name for thread in threading.enumerate())


@pytest.mark.parametrize("size", [200, 3_000_000, 9_000_000])
def test_no_more_rows_are_held_than_a_chunk_and_one(size: int) -> None:
    rows = [size.to_bytes(4, "big") * (size // 4)] * max(3, 20_000_000 // size)
    connection = Connection([HEADER, *rows, b"\xff\xff"])

    found = list(postgres_copy._copied(connection, ""))

    assert b"".join(part.data for part in found) == b"".join(rows)
    assert [n for part in found for n in part.sizes.tolist()] == [len(row) for row in rows]
    assert max(len(part.data) for part in found) < 4 * 1024 * 1024 + max(size, 64 * 1024)
    assert not copying()


def test_rows_are_asked_for_when_those_before_are_done() -> None:
    row = bytes(100_000)
    connection = Connection([HEADER + row, *[row] * 200])
    copied = postgres_copy._copied(connection, "")

    next(copied)
    first = connection.given
    next(copied)

    assert first < connection.given < 201
    copied.close()
    assert not copying()


def test_what_the_driver_raises_is_raised_where_the_rows_are_read() -> None:
    copied = postgres_copy._copied(Connection([HEADER + b"ab", psycopg2.DataError("no")]), "")

    with pytest.raises(psycopg2.DataError, match="no"):
        list(copied)

    assert not copying()
