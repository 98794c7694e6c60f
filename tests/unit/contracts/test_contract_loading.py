"""ODCS files as contracts."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.contracts import contract_text, line_of, load_text, orders

from quality_platform.checks.derive import check_specs
from quality_platform.contracts.loading import load_contract
from quality_platform.contracts.models import Contract, Relationship
from quality_platform.contracts.schemas import arrow_schema

ROOT = Path(__file__).parents[3]
CASES = ROOT / "tests" / "cases" / "odcs"
SHIPPED = sorted((ROOT / "contracts").glob("*.odcs.yaml"))
ID = "{name: id, logicalType: integer}"


def table_of(contract: Contract, name: str):
    return next(table for table in contract.objects if table.name == name)


def test_seven_contracts_are_shipped():
    assert [path.name.removesuffix(".odcs.yaml") for path in SHIPPED] == [
        "airlines",
        "airport_delays_daily",
        "airports",
        "carrier_delays_daily",
        "flights",
        "planes",
        "weather",
    ]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_contract_has_a_schema_and_checks(path: Path):
    tables = {name: name for name in ("airlines", "airports", "planes", "weather", "flights")}
    (table,) = load_contract(path).objects
    assert arrow_schema(table).names == list(table.column_names)
    specs = check_specs(table, tables)
    assert table.primary_key
    assert {"conforms_to_schema", "primary_key_unique"} <= {spec.name for spec in specs}


def test_a_contract_says_who_and_what_it_is():
    contract = load_contract(CASES / "payments.odcs.yaml")
    assert (contract.id, contract.name) == ("2f6f6d3c-8f5e-4a6e-9d0b-3a3f6c1f5f01", "payments")
    assert (contract.version, contract.status, contract.domain) == ("2.1.0", "active", "seller")
    assert contract.purpose == "Payments of sellers, one row each."
    assert contract.tags == ("finance", "payments")
    assert [promise.property for promise in contract.sla] == [
        "latency",
        "generalAvailability",
        "frequency",
    ]
    assert contract.path == CASES / "payments.odcs.yaml"


def test_an_object_and_its_properties_are_read_in_full():
    (table,) = load_contract(CASES / "payments.odcs.yaml").objects
    assert (table.name, table.description, table.tags) == (
        "payments",
        "One row per payment.",
        ("core",),
    )
    paid_on, receiver, country, amount = table.properties
    assert (paid_on.name, paid_on.source_name) == ("paid_on", "txn_ref_dt")
    assert paid_on.description == "Day of the payment."
    assert (receiver.source_name, receiver.classification) == ("receiver", "restricted")
    assert receiver.tags == ("uid",)
    assert (country.required, amount.physical_type) == (False, "decimal(18, 2)")
    assert table.restricted_columns == {"receiver"}


def test_the_primary_key_is_in_the_order_of_its_positions_and_required():
    (table,) = load_contract(CASES / "payments.odcs.yaml").objects
    assert table.primary_key == ("receiver", "paid_on")
    assert [column.required for column in table.properties] == [True, True, False, False]


def test_keys_without_a_position_stay_in_the_order_of_the_columns(tmp_path: Path):
    key = "logicalType: integer, primaryKey: true"
    text = orders(f"{{name: b, {key}}}", f"{{name: a, {key}, primaryKeyPosition: -1}}")
    assert load_text(tmp_path, text).objects[0].primary_key == ("b", "a")


def test_a_position_without_a_key_is_no_key(tmp_path: Path):
    text = orders("{name: a, logicalType: integer, primaryKeyPosition: 1}")
    assert load_text(tmp_path, text).objects[0].primary_key == ()


@pytest.mark.parametrize(
    "team",
    [
        "team: [{username: ann, role: Owner}, {username: bob, role: Product owner}, "
        "{username: cy, role: steward}, {username: dan}]\n",
        "team: {name: Shop, members: [{username: ann, role: Owner}, "
        "{username: bob, role: Product owner}, {username: cy, role: steward}, {username: dan}]}\n",
    ],
    ids=["list of v3.0", "team of v3.1"],
)
def test_the_owners_are_found_in_both_forms_of_a_team(tmp_path: Path, team: str):
    text = contract_text(f"schema: [{{name: t, properties: [{ID}]}}]\n", more=team)
    assert load_text(tmp_path, text).owners == ("ann", "bob")


def test_what_may_be_left_out_has_a_value_of_its_own(tmp_path: Path):
    contract = load_text(tmp_path, orders(ID))
    assert contract.name == "shop-orders"
    assert (contract.domain, contract.purpose, contract.tags, contract.sla) == ("", "", (), ())
    assert contract.owners == ()
    (table,) = contract.objects
    assert (table.description, table.quality, table.relationships) == ("", (), ())
    assert (table.primary_key, table.restricted_columns) == ((), frozenset())


@pytest.mark.parametrize("version", ["v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0", "v3.2.0"])
def test_every_version_3_of_the_standard_is_read(tmp_path: Path, version: str):
    assert load_text(tmp_path, orders(ID, api_version=version)).objects[0].name == "orders"


def test_everything_knows_its_line(tmp_path: Path):
    text = orders(
        "{name: id, logicalType: integer, quality: [{metric: nullValues, mustBe: 0}]}",
        "{name: other, logicalType: integer, relationships: [{to: customers.id}]}",
        quality=["{metric: rowCount, mustBe: 1}"],
        relationships=["{from: orders.id, to: customers.id}"],
    )
    (table,) = load_text(tmp_path, text).objects
    assert table.location.line == line_of(text, "name: orders")
    assert [column.location.line for column in table.properties] == [
        line_of(text, "name: id"),
        line_of(text, "name: other"),
    ]
    assert [rule.location.line for rule in table.quality] == [
        line_of(text, "rowCount"),
        line_of(text, "nullValues"),
    ]
    assert [rule.column for rule in table.quality] == [None, "id"]
    assert [link.location.line for link in table.relationships] == [
        line_of(text, "from: orders.id"),
        line_of(text, "name: other"),
    ]


def ends(link: Relationship):
    return (link.columns, link.to_object, link.to_columns)


def test_relationships_are_read_at_both_levels_by_name_and_by_id():
    table = table_of(load_contract(CASES / "relationships.odcs.yaml"), "orders")
    assert [ends(link) for link in table.relationships] == [
        (("customer_id", "address_number"), "addresses", ("customer_id", "number")),
        (("customer_id",), "customers", ("id",)),
        (("customer_id",), "customers", ("id",)),
        (("replaces",), "orders", ("id",)),
    ]
    assert table.relationships[0].custom == {"name": "order has an address", "severity": "warning"}


def test_custom_properties_of_a_rule_are_read_by_name(tmp_path: Path):
    rule = "{type: text, customProperties: [{property: a, value: [1]}, {property: b, value: }]}"
    (table,) = load_text(tmp_path, orders(ID, quality=[rule])).objects
    assert table.quality[0].custom == {"a": [1], "b": None}


def test_a_contract_of_a_megabyte_loads_in_full(tmp_path: Path):
    def rule(column: int, n: int) -> str:
        return (
            f"{{name: rule_{column}_{n}, metric: invalidValues, mustBeLessThan: {n}, "
            "unit: percent, arguments: {validValues: [red, green, blue]}, dimension: conformity, "
            f"description: 'Below {n} of a hundred values of column {column} have another colour, "
            "whatever the colour of the other columns of the table may be on that day.'}"
        )

    columns = [
        f"{{name: c{n}, logicalType: string, physicalType: varchar({n + 1}), quality: ["
        + ", ".join(rule(n, k) for k in range(20))
        + "]}"
        for n in range(200)
    ]
    text = orders(*columns)
    assert len(text) > 2**20
    (table,) = load_text(tmp_path, text).objects
    assert len(table.properties) == 200
    assert [rule.entry["mustBeLessThan"] for rule in table.quality] == list(range(20)) * 200
    assert table.quality[-1].location.line == line_of(text, "name: c199,")
