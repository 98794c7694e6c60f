"""What is wrong with a contract, with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.contracts import contract_text, line_of, load_text, orders
from support.problems import only_problem, place, problems_of

from quality_platform.errors import ConfigurationError, ContractError

ID = "{name: id, logicalType: integer}"
OPERATORS = (
    "mustBe, mustNotBe, mustBeGreaterThan, mustBeGreaterOrEqualTo, mustBeLessThan, "
    "mustBeLessOrEqualTo, mustBeBetween, mustNotBeBetween"
)


def refused(folder: Path, text: str):
    return only_problem(ContractError, lambda: load_text(folder, text))


def refused_rule(folder: Path, rule: str):
    text = orders(ID, quality=[rule])
    problem = refused(folder, text)
    assert place(problem) == ("contract.odcs.yaml", line_of(text, rule))
    return problem


def refused_property(folder: Path, entry: str):
    text = orders(ID, entry)
    problem = refused(folder, text)
    assert place(problem) == ("contract.odcs.yaml", line_of(text, entry))
    return problem


def test_a_misspelt_metric_is_told_with_the_one_that_was_meant(tmp_path: Path):
    problem = refused_rule(tmp_path, "{metric: rowCountt, mustBe: 1}")
    assert problem.field == "schema.0.quality.0.metric"
    assert problem.received == "rowCountt"
    assert problem.allowed == "nullValues, missingValues, invalidValues, duplicateValues, rowCount"
    assert problem.action == "did you mean 'rowCount'?"


@pytest.mark.parametrize(
    ("entry", "key", "meant"),
    [
        ("{name: a, logicalType: integer, requird: true}", "requird", "required"),
        ("{name: a, logicalType: integer, primary_key: true}", "primary_key", "primaryKey"),
        ('{name: a, logicalType: integer, "it\'s": 1}', "it's", "items"),
        ("{name: a, logicalType: integer, 'a, b': 1}", "a, b", ""),
    ],
)
def test_an_unknown_key_of_a_property_is_told(tmp_path: Path, entry: str, key: str, meant: str):
    problem = refused_property(tmp_path, entry)
    assert problem.message == f"unknown key {key!r}"
    assert problem.field == "schema.0.properties.1"
    assert problem.action == (f"did you mean {meant!r}?" if meant else "")
    assert "logicalType" in problem.allowed


@pytest.mark.parametrize(
    ("more", "key"), [("slaPropertie: []\n", "slaPropertie"), ("kindd: x\n", "kindd")]
)
def test_an_unknown_key_of_the_contract_is_told(tmp_path: Path, more: str, key: str):
    text = contract_text(f"schema: [{{name: t, properties: [{ID}]}}]\n", more=more)
    problem = refused(tmp_path, text)
    assert problem.message == f"unknown key {key!r}"
    assert place(problem) == ("contract.odcs.yaml", line_of(text, more.strip()))


def test_an_unknown_key_of_a_rule_is_told(tmp_path: Path):
    problem = refused_rule(tmp_path, "{metric: rowCount, mustBe: 1, dimenson: accuracy}")
    assert problem.message == "unknown key 'dimenson'"
    assert problem.action == "did you mean 'dimension'?"


@pytest.mark.parametrize(
    ("entry", "field", "message"),
    [
        ("{name: 5, logicalType: integer}", "name", "must be of type string"),
        ("{name: a, logicalType: integer, required: 'yes'}", "required", "must be of type boolean"),
        ("{name: a, logicalType: integer, tags: x}", "tags", "must be of type array"),
        (
            "{name: a, logicalType: string, logicalTypeOptions: {minLength: -1}}",
            "logicalTypeOptions.minLength",
            "-1 is less than the minimum of 0",
        ),
        (
            "{name: a, logicalType: integer, logicalTypeOptions: {minimum: abc}}",
            "logicalTypeOptions.minimum",
            "must be of type number",
        ),
        (
            "{name: a, logicalType: string, logicalTypeOptions: {minimum: 1}}",
            "logicalTypeOptions",
            "unknown key 'minimum'",
        ),
    ],
)
def test_a_value_of_another_type_is_told(tmp_path: Path, entry: str, field: str, message: str):
    problem = refused_property(tmp_path, entry)
    assert (problem.field, problem.message) == (f"schema.0.properties.1.{field}", message)


def test_a_property_needs_a_name(tmp_path: Path):
    problem = refused_property(tmp_path, "{logicalType: integer}")
    assert problem.message == "'name' is missing"


def test_an_empty_name_is_none(tmp_path: Path):
    problem = refused_property(tmp_path, "{name: '', logicalType: integer}")
    assert problem.message == "a property needs a name"


def test_a_logical_type_that_the_standard_has_not_is_told(tmp_path: Path):
    problem = refused_property(tmp_path, "{name: a, logicalType: strin}")
    assert (problem.received, problem.action) == ("strin", "did you mean 'string'?")


@pytest.mark.parametrize("key", ["id", "version", "kind"])
def test_what_the_standard_requires_of_a_contract_must_be_there(tmp_path: Path, key: str):
    lines = orders(ID).splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith(f"{key}:"))
    problem = refused(tmp_path, text)
    assert problem.message == f"{key!r} is missing"
    assert place(problem) == ("contract.odcs.yaml", 1)


@pytest.mark.parametrize(
    ("rule", "received"),
    [
        ("{metric: rowCount, mustBe: 1, mustNotBe: 2}", "mustBe, mustNotBe"),
        ("{metric: rowCount}", "none"),
        ("{type: sql, query: select 1}", "none"),
        (
            "{type: sql, query: select 1, mustBe: 1, mustBeLessThan: 2}",
            "mustBe, mustBeLessThan",
        ),
    ],
)
def test_a_rule_has_exactly_one_operator(tmp_path: Path, rule: str, received: str):
    problem = refused_rule(tmp_path, rule)
    assert problem.message == "needs exactly one of these keys"
    assert (problem.received, problem.allowed) == (received, OPERATORS)


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ("{metric: rowCount, mustBeLessThan: abc}", "mustBeLessThan"),
        ("{metric: rowCount, mustBeBetween: 5}", "mustBeBetween"),
        ("{metric: rowCount, mustBeBetween: [1, a]}", "mustBeBetween.1"),
    ],
)
def test_an_operator_needs_numbers(tmp_path: Path, rule: str, field: str):
    problem = refused_rule(tmp_path, rule)
    assert problem.field == f"schema.0.quality.0.{field}"
    assert problem.message.startswith("must be of type")


@pytest.mark.parametrize(
    ("rule", "missing"),
    [
        ("{type: sql, mustBe: 1}", "query"),
        ("{type: library, mustBe: 1}", "metric"),
        ("{type: custom, engine: soda}", "implementation"),
    ],
)
def test_a_rule_needs_what_its_type_is_about(tmp_path: Path, rule: str, missing: str):
    assert refused_rule(tmp_path, rule).message == f"{missing!r} is missing"


@pytest.mark.parametrize(
    ("rule", "key"),
    [("{type: text, mustBe: 3}", "mustBe"), ("{type: text, query: x}", "query")],
)
def test_a_key_of_another_type_of_rule_does_not_belong_here(tmp_path: Path, rule: str, key: str):
    problem = refused_rule(tmp_path, rule)
    assert problem.message == f"the key {key!r} does not belong here"
    assert "`type`" in problem.action


@pytest.mark.parametrize("version", ["v2.2.0", "v2.2.2", "v3.9.9", "3.1.0", "v4.0.0"])
def test_another_version_of_the_standard_is_refused_before_anything_else(
    tmp_path: Path, version: str
):
    text = orders("{nme: a}", api_version=version)
    problem = refused(tmp_path, text)
    assert (problem.field, problem.received) == ("apiVersion", version)
    assert place(problem) == ("contract.odcs.yaml", 1)
    assert problem.allowed == "v3.0.0, v3.0.1, v3.0.2, v3.1.0, v3.2.0"


def test_a_contract_without_a_version_of_the_standard_is_refused(tmp_path: Path):
    problem = refused(tmp_path, "id: x\n")
    assert (problem.field, problem.received) == ("apiVersion", "None")


@pytest.mark.parametrize(("text", "line"), [("", 0), ("- a\n", 1), ("text\n", 1)])
def test_a_file_that_is_no_mapping_is_no_contract(tmp_path: Path, text: str, line: int):
    problem = refused(tmp_path, text)
    assert problem.message == "the file must hold one data contract"
    assert place(problem) == ("contract.odcs.yaml", line)


def test_a_file_that_is_no_yaml_is_told_as_such(tmp_path: Path):
    problem = only_problem(ConfigurationError, lambda: load_text(tmp_path, "a: [\n"))
    assert problem.message.startswith("not valid YAML")


# Engines do not tell `id` from `ID`: one of two such columns would be checked as the other.
@pytest.mark.parametrize("name", ["id", "ID"])
def test_two_columns_of_one_name_are_refused(tmp_path: Path, name: str):
    problem = refused_property(tmp_path, f"{{name: {name}, logicalType: string}}")
    assert problem.message == "two entries have the same name"


def test_two_columns_from_one_column_of_the_source_are_refused(tmp_path: Path):
    problem = refused_property(tmp_path, "{name: b, physicalName: id, logicalType: string}")
    assert (problem.message, problem.received) == ("two entries have the same name", "id")


def test_two_objects_of_one_name_are_refused(tmp_path: Path):
    text = contract_text(
        f"schema:\n- {{name: t, properties: [{ID}]}}\n- {{name: T, properties: [{ID}]}}\n"
    )
    problem = refused(tmp_path, text)
    assert problem.message == "two entries have the same name"
    assert place(problem) == ("contract.odcs.yaml", line_of(text, "name: T,"))


@pytest.mark.parametrize(
    ("link", "message"),
    [
        (
            "{from: [orders.id, orders.b], to: [customers.id]}",
            "a foreign key has as many columns on one side as on the other",
        ),
        (
            "{from: [orders.id, orders.b], to: [customers.id, shops.id]}",
            "a foreign key refers to one object",
        ),
        (
            "{from: customers.id, to: orders.id}",
            "a foreign key starts at the object in which it stands",
        ),
        ("{from: orders.id, to: schema/nowhere/properties/x}", "a reference leads nowhere"),
        ("{from: orders.id, to: schema/orders/properties/nope}", "a reference leads nowhere"),
        ("{from: orders.id, to: schema/orders}", "a reference leads nowhere"),
        (
            "{from: orders.id, to: 'other.yaml#/schema/orders/properties/id'}",
            "a reference leads nowhere",
        ),
    ],
)
def test_a_foreign_key_that_cannot_be_one_is_told(tmp_path: Path, link: str, message: str):
    text = orders(ID, "{name: b, logicalType: integer}", relationships=[link])
    problem = refused(tmp_path, text)
    assert problem.message == message
    assert place(problem) == ("contract.odcs.yaml", line_of(text, link))
    assert problem.received.startswith("from ")


@pytest.mark.parametrize(
    "link",
    [
        "{from: [orders.id], to: customers.id}",
        "{from: orders.id}",
        "{to: customers.id}",
        "{from: id, to: customers.id}",
    ],
)
def test_a_relationship_of_another_form_is_refused_by_the_standard(tmp_path: Path, link: str):
    text = orders(ID, relationships=[link])
    for problem in problems_of(ContractError, lambda: load_text(tmp_path, text)):
        assert place(problem) == ("contract.odcs.yaml", line_of(text, link))


def test_a_property_does_not_say_where_its_foreign_key_starts(tmp_path: Path):
    entry = "{name: a, logicalType: string, relationships: [{from: orders.a, to: customers.id}]}"
    refused_property(tmp_path, entry)


def test_several_problems_are_told_at_once_in_the_order_of_their_lines(tmp_path: Path):
    text = orders(
        "{name: a, logicalType: strin}",
        "{name: b, logicalType: integer, requird: true, tags: x}",
        "{logicalType: integer}",
        quality=[
            "{metric: rowCountt, mustBe: 1}",
            "{metric: rowCount, mustBe: 1, dimension: speed, dimenson: accuracy}",
        ],
    )
    problems = problems_of(ContractError, lambda: load_text(tmp_path, text))
    lines = [problem.location.line for problem in problems if problem.location]
    assert lines == sorted(lines)
    assert [(p.field.removeprefix("schema.0."), p.message) for p in problems] == [
        ("quality.0.metric", "not one of the values that the standard allows"),
        ("quality.1.dimension", "not one of the values that the standard allows"),
        ("quality.1", "unknown key 'dimenson'"),
        ("properties.0.logicalType", "not one of the values that the standard allows"),
        ("properties.1.tags", "must be of type array"),
        ("properties.1", "unknown key 'requird'"),
        ("properties.2", "'name' is missing"),
    ]
