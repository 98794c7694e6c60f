"""Many records of JSON at once, as columns of the contract's types: pyarrow's parser, where exact.

What pyarrow takes differently from `json_records` is looked for before or after, and left to it:
NaN and infinities, strings and exponents for decimals, floats beyond their range, several objects
on a line, objects over several lines, and what is nested so deeply that it would crash.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pa_json

from quality_platform.contracts.schemas import DIMENSIONS
from quality_platform.sources.json_lines import Block

_OPENING, _CLOSING = b"{}"
_NO_JSON = re.compile(rb"[:,\[]\s*-?(?:NaN|Inf)")
_ESCAPED_KEY = re.compile(rb'\\u[^"]*"\s*:')
_ROW = re.compile(r" in row (\d+)$")
_ESCAPED = re.compile(r'["\\/\x00-\x1f]')
_SAFE_DEPTH = 400
_SAME_IN_JSON = (pa.types.is_integer, pa.types.is_boolean, pa.types.is_string)


@dataclass(frozen=True)
class Trouble:
    """Lines that are not parsed at once; `place` is that of the first one to blame, if known."""

    place: int | None = None


@dataclass(frozen=True)
class ColumnParser:
    """Parses stretches of lines; `ignored` are keys that are passed over, None means all."""

    columns: pa.Schema
    ignored: tuple[str, ...] | None

    def columns_of(self, block: Block, lines: Any) -> pa.RecordBatch | Trouble:
        """The records of these lines of the block, a row each, or what must be read singly.

        `lines` are places in the block, ascending. Times and dates come as strings.
        """
        broken = _broken(block, lines)
        if len(broken):
            return Trouble(int(broken[0]))
        if (deep := _deep(block, lines)) is not None:
            return Trouble(deep)
        stretch = _Stretch.of(block, lines)
        if (offset := self._peculiar(stretch.data)) is not None:
            return Trouble(stretch.line_at(offset))
        try:
            found = pa_json.read_json(
                pa.BufferReader(stretch.data),  # type: ignore[arg-type]  # unknown to the stubs
                read_options=_reading(stretch.data),
                parse_options=self._parsing,
            )
        except pa.ArrowInvalid as error:
            row = _ROW.search(str(error))
            return Trouble(min(int(row[1]), len(lines) - 1) if row else None)
        others = {*found.column_names} - {*self.columns.names, *(self.ignored or ())}
        if found.num_rows != len(lines) or (others and self.ignored is not None):
            return Trouble()
        (batch,) = found.select(self.columns.names).combine_chunks().to_batches()
        return batch if all(_is_finite(column) for column in batch.columns) else Trouble()

    @cached_property
    def is_possible(self) -> bool:
        """Whether pyarrow reads every column's type as `json_records` does."""
        return all(_can_parse(field) for field in self.columns)

    @cached_property
    def _parsing(self) -> pa_json.ParseOptions:
        fields = [
            pa.field(f.name, pa.string() if pa.types.is_temporal(f.type) else f.type)
            for f in self.columns
        ]
        unexpected: Literal["ignore", "infer", "error"] = "infer" if self.ignored else "error"
        if self.ignored is None:
            unexpected = "ignore"
        return pa_json.ParseOptions(
            explicit_schema=pa.schema(fields),
            newlines_in_values=False,
            unexpected_field_behavior=unexpected,
        )

    @cached_property
    def _careful(self) -> tuple[re.Pattern[bytes], ...]:
        """Finds values of decimals that are strings, or that have an exponent."""
        return tuple(
            re.compile(b'"' + re.escape(f.name.encode()) + rb'"\s*:\s*(?:"|-?[0-9.]+[eE])')
            for f in self.columns
            if pa.types.is_decimal(f.type)
        )

    def _peculiar(self, data: bytes) -> int | None:
        """Where the first thing stands that pyarrow would take, and `json_records` would not."""
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            return error.start
        patterns = list(self._careful)
        if b"NaN" in data or b"Inf" in data:
            patterns.append(_NO_JSON)
        if self._careful and b"\\u" in data:
            patterns.append(_ESCAPED_KEY)
        found = [match.start() for pattern in patterns if (match := pattern.search(data))]
        return min(found, default=None)


def _can_parse(field: pa.Field[Any]) -> bool:
    kind: Any = field.type
    if pa.types.is_decimal(kind):
        return not _ESCAPED.search(field.name)
    if pa.types.is_nested(kind):
        return _has_plain_parts(field)
    return (
        pa.types.is_temporal(kind)
        or pa.types.is_floating(kind)
        or any(matches(kind) for matches in _SAME_IN_JSON)
    )


def _has_plain_parts(field: pa.Field[Any]) -> bool:
    """Whether all that stands within is read by pyarrow exactly as by `ingest/json_cells.py`."""
    kind: Any = field.type
    if DIMENSIONS in (field.metadata or {}):
        return False
    if pa.types.is_struct(kind):
        return all(_has_plain_parts(part) for part in kind)
    if pa.types.is_list(kind):
        return _has_plain_parts(kind.value_field)
    return any(matches(kind) for matches in _SAME_IN_JSON)


def _broken(block: Block, lines: Any) -> Any:
    """Which lines do not begin or end as an object does.

    Behind a `}` at the end of a line no object that is still open can go on with `{`. So where no
    line is broken, none reaches over a line's end, and each line has at least one.
    """
    octets = np.frombuffer(block.data, np.uint8)
    begins = octets[block.starts[lines]] == _OPENING
    return np.flatnonzero(~(begins & (octets[block.ends[lines] - 1] == _CLOSING)))


def _deep(block: Block, lines: Any) -> int | None:
    """The first line that may be nested so deeply that pyarrow, which recurses, would crash."""
    lengths = block.ends[lines] - block.starts[lines]
    for n in np.flatnonzero(lengths > _SAFE_DEPTH).tolist():
        text = block.text(lines[n])
        if text.count(b"[") + text.count(b"{") > _SAFE_DEPTH:
            return int(n)
    return None


@dataclass(frozen=True)
class _Stretch:
    """Lines of a block as one text; `ends` are the offsets of their ends in it."""

    data: bytes
    ends: Any

    @classmethod
    def of(cls, block: Block, lines: Any) -> _Stretch:
        first, last = int(lines[0]), int(lines[-1])
        if last - first + 1 == len(lines):
            start = block.starts[first]
            return cls(block.data[start : block.ends[last]], block.ends[lines] - start)
        texts = [block.text(n) for n in lines]
        return cls(b"\n".join(texts), np.cumsum([len(text) + 1 for text in texts]))

    def line_at(self, offset: int) -> int:
        """The line, by its place among the lines, in which the offset lies."""
        return int(np.searchsorted(self.ends, offset, side="right"))


def _reading(data: bytes) -> pa_json.ReadOptions:
    return pa_json.ReadOptions(use_threads=False, block_size=len(data) + 1)


def _is_finite(column: pa.Array[Any]) -> bool:
    """Whether no float became an infinity for want of range."""
    if not pa.types.is_floating(column.type):
        return True
    return bool(pc.all(pc.is_finite(column)).as_py() is not False)
