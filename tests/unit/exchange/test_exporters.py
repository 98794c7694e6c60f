"""Contracts in other formats: nested columns, dialects, pages for people."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
import sqlglot
from jsonschema import Draft202012Validator
from support.contracts import contract_text, load_text, orders
from support.exchanged import lost

from quality_platform.contracts.loading import load_contract
from quality_platform.contracts.models import Contract
from quality_platform.errors import ConfigurationError
from quality_platform.exchange.exporters.ddl import DIALECTS, export_ddl
from quality_platform.exchange.exporters.json_schema import export_json_schema
from quality_platform.exchange.exporters.markdown import export_markdown

DEMO = sorted((Path(__file__).parents[3] / "contracts").glob("*.odcs.yaml"))
NESTED = orders(
    "{name: id, logicalType: integer, primaryKey: true}",
    "{name: state, logicalType: string, enum: [{value: new}, {value: paid}]}",
    "{name: address, logicalType: object, description: Where it goes., properties: ["
    "{name: city, logicalType: string, required: true, logicalTypeOptions: {maxLength: 5}}, "
    "{name: zip, logicalType: string, quality: [{name: zip_form, metric: invalidValues, "
    "mustBe: 0, arguments: {pattern: '^[0-9]+$'}}]}]}",
    "{name: tags, logicalType: array, logicalTypeOptions: {maxItems: 2}, items: "
    "{logicalType: string, logicalTypeOptions: {minLength: 2}}}",
    "{name: lines, logicalType: array, items: {logicalType: object, properties: "
    "[{name: sku, logicalType: string}, {name: at, logicalType: timestamp}]}}",
    "{name: small, logicalType: integer, logicalTypeOptions: {format: u8}}",
    "{name: step, logicalType: number, logicalTypeOptions: {multipleOf: 0.5, minimum: 0}}",
    "{name: mail, logicalType: string, logicalTypeOptions: {format: email}}",
)


@pytest.fixture
def nested(tmp_path: Path) -> Contract:
    return load_text(tmp_path, NESTED)


@pytest.mark.parametrize(
    ("change", "is_valid"),
    [
        ({}, True),
        ({"id": None}, False),
        ({"state": "lost"}, False),
        ({"state": None}, True),
        ({"address": {"city": "Berlin"}}, False),
        ({"address": {"city": None, "zip": "1"}}, False),
        ({"address": {"city": "Rome", "zip": "x"}}, False),
        ({"address": {"city": "Rome", "street": "x"}}, False),
        ({"address": None}, True),
        ({"tags": ["aa", "b"]}, False),
        ({"tags": ["aa", "bb", "cc"]}, False),
        ({"tags": ["aa", None]}, True),
        ({"lines": [{"sku": "x", "at": "2024-01-01T00:00:00Z"}]}, True),
        ({"lines": [{"sku": 7}]}, False),
        ({"small": 256}, False),
        ({"step": 0.25}, False),
        ({"step": -1}, False),
    ],
)
def test_the_schema_judges_nested_values(
    nested: Contract, change: dict[str, object], is_valid: bool
) -> None:
    exported = export_json_schema(nested, nested.objects[0])

    row = {"id": 1, "state": "new", "address": {"city": "Rome", "zip": "00100"}, **change}
    schema = json.loads(exported.text)
    Draft202012Validator.check_schema(schema)
    assert Draft202012Validator(schema).is_valid(row) == is_valid


def test_the_schema_says_all_that_single_values_must_be(nested: Contract) -> None:
    exported = export_json_schema(nested, nested.objects[0])

    schema = json.loads(exported.text)
    assert schema["properties"]["mail"]["format"] == "email"
    assert schema["properties"]["address"]["description"] == "Where it goes."
    told = {loss.what for loss in exported.losses}
    assert told == {"the check primary_key_unique", "the option format of small"}


def test_duckdb_makes_nested_columns(nested: Contract) -> None:
    made = export_ddl(nested, nested.objects[0], "duckdb")

    with duckdb.connect() as connection:
        connection.execute(made.text)
        connection.execute(
            "INSERT INTO orders VALUES (1, 'new', {'city': 'Rome', 'zip': '1'}, ['aa'], "
            "[{'sku': 'x', 'at': TIMESTAMPTZ '2024-01-01 00:00:00+00'}], 7, 0.5, 'a@b.c')"
        )
        kinds = connection.execute(
            "SELECT data_type FROM duckdb_columns() WHERE table_name = 'orders'"
        ).fetchall()
        with pytest.raises(duckdb.ConstraintException):
            connection.execute("INSERT INTO orders (id, state) VALUES (2, 'lost')")
        with pytest.raises(duckdb.ConstraintException):
            connection.execute("INSERT INTO orders (id, small) VALUES (2, 256)")
    assert [kind for (kind,) in kinds][2:5] == [
        "STRUCT(city VARCHAR, zip VARCHAR)",
        "VARCHAR[]",
        'STRUCT(sku VARCHAR, "at" TIMESTAMP WITH TIME ZONE)[]',
    ]
    assert lost(made.losses, "check zip_form: it judges a part of a column")
    assert lost(made.losses, "check step_in_range: in part")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("path", DEMO, ids=lambda path: path.name)
def test_every_demo_table_is_sql_of_every_dialect(path: Path, dialect: str) -> None:
    contract = load_contract(path)

    made = export_ddl(contract, contract.objects[0], dialect)

    statements = [s for s in sqlglot.parse(made.text, read=dialect) if s is not None]
    assert type(statements[0]).__name__ == "Create"
    assert {type(s).__name__ for s in statements} <= {"Create", "Comment", "Alter"}


@pytest.mark.parametrize(
    ("dialect", "has", "has_not"),
    [
        ("snowflake", "COMMENT 'It''s the number.'", "CHECK"),
        ("databricks", "ADD CONSTRAINT `state_known` CHECK (`state` IN ('new'))", "UNIQUE"),
        ("spark", "`id` BIGINT NOT NULL", "PRIMARY KEY"),
        ("bigquery", "PRIMARY KEY (`id`) NOT ENFORCED", "CHECK"),
        ("postgres", "COMMENT ON COLUMN \"orders\".\"id\" IS 'It''s the number.'", "OPTIONS"),
    ],
)
def test_a_dialect_gets_what_it_has(tmp_path: Path, dialect: str, has: str, has_not: str) -> None:
    contract = load_text(
        tmp_path,
        orders(
            "{name: id, logicalType: integer, primaryKey: true, description: It's the number.}",
            "{name: code, logicalType: string, unique: true}",
            "{name: state, logicalType: string, quality: [{name: state_known, mustBe: 0, "
            "metric: invalidValues, arguments: {validValues: [new]}}]}",
        ),
    )

    made = export_ddl(contract, contract.objects[0], dialect)

    assert has.replace("''", "\\'") in made.text or has in made.text
    assert has_not not in made.text
    lacks = {"UNIQUE": "code_unique", "CHECK": "state_known", "PRIMARY KEY": "primary_key_unique"}
    if has_not in lacks:
        assert lost(made.losses, f"check {lacks[has_not]}: {dialect} has no such constraint")


def test_names_and_texts_of_a_contract_cannot_leave_their_place_in_the_sql(tmp_path: Path) -> None:
    name = 'a\\"); DROP TABLE x; --'
    contract = load_text(
        tmp_path,
        orders(f'{{name: "{name}", logicalType: string, description: "x\'); DROP TABLE x; --"}}'),
    )

    made = export_ddl(contract, contract.objects[0], "duckdb")

    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE x (i INT)")
        connection.execute(made.text)
        assert connection.execute("SELECT count(*) FROM x").fetchall() == [(0,)]


def test_an_unknown_dialect_is_told_with_the_nearest(nested: Contract) -> None:
    with pytest.raises(ConfigurationError) as raised:
        export_ddl(nested, nested.objects[0], "postgress")

    assert "'postgres'" in str(raised.value)


PAGE = """team:
  name: Sales
  members: [{username: ann@example.org, role: owner}]
