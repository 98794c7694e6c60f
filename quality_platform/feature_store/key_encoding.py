"""Entity keys as Feast's online stores keep them (serialization version 3), column by column.

Source of the format: `feast.infra.key_encoding_utils.serialize_entity_key` of Feast 0.67.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from quality_platform.errors import MaterializationError
from quality_platform.feature_store import wire_format as wire
from quality_platform.feature_store.wire_format import Column

_STRING = 2
_TYPES = {"BYTES": 1, "STRING": _STRING, "INT32": 3, "INT64": 4}
"""The numbers of Feast's value types."""

_INTEGERS = {"INT32": pa.int32(), "INT64": pa.int64()}
_UINT32 = struct.Struct("<I")


def encoded_keys(columns: Mapping[str, Column], kinds: Mapping[str, str]) -> Column:
    """The key of each row, as `large_binary`.

    Args:
        columns: the values of each join key; none is NULL.
        kinds: the name of Feast's value type of each join key.

    Raises:
        MaterializationError: Feast has no keys of this type, or a value is not of it.
    """
    names = sorted(columns)
    parts = [key_prefix(names)]
    for name in names:
        parts += _value(columns[name], kinds[name], name)
    return wire.joined(parts)


def key_prefix(join_keys: Sequence[str]) -> bytes:
    """What all keys of these join keys begin with."""
    names = [name.encode() for name in sorted(join_keys)]
    named = [_UINT32.pack(_STRING) + _UINT32.pack(len(name)) + name for name in names]
    return _UINT32.pack(len(names)) + b"".join(named)


def _value(column: Column, kind: str, name: str) -> list[Any]:
    present = np.ones(len(column), bool)
    try:
        if kind in _INTEGERS:
            number: Any = column.cast(_INTEGERS[kind])
            values = number.to_numpy(zero_copy_only=False)
            head = _UINT32.pack(_TYPES[kind]) + _UINT32.pack(values.dtype.itemsize)
            return [wire.fixed(values, present, head)]
        if kind in _TYPES:
            payload = wire.as_bytes(column)
            sizes = wire.lengths_of(payload).astype(np.uint32)
            return [wire.fixed(sizes, present, _UINT32.pack(_TYPES[kind])), payload]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise _unfit(name, kind, column.type) from error
    raise _unfit(name, kind, column.type)


def _unfit(name: str, kind: str, type_: pa.DataType) -> MaterializationError:
    return MaterializationError(
        "Feast cannot find entities by a key of this type",
        field=name,
        received=f"{type_} for {kind}",
        allowed="int32, int64, string, binary",
    )


def encoded_key(key: Mapping[str, Any], kinds: Mapping[str, str]) -> bytes:
    """One key, of all join keys in `kinds`.

    Raises:
        MaterializationError: Feast has no keys of this type, or a value is not of it.
    """
    values: dict[str, Any] = {n: typed_value(key[n], kind, n) for n, kind in kinds.items()}
    columns = {name: pa.array([value]) for name, value in values.items()}
    found: bytes = encoded_keys(columns, kinds)[0].as_py()
    return found


def typed_value(value: str | int | bytes, kind: str, name: str) -> str | int | bytes:
    """A value as people write it, as one of the join key's type.

    Raises:
        MaterializationError: it is none. The message does not tell it: it may name a person.
    """
    if isinstance(value, bytes):
        return value
    try:
        return int(value) if kind in _INTEGERS else str(value)
    except ValueError as error:
        raise _unfit(name, kind, pa.string()) from error


def decoded_key(key: bytes) -> dict[str, int | str | bytes]:
    """The join keys and their values; what stands behind the key is left alone.

    Redis has the project's name there: give it without.

    Raises:
        ValueError: it is no key.
    """
    try:
        return _decoded(key)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError("no entity key") from error


def has_key(
    stored: bytes, key: Mapping[str, str | int], kinds: Mapping[str, str], tail: bytes = b""
) -> bool:
    """Whether a stored key has these values for some of its join keys, and `tail` behind it."""
    try:
        found = decoded_key(stored)
    except ValueError:
        return False
    if set(found) != set(kinds) or stored != encoded_key(found, kinds) + tail:
        return False
    return all(found[name] == typed_value(value, kinds[name], name) for name, value in key.items())


def _decoded(key: bytes) -> dict[str, int | str | bytes]:
    (count,) = _UINT32.unpack_from(key)
    position, names = 4, []
    for _ in range(count):
        _, text, position = _piece(key, position)
        names.append(text.decode())
    found: dict[str, int | str | bytes] = {}
    for name in names:
        kind, value, position = _piece(key, position)
        match kind:
            case 1:
                found[name] = value
            case 2:
                found[name] = value.decode()
            case 3 | 4:
                found[name] = int.from_bytes(value, "little", signed=True)
            case _:
                raise IndexError(kind)
    return found


def _piece(key: bytes, position: int) -> tuple[int, bytes, int]:
    kind, length = struct.unpack_from("<II", key, position)
    end = position + 8 + length
    if end > len(key):
        raise IndexError(end)
    return kind, key[position + 8 : end], end
