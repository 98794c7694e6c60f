"""Values and keys, encoded column by column, against Feast's own code."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality_platform.errors import MaterializationError
from quality_platform.feature_store.key_encoding import (
    decoded_key,
    encoded_key,
    encoded_keys,
    key_prefix,
)
from quality_platform.feature_store.value_encoding import encoded_values, texts_of, why_stock

with warnings.catch_warnings():
    # Feast's modules switch on the deprecation warnings of the whole process.
    from feast.infra.key_encoding_utils import serialize_entity_key, serialize_entity_key_prefix
    from feast.infra.online_stores.helpers import extract_text_and_num
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value
    from feast.type_map import python_values_to_proto_values
    from feast.value_type import ValueType

INT32 = st.integers(-(2**31), 2**31 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)
SECOND = st.integers(-(10**10), 10**10).map(lambda s: datetime.fromtimestamp(s, UTC))
TEXT = st.text(max_size=300)
SCALARS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "BOOL": (pa.bool_(), st.booleans()),
    "INT32": (pa.int32(), INT32),
    "INT64": (pa.int64(), INT64),
    "FLOAT": (pa.float32(), st.floats(width=32, allow_nan=False)),
    "DOUBLE": (pa.float64(), st.floats(allow_nan=False)),
    "STRING": (pa.string(), TEXT),
    "BYTES": (pa.binary(), st.binary(max_size=300)),
    "UNIX_TIMESTAMP": (pa.timestamp("us", "UTC"), SECOND),
    "DECIMAL": (pa.decimal128(20, 6), st.decimals(-(10**13), 10**13, places=6)),
    "UUID": (pa.string(), st.uuids().map(str)),
}
IN_LISTS = [kind for kind in SCALARS if kind != "UUID"]


def by_feast(values: list[Any], kind: str) -> list[bytes]:
    found = python_values_to_proto_values(values, ValueType[kind])
    return [message.SerializeToString() for message in found]


@pytest.mark.parametrize("kind", SCALARS)
def test_a_column_is_encoded_as_feast_encodes_its_values(kind: str) -> None:
    type_, values = SCALARS[kind]

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.none() | values, min_size=1, max_size=20))
    def same(some: list[Any]) -> None:
        # Where all bytes are empty, Feast takes them for missing.
        cells = [b"x", *some] if kind == "BYTES" else some
        column = pa.array(cells, type_)
        assert why_stock(type_, kind) == ""
        assert encoded_values(column, kind, "f").to_pylist() == by_feast(cells, kind)
        sliced = pa.concat_arrays([column, column, column]).slice(len(cells), len(cells))
        assert encoded_values(sliced, kind, "f").to_pylist() == by_feast(cells, kind)

    same()


@pytest.mark.parametrize("kind", IN_LISTS)
def test_a_column_of_lists_is_encoded_as_feast_encodes_them(kind: str) -> None:
    type_, values = SCALARS[kind]

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.none() | st.lists(values, max_size=5), min_size=1, max_size=12))
    def same(cells: list[Any]) -> None:
        column = pa.array(cells, pa.list_(type_))
        expected = [
            Value() if cell is None else Value(**{f"{kind.lower()}_list_val": {"val": listed}})
            for cell in cells
            for listed in [_as_feast_has_it(cell or [], kind)]
        ]
        found = encoded_values(column, f"{kind}_LIST", "f").to_pylist()
        assert found == [message.SerializeToString() for message in expected]
        sliced = pa.concat_arrays([column, column]).slice(len(cells), len(cells))
        assert encoded_values(sliced, f"{kind}_LIST", "f").to_pylist() == found

    same()


def _as_feast_has_it(items: list[Any], kind: str) -> list[Any]:
    if kind == "UNIX_TIMESTAMP":
        return [int(item.timestamp()) for item in items]
    return [str(item) for item in items] if kind == "DECIMAL" else items


def test_nan_and_infinities_stay_what_they_are() -> None:
    column = pa.array([float("nan"), float("inf"), None])
    first, second, third = map(Value.FromString, encoded_values(column, "DOUBLE", "f").to_pylist())
    assert first.double_val != first.double_val
    assert second.double_val == float("inf")
    assert third.WhichOneof("val") is None


@pytest.mark.parametrize(
    ("kind", "type_", "value"),
    [
        ("MAP", pa.map_(pa.string(), pa.string()), {"a": "1", "b": "2"}),
        ("JSON", pa.string(), '{"a": 1}'),
        ("STRUCT", pa.struct([("a", pa.int64())]), {"a": 1}),
        ("VALUE_LIST", pa.list_(pa.list_(pa.int64())), [[1, 2], [3]]),
    ],
)
def test_nested_types_are_encoded_by_feast_itself(
    kind: str, type_: pa.DataType, value: Any
) -> None:
    cells = list(value.items()) if kind == "MAP" else value
    found = encoded_values(pa.array([cells, None], type_), kind, "f").to_pylist()
    assert why_stock(type_, kind)
    assert list(map(Value.FromString, found)) == list(
        map(Value.FromString, by_feast([value, None], kind))
    )


@pytest.mark.parametrize(
    ("column", "kind", "what"),
    [
        (pa.array([datetime(2026, 1, 1, 0, 0, 0, 5)]), "UNIX_TIMESTAMP", "whole seconds"),
        (pa.array([2**40]), "INT32", "cannot be one of Feast's type"),
        (pa.array([[1, None]]), "INT64_LIST", "an item of a list is NULL"),
        (pa.array(["no json"]), "JSON", "cannot be one of Feast's type"),
    ],
)
def test_a_value_that_feast_cannot_hold_is_refused_without_showing_it(
    column: Any, kind: str, what: str
) -> None:
    with pytest.raises(MaterializationError, match=what) as caught:
        encoded_values(column, kind, "feature")
    assert "no json" not in str(caught.value)
    assert str(2**40) not in str(caught.value)


@pytest.mark.parametrize("kind", ["BOOL", "INT32", "INT64", "FLOAT", "DOUBLE", "STRING", "BYTES"])
def test_the_text_beside_a_value_is_feasts(kind: str) -> None:
    type_, values = SCALARS[kind]

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.none() | values, min_size=1, max_size=20))
    def same(cells: list[Any]) -> None:
        column = pa.array(cells, type_)
        messages = map(Value.FromString, encoded_values(column, kind, "f").to_pylist())
        expected = [extract_text_and_num(message, compute_num=False)[0] for message in messages]
        assert texts_of(column, kind) == expected

    same()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TEXT, INT32, INT64), min_size=1, max_size=10))
def test_keys_are_those_of_feast(rows: list[tuple[str, int, int]]) -> None:
    kinds = {"origin": "STRING", "carrier": "INT32", "a": "INT64"}
    columns = {
        "origin": pa.array([row[0] for row in rows], pa.string()),
        "carrier": pa.array([row[1] for row in rows], pa.int32()),
        "a": pa.array([row[2] for row in rows], pa.int64()),
    }
    expected = [
        serialize_entity_key(
            EntityKey(
                join_keys=["origin", "carrier", "a"],
                entity_values=[Value(string_val=o), Value(int32_val=c), Value(int64_val=a)],
            ),
            entity_key_serialization_version=3,
        )
        for o, c, a in rows
    ]
    found = encoded_keys(columns, kinds).to_pylist()
    assert found == expected
    assert [decoded_key(key) for key in found] == [
        {"origin": o, "carrier": c, "a": a} for o, c, a in rows
    ]
    [(o, c, a), *_] = rows
    assert encoded_key({"origin": o, "carrier": str(c), "a": a}, kinds) == expected[0]
    assert expected[0].startswith(key_prefix(["origin", "carrier", "a"]))


def test_the_prefix_of_keys_is_the_one_that_feast_looks_for() -> None:
    names = ["origin", "carrier"]
    assert key_prefix(names) == serialize_entity_key_prefix(names)


@pytest.mark.parametrize("broken", [b"", b"\x01", b"\x01\0\0\0\x02\0\0\0\xff\0\0\0a"])
def test_what_is_no_key_is_told(broken: bytes) -> None:
    with pytest.raises(ValueError, match="no entity key"):
        decoded_key(broken)


def test_decimals_are_written_as_python_writes_them() -> None:
    numbers = [Decimal("0.000000"), Decimal("-1.500000"), Decimal("0.000001"), None]
    column = pa.array(numbers, pa.decimal128(20, 6))
    found = map(Value.FromString, encoded_values(column, "DECIMAL", "f").to_pylist())
    assert [message.decimal_val for message in found] == [
        str(number) if number is not None else "" for number in numbers
    ]
