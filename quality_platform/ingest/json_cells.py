"""Cells of JSON text -> objects, arrays, maps and vectors of the contract's types.

What stands within follows the rules of cells of its own type, from the digits as they are written:

=============================== =================================================================
type                            JSON that converts
=============================== =================================================================
object                          an object; a key that the contract does not name is refused, one
                                that is not there is NULL
map                             an object; its keys are texts of the key's type
array, vector                   an array; a vector's has as many numbers as it has dimensions
int, long, float, double,       a number
decimal
boolean                         true, false
string, date, time, timestamp   a string
=============================== =================================================================

null is NULL everywhere but as the key of a map. A key that stands twice is refused. A cell that
does not convert is told by the path of the first part that is wrong: `lines[2].qty`.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from quality_platform.contracts.schemas import DIMENSIONS
from quality_platform.ingest.text_cells import converted, reason, type_name

Reasons = dict[int, tuple[str, str]]
"""For a row, the path of the first part that does not convert, and why."""


class _Number(str):
    """A number of JSON, in the digits as they are written."""

    __slots__ = ()


class _RefusedError(ValueError):
    """JSON that is not taken, and why."""


def converted_json(raw: pa.Array[Any], column: pa.Field[Any]) -> tuple[pa.Array[Any], Reasons]:
    """The cells as the column's type, and why some do not convert (NULL then), by position.

    `raw` has bytes; the column is an object, an array, a map or a vector.
    """
    reasons: Reasons = {}
    nodes = []
    for row, cell in enumerate(raw.to_pylist()):
        try:
            nodes.append(_parsed(cell))
        except _RefusedError as error:
            nodes.append(None)
            reasons[row] = (column.name, str(error))
    array = _Builder(reasons).build(column, _cells(column.name, nodes))
    if not reasons:
        return array, {}
    good = [None if n in reasons else node for n, node in enumerate(nodes)]
    return _Builder({}).build(column, _cells(column.name, good)), reasons


def _parsed(cell: bytes | None) -> Any:
    if cell is None:
        return None
    try:
        return json.loads(
            cell.decode("utf-8"),
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_refuse_constant,
            object_pairs_hook=_without_doubles,
        )
    except UnicodeDecodeError as error:
        raise _RefusedError("no UTF-8 string") from error
    except json.JSONDecodeError as error:
        raise _RefusedError(f"no JSON: {error.msg} (character {error.pos + 1})") from error
    except RecursionError as error:
        raise _RefusedError("no JSON that can be read: nested too deeply") from error


def _refuse_constant(name: str) -> None:
    raise _RefusedError(f"{name} is no JSON")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for n, key in enumerate(keys) if key in keys[:n])
        raise _RefusedError(f"the key {twice!r} stands twice")
    return found


@dataclass(frozen=True)
class _Level:
    """Parts of the cells that stand side by side: the n-th, its cell's row, and its path."""

    nodes: Sequence[Any]
    row: Callable[[int], int]
    path: Callable[[int], str]

    def member(self, name: str, nodes: Sequence[Any]) -> _Level:
        """The parts of this name, one for each part of this level."""

        def path(n: int) -> str:
            return f"{self.path(n)}.{name}"

        return _Level(nodes, self.row, path)

    def entries(
        self, nodes: Sequence[Any], offsets: Sequence[int], step: Callable[[int], str]
    ) -> _Level:
        """The entries of lists or maps; `step` is what the n-th entry adds to the path."""

        def holder(n: int) -> int:
            return bisect_right(offsets, n) - 1

        return _Level(
            nodes,
            lambda n: self.row(holder(n)),
            lambda n: self.path(holder(n)) + step(n - offsets[holder(n)]),
        )


def _cells(name: str, nodes: Sequence[Any]) -> _Level:
    return _Level(nodes, lambda n: n, lambda _: name)


