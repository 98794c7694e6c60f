"""Hints: what is allowed, and yet hardly what its writer meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.contracts import line_of, load_text, orders
from support.problems import place

ID = "{name: id, logicalType: integer}"


def hints_of_rule(folder: Path, name: str):
    rule = f"{{type: text, description: x, customProperties: [{{property: {name}, value: 1}}]}}"
    text = orders(ID, quality=[rule])
    hints = load_text(folder, text).hints
    assert all(place(hint)[1] == line_of(text, rule) for hint in hints)
    return hints


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("rowPredicat", "rowPredicate"),
        ("predicate", "rowPredicate"),
        ("row_predicate", "rowPredicate"),
        ("ROWPREDICATE", "rowPredicate"),
        ("rowConditon", "rowCondition"),
        ("row-condition", "rowCondition"),
    ],
)
def test_a_custom_property_that_looks_misspelt_is_told(tmp_path: Path, name: str, meant: str):
    (hint,) = hints_of_rule(tmp_path, name)
    assert hint.action == f"did you mean {meant!r}?"


@pytest.mark.parametrize("name", ["isEnabled", "enabled", "is_active", "disabled"])
def test_a_switch_that_switches_nothing_is_told(tmp_path: Path, name: str):
    (hint,) = hints_of_rule(tmp_path, name)
    assert "switches nothing" in hint.message


@pytest.mark.parametrize(
    "name",
    ["rowPredicate", "rowCondition", "FIELD_NAME", "COMPARE_TO", "owner", "name"],
)
def test_other_custom_properties_are_the_writers_own(tmp_path: Path, name: str):
    assert hints_of_rule(tmp_path, name) == ()


def test_a_custom_property_of_a_relationship_in_other_letters_is_told(tmp_path: Path):
    links = [
        "{from: orders.id, to: customers.id, customProperties: [{property: Severity, value: a}]}",
        "{from: orders.id, to: customers.id, customProperties: [{property: kind, value: a}]}",
    ]
    (hint,) = load_text(tmp_path, orders(ID, relationships=links)).hints
    assert hint.action == "did you mean 'severity'?"


def test_an_unknown_physical_type_is_told_at_each_depth(tmp_path: Path):
    text = orders(
        "{name: a, logicalType: string, physicalType: wat}",
        "{name: b, logicalType: array, items: {logicalType: string, physicalType: wut}}",
        "{name: c, logicalType: string, physicalType: 'varchar(3)'}",
    )
    hints = load_text(tmp_path, text).hints
    assert [(hint.received, place(hint)[1]) for hint in hints] == [
        ("wat", line_of(text, "wat")),
        ("wut", line_of(text, "wut")),
    ]


def test_a_plain_contract_has_no_hints(tmp_path: Path):
    assert load_text(tmp_path, orders(ID)).hints == ()
