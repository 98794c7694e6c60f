"""Rules that cannot be understood, with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.contracts import line_of, orders, specs_of
from support.problems import only_problem, place, problems_of

from quality_platform.errors import ContractError

ID = "{name: id, logicalType: integer}"
NAME = "{name: name, logicalType: string}"


def refused(folder: Path, text: str, fragment: str):
    problem = only_problem(ContractError, lambda: specs_of(folder, text))
    assert place(problem) == ("contract.odcs.yaml", line_of(text, fragment))
    return problem


def refused_rule(folder: Path, rule: str):
    """A rule of the object."""
    return refused(folder, orders(ID, NAME, quality=[rule]), rule)


def refused_column_rule(folder: Path, column: str, rule: str):
    return refused(folder, orders(f"{column[:-1]}, quality: [{rule}]}}"), rule)


@pytest.mark.parametrize(
    ("rule", "column", "meant"),
    [
        (
            "{metric: duplicateValues, mustBe: 0, arguments: {properties: [id, nam]}}",
            "nam",
            "did you mean 'name'?",
        ),
        (
            "{type: custom, engine: greatExpectations, implementation: "
            "{type: expect_column_values_to_not_be_null, kwargs: {column: idd}}}",
            "idd",
            "did you mean 'id'?",
        ),
        (
            "{type: custom, engine: greatExpectations, implementation: "
            "{type: expect_column_pair_values_to_be_equal, kwargs: {column_A: id, column_B: x}}}",
            "x",
            "",
        ),
    ],
)
def test_a_rule_about_an_unknown_column_is_told(tmp_path: Path, rule: str, column: str, meant: str):
    problem = refused_rule(tmp_path, rule)
    assert problem.message == (
        f"the rule names the column {column!r}, which the contract does not have"
    )
    assert (problem.allowed, problem.action) == ("id, name", meant)


def test_a_foreign_key_from_an_unknown_column_is_told(tmp_path: Path):
    text = orders(ID, relationships=["{from: orders.idd, to: customers.id}"])
    problem = refused(tmp_path, text, "from:")
    assert "'idd'" in problem.message
    assert problem.action == "did you mean 'id'?"


def test_a_foreign_key_to_an_object_that_no_table_has_is_told(tmp_path: Path):
    text = orders("{name: c, logicalType: integer, relationships: [{to: customer.id}]}")
    problem = refused(tmp_path, text, "name: c")
    assert "'customer'" in problem.message
    assert (problem.allowed, problem.action) == (
        "customers, orders",
        "did you mean 'customers'?",
    )


def test_an_unknown_severity_is_told(tmp_path: Path):
    problem = refused_rule(tmp_path, "{metric: rowCount, mustBe: 1, severity: warnings}")
    assert (problem.field, problem.received) == ("severity", "warnings")
    assert problem.allowed == (
        "error, critical, blocker, high, major, warning, warn, medium, minor, low, info"
    )
    assert problem.action == "did you mean 'warning'?"


def test_an_unknown_severity_of_a_foreign_key_is_told(tmp_path: Path):
    custom = "[{property: severity, value: fatal}]"
    text = orders(
        ID, relationships=[f"{{from: orders.id, to: customers.id, customProperties: {custom}}}"]
    )
    assert refused(tmp_path, text, "from:").received == "fatal"


@pytest.mark.parametrize(
    ("rule", "received", "allowed"),
    [
        ("{metric: rowCount, mustBe: 1, unit: row}", "row", "rows"),
        ("{metric: rowCount, mustBe: 1, unit: percent}", "percent", "rows"),
        (
            "{type: sql, query: select 1, mustBe: 1, unit: minutes}",
            "minutes",
            "rows, percent, %",
        ),
    ],
)
def test_an_unknown_unit_is_told(tmp_path: Path, rule: str, received: str, allowed: str):
    problem = refused_rule(tmp_path, rule)
    assert (problem.field, problem.received, problem.allowed) == ("unit", received, allowed)


def test_an_unknown_engine_is_told(tmp_path: Path):
    rule = "{type: custom, engine: sodaa, implementation: {a: b}}"
    problem = refused_rule(tmp_path, rule)
    assert (problem.field, problem.received) == ("engine", "sodaa")
    assert (problem.allowed, problem.action) == ("greatExpectations, soda", "did you mean 'soda'?")


def test_an_unknown_expectation_is_told(tmp_path: Path):
    rule = (
        "{name: x, type: custom, engine: greatExpectations, implementation: "
        "{type: expect_column_values_to_not_be_nul, kwargs: {column: id}}}"
    )
    problem = refused_rule(tmp_path, rule)
    assert problem.received == "expect_column_values_to_not_be_nul"
    assert problem.action == "use expect_column_values_to_not_be_null"


@pytest.mark.parametrize(
    ("implementation", "message"),
    [
        ("{kwargs: {column: id}}", "a Great Expectations entry needs implementation.type"),
        ("{type: 5}", "a Great Expectations entry needs implementation.type"),
        (
            "{type: expect_column_to_exist, kwargs: [id]}",
            "a Great Expectations entry needs implementation.kwargs as a mapping",
        ),
        ("'just text'", "the implementation must be a mapping, or YAML text of one"),
        ("'a: ['", "in the text of the implementation: not valid YAML"),
        ("'{a: 1, a: 2}'", "in the text of the implementation: the key 'a' stands twice"),
    ],
)
def test_an_implementation_that_cannot_be_used_is_told(
    tmp_path: Path, implementation: str, message: str
):
    rule = f"{{type: custom, engine: greatExpectations, implementation: {implementation}}}"
    assert refused_rule(tmp_path, rule).message.startswith(message)


def test_two_checks_of_one_name_are_both_told(tmp_path: Path):
    rules = [f"{{name: same, metric: rowCount, mustBe: {n}}}" for n in (1, 2)]
    text = orders(ID, quality=rules)
    problems = problems_of(ContractError, lambda: specs_of(tmp_path, text))
    assert [place(problem)[1] for problem in problems] == [line_of(text, rule) for rule in rules]
    assert {problem.message for problem in problems} == {
        "two checks of this table are called 'same'"
    }


def test_a_rule_cannot_have_the_name_of_the_check_that_every_table_has(tmp_path: Path):
    problem = refused_rule(tmp_path, "{name: conforms to schema, metric: rowCount, mustBe: 1}")
    assert problem.message == "two checks of this table are called 'conforms_to_schema'"


@pytest.mark.parametrize("name", ["!!!", " ", "___"])
def test_a_name_without_a_letter_is_told(tmp_path: Path, name: str):
    problem = refused_rule(tmp_path, f"{{name: '{name}', metric: rowCount, mustBe: 1}}")
    assert (problem.field, problem.received) == ("name", name)


@pytest.mark.parametrize("rule", ["{name: x}", "{name: x, description: Some rule.}"])
def test_a_rule_that_says_nothing_is_told(tmp_path: Path, rule: str):
    assert refused_rule(tmp_path, rule).message.startswith("a rule needs a metric")


@pytest.mark.parametrize("metric", ["nullValues", "missingValues", "invalidValues"])
def test_a_metric_about_values_belongs_to_a_column(tmp_path: Path, metric: str):
    problem = refused_rule(tmp_path, f"{{metric: {metric}, mustBe: 0}}")
    assert problem.message == f"the metric {metric} belongs to a property, not to the object"


def test_duplicates_of_an_object_need_columns(tmp_path: Path):
    for arguments in ("", ", arguments: {properties: []}"):
        problem = refused_rule(tmp_path, f"{{metric: duplicateValues, mustBe: 0{arguments}}}")
        assert "arguments.properties" in problem.message


@pytest.mark.parametrize(
    ("column", "rule", "message"),
    [
        (NAME, "{metric: missingValues, mustBe: 0}", "missingValues needs arguments.missingValues"),
        (
            NAME,
            "{metric: invalidValues, mustBe: 0}",
            "invalidValues needs arguments.validValues or arguments.pattern",
        ),
        (
            NAME,
            "{metric: invalidValues, mustBe: 0, arguments: {validValues: ABC}}",
            "must be a list",
        ),
        (
            NAME,
            "{metric: missingValues, mustBe: 0, arguments: {missingValues: NA}}",
            "must be a list",
        ),
        (
            NAME,
            "{metric: invalidValues, mustBe: 0, arguments: {pattern: 5}}",
            "the pattern must be text",
        ),
        (
            NAME,
            "{metric: invalidValues, mustBe: 0, arguments: {validValues: [a], pattern: a}}",
            "invalidValues takes validValues or a pattern",
        ),
        (
            NAME,
            "{metric: invalidValues, mustBe: 0, arguments: {validvalues: [a]}}",
            "invalidValues has no such argument here",
        ),
        (
            ID,
            "{metric: duplicateValues, mustBe: 0, arguments: {properties: [id]}}",
            "duplicateValues has no such argument here",
        ),
        (
            ID,
            "{metric: nullValues, mustBe: 0, arguments: {x: 1}}",
            "nullValues has no such argument here",
        ),
    ],
)
def test_arguments_that_a_metric_cannot_use_are_told(
    tmp_path: Path, column: str, rule: str, message: str
):
    assert refused_column_rule(tmp_path, column, rule).message == message


# YAML reads NO as false and 007 as 7. A comparison of text with them fails on the first value.
@pytest.mark.parametrize(
    ("column", "values", "received"),
    [
        (NAME, "[NO, SE]", "False"),
        (NAME, "[SE, 007]", "7"),
        (NAME, "[1.5]", "1.5"),
        (ID, "[1, true]", "True"),
        (ID, "[1, a]", "'a'"),
        ("{name: b, logicalType: boolean}", "[1]", "1"),
        ("{name: d, logicalType: date}", "[20200101]", "20200101"),
        ("{name: d, logicalType: date}", "['2021-02-29']", "'2021-02-29'"),
        ("{name: t, logicalType: timestamp}", "['yesterday']", "'yesterday'"),
        ("{name: n, logicalType: number}", "['1,5']", "'1,5'"),
    ],
)
@pytest.mark.parametrize(
    ("metric", "argument"), [("invalidValues", "validValues"), ("missingValues", "missingValues")]
)
def test_values_that_the_column_cannot_have_are_told(
    tmp_path: Path, column: str, values: str, received: str, metric: str, argument: str
):
    rule = f"{{metric: {metric}, mustBe: 0, arguments: {{{argument}: {values}}}}}"
    problem = refused_column_rule(tmp_path, column, rule)
    assert (problem.field, problem.received) == (f"arguments.{argument}", received)
    assert "quote it" in problem.action


@pytest.mark.parametrize(
    ("bound", "message"),
    [
        ("mustBe: abc", "the operator needs a number"),
        ("mustBe: true", "the operator needs a number"),
        ("mustBe: null", "the operator needs a number"),
        ("mustBe: [1, 2]", "the operator needs a number"),
        ("mustBeGreaterThan: .nan", "the operator needs a number"),
        ("mustBeLessThan: .inf", "the operator needs a number"),
        ("mustBeBetween: [10, 1]", "the smaller number comes first"),
        ("mustNotBeBetween: [10, 1]", "the smaller number comes first"),
    ],
)
def test_a_bound_that_cannot_be_judged_is_told(tmp_path: Path, bound: str, message: str):
    problem = refused_rule(tmp_path, f"{{metric: rowCount, {bound}}}")
    assert problem.message == message
    assert problem.field == bound.partition(":")[0]


@pytest.mark.parametrize(
    ("predicate", "message"),
    [
        ("idd > 0", "the predicate reads 'idd', which is no column of the table"),
        ("id >", "not valid SQL"),
        ("id IN (SELECT 1)", "Subquery is not allowed in a row predicate"),
        ("5", "rowPredicate must be text"),
        ("id + 1", "the predicate is a value, not a condition"),
        ("name", "the predicate is a value, not a condition"),
    ],
)
def test_a_predicate_that_is_not_allowed_is_told(tmp_path: Path, predicate: str, message: str):
    rule = f"{{type: text, customProperties: [{{property: rowPredicate, value: {predicate}}}]}}"
    assert refused_rule(tmp_path, rule).message.startswith(message)


@pytest.mark.parametrize(
    "rule",
    [
        "metric: rowCount, mustBe: 1",
        "type: sql, query: 'SELECT 1', mustBe: 1",
        "type: custom, engine: soda, implementation: {row_count: {}}",
    ],
)
def test_a_predicate_in_a_rule_of_another_type_is_told(tmp_path: Path, rule: str):
    custom = "customProperties: [{property: rowPredicate, value: id > 0}]"
    problem = refused_rule(tmp_path, f"{{{rule}, {custom}}}")
    assert "takes no rowPredicate" in problem.message
    assert problem.allowed == "type: text"


@pytest.mark.parametrize(
    "rule",
    [
        "type: text, description: Be kind.",
        "type: sql, query: 'SELECT 1', mustBe: 1",
        "type: custom, engine: soda, implementation: {row_count: {}}",
    ],
)
def test_a_condition_for_a_rule_that_cannot_have_one_is_told(tmp_path: Path, rule: str):
    custom = "customProperties: [{property: rowCondition, value: id > 0}]"
    problem = refused_rule(tmp_path, f"{{{rule}, {custom}}}")
    assert problem.message == "this kind of rule takes no rowCondition"


def test_a_condition_that_is_no_condition_is_told(tmp_path: Path):
    custom = "customProperties: [{property: rowCondition, value: id + 1}]"
    problem = refused_rule(tmp_path, f"{{metric: rowCount, mustBe: 1, {custom}}}")
    assert problem.message == "the predicate is a value, not a condition"


def test_a_query_that_reads_other_tables_is_told(tmp_path: Path):
    problem = refused_rule(tmp_path, "{type: sql, query: select count(*) from other, mustBe: 0}")
    assert problem.message == "a metric query may read nothing but the batch"


def test_every_rule_that_is_wrong_is_told_at_once(tmp_path: Path):
    rules = [
        "{metric: rowCount, mustBe: 1, severity: fatal}",
        "{metric: rowCount, mustBe: 1, name: fine}",
        "{metric: rowCount, mustBe: 1, unit: miles}",
        "{type: custom, engine: other, implementation: {a: b}}",
    ]
    text = orders(ID, quality=rules)
    problems = problems_of(ContractError, lambda: specs_of(tmp_path, text))
    assert [place(problem)[1] for problem in problems] == [
        line_of(text, rule) for rule in rules if "fine" not in rule
    ]
