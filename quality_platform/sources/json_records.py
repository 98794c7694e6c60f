"""Records of JSON, one by one and exactly: the text of each value, or the reason of a reject.

No number is ever read: its digits go on as they are written. A value must be of the kind of JSON
that its column's type is written in, as within objects and arrays (`ingest/json_cells.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, NoReturn

import pyarrow as pa

_SHOWN = 60
_LONGEST_EXPONENT = 3
_WHITE_SPACE = " \t\r"
_SPACE = re.compile(r"[ \t\r]*")
_PLAIN_KEY = re.compile(r'[ \t\r]*"([^"\\\x00-\x1f]*)"[ \t\r]*:[ \t\r]*')
_KINDS = {'"': "a string", "{": "an object", "[": "an array", "t": "a boolean", "f": "a boolean"}


class _RefusedError(ValueError):
    """A record that is not taken, and why."""


def _refuse_constant(name: str) -> NoReturn:
    raise _RefusedError(f"no JSON: {name} is no value of JSON")


_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refuse_constant)


def kind_of(target: pa.DataType) -> str:
    """What the values of a type are in JSON."""
    if pa.types.is_struct(target) or pa.types.is_map(target):
        return "an object"
    if pa.types.is_nested(target):
        return "an array"
    if pa.types.is_boolean(target):
        return "a boolean"
    is_number = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return "a number" if any(matches(target) for matches in is_number) else "a string"


@dataclass(frozen=True)
class RecordReader:
    """Reads records of the columns; `ignored` are keys that are passed over, None means all."""

    columns: pa.Schema
    ignored: tuple[str, ...] | None

    @cached_property
    def _kinds(self) -> Mapping[str, str]:
        return {field.name: kind_of(field.type) for field in self.columns}

    @cached_property
    def _passed_over(self) -> frozenset[str]:
        return frozenset(self.ignored or ()) - frozenset(self.columns.names)

    @cached_property
    def _exact(self) -> frozenset[str]:
        """Decimals: the only numbers whose exponent can be written out."""
        return frozenset(f.name for f in self.columns if pa.types.is_decimal(f.type))

    @property
    def nothing(self) -> pa.RecordBatch:
        """No record."""
        return self._batch([])

    def columns_of(self, lines: Sequence[bytes]) -> tuple[pa.RecordBatch, dict[int, str]]:
        """The records of the lines as text cells, and why some lines are none, by position.

        The batch has a binary column for each of the columns, and a row for each line that is not
        among the reasons. A key that is not there and null are NULL.
        """
        rows, reasons = [], {}
        for n, line in enumerate(lines):
            try:
                rows.append(self._cells(line))
            except _RefusedError as error:
                reasons[n] = str(error)
        return self._batch(rows), reasons

    def _batch(self, rows: Sequence[Mapping[str, bytes]]) -> pa.RecordBatch:
        names = self.columns.names
        arrays = [pa.array([row.get(name) for row in rows], pa.binary()) for name in names]
        return pa.record_batch(arrays, names=names)

    def _cells(self, line: bytes) -> dict[str, bytes]:
        try:
            return self._object(line.decode("utf-8").strip(_WHITE_SPACE))
        except UnicodeDecodeError as error:
            raise _RefusedError(f"not UTF-8 at byte {error.start + 1} of the line") from error
        except json.JSONDecodeError as error:
            raise _RefusedError(f"no JSON: {error.msg} (character {error.pos + 1})") from error
        except RecursionError as error:
            raise _RefusedError("no JSON that can be read: nested too deeply") from error

    def _object(self, text: str) -> dict[str, bytes]:
        if not text.startswith("{"):
            self._refuse_no_object(text)
        cells: dict[str, bytes] = {}
        seen: set[str] = set()
        place, sign = _sign(text, 0, "{")
        if text.startswith("}", end := _skip(text, place)):
            place, sign = end + 1, "}"
        while sign != "}":
            key, start = _key(text, place)
            value, place = _DECODER.raw_decode(text, start)
            if key in self._kinds:
                if key in seen:
                    raise _RefusedError(f"the key {key!r} stands twice")
                seen.add(key)
                if value is not None:
                    cells[key] = self._cell(key, value, text[start:place])
            elif self.ignored is not None and key not in self._passed_over:
                raise _RefusedError(f"the contract has no {_short(key)}")
            place, sign = _sign(text, place, ",}")
        if place < len(text):
            raise json.JSONDecodeError("more text follows the object", text, place)
        return cells

    def _refuse_no_object(self, text: str) -> NoReturn:
        _, end = _DECODER.raw_decode(text)
        if end < len(text):
            raise json.JSONDecodeError("more text follows the value", text, end)
        found = _KINDS.get(text[0], "null" if text == "null" else "a number")
        raise _RefusedError(f"{found}, not an object")

    def _cell(self, key: str, value: Any, written: str) -> bytes:
        kind = _KINDS.get(written[0], "a number")
        if kind != self._kinds[key]:
            raise _RefusedError(f"{key}: {kind}, not {self._kinds[key]}")
        if kind == "a string":
            # A lone surrogate is no text; its bytes are then no UTF-8, and refused as such.
            return bytes(value.encode("utf-8", errors="surrogatepass"))
        if key in self._exact and ("e" in written or "E" in written):
            return _without_exponent(written).encode()
        return written.encode()


def keys_of(line: bytes) -> tuple[str, ...]:
    """The keys of a record; () where it is none."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return ()
    return tuple(found) if isinstance(found, dict) else ()


def _key(text: str, place: int) -> tuple[str, int]:
    """The key that stands here, and the place of its value."""
    if plain := _PLAIN_KEY.match(text, place):
        return plain[1], plain.end()
    place = _skip(text, place)
    if text[place : place + 1] != '"':
        raise json.JSONDecodeError("a key in double quotes expected", text, place)
    key, place = _DECODER.raw_decode(text, place)
    place, _ = _sign(text, place, ":")
    return key, _skip(text, place)


def _sign(text: str, place: int, allowed: str) -> tuple[int, str]:
    """The place behind the next character that is no white space, and this character."""
    place = _skip(text, place)
    sign = text[place : place + 1]
    if not sign or sign not in allowed:
        wanted = " or ".join(repr(one) for one in allowed)
        raise json.JSONDecodeError(f"{wanted} expected", text, place)
    return place + 1, sign


def _skip(text: str, place: int) -> int:
    """The place of the first character from here that is no white space."""
    found = _SPACE.match(text, place)
    return found.end() if found else place


def _without_exponent(written: str) -> str:
    """The same number without an exponent; as it is where that would be absurdly long."""
    exponent = written.casefold().rpartition("e")[2]
    if len(exponent) > _LONGEST_EXPONENT:
        return written
    return f"{Decimal(written):f}"


def _short(key: str) -> str:
    return repr(key) if len(key) <= _SHOWN else f"{key[:_SHOWN]!r}..."
