"""What the options, the enum and the physical type of a column imply."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from support.contracts import line_of, orders, specs_of
from support.problems import only_problem, place

from quality_platform.checks.specs import (
    HasFormat,
    InRange,
    InSet,
    ItemCount,
    LengthBetween,
    MultipleOf,
    PropertyCount,
    Scope,
    UniqueItems,
)
from quality_platform.checks.thresholds import NONE_ALLOWED
from quality_platform.errors import ContractError


def claims(folder: Path, column: str) -> dict[str, object]:
    """The claims about the one column `c`, by name."""
    specs = specs_of(folder, orders(f"{{name: c, {column}}}", api_version="v3.2.0"))
    return {name: spec.claim for name, spec in specs.items() if name != "conforms_to_schema"}


@pytest.mark.parametrize(
    ("column", "name", "claim"),
    [
        (
            "logicalType: integer, logicalTypeOptions: {multipleOf: 5}",
            "c_multiple_of",
            MultipleOf("c", Decimal(5)),
        ),
        (
            "logicalType: number, logicalTypeOptions: {multipleOf: 0.05}",
            "c_multiple_of",
            MultipleOf("c", Decimal("0.05")),
        ),
        (
            "logicalType: string, enum: [{value: a}, {value: b, label: B}]",
            "c_enum",
            InSet("c", ("a", "b")),
        ),
        ("logicalType: integer, enum: [{value: 1}]", "c_enum", InSet("c", (1,))),
        ("logicalType: date, enum: [{value: 2020-01-01}]", "c_enum", InSet("c", ("2020-01-01",))),
        ("logicalType: boolean, enum: [{value: true}]", "c_enum", InSet("c", (True,))),
        (
            "logicalType: string, logicalTypeOptions: {format: email}",
            "c_format",
            HasFormat("c", "email"),
        ),
        (
            "logicalType: string, logicalTypeOptions: {format: URL}",
            "c_format",
            HasFormat("c", "uri"),
        ),
        (
            "logicalType: integer, logicalTypeOptions: {format: u8}",
            "c_type_range",
            InRange("c", 0, 255),
        ),
        (
            "logicalType: integer, physicalType: smallint",
            "c_type_range",
            InRange("c", -32768, 32767),
        ),
        (
            "logicalType: string, physicalType: varchar(36)",
            "c_type_length",
            LengthBetween("c", None, 36),
        ),
        (
            "logicalType: array, items: {logicalType: string}, "
            "logicalTypeOptions: {minItems: 1, maxItems: 3}",
            "c_item_count",
            ItemCount("c", 1, 3),
        ),
        (
            "logicalType: array, items: {logicalType: string}, "
            "logicalTypeOptions: {uniqueItems: true}",
            "c_unique_items",
            UniqueItems("c"),
        ),
        (
            "logicalType: object, logicalTypeOptions: {minProperties: 1}, "
            "properties: [{name: a, logicalType: string}, {name: b, logicalType: string}]",
            "c_property_count",
            PropertyCount("c", ("a", "b"), 1, None),
        ),
        (
            "logicalType: timestamp, logicalTypeOptions: {minimum: '2020-01-01T02:00:00+02:00'}",
            "c_in_range",
            InRange("c", "2020-01-01 00:00:00", None),
        ),
    ],
)
def test_an_option_is_a_row_rule_of_its_own(tmp_path: Path, column: str, name: str, claim):
    assert claims(tmp_path, column) == {name: claim}
    text = orders(f"{{name: c, {column}}}", api_version="v3.2.0")
    spec = specs_of(tmp_path, text)[name]
    assert (spec.scope, spec.threshold, spec.columns) == (Scope.ROW, NONE_ALLOWED, ("c",))
    assert spec.description.endswith(".")
    assert spec.location is not None
    assert spec.location.line == line_of(text, "name: c")


@pytest.mark.parametrize(
    "column",
    [
        "logicalType: string, logicalTypeOptions: {format: password}",
        "logicalType: string, logicalTypeOptions: {format: binary}",
        "logicalType: string, logicalTypeOptions: {format: iban}",
        "logicalType: integer, logicalTypeOptions: {format: i64}",
        "logicalType: integer, physicalType: bigint",
        "logicalType: string, physicalType: text",
        "logicalType: string, logicalTypeOptions: {minLength: 0}",
        "logicalType: array, items: {logicalType: string}, logicalTypeOptions: {minItems: 0}",
        "logicalType: array, items: {logicalType: string}, "
        "logicalTypeOptions: {uniqueItems: false}",
    ],
)
def test_what_limits_nothing_is_no_check(tmp_path: Path, column: str):
    names = claims(tmp_path, column)
    assert not names or names == {"c_length": LengthBetween("c", 0, None)}


def test_a_stated_length_that_is_shorter_than_the_types_is_enough(tmp_path: Path):
    column = "logicalType: string, physicalType: varchar(36), logicalTypeOptions: {maxLength: 30}"
    assert claims(tmp_path, column) == {"c_length": LengthBetween("c", None, 30)}


@pytest.mark.parametrize(
    ("column", "field", "received"),
    [
        ("logicalType: integer, enum: [{value: a}]", "enum", "'a'"),
        ("logicalType: string, enum: [{value: NO}]", "enum", "False"),
        ("logicalType: date, logicalTypeOptions: {minimum: 2020-13-01}", "minimum", "'2020-13-01'"),
        (
            "logicalType: timestamp, logicalTypeOptions: {exclusiveMaximum: never}",
            "exclusiveMaximum",
            "'never'",
        ),
    ],
)
def test_a_value_that_the_column_cannot_have_is_told(
    tmp_path: Path, column: str, field: str, received: str
):
    text = orders(f"{{name: c, {column}}}", api_version="v3.2.0")
    problem = only_problem(ContractError, lambda: specs_of(tmp_path, text))
    assert place(problem) == ("contract.odcs.yaml", line_of(text, "name: c"))
    assert (problem.field, problem.received) == (field, received)
