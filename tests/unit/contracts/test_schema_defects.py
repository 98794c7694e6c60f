"""Defects all over a contract: each is told once, at its line, with what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.contracts import contract_text, line_of, load_text, orders
from support.problems import only_problem, place, problems_of

from quality_platform.contracts.shapes import Shapes
from quality_platform.errors import ContractError

ID = "{name: id, logicalType: integer}"
SCHEMA = f"schema: [{{name: t, properties: [{ID}]}}]\n"
POSTGRES = "server: a, type: postgres, host: h, port: 1, database: d, schema: s"


@pytest.mark.parametrize(
    ("line", "field", "message", "action"),
    [
        (
            "servers: [{server: a, type: postgress, host: h}]",
            "servers.0.type",
            "not one of the values that the standard allows",
            "did you mean 'postgres'?",
        ),
        ("servers: [{server: a, type: postgres, host: h}]", "servers.0", "'port' is missing", ""),
        ("servers: [{type: local, path: p, format: csv}]", "servers.0", "'server' is missing", ""),
        (
            f"servers: [{{{POSTGRES}, hots: u}}]",
            "servers.0",
            "unknown key 'hots'",
            "did you mean 'host'?",
        ),
        (
            "team: {name: a, member: []}",
            "team",
            "unknown key 'member'",
            "did you mean 'members'?",
        ),
        ("team: [{name: a}]", "team.0", "'username' is missing", ""),
        (
            "team: {members: [{username: a, rol: x}]}",
            "team.members.0",
            "unknown key 'rol'",
            "did you mean 'role'?",
        ),
        (
            "roles: [{role: a, acces: read}]",
            "roles.0",
            "unknown key 'acces'",
            "did you mean 'access'?",
        ),
        ("support: [{url: a}]", "support.0", "'channel' is missing", ""),
        ("price: {priceAmount: free}", "price.priceAmount", "must be of type number", ""),
        ("slaProperties: [{property: latency}]", "slaProperties.0", "'value' is missing", ""),
        (
            "slaProperties: [{property: latency, value: [1]}]",
            "slaProperties.0.value",
            "must be of type string, number, integer, boolean, null",
            "",
        ),
        (
            "slaProperties: [{property: latency, value: 1, units: d}]",
            "slaProperties.0",
            "unknown key 'units'",
            "did you mean 'unit'?",
        ),
        ("description: text", "description", "must be of type object", ""),
        ("tags: [1]", "tags.0", "must be of type string", ""),
        (
            "context: {instruction: a}",
            "context",
            "unknown key 'instruction'",
            "did you mean 'instructions'?",
        ),
        ("customProperties: {a: 1}", "customProperties", "must be of type array", ""),
        (
            "authoritativeDefinitions: [{url: x}]",
            "authoritativeDefinitions.0",
            "'type' is missing",
            "",
        ),
    ],
)
def test_a_defect_of_the_contract(tmp_path: Path, line: str, field: str, message: str, action: str):
    text = contract_text(SCHEMA, "v3.2.0", f"{line}\n")
    problem = only_problem(ContractError, lambda: load_text(tmp_path, text))
    assert (problem.field, problem.message, problem.action) == (field, message, action)
    assert place(problem) == ("contract.odcs.yaml", line_of(text, line))
    assert problem.location is not None
    assert problem.location.column > 0
    assert bool(problem.allowed) == (message.startswith(("unknown", "not one")))


@pytest.mark.parametrize(
    ("entry", "field", "message"),
    [
        ("logicalType: vector, logicalTypeOptions: {}", ".logicalTypeOptions", "'dimensions'"),
        ("logicalType: map", "", "'map' is missing"),
        ("logicalType: map, map: {key: {logicalType: string}}", ".map", "'value' is missing"),
        ("logicalType: array, item: {logicalType: string}", "", "unknown key 'item'"),
        ("logicalType: array, items: [a]", ".items", "must be of type object"),
        ("logicalType: object, properties: {x: 1}", ".properties", "must be of type array"),
        ("logicalType: string, enum: []", ".enum", "[] should be non-empty"),
        ("logicalType: string, enum: [a]", ".enum.0", "must be of type object"),
        ("logicalType: string, enum: [{value: a}, {value: a}]", ".enum", "non-unique"),
        ("logicalType: string, id: 'a b'", ".id", "does not match"),
        (
            "logicalType: integer, logicalTypeOptions: {format: i31}",
            ".logicalTypeOptions.format",
            "not one of the values",
        ),
        ("logicalType: string, quality: {metric: rowCount}", ".quality", "must be of type array"),
        ("logicalType: string, semanticType: colum", ".semanticType", "not one of the values"),
        ("logicalType: string, items: {logicalType: date}", "", "'items' does not belong here"),
        ("quality: [{metric: nullValues}]", ".quality.0", "needs exactly one of these keys"),
        (
            "logicalType: object, properties: [{name: b, properties: [{name: c, tag: []}]}]",
            ".properties.0.properties.0",
            "unknown key 'tag'",
        ),
    ],
)
def test_a_defect_of_a_property(tmp_path: Path, entry: str, field: str, message: str):
    text = orders(ID, f"{{name: a, {entry}}}", api_version="v3.2.0")
    problem = only_problem(ContractError, lambda: load_text(tmp_path, text))
    assert problem.field == f"schema.0.properties.1{field}"
    assert message in problem.message
    assert place(problem) == ("contract.odcs.yaml", line_of(text, "name: a,"))


@pytest.mark.parametrize("rule", ["null", "5", "text", "[1]", "true"])
def test_a_rule_that_is_no_mapping(tmp_path: Path, rule: str):
    text = orders(ID, quality=[rule])
    problem = only_problem(ContractError, lambda: load_text(tmp_path, text))
    assert (problem.field, problem.message) == ("schema.0.quality.0", "must be of type object")


def test_a_defect_among_many_alike_is_told_for_each_at_its_line(tmp_path: Path):
    good = "{metric: rowCount, mustBe: 1}"
    text = orders(ID, quality=[good] * 50 + ["{metric: rowCountt, mustBe: 7}"] + [good] * 50)
    problem = only_problem(ContractError, lambda: load_text(tmp_path, text))
    assert problem.field == "schema.0.quality.50.metric"
    text = text.replace("mustBe: 7", "mustbe: 7").replace("rowCountt", "rowCount")
    problems = problems_of(ContractError, lambda: load_text(tmp_path, text))
    assert {place(problem)[1] for problem in problems} == {line_of(text, "mustbe")}


def test_entries_that_differ_in_a_limited_value_only_are_not_taken_for_alike(tmp_path: Path):
    # The first of each pair is valid, so that only the second can be the reason.
    pairs = [
        ("{metric: rowCount, mustBe: 1}", "{metric: rows, mustBe: 1}"),
        ("{metric: rowCount, mustBe: 1, tags: [a]}", "{metric: rowCount, mustBe: 1, tags: [1]}"),
        ("{metric: rowCount, mustBe: 1, id: a}", "{metric: rowCount, mustBe: 1, id: 'a b'}"),
        (
            "{metric: rowCount, mustBeBetween: [1, 2]}",
            "{metric: rowCount, mustBeBetween: [1, 1]}",
        ),
        (
            "{metric: rowCount, mustBeLessThan: 1}",
            "{metric: rowCount, mustBeLessThan: a}",
        ),
        (
            "{metric: rowCount, mustBe: 1, customProperties: [{property: a, value: 1}]}",
            "{metric: rowCount, mustBe: 1, customProperties: [{property: 1, value: 1}]}",
        ),
    ]
    for good, bad in pairs:
        assert load_text(tmp_path, orders(ID, quality=[good, good])).objects
        with pytest.raises(ContractError):
            load_text(tmp_path, orders(ID, quality=[good, bad]))
    enums = ["[{value: 1}, {value: 2}]", "[{value: 1}, {value: 1}]"]
    columns = [
        f"{{name: {n}, logicalType: integer, enum: {e}}}" for n, e in zip("ab", enums, strict=True)
    ]
    with pytest.raises(ContractError):
        load_text(tmp_path, orders(*columns, api_version="v3.2.0"))


def test_a_contract_of_many_rules_is_cut_down_to_one_of_each_shape():
    schema = {
        "properties": {
            "quality": {"items": {"properties": {"metric": {"enum": ["a", "b"]}, "name": {}}}},
        }
    }
    rules = [{"metric": "ab"[n % 2], "name": f"rule {n}"} for n in range(1000)]
    reduced = Shapes(schema).reduced({"quality": rules, "name": "x"})
    assert reduced == {"quality": rules[:2], "name": "x"}
