"""Columns of features as Feast's `Value` messages, without an object for each cell.

Types that are rare or nested are encoded by Feast's own code, value by value. The messages are
byte for byte those that Feast makes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from quality_platform.errors import MaterializationError
from quality_platform.feature_store import wire_format as wire
from quality_platform.feature_store.wire_format import Column, compute

_INTEGERS = {"INT32": pa.int32(), "INT64": pa.int64()}
_FLOATS = {"DOUBLE": pa.float64(), "FLOAT": pa.float32()}
_TEXTS = ("STRING", "BYTES", "DECIMAL", "UUID", "TIME_UUID")
_SCALARS = (*_INTEGERS, *_FLOATS, *_TEXTS, "BOOL", "UNIX_TIMESTAMP")
_ITEM = wire.tag(1, wire.BYTES)
"""Before the items of all of Feast's list messages."""

_SECOND = 1_000_000
_MICROSECONDS = pa.timestamp("us")


def encoded_values(column: Column, kind: str, name: str) -> Column:
    """Each value as a serialized `Value`, as `large_binary`; an empty message for NULL.

    Args:
        column: values of a feature, as the lake has them.
        kind: the name of Feast's value type (`INT64`, `STRING_LIST`).
        name: the feature, for messages.

    Raises:
        MaterializationError: a value is not one of the type, a time has fractions of a second,
            which Feast does not keep, or a list has an item that is NULL.
    """
    if why_stock(column.type, kind):
        return _by_feast(column, kind, name)
    try:
        if kind.endswith("_LIST"):
            return _lists(column, kind, name)
        return _scalars(column, kind, name)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise _unfit(kind, name, column.type, str(error)) from error


def why_stock(type_: Any, kind: str) -> str:
    """Why values are encoded one by one, by Feast's own code; "" where they are not."""
    if kind.endswith("_LIST"):
        is_list = pa.types.is_list(type_) or pa.types.is_large_list(type_)
        if not is_list:
            return f"{kind} out of {type_}"
        return why_stock(type_.value_type, kind.removesuffix("_LIST"))
    if kind not in _SCALARS:
        return f"type {kind}"
    if kind in ("UUID", "TIME_UUID") and not _is_text(type_):
        return f"{kind} out of {type_}"
    return ""


def _scalars(column: Column, kind: str, name: str) -> Column:
    present, number = wire.present_in(column), _field_number(_value_field(kind))
    if kind in _FLOATS:
        wire_type = wire.FIXED64 if kind == "DOUBLE" else wire.FIXED32
        return wire.fixed(_floats(column, kind), present, wire.tag(number, wire_type))
    if kind in _TEXTS:
        return wire.delimited(_text(column), present, wire.tag(number, wire.BYTES))
    return wire.varints(_integers(column, kind, name), present, wire.tag(number, wire.VARINT))


def _lists(column: Column, kind: str, name: str) -> Column:
    present, number = wire.present_in(column), _field_number(_value_field(kind))
    sizes: Any = compute.fill_null(compute.list_value_length(column), 0)
    ends = np.zeros(len(column) + 1, np.int64)
    np.cumsum(sizes.to_numpy(zero_copy_only=False), out=ends[1:])
    items = cast("pa.ListArray[Any]", column).flatten()
    if items.null_count:
        raise _unfit(kind, name, column.type, "an item of a list is NULL")
    rows = _message_of_items(_items(items, kind.removesuffix("_LIST"), name), ends, kind)
    return wire.delimited(rows, present, wire.tag(number, wire.BYTES))


def _items(items: Column, kind: str, name: str) -> Column:
    present = np.ones(len(items), bool)
    if kind in _TEXTS:
        return wire.delimited(_text(items), present, _ITEM)
    if kind in _FLOATS:
        return wire.fixed(_floats(items, kind), present)
    return wire.varints(_integers(items, kind, name), present)


def _message_of_items(items: Column, ends: NDArray[np.int64], kind: str) -> Column:
    """The items of each list together: numbers packed behind one tag, texts behind one each."""
    offsets = wire.offsets_of(items)[ends]
    data = np.frombuffer(memoryview(items.buffers()[2] or b""), np.uint8)
    together = wire.from_parts(data[offsets[0] : offsets[-1]], np.diff(offsets))
    if kind.removesuffix("_LIST") in _TEXTS:
        return together
    return wire.delimited(together, np.diff(ends) > 0, _ITEM)


def _integers(column: Column, kind: str, name: str) -> NDArray[np.int64]:
    if kind == "BOOL":
        filled: Any = compute.fill_null(column, False).cast(pa.int8())
        return cast("NDArray[np.int64]", filled.to_numpy().astype(np.int64))
    if kind == "UNIX_TIMESTAMP":
        return _seconds(column, name)
    number: Any = compute.fill_null(column.cast(_INTEGERS[kind]), 0)
    return cast("NDArray[np.int64]", number.to_numpy().astype(np.int64, copy=False))