description: {purpose: All orders., limitations: None yet.}
servers: [{server: prod, type: postgres, host: db, port: 5432, database: shop, schema: public}]
support: [{channel: orders, tool: email, url: 'mailto:ann@example.org'}]
price: {priceAmount: 9.95, priceCurrency: EUR, priceUnit: megabyte}
roles: [{role: reader, access: read}]
slaProperties: [{property: frequency, value: 1, unit: d}]
"""
PAGE_SCHEMA = """schema:
- name: orders
  description: One row | an order.
  quality:
  - {name: few, metric: rowCount, mustBeLessThan: 5, severity: warning, description: Not many.}
  - {name: careful, type: text, description: "<script>alert(1)</script>"}
  properties:
  - {name: id, logicalType: integer, primaryKey: true, businessName: Order number}
  - name: mail
    logicalType: string
    classification: confidential
    criticalDataElement: true
    examples: [a@b.c]
    logicalTypeOptions: {maxLength: 9}
  - {name: address, logicalType: object, properties: [{name: city, logicalType: string}]}
"""


@pytest.mark.parametrize(
    "line",
    [
        "# shop-orders",
        "All orders.",
        "**Limitations:** None yet.",
        "- **Owner:** ann@example.org",
        "## orders",
        "One row \\| an order.",
        "Primary key: id.",
        "| id (key) | integer | yes |  | Order number. |",
        "| mail | string |  | confidential, critical | For example a@b.c. |",
        "| address.city | string |  |  |  |",
        "| few | \\< 5: Not many. | warning: it is reported |  |",
        "| mail\\_length | the length of mail is not within \\[0, 9\\] "
        "| error: the row is quarantined |  |",
        "- \\<script\\>alert(1)\\</script\\>",
        "| frequency | 1 d |  |  |",
        "| prod | postgres |  | host db, port 5432, database shop, schema public |",
        "| reader | read |  |  |",
        "| orders | email |  | mailto:ann@example.org |",
        "9.95 EUR per megabyte",
    ],
)
def test_the_page_tells_people(tmp_path: Path, line: str) -> None:
    contract = load_text(tmp_path, contract_text(PAGE_SCHEMA, more=PAGE))

    assert line in export_markdown(contract).text.splitlines()


@pytest.mark.parametrize("path", DEMO, ids=lambda path: path.name)
def test_the_page_of_a_demo_contract_names_every_column_and_check(path: Path) -> None:
    contract = load_contract(path)

    text = export_markdown(contract).text.replace("\\", "")
    (table,) = contract.objects
    assert all(f"| {name}" in text for name in table.column_names)
    assert all(rule.entry["name"] in text for rule in table.quality if rule.entry["type"] != "text")
