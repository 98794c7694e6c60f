"""Words of v3.0 that are called otherwise now, and the hints about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.contracts import contract_text, line_of, load_text, orders
from support.problems import only_problem, place

from quality_platform.contracts.schemas import arrow_schema
from quality_platform.errors import ContractError

ID = "{name: id, logicalType: integer}"


def rule_of(folder: Path, rule: str, version: str = "v3.0.2"):
    """The rule as it is read, and its hints."""
    text = orders(ID, quality=[rule], api_version=version)
    contract = load_text(folder, text)
    (found,) = contract.objects[0].quality
    assert [place(hint) for hint in contract.hints] == [
        ("contract.odcs.yaml", line_of(text, rule))
    ] * len(contract.hints)
    assert contract.entry["schema"][0]["quality"][0].get("rule") is not None
    return dict(found.entry), contract.hints


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("{rule: nullCheck}", {"metric": "nullValues", "mustBe": 0}),
        ("{rule: nullValues, mustBeLessThan: 3}", {"metric": "nullValues", "mustBeLessThan": 3}),
        (
            "{type: library, rule: duplicateCount, mustBeLessThan: 10, unit: rows}",
            {"type": "library", "metric": "duplicateValues", "mustBeLessThan": 10, "unit": "rows"},
        ),
        (
            "{rule: validValues, validValues: [a, b]}",
            {"metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": ["a", "b"]}},
        ),
        (
            "{rule: rowCount, mustBeBetween: [1, 2]}",
            {"metric": "rowCount", "mustBeBetween": [1, 2]},
        ),
    ],
)
def test_a_rule_of_v3_0_is_read_as_a_metric(tmp_path: Path, rule: str, expected: dict[str, Any]):
    entry, (hint,) = rule_of(tmp_path, rule)
    assert entry == expected
    assert hint.field == "rule"
    assert f"metric: {expected['metric']}" in hint.action


@pytest.mark.parametrize(
    "rule",
    [
        "{rule: minCheck, description: Not too low., mustBe: 0, dimension: accuracy}",
        "{type: library, rule: countCheck, description: Not too low., dimension: accuracy}",
    ],
)
def test_a_rule_of_v3_0_that_cannot_be_understood_is_a_note_with_a_hint(tmp_path: Path, rule: str):
    entry, (hint,) = rule_of(tmp_path, rule)
    assert entry == {"type": "text", "description": "Not too low.", "dimension": "accuracy"}
    assert "never run" in hint.message


@pytest.mark.parametrize("version", ["v3.1.0", "v3.2.0"])
def test_a_rule_of_later_versions_is_a_metric_by_another_name(tmp_path: Path, version: str):
    entry, (hint,) = rule_of(tmp_path, "{type: library, rule: rowCount, mustBe: 1}", version)
    assert entry == {"type": "library", "metric": "rowCount", "mustBe": 1}
    assert hint.message == "`rule` is deprecated: it is called `metric` now"


def test_a_misspelt_rule_of_later_versions_is_told_at_its_place(tmp_path: Path):
    text = orders(ID, quality=["{mustBe: 1,", "   rule: rowCountt}"]).replace(
        "  -    rule", "     rule"
    )
    problem = only_problem(ContractError, lambda: load_text(tmp_path, text))
    assert (problem.received, problem.action) == ("rowCountt", "did you mean 'rowCount'?")
    assert place(problem) == ("contract.odcs.yaml", line_of(text, "rowCountt"))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (
            "{rule: nullCheck, metric: nullValues, mustBe: 0}",
            {"metric": "nullValues", "mustBe": 0},
        ),
        ("{rule: a, type: text, description: b}", {"type": "text", "description": "b"}),
    ],
)
def test_a_rule_that_says_nothing_more_is_left_out(
    tmp_path: Path, rule: str, expected: dict[str, Any]
):
    entry, (hint,) = rule_of(tmp_path, rule)
    assert entry == expected
    assert "remove it" in hint.action


def test_a_rule_of_a_part_is_read_too(tmp_path: Path):
    text = orders(
        "{name: a, logicalType: array, items: {logicalType: string, quality: [{rule: nullCheck}]}}",
        api_version="v3.0.0",
    )
    (rule,) = load_text(tmp_path, text).objects[0].quality
    assert (rule.column, rule.entry["metric"]) == ("a[]", "nullValues")


def test_a_comment_on_a_member_of_v3_0_is_its_description(tmp_path: Path):
    team = "team: [{username: ann, comment: Keeper of the grail}]\n"
    schema = f"schema: [{{name: t, properties: [{ID}]}}]\n"
    contract = load_text(tmp_path, contract_text(schema, "v3.0.1", team))
    assert contract.team[0].description == "Keeper of the grail"
    assert [hint.field for hint in contract.hints] == ["comment"]
    with pytest.raises(ContractError, match="unknown key 'comment'"):
        load_text(tmp_path, contract_text(schema, "v3.1.0", team))


@pytest.mark.parametrize(
    ("version", "why", "advice"),
    [
        ("v3.0.2", "which v3.0 had no word for", " and `apiVersion: v3.1.0` or later"),
        ("v3.1.0", "as its physicalType says", ""),
        ("v3.2.0", "as its physicalType says", ""),
    ],
)
def test_a_date_may_be_a_timestamp_or_a_time(tmp_path: Path, version: str, why: str, advice: str):
    at = "{name: at, logicalType: date, physicalType: timestamp, "
    at += "logicalTypeOptions: {minimum: '2020-01-01 00:00:00', format: 'yyyy-MM-dd HH:mm:ss'}}"
    columns = (
        at,
        "{name: t, logicalType: date, physicalType: time}",
        "{name: d, logicalType: date}",
    )
    text = orders(*columns, api_version=version)
    contract = load_text(tmp_path, text)
    (table,) = contract.objects
    assert [column.logical_type for column in table.properties] == ["timestamp", "time", "date"]
    assert [str(kind) for kind in arrow_schema(table).types] == [
        "timestamp[us]",
        "time64[us]",
        "date32[day]",
    ]
    assert [place(hint)[1] for hint in contract.hints] == [
        line_of(text, "name: at"),
        line_of(text, "name: t,"),
    ]
    assert contract.hints[0].message == f"`date` is read as `timestamp`, {why}"
    assert contract.hints[0].action == f"write `timestamp`{advice}"


def test_a_tag_of_v3_0_is_one_of_the_tags(tmp_path: Path):
    entry = "{name: a, logicalType: string, tag: [sensitive]}"
    contract = load_text(tmp_path, orders(entry, api_version="v3.0.0"))
    assert contract.objects[0].properties[0].tags == ("sensitive",)
    assert [hint.field for hint in contract.hints] == ["tag"]
    with pytest.raises(ContractError, match="unknown key 'tag'"):
        load_text(tmp_path, orders(entry, api_version="v3.1.0"))


def test_the_default_element_is_that_of_promises_without_one(tmp_path: Path):
    more = (
        "slaDefaultElement: t.id\n"
        "slaProperties: [{property: a, value: 1}, {property: b, value: 1, element: 't.x, t.y'}]\n"
    )
    schema = f"schema: [{{name: t, properties: [{ID}]}}]\n"
    contract = load_text(tmp_path, contract_text(schema, "v3.0.2", more))
    assert [promise.elements for promise in contract.sla] == [("t.id",), ("t.x", "t.y")]


def test_what_v3_1_has_deprecated_is_hinted_at_from_then_on(tmp_path: Path):
    more = "team: [{username: ann}]\nslaDefaultElement: t.id\n"
    schema = f"schema: [{{name: t, properties: [{ID}]}}]\n"
    fields = {
        version: [h.field for h in load_text(tmp_path, contract_text(schema, version, more)).hints]
        for version in ("v3.0.2", "v3.1.0")
    }
    assert fields == {"v3.0.2": [], "v3.1.0": ["team", "slaDefaultElement"]}
