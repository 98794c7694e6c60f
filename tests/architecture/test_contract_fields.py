"""docs/contracts.md names every key of the standard, and none that it has not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from quality_platform.contracts.column_types import LOGICAL_TYPES

PAGE = (Path(__file__).parents[2] / "docs" / "contracts.md").read_text("utf-8")
SCHEMA = json.loads(files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8"))
PROPERTY = "$defs/SchemaBaseProperty"

SECTIONS = {
    "Contract": [""],
    "Description": ["properties/description"],
    "Context": [
        "$defs/Context/oneOf/1",
        "$defs/Context/oneOf/1/properties/verifiedStatements/items",
        "$defs/Context/oneOf/1/properties/constraints/items",
    ],
    "Object": ["$defs/SchemaObject"],
    "Property": [PROPERTY],
    "Enum value": ["$defs/EnumValue"],
    "Relationship": ["$defs/RelationshipBase"],
    "Quality rule": [
        "$defs/DataQuality",
        "$defs/DataQualityOperators",
    ],
    "SLA property": ["$defs/ServiceLevelAgreementProperty"],
    "Server": [
        "$defs/Server",
        *(f"$defs/ServerSource/{n}" for n in SCHEMA["$defs"]["ServerSource"]),
    ],
    "Team": ["$defs/Team"],
    "Team member": ["$defs/TeamMember"],
    "Role": ["$defs/Role"],
    "Support channel": ["$defs/SupportItem"],
    "Price": ["$defs/Pricing"],
    "Everywhere": [
        "$defs/CustomProperty",
        "$defs/AuthoritativeDefinitions/items",
        "$defs/Synonym",
    ],
}
"""The parts of the JSON schema whose keys each section of the page lists."""


def part(path: str) -> Any:
    found = SCHEMA
    for step in path.split("/") if path else ():
        found = found[int(step)] if isinstance(found, list) else found[step]
    return found


def keys(schema: Any) -> set[str]:
    """The keys that an object of this schema may have, by any of its branches."""
    found = set(schema.get("properties", ()))
    branches = [b for word in ("allOf", "anyOf", "oneOf") for b in schema.get(word, ())]
    branches += [schema[word] for word in ("then", "else") if word in schema]
    branches += [part(schema["$ref"].removeprefix("#/"))] if "$ref" in schema else []
    return found.union(*map(keys, branches))


def options() -> Iterator[str]:
    """The keys of logicalTypeOptions, of every logical type."""
    for branch in part(PROPERTY)["allOf"]:
        then = branch.get("then", {}).get("properties", {})
        yield from then.get("logicalTypeOptions", {}).get("properties", ())


def map_keys() -> set[str]:
    (found,) = [
        branch["then"]["properties"]["map"]
        for branch in part(PROPERTY)["allOf"]
        if "map" in branch.get("then", {}).get("properties", {})
    ]
    return set(found["properties"])


def expected() -> dict[str, set[str]]:
    found = {name: set().union(*(keys(part(p)) for p in paths)) for name, paths in SECTIONS.items()}
    return found | {"Logical type options": set(options()), "Map": map_keys()}


def listed(section: str) -> list[str]:
    """The keys in the first column of the section's table."""
    text = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert text, f"the page has no section {section}"
    rows = [line for line in text[1].splitlines() if line.startswith("| `")]
    return [key for row in rows for key in re.findall(r"`([^`]+)`", row.split(" | ")[0])]


@pytest.mark.parametrize("section", expected())
def test_the_page_lists_each_key_of_the_standard_once_and_no_other(section: str):
    found = listed(section)
    assert sorted(found) == sorted(expected()[section])


def test_every_definition_of_the_standard_is_in_a_section():
    # These say how others are written and have no keys of their own.
    forms = {"Port", "ServerSource", "StableId", "Tags", "Support", "Synonyms", "CustomProperties"}
    forms |= {"AnyType", "AnyNonCollectionType", "ShorthandReference", "FullyQualifiedReference"}
    within = {"SchemaElement", "SchemaProperty", "SchemaItemProperty", "DataQualityChecks"}
    within |= {"DataQualityLibrary", "DataQualitySql", "DataQualityCustom", "Relationship"}
    within |= {"RelationshipSchemaLevel", "RelationshipPropertyLevel"}
    named = {path.split("/")[1] for paths in SECTIONS.values() for path in paths if "$defs" in path}
    assert set(SCHEMA["$defs"]) == forms | within | named


def test_every_field_is_said_to_be_acted_on_shown_or_kept():
    rows = [line for line in PAGE[PAGE.index("## Contract\n") :].splitlines() if "| `" in line]
    assert len(rows) > 100
    for row in rows:
        assert re.match(r"\| .* \| (acted on|shown|kept|of `)", row), row


def test_the_page_has_the_logical_types_of_the_standard():
    enum = part(PROPERTY)["properties"]["logicalType"]["enum"]
    assert set(LOGICAL_TYPES) == set(enum)
    assert set(listed("Types")) == set(enum)
