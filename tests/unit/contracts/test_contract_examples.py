"""Whole contracts that others wrote, and the constructs of the standard's own examples."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.contracts import contract_text, load_text

from quality_platform.contracts.loading import load_contract
from quality_platform.contracts.models import Price, SupportChannel
from quality_platform.contracts.schemas import arrow_schema

EXAMPLES = Path(__file__).parents[2] / "cases" / "odcs" / "examples"


def test_the_full_example_of_the_standard_is_read_in_full():
    contract = load_contract(EXAMPLES / "full-example-v3.2.0.odcs.yaml")
    payments, receivers = contract.objects
    assert (payments.name, payments.physical_name) == ("tbl", "tbl_1")
    assert payments.business_name == "Core Payment Metrics"
    assert payments.relationships[0].columns == ("rcvr_id", "rcvr_cntry_code")
    assert receivers.primary_key == ("id", "country_code")
    assert [server.type for server in contract.servers] == ["postgres"]
    assert payments.properties[1].dialect == "postgres"
    assert contract.price == Price(9.95, "USD", "megabyte")
    assert contract.owners == ("daustin",)
    assert [member.username for member in contract.team] == ["ceastwood", "mhopper", "daustin"]
    assert contract.team[0].date_out == "2022-10-01"
    assert contract.roles[3].second_level_approvers == "mickey"
    assert contract.support[0] == SupportChannel(channel="#product-help", tool="slack")
    assert contract.custom["dataprocClusterName"] == ["cluster name"]
    assert contract.api_version == "v3.2.0"
    assert [arrow_schema(table).names for table in contract.objects] == [
        list(table.column_names) for table in contract.objects
    ]


def test_every_new_field_of_v3_2_is_read():
    contract = load_contract(EXAMPLES / "all-new-fields-v3.2.0.odcs.yaml")
    turnover, notes = contract.objects
    assert arrow_schema(turnover).names == list(turnover.column_names)
    assert notes.properties == ()
    by_name = {column.name: column for column in turnover.properties}
    assert by_name["country_code"].enum
    assert by_name["attributes"].map_key is not None


# Each after one of the standard's examples: what it shows beyond those two, in words of our own.
AFTER_EXAMPLES = {
    "items of physical types only (v3.0.0, all-schema-types)": """
schema:
- name: houses
  logicalType: object
  properties:
  - name: lines
    logicalType: array
    physicalType: array
    items:
      logicalType: object
      physicalType: object
      properties: [{name: zip, physicalType: CHAR(5)}]
""",
    "a topic of Kafka (v3.0.0, kafka-schema)": """
schema:
- name: Orders
  physicalName: orders
  logicalType: object
  physicalType: topic
  properties: [{name: quantity, logicalType: integer, physicalType: int, required: true}]
servers: [{server: events, type: kafka, format: avro, host: 'broker:9092'}]
""",
    "types without details (v3.0.2, all-data-types)": """
schema:
- name: transactions
  properties:
  - name: day
    physicalType: date
    logicalType: date
    logicalTypeOptions: {minimum: '2020-01-01', format: yyyy-MM-dd}
  - {name: latest, physicalType: list, logicalType: array, logicalTypeOptions: {maxItems: 3}}
  - {name: who, physicalType: json, logicalType: object, logicalTypeOptions: {required: [born]}}
""",
    "a team and support without a schema (v3.1.0, team)": """
team: {name: Shop, members: [{username: ann, role: owner}]}
support: [{channel: '#help', scope: issues}]
""",
    "partitions (v3.0.1, table-columns-with-partition)": """
schema:
- name: t
  properties:
  - {name: year, logicalType: integer, partitioned: true, partitionKeyPosition: 2}
""",
    "rules for other engines (v3.0.2, column-custom)": """
schema:
- name: air
  properties:
  - name: id
    logicalType: number
    physicalType: int
    quality:
    - {type: custom, engine: soda, implementation: 'type: duplicate_percent'}
    - {type: custom, engine: soda, implementation: {type: duplicate_percent, columns: [a]}}
""",
}


@pytest.mark.parametrize("schema", AFTER_EXAMPLES.values(), ids=AFTER_EXAMPLES)
@pytest.mark.parametrize("version", ["v3.0.0", "v3.1.0", "v3.2.0"])
def test_the_constructs_of_the_standards_examples_load(tmp_path: Path, schema: str, version: str):
    contract = load_text(tmp_path, contract_text(schema.lstrip(), version))
    assert len(contract.objects) == schema.count("- name: ") - schema.count("  - name: ")


def test_a_contract_without_a_schema_loads_with_a_hint(tmp_path: Path):
    for schema in ("", "schema: []\n"):
        contract = load_text(tmp_path, contract_text(schema))
        assert contract.objects == ()
        assert [hint.field for hint in contract.hints] == ["schema"]
