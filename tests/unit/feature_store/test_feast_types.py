"""Types of columns as Feast's: every one that keeps the values, and no other."""

from __future__ import annotations

import pyarrow as pa
import pytest
from feast.field import Field
from feast.types import Array, Struct
from feast.types import Int64 as FeastInt64
from feast.types import String as FeastString

from quality_platform.errors import MaterializationError
from quality_platform.feature_store.feast_types import feast_type, feast_type_of_word

PLAIN = {
    pa.bool_(): "Bool",
    pa.int8(): "Int32",
    pa.int32(): "Int32",
    pa.uint32(): "Int64",
    pa.int64(): "Int64",
    pa.float32(): "Float32",
    pa.float64(): "Float64",
    pa.decimal128(20, 4): "Decimal",
    pa.string(): "String",
    pa.large_string(): "String",
    pa.binary(): "Bytes",
    pa.binary(16): "Bytes",
    pa.date32(): "UnixTimestamp",
    pa.timestamp("us"): "UnixTimestamp",
    pa.timestamp("us", "UTC"): "UnixTimestamp",
    pa.map_(pa.string(), pa.int64()): "Map",
}


@pytest.mark.parametrize("type_", PLAIN, ids=str)
def test_a_column_has_feasts_type(type_: pa.DataType) -> None:
    assert str(feast_type(type_, "column")) == PLAIN[type_]


@pytest.mark.parametrize("type_", [one for one in PLAIN if not pa.types.is_map(one)], ids=str)
def test_a_list_is_an_array(type_: pa.DataType) -> None:
    assert str(feast_type(pa.list_(type_), "column")) == f"Array({PLAIN[type_]})"


STRUCT = pa.struct([("a", pa.int64()), ("b", pa.struct([("c", pa.string())]))])


def test_a_struct_comes_back_from_the_registry_as_it_was() -> None:
    expected = Struct({"a": FeastInt64, "b": Struct({"c": FeastString})})
    for type_, wanted in ((STRUCT, expected), (pa.list_(STRUCT), Array(expected))):
        found = feast_type(type_, "column")
        assert found == wanted
        kept = Field.from_proto(Field(name="x", dtype=found).to_proto()).dtype
        assert kept == wanted


@pytest.mark.parametrize(
    "type_",
    [
        pa.time64("us"),
        pa.duration("us"),
        pa.uint64(),
        pa.null(),
        pa.list_(pa.list_(pa.int64())),
        pa.struct([]),
        pa.struct([("a", pa.timestamp("us"))]),
        pa.struct([("a", pa.list_(pa.int64()))]),
        pa.map_(pa.int64(), pa.string()),
        pa.map_(pa.string(), pa.date32()),
    ],
    ids=str,
)
def test_what_feast_would_change_is_refused(type_: pa.DataType) -> None:
    with pytest.raises(MaterializationError, match="no type for the column"):
        feast_type(type_, "column")


@pytest.mark.parametrize(
    ("word", "type_"),
    [("boolean", "Bool"), ("double", "Float64"), ("list<string>", "Array(String)")],
)
def test_words_of_runner_yaml_have_feasts_types(word: str, type_: str) -> None:
    assert str(feast_type_of_word(word)) == type_
