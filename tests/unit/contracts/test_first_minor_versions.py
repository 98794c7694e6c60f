"""Contracts that are valid by the JSON schemas of v3.0.0 to v3.0.2, and not by later ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.contracts import contract_text, line_of, load_text, orders, specs_of
from support.problems import place, problems_of

from quality_platform.checks.specs import InRange, Scope
from quality_platform.errors import ContractError

ID = "{name: id, logicalType: integer}"
SCHEMA = f"schema:\n- name: orders\n  properties: [{ID}]\n"
FIRST = ("v3.0.0", "v3.0.1", "v3.0.2")


def bounded(kind: str, options: str) -> str:
    return f"{{name: id, logicalType: {kind}, logicalTypeOptions: {{{options}}}}}"


@pytest.mark.parametrize("version", FIRST)
@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        (
            "integer",
            "minimum: 1, exclusiveMinimum: true, maximum: 9, exclusiveMaximum: false",
            InRange("id", 1, 9, exclusive_minimum=True),
        ),
        (
            "number",
            "maximum: 9.5, exclusiveMaximum: true",
            InRange("id", None, 9.5, exclusive_maximum=True),
        ),
        (
            "date",
            "minimum: '2024-01-01', exclusiveMinimum: true",
            InRange("id", "2024-01-01", None, exclusive_minimum=True),
        ),
    ],
)
def test_a_bound_is_made_exclusive_by_a_flag(
    tmp_path: Path, version: str, kind: str, options: str, expected: InRange
):
    text = orders(bounded(kind, options), api_version=version)
    assert specs_of(tmp_path, text)["id_in_range"].claim == expected
    hints = load_text(tmp_path, text).hints
    assert {hint.field for hint in hints} <= {"exclusiveMinimum", "exclusiveMaximum"}
    assert len(hints) == options.count("exclusive")
    assert {place(hint)[1] for hint in hints} == {line_of(text, options)}


def test_a_flag_without_its_bound_says_nothing(tmp_path: Path):
    text = orders(bounded("integer", "exclusiveMinimum: true"), api_version="v3.0.2")
    assert list(specs_of(tmp_path, text)) == ["conforms_to_schema"]
    (hint,) = load_text(tmp_path, text).hints
    assert hint.message.endswith("it is read as nothing")


def test_the_problem_of_a_bound_beside_a_flag_is_told_at_the_bound(tmp_path: Path):
    options = "    logicalTypeOptions:\n      exclusiveMinimum: true\n      minimum: many\n"
    column = f"  - name: id\n    logicalType: integer\n{options}"
    text = contract_text(f"schema:\n- name: orders\n  properties:\n{column}", "v3.0.2")
    (problem,) = problems_of(ContractError, lambda: load_text(tmp_path, text))
    assert place(problem)[1] == line_of(text, "minimum: many")


@pytest.mark.parametrize("version", ["v3.1.0", "v3.2.0"])
def test_later_versions_have_no_flags(tmp_path: Path, version: str):
    text = orders(bounded("integer", "minimum: 1, exclusiveMinimum: true"), api_version=version)
    (problem,) = problems_of(ContractError, lambda: load_text(tmp_path, text))
    assert problem.message == "must be of type number"


def test_a_query_without_an_operator_is_a_note_with_a_hint(tmp_path: Path):
    rule = "{name: few, type: sql, query: 'SELECT 1 FROM {object}'}"
    text = orders(ID, quality=[rule], api_version="v3.0.1")
    spec = specs_of(tmp_path, text)["few"]
    assert (spec.scope, spec.description) == (Scope.NOTE, "query: SELECT 1 FROM {object}")
    (hint,) = load_text(tmp_path, text).hints
    assert (hint.field, place(hint)[1]) == ("query", line_of(text, rule))
    with pytest.raises(ContractError, match="needs exactly one of these keys"):
        load_text(tmp_path, text.replace("v3.0.1", "v3.1.0"))


OPEN = [
    "team: [{role: owner, phone: '1'}]\n",
    "roles: [{role: reader, region: eu}]\n",
    "support: [{channel: c, url: u, hours: all}]\n",
    "price: {priceAmount: 1, per: month}\n",
    "slaProperties: [{property: latency, value: 1, region: eu}]\n",
    "customProperties: [{property: a}]\n",
    "customProperties: [{property: a, value: 1, region: eu}]\n",
    "authoritativeDefinitions: [{url: u, type: t, region: eu}]\n",
    "servers: [{server: s, type: local, path: p, format: csv, team: x}]\n",
    "servers: [{server: s, type: duckdb, database: d, schema: 1}]\n",
]


@pytest.mark.parametrize("more", OPEN)
def test_what_v3_0_lets_pass_is_a_hint_and_later_a_problem(tmp_path: Path, more: str):
    text = contract_text(SCHEMA, "v3.0.2", more)
    hints = load_text(tmp_path, text).hints
    assert hints
    assert {place(hint)[1] for hint in hints} == {line_of(text, more.strip())}
    assert all("v3.0 lets it pass" in hint.message for hint in hints)
    problems = problems_of(
        ContractError, lambda: load_text(tmp_path, text.replace("v3.0.2", "v3.2.0"))
    )
    assert len(problems) == len(hints)


def test_a_rule_may_have_keys_of_other_tools(tmp_path: Path):
    rule = "{rule: nullCheck, name: there, xyz: 5}"
    text = orders(f"{ID[:-1]}, quality: [{rule}]}}", api_version="v3.0.0")
    assert "there" in specs_of(tmp_path, text)
    assert any("unknown key 'xyz'" in hint.message for hint in load_text(tmp_path, text).hints)


def test_a_key_of_a_rule_that_is_likely_misspelt_is_refused_in_any_version(tmp_path: Path):
    rule = "{rule: nullCheck, name: there, severty: warning}"
    text = orders(f"{ID[:-1]}, quality: [{rule}]}}", api_version="v3.0.0")
    (problem,) = problems_of(ContractError, lambda: load_text(tmp_path, text))
    assert problem.action == "did you mean 'severity'?"
