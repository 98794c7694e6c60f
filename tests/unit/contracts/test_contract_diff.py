"""The differences between two contracts, and whom each of them hurts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from quality_platform.contracts.changes import Compatibility, ContractDiff
from quality_platform.contracts.diff import diff_contracts
from quality_platform.contracts.loading import load_contract

Column = dict[str, Any]


def contract(*columns: Column, **more: Any) -> dict[str, Any]:
    """A contract of one object, `orders`; `more` are keys of the object or, with `top_`, above."""
    top = {key.removeprefix("top_"): value for key, value in more.items() if key[:4] == "top_"}
    inner = {key: value for key, value in more.items() if key[:4] != "top_"}
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "shop-orders",
        "version": "1.0.0",
        "status": "active",
        **top,
        "schema": [{"name": "orders", "properties": list(columns or (KEY,)), **inner}],
    }


def text(name: str = "name", **more: Any) -> Column:
    return {"name": name, "logicalType": "string", **more}


def number(name: str = "amount", **more: Any) -> Column:
    return {"name": name, "logicalType": "number", **more}


KEY: Column = {"name": "id", "logicalType": "integer"}


def diff(folder: Path, old: dict[str, Any], new: dict[str, Any]) -> ContractDiff:
    loaded = []
    for name, document in (("old", old), ("new", new)):
        path = folder / f"{name}.odcs.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        loaded.append(load_contract(path))
    return diff_contracts(*loaded)


def told(found: ContractDiff) -> list[tuple[str, str, str]]:
    return [
        (c.path.removeprefix("schema.orders."), c.kind, c.compatibility.word) for c in found.changes
    ]


def opt(**values: Any) -> Column:
    return text(logicalTypeOptions=values)


def rule(**more: Any) -> dict[str, Any]:
    return {"name": "few", "metric": "nullValues", "mustBeLessThan": 5, **more}


def ruled(**more: Any) -> Column:
    return text(quality=[rule(**more)])


def sized(length: int) -> Column:
    return text(physicalType=f"varchar({length})")


def counted(physical: str) -> Column:
    return {"name": "n", "logicalType": "integer", "physicalType": physical}


def classed(level: str) -> Column:
    return text(classification=level)


def one_of(*values: str) -> Column:
    valid = {"metric": "invalidValues", "arguments": {"validValues": list(values)}, "mustBe": 0}
    return text(quality=[{"name": "known", **valid}])


def typed(physical: str) -> Column:
    return number(physicalType=physical)


def linked(to: str, severity: str = "error") -> Column:
    custom = [{"property": "severity", "value": severity}]
    return text(relationships=[{"type": "foreignKey", "to": to, "customProperties": custom}])


def place(*parts: Column) -> Column:
    return {"name": "address", "logicalType": "object", "properties": list(parts)}


def tags(item: Column) -> Column:
    return {"name": "tags", "logicalType": "array", "items": item}


BREAKING, FORWARD, FINE = "breaking", "forward-only", "compatible"
COLUMN = "properties.name"
RULE = f"{COLUMN}.quality"
OPTION = f"{COLUMN}.logicalTypeOptions"

AMOUNT, CLASS, LINK = "properties.amount", f"{COLUMN}.classification", "relationships.name"
FEW, SEVERITY, METRIC = (f"{RULE}.few.{key}" for key in ("threshold", "severity", "metric"))
MIN, MAX = f"{OPTION}.minLength", f"{OPTION}.maxLength"
SHOP, SHOP_WARNS = linked("shops.code"), linked("shops.code", "warning")
KNOWN = f"{RULE}.known.arguments.validValues"
RENAMED = f"{RULE}.other.name"
CITY, ZIP = (f"properties.address.properties.{part}" for part in ("city", "zip"))
UNIQUE = f"{CITY}.unique"
ITEMS = "properties.tags.items"
ITEM_LENGTH = f"{ITEMS}.logicalTypeOptions.maxLength"

# Of one column each: before, after, and what is told: where, what, and at which level.
COLUMNS: list[tuple[Column, Column, str, str, str]] = [
    (text(), text(required=True), f"{COLUMN}.required", "required_tightened", FORWARD),
    (text(required=True), text(), f"{COLUMN}.required", "required_loosened", BREAKING),
    (text(), text(unique=True), f"{COLUMN}.unique", "unique_tightened", FORWARD),
    (text(unique=True), text(), f"{COLUMN}.unique", "unique_loosened", BREAKING),
    (text(), text(description="x"), f"{COLUMN}.description", "prose_changed", FINE),
    (text(), text(tags=["a"]), f"{COLUMN}.tags", "prose_changed", FINE),
    (text(), text(businessName="x"), f"{COLUMN}.businessName", "prose_changed", FINE),
    (text(), text(physicalName="n"), f"{COLUMN}.physicalName", "source_name_changed", FORWARD),
    (text(), number("name"), COLUMN, "type_changed", BREAKING),
    (typed("float"), typed("double"), AMOUNT, "type_widened", FINE),
    (typed("double"), typed("float"), AMOUNT, "type_narrowed", BREAKING),
    (typed("int"), typed("long"), AMOUNT, "type_widened", FINE),
    (typed("decimal(6,2)"), typed("decimal(9,2)"), AMOUNT, "type_widened", FINE),
    (typed("decimal(9,2)"), typed("decimal(6,2)"), AMOUNT, "type_narrowed", BREAKING),
    (typed("decimal(6,2)"), typed("decimal(9,3)"), AMOUNT, "type_changed", BREAKING),
    (typed("decimal(6,2)"), typed("double"), AMOUNT, "type_changed", BREAKING),
    (typed("decimal(6,2)"), typed("DECIMAL(6, 2)"), AMOUNT, "type_respelled", FINE),
    (sized(20), sized(40), COLUMN, "type_widened", FINE),
    (sized(20), text(), COLUMN, "type_widened", FINE),
    (sized(20), sized(10), COLUMN, "type_limit_tightened", FORWARD),
    (counted("smallint"), counted("int"), "properties.n", "type_widened", FINE),
    (counted("int"), counted("smallint"), "properties.n", "type_limit_tightened", FORWARD),
    (opt(minLength=1), opt(minLength=2), MIN, "option_tightened", FORWARD),
    (opt(minLength=2), opt(minLength=1), MIN, "option_loosened", BREAKING),
    (opt(maxLength=1), opt(maxLength=2), MAX, "option_loosened", BREAKING),
    (opt(maxLength=9), opt(maxLength=2), MAX, "option_tightened", FORWARD),
    (text(), opt(maxLength=2), MAX, "option_added", FORWARD),
    (opt(maxLength=2), text(), MAX, "option_removed", BREAKING),
    (opt(pattern="a"), opt(pattern="b"), f"{OPTION}.pattern", "option_changed", BREAKING),
    (text(), opt(pattern="b"), f"{OPTION}.pattern", "option_added", FORWARD),
    (text(), ruled(), f"{RULE}.few", "rule_added", FORWARD),
    (ruled(), text(), f"{RULE}.few", "rule_removed", BREAKING),
    (ruled(severity="warning"), text(), f"{RULE}.few", "rule_removed", FINE),
    (text(), ruled(severity="info"), f"{RULE}.few", "rule_added", FINE),
    (ruled(), ruled(mustBeLessThan=3), FEW, "rule_threshold_tightened", FORWARD),
    (ruled(), ruled(mustBeLessThan=7), FEW, "rule_threshold_loosened", BREAKING),
    (ruled(), ruled(unit="percent"), FEW, "rule_threshold_changed", BREAKING),
    (ruled(), ruled(severity="warning"), SEVERITY, "rule_severity_loosened", BREAKING),
    (ruled(severity="warning"), ruled(), SEVERITY, "rule_severity_tightened", FORWARD),
    (ruled(), ruled(description="x"), f"{RULE}.few.description", "prose_changed", FINE),
    (ruled(), ruled(metric="duplicateValues"), METRIC, "rule_changed", BREAKING),
    (ruled(id="a"), ruled(id="a", name="other"), RENAMED, "prose_changed", FINE),
    (one_of("a", "b"), one_of("b"), KNOWN, "rule_argument_tightened", FORWARD),
    (one_of("a"), one_of("b", "a"), KNOWN, "rule_argument_loosened", BREAKING),
    (one_of("a"), one_of("b"), KNOWN, "rule_argument_changed", BREAKING),
    (classed("public"), classed("pii"), CLASS, "protection_raised", FORWARD),
    (classed("PII"), text(), CLASS, "protection_lowered", BREAKING),
    (classed("pii"), classed("restricted"), CLASS, "classification_changed", FINE),
    (text(), linked("shops.code"), LINK, "relationship_added", FORWARD),
    (linked("shops.code"), text(), LINK, "relationship_removed", BREAKING),
    (linked("shops.code", "warning"), text(), LINK, "relationship_removed", FINE),
    (SHOP, SHOP_WARNS, f"{LINK}.severity", "relationship_severity_loosened", BREAKING),
    (text(id="n"), text("title", id="n"), "properties.title", "column_renamed", BREAKING),
    (place(text("city")), place(text("city"), text("zip")), ZIP, "column_added", FINE),
    (place(text("city"), text("zip")), place(text("zip")), CITY, "column_removed", BREAKING),
    (place(text("city", unique=True)), place(text("city")), UNIQUE, "unique_loosened", BREAKING),
    (tags(text("t")), tags(number("t")), ITEMS, "type_changed", BREAKING),
    (tags(text("t")), tags(opt(maxLength=3)), ITEM_LENGTH, "option_added", FORWARD),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "path", "kind", "level"), COLUMNS)
def test_a_change_of_a_column_is_told_with_its_place_and_whom_it_hurts(
    tmp_path: Path, old: Column, new: Column, path: str, kind: str, level: str
) -> None:
    found = diff(tmp_path, contract(KEY, old), contract(KEY, new))
    assert told(found) == [(path, kind, level)]
    (change,) = found.changes
    assert change.reason.endswith(".")
    assert change.old != change.new


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (contract(KEY), contract(KEY, text()), [(COLUMN, "column_added", FINE)]),
        (
            contract(KEY),
            contract(KEY, text(required=True)),
            [(COLUMN, "required_column_added", FORWARD)],
        ),
        (contract(KEY, text()), contract(KEY), [(COLUMN, "column_removed", BREAKING)]),
        # Without an id, another name is another column.
        (
            contract(KEY, text()),
            contract(KEY, text("title")),
            [("properties.title", "column_added", FINE), (COLUMN, "column_removed", BREAKING)],
        ),
        (contract(KEY), contract(KEY, description="x"), [("description", "prose_changed", FINE)]),
        (contract(), contract(top_id="other"), [("id", "id_changed", BREAKING)]),
        (contract(), contract(top_tags=["x"]), [("tags", "prose_changed", FINE)]),
        (contract(), contract(top_status="deprecated"), [("status", "prose_changed", FINE)]),
        (contract(), contract(top_apiVersion="v3.0.2"), []),
    ],
)
def test_a_change_of_the_object_or_the_contract_is_told(
    tmp_path: Path, old: dict[str, Any], new: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    assert told(diff(tmp_path, old, new)) == expected


def keyed(*positions: int) -> list[Column]:
    return [
        {
            **KEY,
            "name": f"k{n}",
            "required": True,
            **({"primaryKey": True, "primaryKeyPosition": n}),
        }
        if n in positions
        else {**KEY, "name": f"k{n}", "required": True}
        for n in (1, 2)
    ]


@pytest.mark.parametrize(
    ("old", "new", "kind", "level"),
    [
        ((), (1,), "primary_key_added", FORWARD),
        ((1,), (), "primary_key_removed", BREAKING),
        ((1, 2), (1,), "primary_key_tightened", FORWARD),
        ((1,), (1, 2), "primary_key_changed", BREAKING),
        ((1,), (2,), "primary_key_changed", BREAKING),
    ],
)
def test_a_change_of_the_primary_key_is_told(
    tmp_path: Path, old: tuple[int, ...], new: tuple[int, ...], kind: str, level: str
) -> None:
    found = diff(tmp_path, contract(*keyed(*old)), contract(*keyed(*new)))
    assert told(found) == [("primaryKey", kind, level)]


def test_a_renamed_column_takes_its_key_its_rules_and_its_relationships_along(
    tmp_path: Path,
) -> None:
    more = {**linked("shops.code"), "quality": [rule()], "primaryKey": True, "id": "n"}
    found = diff(tmp_path, contract({**more, "name": "a"}), contract({**more, "name": "b"}))
    assert told(found) == [("properties.b", "column_renamed", BREAKING)]


def test_columns_that_exchange_their_names_are_told_as_renamed(tmp_path: Path) -> None:
    old = contract(text("a", id="1"), text("b", id="2"))
    found = diff(tmp_path, old, contract(text("b", id="1"), text("a", id="2")))
    assert [(c.kind, c.old, c.new) for c in found.changes] == [
        ("column_renamed", "a", "b"),
        ("column_renamed", "b", "a"),
    ]


def sla(*entries: dict[str, Any]) -> dict[str, Any]:
    return contract(top_slaProperties=list(entries))


def latency(value: object, unit: str = "h") -> dict[str, Any]:
    return {"property": "latency", "value": value, "unit": unit}


@pytest.mark.parametrize(
    ("old", "new", "kind", "level"),
    [
        (sla(), sla(latency(4)), "sla_added", FORWARD),
        (sla(latency(4)), sla(), "sla_removed", BREAKING),
        (sla(latency(4)), sla(latency(2)), "sla_tightened", FORWARD),
        (sla(latency(4)), sla(latency(8)), "sla_loosened", BREAKING),
        (sla(latency(4)), sla(latency(4, "d")), "sla_changed", BREAKING),
        (
            sla({"property": "retention", "value": 3, "unit": "y"}),
            sla({"property": "retention", "value": 2, "unit": "y"}),
            "sla_loosened",
            BREAKING,
        ),
    ],
)
def test_a_change_of_a_service_level_is_told(
    tmp_path: Path, old: dict[str, Any], new: dict[str, Any], kind: str, level: str
) -> None:
    assert [change[1:] for change in told(diff(tmp_path, old, new))] == [(kind, level)]


def test_changes_of_servers_and_objects_are_told(tmp_path: Path) -> None:
    server = {"server": "prod", "type": "duckdb", "database": "a.db"}
    other = {"name": "lines", "properties": [KEY]}
    old = contract(top_servers=[server, {**server, "server": "gone"}])
    new = contract(top_servers=[{**server, "database": "b.db", "description": "x"}])
    new["schema"].append(other)
    expected = [
        ("schema.lines", "object_added", FINE),
        ("servers.prod.database", "server_changed", BREAKING),
        ("servers.prod.description", "prose_changed", FINE),
        ("servers.gone", "server_removed", BREAKING),
    ]
    assert sorted(told(diff(tmp_path, old, new))) == sorted(expected)
    assert ("schema.lines", "object_removed", BREAKING) in told(diff(tmp_path, new, old))


def test_a_renamed_object_is_compared_with_what_it_was(tmp_path: Path) -> None:
    old, new = contract(KEY, text(), id="o"), contract(KEY, id="o")
    new["schema"][0]["name"] = "purchases"
    found = diff(tmp_path, old, new)
    assert [(c.path, c.kind) for c in found.changes] == [
        ("schema.purchases", "object_renamed"),
        ("schema.purchases.properties.name", "column_removed"),
    ]


@pytest.mark.parametrize(
    ("change", "versions", "bump", "least", "enough"),
    [
        (text(required=True), ("1.2.3", "1.3.0"), "MINOR", "1.3.0", True),
        (text(required=True), ("1.2.3", "1.2.4"), "MINOR", "1.3.0", False),
        (number("name"), ("1.2.3", "2.0.0"), "MAJOR", "2.0.0", True),
        (number("name"), ("1.2.3", "1.3.0"), "MAJOR", "2.0.0", False),
        (number("name"), ("0.2.3", "0.3.0"), "MAJOR", "0.3.0", True),
        (text(required=True), ("0.2.3", "0.2.4"), "MINOR", "0.2.4", True),
        (text(description="x"), ("1.2.3", "1.2.4"), "PATCH", "1.2.4", True),
        (text(description="x"), ("1.2.3", "1.2.3"), "PATCH", "1.2.4", False),
        (text(), ("1.2.3", "1.2.3"), "NONE", "1.2.3", True),
        (text(), ("1.2.3", "1.2.2"), "PATCH", "1.2.4", False),
        (number("name"), ("v1", "v2"), "MAJOR", "2.0.0", True),
        (number("name"), ("first", "second"), "MAJOR", "", False),
    ],
)
def test_the_version_must_rise_as_much_as_the_changes_need(
    tmp_path: Path, change: Column, versions: tuple[str, str], bump: str, least: str, enough: bool
) -> None:
    old = contract(KEY, text(), top_version=versions[0])
    found = diff(tmp_path, old, contract(KEY, change, top_version=versions[1]))
    assert (found.bump.name, found.least_version) == (bump, least)
    assert found.version_is_high_enough is enough


def test_equal_contracts_have_no_changes(tmp_path: Path) -> None:
    same = contract(KEY, ruled(), place(text("city")), tags(text("t")))
    found = diff(tmp_path, same, same)
    assert (found.changes, found.verdict) == ((), Compatibility.COMPATIBLE)