def _seconds(column: Column, name: str) -> NDArray[np.int64]:
    """Whole seconds since 1970; times without a zone are UTC."""
    microseconds = microseconds_of(column)
    broken = microseconds % _SECOND != 0
    if broken.any():
        raise MaterializationError(
            "Feast keeps timestamps in whole seconds",
            field=name,
            received=f"{int(broken.sum())} with fractions of a second",
            action="round it in the view's SQL: date_trunc('second', ...)",
        )
    return microseconds // _SECOND


def microseconds_of(column: Column) -> NDArray[np.int64]:
    """Microseconds since 1970, 0 for NULL; times without a zone are UTC."""
    local: Any = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())
    filled: Any = compute.fill_null(local, 0)
    return cast("NDArray[np.int64]", filled.to_numpy())


def _floats(column: Column, kind: str) -> NDArray[Any]:
    # Arrow calls it a loss when a float cannot be told exactly in a narrower type: Feast rounds.
    number: Any = compute.fill_null(column.cast(_FLOATS[kind], safe=False), 0.0)
    return cast("NDArray[Any]", number.to_numpy())


def _text(column: Column) -> Column:
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.string())
    return wire.as_bytes(column)


def _is_text(type_: pa.DataType) -> bool:
    return pa.types.is_string(type_) or pa.types.is_large_string(type_)


def _by_feast(column: Column, kind: str, name: str) -> Column:
    from feast.type_map import python_values_to_proto_values
    from feast.value_type import ValueType

    values = [_plain(value) for value in column.to_pylist()]
    try:
        messages = python_values_to_proto_values(values, ValueType[kind])
    # Feast raises a bare Exception for types that it does not know.
    except Exception as error:
        raise _unfit(kind, name, column.type, type(error).__name__) from error
    return pa.array([message.SerializeToString() for message in messages], pa.large_binary())


def _plain(value: Any) -> Any:
    """Arrow's maps are lists of pairs, where Feast wants a dict."""
    is_map = isinstance(value, list) and value and isinstance(value[0], tuple)
    return dict(value) if is_map else value


def _unfit(kind: str, name: str, type_: pa.DataType, why: str) -> MaterializationError:
    # Arrow's text may quote the value.
    reason = why if "NULL" in why else "a value cannot be one of Feast's type"
    return MaterializationError(
        f"the feature cannot be written to the online store: {reason}",
        field=name,
        received=type_,
        allowed=kind,
        action="cast the column in the view's SQL",
    )


def _value_field(kind: str) -> str:
    return f"{kind.lower()}_val"


@cache
def _field_number(field: str) -> int:
    from feast.protos.feast.types.Value_pb2 import Value

    number: int = Value.DESCRIPTOR.fields_by_name[field].number
    return number


def texts_of(column: Column, kind: str) -> list[str | None]:
    """What Feast's SQLite store keeps beside a value, to search in: text, numbers and booleans.

    Numbers are written as Python writes them, as Feast does.
    """
    if kind not in _TEXT_OF:
        return [None] * len(column)
    texts = _TEXT_OF[kind](column)
    return cast("list[str | None]", texts.to_numpy(zero_copy_only=False).tolist())


def _text_of_floats(column: Column) -> Column:
    numbers = column.cast(pa.float64())
    plain: Any = numbers.cast(pa.string())
    whole = compute.invert(compute.match_substring_regex(plain, r"[.en]"))
    plain = compute.if_else(whole, compute.binary_join_element_wise(plain, "0", "."), plain)
    # Arrow changes to exponents at other sizes than Python does.
    size = compute.abs(numbers)
    is_far = compute.or_(compute.less(size, 1e-4), compute.greater_equal(size, 1e16))
    odd = compute.or_(is_far, compute.match_substring(plain, "e"))
    odd = compute.fill_null(compute.and_(odd, compute.not_equal(size, 0.0)), False)
    if not compute.any(odd).as_py():
        return cast(Column, plain)
    own = pa.array([repr(number) for number in numbers.filter(odd).to_pylist()], pa.string())
    return cast(Column, compute.replace_with_mask(plain, odd, own))


def _text_of_booleans(column: Column) -> Column:
    return cast(Column, compute.if_else(column, "True", "False"))


_TEXT_OF: dict[str, Callable[[Column], Any]] = {
    "STRING": lambda column: column.cast(pa.large_string()),
    "INT32": lambda column: column.cast(pa.string()),
    "INT64": lambda column: column.cast(pa.string()),
    "FLOAT": lambda column: _text_of_floats(column.cast(pa.float32(), safe=False)),
    "DOUBLE": _text_of_floats,
    "BOOL": _text_of_booleans,
}
