"""What stands within a column: its parts, their rules and foreign keys, by their paths."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.contracts import line_of, load_text, orders
from support.problems import only_problem, place

from quality_platform.contracts.models import Contract
from quality_platform.errors import ContractError

RULE = "quality: [{metric: nullValues, mustBe: 0}]"
PROPERTIES = (
    f"{{name: id, logicalType: integer, {RULE}}}",
    "{name: address, logicalType: object, properties: ["
    f"{{name: city, id: city_id, logicalType: string, classification: restricted, {RULE}}}]}}",
    "{name: tags, logicalType: array, "
    f"items: {{logicalType: string, enum: [{{value: a}}], {RULE}}}}}",
    "{name: lines, logicalType: array, items: {logicalType: object, properties: ["
    f"{{name: sku, logicalType: string, relationships: [{{to: products.sku}}], {RULE}}}]}}}}",
    f"{{name: names, logicalType: map, map: {{key: {{logicalType: string, {RULE}}}, "
    f"value: {{logicalType: object, properties: [{{name: x, logicalType: date, {RULE}}}]}}}}}}",
)


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    return load_text(tmp_path, orders(*PROPERTIES, api_version="v3.2.0"))


def test_parts_are_read_at_each_depth(contract: Contract):
    _, address, tags, lines, names = contract.objects[0].properties
    assert [part.name for part in address.properties] == ["city"]
    assert tags.items is not None
    assert (tags.items.name, tags.items.logical_type, tags.items.enum) == (
        "tags[]",
        "string",
        ("a",),
    )
    assert lines.items is not None
    assert lines.items.name == "lines[]"
    assert [part.name for part in lines.items.properties] == ["sku"]
    assert names.map_key is not None
    assert names.map_value is not None
    assert (names.map_key.name, names.map_value.name) == ("names{key}", "names{value}")
    assert [part.name for part in names.parts] == ["names{key}", "names{value}"]


def test_rules_of_parts_name_their_path(contract: Contract):
    assert [rule.column for rule in contract.objects[0].quality] == [
        "id",
        "address.city",
        "tags[]",
        "lines[].sku",
        "names{key}",
        "names{value}.x",
    ]


def test_foreign_keys_of_parts_name_their_path(contract: Contract):
    (link,) = contract.objects[0].relationships
    assert (link.columns, link.to_object, link.to_columns) == (
        ("lines[].sku",),
        "products",
        ("sku",),
    )


@pytest.mark.parametrize(
    "to", ["orders.address.city", "schema/orders/properties/address/properties/city_id"]
)
def test_a_foreign_key_may_lead_to_a_part(tmp_path: Path, to: str):
    text = orders(
        *PROPERTIES, relationships=[f"{{from: orders.id, to: {to}}}"], api_version="v3.2.0"
    )
    link = load_text(tmp_path, text).objects[0].relationships[0]
    assert (link.to_object, link.to_columns) == ("orders", ("address.city",))


def test_a_column_with_a_restricted_part_is_restricted(contract: Contract):
    assert contract.objects[0].restricted_columns == {"address"}


def test_two_parts_of_one_name_are_refused(tmp_path: Path):
    part = "{name: a, logicalType: object, properties: [{name: b}, {name: B}]}"
    text = orders("{name: ok, logicalType: integer}", part)
    problem = only_problem(ContractError, lambda: load_text(tmp_path, text))
    assert problem.message == "two entries have the same name"
    assert place(problem) == ("contract.odcs.yaml", line_of(text, "name: a,"))


def test_a_part_without_a_name_is_refused(tmp_path: Path):
    text = orders("{name: a, logicalType: object, properties: [{name: '', logicalType: date}]}")
    problem = only_problem(ContractError, lambda: load_text(tmp_path, text))
    assert problem.message == "a property needs a name"


def test_an_unknown_key_of_a_part_is_told(tmp_path: Path):
    text = orders("{name: a, logicalType: array, items: {logicalType: string, requird: true}}")
    problem = only_problem(ContractError, lambda: load_text(tmp_path, text))
    assert (problem.message, problem.action) == (
        "unknown key 'requird'",
        "did you mean 'required'?",
    )
    assert problem.field == "schema.0.properties.0.items"


def test_what_people_read_of_a_column_is_there(tmp_path: Path):
    entry = (
        "{name: a, logicalType: string, criticalDataElement: true, businessName: Kind, "
        "examples: [x, y], enum: [{value: x, label: An X}, {value: y}], "
        "customProperties: [{property: p, value: 1}]}"
    )
    (column,) = load_text(tmp_path, orders(entry, api_version="v3.2.0")).objects[0].properties
    assert (column.is_critical, column.business_name) == (True, "Kind")
    assert (column.examples, column.enum) == (("x", "y"), ("x", "y"))
    assert column.custom == {"p": 1}
    assert column.entry["enum"][0]["label"] == "An X"