@dataclass
class _Builder:
    """Builds arrays level by level; `reasons` gets the first reason of each row."""

    reasons: Reasons

    def build(self, column: pa.Field[Any], level: _Level) -> pa.Array[Any]:
        kind: Any = column.type
        if pa.types.is_struct(kind):
            return self._struct(kind, level)
        if pa.types.is_map(kind):
            return self._map(kind, level)
        if pa.types.is_list(kind):
            return self._list(column, level)
        return self._leaf(column, level)

    def _refuse(self, level: _Level, n: int, why: str) -> None:
        self.reasons.setdefault(level.row(n), (level.path(n), why))

    def _of(self, level: _Level, wanted: type, kind: pa.DataType) -> list[Any]:
        """The nodes of this class, None in the place of others."""
        found = [node if isinstance(node, wanted) else None for node in level.nodes]
        for n, (node, kept) in enumerate(zip(level.nodes, found, strict=True)):
            if kept is None and node is not None:
                self._refuse(level, n, f"{_kind_of(node)} is no {_name(kind)}")
        return found

    def _struct(self, kind: Any, level: _Level) -> pa.Array[Any]:
        nodes = self._of(level, dict, kind)
        names = {part.name for part in kind}
        for n, node in enumerate(nodes):
            if node and (unknown := node.keys() - names):
                listed = ", ".join(repr(key) for key in sorted(unknown))
                self._refuse(level, n, f"the contract has no {listed}")
        parts = [
            self.build(
                part,
                level.member(
                    part.name, [None if node is None else node.get(part.name) for node in nodes]
                ),
            )
            for part in kind
        ]
        absent = pa.array([node is None for node in nodes], pa.bool_())
        return pa.StructArray.from_arrays(parts, fields=list(kind), mask=absent)

    def _list(self, column: pa.Field[Any], level: _Level) -> pa.Array[Any]:
        kind: Any = column.type
        nodes = self._of(level, list, column.type)
        if wanted := (column.metadata or {}).get(DIMENSIONS):
            for n, node in enumerate(nodes):
                if node is not None and len(node) != int(wanted):
                    self._refuse(level, n, f"{len(node)} elements, not {wanted.decode()}")
        offsets = _offsets(nodes)
        flat = [item for node in nodes for item in node or ()]
        items = level.entries(flat, offsets, lambda entry: f"[{entry}]")
        return pa.ListArray.from_arrays(
            pa.array(offsets, pa.int32()),
            self.build(kind.value_field, items),
            type=kind,
            mask=pa.array([node is None for node in nodes], pa.bool_()),
        )

    def _map(self, kind: Any, level: _Level) -> pa.Array[Any]:
        nodes = self._of(level, dict, kind)
        offsets = _offsets(nodes)
        names = [key for node in nodes for key in node or ()]
        # A key is text in JSON, whatever its type: a number is read from its digits.
        keys = names if _is_text(kind.key_type) else [_Number(name) for name in names]

        values = [value for node in nodes for value in (node or {}).values()]

        # By its number: the key may be a personal value, and a path is shown where no value is.
        def step(entry: int) -> str:
            return f"{{{entry}}}"

        built = self.build(kind.key_field, level.entries(keys, offsets, step))
        if built.null_count:
            # A key did not convert: its cell goes, and the others are built once more without it.
            nothing: pa.Array[Any] = pa.nulls(len(nodes), kind)
            return nothing
        # The type stubs know no map whose parts are fields.
        make: Any = pa.MapArray.from_arrays
        made: pa.Array[Any] = make(
            pa.array(offsets, pa.int32()),
            built,
            self.build(kind.item_field, level.entries(values, offsets, step)),
            type=kind,
            mask=pa.array([node is None for node in nodes], pa.bool_()),
        )
        return made

    def _leaf(self, column: pa.Field[Any], level: _Level) -> pa.Array[Any]:
        texts: list[bytes | None] = []
        for n, node in enumerate(level.nodes):
            text = _text(node, column.type)
            if text is None and node is not None:
                self._refuse(level, n, f"{_kind_of(node)} is no {_name(column.type)}")
            texts.append(text)
        array, bad = converted(pa.array(texts, pa.binary()), column)
        for n in bad:
            self._refuse(level, n, reason(texts[n] or b"", column))
        return array


def _offsets(nodes: Sequence[Any]) -> list[int]:
    offsets = [0]
    for node in nodes:
        offsets.append(offsets[-1] + len(node or ()))
    return offsets


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_temporal(kind))


def _text(node: Any, kind: pa.DataType) -> bytes | None:
    """The text of a JSON value that can be of this type, None of one that cannot."""
    if isinstance(node, bool):
        return str(node).lower().encode() if pa.types.is_boolean(kind) else None
    if isinstance(node, _Number):
        # The keys of a map are the only booleans that can come as digits or text.
        is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        return node.encode() if is_number or pa.types.is_decimal(kind) else None
    if isinstance(node, str) and _is_text(kind):
        # A lone surrogate is no text; its bytes are then no UTF-8, and refused as such.
        return node.encode("utf-8", errors="surrogatepass")
    return None


def _name(kind: pa.DataType) -> str:
    return "string" if pa.types.is_string(kind) else type_name(kind)


def _kind_of(node: Any) -> str:
    if isinstance(node, bool):
        return "a boolean"
    if isinstance(node, _Number):
        return "a number"
    if isinstance(node, str):
        return "a string"
    return "an array" if isinstance(node, list) else "an object"
