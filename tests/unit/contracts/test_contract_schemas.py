"""A contract's columns as an Arrow schema."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from support.contracts import contract_text, line_of, load_text, orders
from support.problems import only_problem, place, problems_of

from quality_platform.contracts.loading import load_contract
from quality_platform.contracts.schemas import arrow_schema
from quality_platform.errors import ContractError

CASES = Path(__file__).parents[2] / "cases" / "odcs"

TYPES = {
    "s": pa.string(),
    "s_text": pa.string(),
    "s_varchar": pa.string(),
    "s_binary": pa.binary(),
    "i": pa.int64(),
    "i_int": pa.int32(),
    "i_integer": pa.int32(),
    "i_long": pa.int64(),
    "i_bigint": pa.int64(),
    "n": pa.float64(),
    "n_float": pa.float32(),
    "n_real": pa.float32(),
    "n_double": pa.float64(),
    "n_int": pa.int32(),
    "n_long": pa.int64(),
    "n_decimal": pa.decimal128(10, 2),
    "n_largest": pa.decimal128(38, 38),
    "b": pa.bool_(),
    "b_bool": pa.bool_(),
    "d": pa.date32(),
    "t": pa.timestamp("us", "UTC"),
    "t_plain": pa.timestamp("us"),
    "t_zoned": pa.timestamp("us", "UTC"),
}


def schema_of(folder: Path, *properties: str) -> pa.Schema:
    (table,) = load_text(folder, orders(*properties)).objects
    return arrow_schema(table)


def test_every_type_that_a_table_can_have_in_the_contracts_order():
    (table,) = load_contract(CASES / "types.odcs.yaml").objects
    schema = arrow_schema(table)
    assert {field.name: field.type for field in schema} == TYPES
    assert schema.names == list(table.column_names)


def test_required_columns_and_keys_are_not_nullable(tmp_path: Path):
    schema = schema_of(
        tmp_path,
        "{name: a, logicalType: integer}",
        "{name: b, logicalType: integer, required: true}",
        "{name: c, logicalType: integer, primaryKey: true}",
        "{name: d, logicalType: integer, unique: true}",
    )
    assert [field.nullable for field in schema] == [True, False, False, True]


def test_a_description_stands_in_the_fields_metadata(tmp_path: Path):
    schema = schema_of(
        tmp_path,
        "{name: a, logicalType: integer, description: '  What it is. '}",
        "{name: b, logicalType: integer}",
    )
    assert schema.field("a").metadata == {b"doc": b"What it is."}
    assert schema.field("b").metadata is None


@pytest.mark.parametrize(
    ("logical", "physical"),
    [
        ("string", "int"),
        ("integer", "string"),
        ("integer", "decimal(5,2)"),
        ("number", "decimal(0,0)"),
        ("number", "decimal(39,0)"),
        ("number", "decimal(5,6)"),
        ("boolean", "int"),
        ("timestamp", "date"),
    ],
)
def test_a_physical_type_that_does_not_fit_is_told_with_its_line(
    tmp_path: Path, logical: str, physical: str
):
    text = orders(
        "{name: ok, logicalType: integer}",
        f"{{name: a, logicalType: {logical}, physicalType: '{physical}'}}",
    )
    (table,) = load_text(tmp_path, text).objects
    problem = only_problem(ContractError, lambda: arrow_schema(table))
    assert (problem.field, problem.received) == ("physicalType", physical)
    assert place(problem) == ("contract.odcs.yaml", line_of(text, "name: a,"))
    assert problem.allowed


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ("logicalType: object", "properties"),
        ("logicalType: array", "items"),
        ("logicalType: array, physicalType: json", "items"),
    ],
)
def test_a_column_that_does_not_say_what_it_holds_is_told(tmp_path: Path, entry: str, key: str):
    (table,) = load_text(tmp_path, orders(f"{{name: a, {entry}}}")).objects
    problem = only_problem(ContractError, lambda: arrow_schema(table))
    assert problem.field == key
    assert "logicalType: string" in problem.action


@pytest.mark.parametrize("entry", ["{name: a}", "{name: a, physicalType: geometry}"])
def test_a_column_whose_type_cannot_be_told_loads_and_has_no_type(tmp_path: Path, entry: str):
    (table,) = load_text(tmp_path, orders(entry)).objects
    assert table.properties[0].logical_type == ""
    problem = only_problem(ContractError, lambda: arrow_schema(table))
    assert (problem.field, problem.received) == ("logicalType", "nothing")
    assert problem.allowed.startswith("string, integer, number, boolean, date, timestamp, time")


def test_an_object_without_columns_loads_and_has_no_schema(tmp_path: Path):
    (table,) = load_text(tmp_path, contract_text("schema:\n- name: t\n")).objects
    problem = only_problem(ContractError, lambda: arrow_schema(table))
    assert problem.field == "properties"
    assert place(problem) == ("contract.odcs.yaml", 7)


def test_every_column_that_does_not_fit_is_told_at_once(tmp_path: Path):
    text = orders(
        "{name: a, logicalType: time, physicalType: timetz}",
        "{name: b, logicalType: string}",
        "{name: c, logicalType: date, physicalType: int}",
    )
    (table,) = load_text(tmp_path, text).objects
    problems = problems_of(ContractError, lambda: arrow_schema(table))
    assert [place(problem)[1] for problem in problems] == [
        line_of(text, "name: a,"),
        line_of(text, "name: c,"),
    ]
