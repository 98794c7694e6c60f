"""Rules about parts of a column: what objects, arrays and maps hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.contracts import line_of, orders, specs_of
from support.problems import only_problem, place

from quality_platform.checks.nested import columns_read
from quality_platform.checks.specs import (
    CheckSpec,
    InRange,
    InSet,
    Matches,
    Nested,
    NotMissing,
    NotNull,
    Scope,
)
from quality_platform.checks.thresholds import Operator
from quality_platform.errors import ContractError

ID = "{name: id, logicalType: integer}"


def nested_checks(folder: Path, *columns: str) -> dict[str, CheckSpec]:
    """The checks of these columns, by name."""
    specs = specs_of(folder, orders(*columns, api_version="v3.2.0"))
    return {name: spec for name, spec in specs.items() if name != "conforms_to_schema"}


def address(city: str) -> str:
    """A column `address` that has a city."""
    return f"{{name: address, logicalType: object, properties: [{{name: city, {city}}}]}}"


def test_a_property_of_an_object_is_judged_by_its_path(tmp_path: Path):
    specs = nested_checks(tmp_path, address("logicalType: string, required: true"))
    spec = specs["address_city_not_null"]
    assert spec.claim == Nested("address", ("city",), NotNull("address.city"))
    assert (spec.scope, spec.columns) == (Scope.ROW, ("address.city",))
    assert spec.description == "address.city has a value."


def test_the_items_of_an_array_are_judged_each(tmp_path: Path):
    column = (
        "{name: tags, logicalType: array, "
        "items: {logicalType: string, logicalTypeOptions: {pattern: ^a}}}"
    )
    specs = nested_checks(tmp_path, column)
    assert specs["tags_item_pattern"].claim == Nested("tags", ("[]",), Matches("tags[]", "^a"))


def test_objects_in_arrays_in_objects_are_reached(tmp_path: Path):
    column = (
        "{name: cart, logicalType: object, properties: [{name: lines, logicalType: array, "
        "items: {logicalType: object, properties: "
        "[{name: qty, logicalType: integer, logicalTypeOptions: {minimum: 1}}]}}]}"
    )
    spec = nested_checks(tmp_path, column)["cart_lines_item_qty_in_range"]
    inner = InRange("cart.lines[].qty", 1, None)
    assert spec.claim == Nested("cart", ("lines", "[]", "qty"), inner)


def test_an_object_can_list_the_properties_that_it_needs(tmp_path: Path):
    column = address("logicalType: string")[:-1] + ", logicalTypeOptions: {required: [city]}}"
    spec = nested_checks(tmp_path, column)["address_city_not_null"]
    assert spec.claim == Nested("address", ("city",), NotNull("address.city"))


@pytest.mark.parametrize(
    ("rule", "inner"),
    [
        ("metric: nullValues, mustBe: 0", NotNull("address.city")),
        (
            "metric: missingValues, mustBe: 0, arguments: {missingValues: ['', null]}",
            NotMissing("address.city", ("", None)),
        ),
        (
            "metric: invalidValues, mustBe: 0, arguments: {validValues: [Ulm]}",
            InSet("address.city", ("Ulm",)),
        ),
        (
            "metric: invalidValues, mustBe: 0, arguments: {pattern: x}",
            Matches("address.city", "x"),
        ),
    ],
)
def test_a_stated_rule_of_a_nested_property_is_about_its_path(tmp_path: Path, rule: str, inner):
    column = address(f"logicalType: string, quality: [{{{rule}}}]")
    ((name, spec),) = nested_checks(tmp_path, column).items()
    assert spec.claim == Nested("address", ("city",), inner)
    assert name.startswith("address_city_")


def test_a_share_of_a_nested_property_is_a_gate(tmp_path: Path):
    rule = "{metric: nullValues, mustBeLessThan: 5, unit: percent}"
    column = address(f"logicalType: string, quality: [{rule}]")
    ((_, spec),) = nested_checks(tmp_path, column).items()
    assert (spec.scope, spec.threshold.operator) == (Scope.GATE, Operator.LESS)


def test_names_of_nested_checks_keep_clear_of_those_of_columns(tmp_path: Path):
    flat = "{name: address_city, logicalType: string, required: true}"
    specs = nested_checks(tmp_path, flat, address("logicalType: string, required: true"))
    assert specs["address_city_not_null"].columns == ("address_city",)
    assert specs["address_city_not_null_2"].columns == ("address.city",)


def test_a_columns_own_name_goes_before_a_path_of_the_same_text(tmp_path: Path):
    rule = "quality: [{metric: nullValues, mustBe: 0}]"
    flat = f"{{name: address.city, logicalType: string, {rule}}}"
    specs = nested_checks(tmp_path, address("logicalType: string"), flat)
    assert specs["address_city_nullValues"].claim == NotNull("address.city")


def test_a_check_of_a_part_is_shown_with_the_column_that_holds_it(tmp_path: Path):
    condition = "customProperties: [{property: rowCondition, value: id > 0}]"
    rule = f"{{name: r, metric: nullValues, mustBe: 0, {condition}}}"
    city = f"logicalType: string, required: true, quality: [{rule}]"
    specs = nested_checks(tmp_path, ID, address(city))
    assert columns_read(specs["address_city_not_null"]) == ("address",)
    assert specs["r"].columns == ("address.city", "id")
    assert columns_read(specs["r"]) == ("address", "id")


@pytest.mark.parametrize(
    ("city", "message"),
    [
        ("logicalType: string, unique: true", "uniqueness and keys are about whole columns"),
        ("logicalType: string, primaryKey: true", "uniqueness and keys are about whole columns"),
        *(
            (f"logicalType: string, {rule}", "'address.city' is a part of a column")
            for rule in (
                "quality: [{metric: duplicateValues, mustBe: 0}]",
                "quality: [{type: sql, query: 'SELECT 1', mustBe: 1}]",
                "quality: [{type: custom, engine: soda, implementation: {missing: {}}}]",
                "quality: [{type: custom, engine: greatExpectations, "
                "implementation: {type: expect_column_values_to_not_be_null}}]",
                "relationships: [{to: customers.id}]",
            )
        ),
    ],
)
def test_what_needs_a_whole_column_is_refused(tmp_path: Path, city: str, message: str):
    text = orders(ID, address(city))
    problem = only_problem(ContractError, lambda: specs_of(tmp_path, text))
    assert message in problem.message
    assert place(problem) == ("contract.odcs.yaml", line_of(text, "name: address"))
    assert problem.action


def test_a_predicate_reads_a_part_of_an_object(tmp_path: Path):
    rule = (
        "{name: p, type: text, customProperties: "
        "[{property: rowPredicate, value: \"address.city <> 'Ulm'\"}]}"
    )
    text = orders(address("logicalType: string"), quality=[rule])
    spec = specs_of(tmp_path, text)["p"]
    assert spec.claim.predicate == "STRUCT_EXTRACT(\"address\", 'city') <> 'Ulm'"  # type: ignore[union-attr]
    assert spec.columns == ("address",)
