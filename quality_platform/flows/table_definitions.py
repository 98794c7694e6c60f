"""What a table's contract wants of its two tables in the lake."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa

from quality_platform.config.layout_terms import NO_LAYOUT
from quality_platform.flows.contracted_tables import ContractedTable, FeatureTable, SourceTable
from quality_platform.flows.merge_rules import rules_of
from quality_platform.flows.table_layout import layout_of
from quality_platform.flows.version_dates import VERSION_FIELDS
from quality_platform.lake.evolution import CONTRACT_VERSION, TableDefinition
from quality_platform.quarantine.records import quarantine_schema


def main_definition(table: ContractedTable) -> TableDefinition:
    """The table itself."""
    contract, columns = table.contract, table.object.properties
    uses = Counter(column.id for column in columns)
    return TableDefinition(
        identifier=table.identifier,
        schema=lake_schema(table),
        properties={
            "comment": table.object.description,
            "quality-platform.contract-id": contract.id,
            CONTRACT_VERSION: contract.version,
        },
        # An id that stands twice tells nothing.
        property_ids={c.name: c.id for c in columns if c.id and uses[c.id] == 1},
        locations={column.name: column.location for column in columns},
        location=table.object.location,
        layout=layout_of(table) if isinstance(table, SourceTable) else NO_LAYOUT,
    )


def lake_schema(table: ContractedTable) -> pa.Schema:
    """The table's columns: the contract's, and in `mode: snapshot` when each version is valid."""
    rules = rules_of(table)
    if rules is None or not rules.keeps_versions:
        return table.schema
    return pa.schema([*table.schema, *VERSION_FIELDS])


def quarantine_definition(table: ContractedTable) -> TableDefinition:
    """The table of the rows that are held back."""
    main = main_definition(table)
    return TableDefinition(
        identifier=table.quarantine_identifier,
        schema=quarantine_schema(table.schema),
        properties={CONTRACT_VERSION: table.contract.version},
        property_ids=main.property_ids,
        locations=main.locations,
        location=main.location,
    )


def may_set_aside(table: ContractedTable) -> bool:
    """Whether a new major version of the contract may begin a new table."""
    match table:
        case SourceTable():
            return table.config.load.on_breaking == "new_table"
        case FeatureTable():
            return table.config.on_breaking == "new_table"
        case _:
            return False
