"""The entries of `quality` as check specs."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
from support.contracts import line_of, orders, specs_of

from quality_platform.checks.specs import (
    Expectation,
    InSet,
    Matches,
    Note,
    NotMissing,
    NotNull,
    RowCount,
    Satisfies,
    Scope,
    Severity,
    SodaCheck,
    SqlMetric,
    Unique,
)
from quality_platform.checks.thresholds import NONE_ALLOWED, Operator, Threshold

ID = "{name: id, logicalType: integer}"
NAME = "{name: name, logicalType: string}"


def rule_on(column: str, rule: str) -> str:
    """A column with one rule."""
    return f"{column[:-1]}, quality: [{rule}]}}"


def only(folder: Path, text: str):
    """The one check beside conformity."""
    (spec,) = [
        spec for name, spec in specs_of(folder, text).items() if name != "conforms_to_schema"
    ]
    return spec


# --- the library --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "rule", "name", "claim"),
    [
        (ID, "{metric: nullValues, mustBe: 0}", "id_nullValues", NotNull("id")),
        (ID, "{metric: duplicateValues, mustBe: 0}", "id_duplicateValues", Unique(("id",))),
        (
            NAME,
            "{metric: missingValues, mustBe: 0, arguments: {missingValues: ['', NA, null]}}",
            "name_missingValues",
            NotMissing("name", ("", "NA", None)),
        ),
        (
            NAME,
            "{metric: invalidValues, mustBe: 0, arguments: {validValues: ['NO', '007']}}",
            "name_invalidValues",
            InSet("name", ("NO", "007")),
        ),
        (
            ID,
            "{metric: invalidValues, mustBe: 0, arguments: {validValues: [1, 2]}}",
            "id_invalidValues",
            InSet("id", (1, 2)),
        ),
        (
            NAME,
            "{metric: invalidValues, mustBe: 0, arguments: {pattern: x}}",
            "name_invalidValues",
            Matches("name", "x"),
        ),
    ],
)
def test_a_metric_of_a_column_that_must_be_zero_is_a_row_rule(
    tmp_path: Path, column: str, rule: str, name: str, claim
):
    spec = only(tmp_path, orders(rule_on(column, rule)))
    assert (spec.name, spec.claim) == (name, claim)
    assert (spec.scope, spec.severity, spec.threshold) == (Scope.ROW, Severity.ERROR, NONE_ALLOWED)
    assert spec.columns == (name.partition("_")[0],)


@pytest.mark.parametrize(
    ("bound", "threshold"),
    [
        ("mustBe: 3", Threshold(Operator.MUST_BE, (Decimal(3),))),
        ("mustNotBe: 0", Threshold(Operator.MUST_NOT_BE, (Decimal(0),))),
        ("mustBeGreaterThan: 1.5", Threshold(Operator.GREATER, (Decimal("1.5"),))),
        ("mustBeGreaterOrEqualTo: 1", Threshold(Operator.GREATER_OR_EQUAL, (Decimal(1),))),
        ("mustBeLessThan: 5, unit: rows", Threshold(Operator.LESS, (Decimal(5),))),
        (
            "mustBeLessOrEqualTo: 0.1, unit: percent",
            Threshold(Operator.LESS_OR_EQUAL, (Decimal("0.1"),), percent=True),
        ),
        (
            "mustBeBetween: [1, 2], unit: '%'",
            Threshold(Operator.BETWEEN, (Decimal(1), Decimal(2)), percent=True),
        ),
        (
            "mustNotBeBetween: [-1, 1.0e+3]",
            Threshold(Operator.NOT_BETWEEN, (Decimal(-1), Decimal(1000))),
        ),
    ],
)
def test_any_other_bound_makes_a_gate(tmp_path: Path, bound: str, threshold: Threshold):
    spec = only(tmp_path, orders(rule_on(ID, f"{{metric: nullValues, {bound}}}")))
    assert (spec.scope, spec.threshold) == (Scope.GATE, threshold)


def test_the_number_of_rows_is_a_gate_whatever_the_bound(tmp_path: Path):
    spec = only(tmp_path, orders(ID, quality=["{metric: rowCount, mustBe: 0}"]))
    assert (spec.name, spec.claim, spec.scope) == ("table_rowCount", RowCount(), Scope.GATE)
    assert spec.columns == ()


def test_duplicates_of_an_object_name_their_columns(tmp_path: Path):
    rule = "{metric: duplicateValues, mustBe: 0, arguments: {properties: [name, id]}}"
    spec = only(tmp_path, orders(ID, NAME, quality=[rule]))
    assert (spec.claim, spec.scope) == (Unique(("name", "id")), Scope.ROW)
    assert spec.columns == ("name", "id")


@pytest.mark.parametrize(
    ("severity", "expected"),
    [
        ("error", Severity.ERROR),
        *((word, Severity.ERROR) for word in ("critical", "Blocker", "high", "major")),
        ("warning", Severity.WARNING),
        *((word, Severity.WARNING) for word in ("warn", "medium", "minor", "Low", "info")),
        ("WARNING", Severity.WARNING),
    ],
)
def test_the_severity_is_read_in_any_case(tmp_path: Path, severity: str, expected: Severity):
    rule = f"{{metric: rowCount, mustBe: 1, severity: {severity}}}"
    assert only(tmp_path, orders(ID, quality=[rule])).severity is expected


def test_a_rules_name_dimension_and_description_are_kept(tmp_path: Path):
    rule = (
        "{name: 'rows per day!', metric: rowCount, mustBe: 1, dimension: coverage, "
        "description: ' Some. '}"
    )
    text = orders(ID, quality=[rule])
    spec = only(tmp_path, text)
    assert (spec.name, spec.dimension, spec.description) == ("rows_per_day", "coverage", "Some.")
    assert spec.location is not None
    assert spec.location.line == line_of(text, "rowCount")


def test_what_reports_show_of_a_rule_is_kept(tmp_path: Path):
    rule = (
        "{id: r1, metric: rowCount, mustBe: 1, businessImpact: ' Orders are lost. ', "
        "tags: [a, b], scheduler: cron, schedule: 0 20 * * *}"
    )
    spec = only(tmp_path, orders(ID, quality=[rule]))
    assert (spec.impact, spec.tags, spec.id) == ("Orders are lost.", ("a", "b"), "r1")
    assert spec.schedule == "cron 0 20 * * *"


def test_rules_without_names_are_told_apart_by_number_in_the_contracts_order(tmp_path: Path):
    rules = [f"{{metric: rowCount, mustBe: {n}}}" for n in (1, 2)]
    rules.insert(1, "{name: table_rowCount_2, metric: rowCount, mustBe: 9}")
    specs = specs_of(tmp_path, orders(ID, quality=rules))
    assert {name: str(spec.threshold) for name, spec in specs.items() if "row" in name} == {
        "table_rowCount": "= 1",
        "table_rowCount_2": "= 9",
        "table_rowCount_3": "= 2",
    }


def test_an_implied_check_leaves_its_name_to_a_rule_that_states_it(tmp_path: Path):
    text = orders(
        "{name: id, logicalType: integer, required: true}",
        quality=["{name: id not null, metric: rowCount, mustBe: 1}"],
    )
    specs = specs_of(tmp_path, text)
    assert specs["id_not_null"].claim == RowCount()
    assert specs["id_not_null_2"].claim == NotNull("id")


def test_a_rule_without_a_name_is_called_by_its_id(tmp_path: Path):
    rule = "{id: row-rule_1, metric: rowCount, mustBe: 1}"
    assert only(tmp_path, orders(ID, quality=[rule])).name == "row_rule_1"


# --- SQL, engines, prose ------------------------------------------------------------------------


def test_a_query_is_a_gate_over_the_batch(tmp_path: Path):
    rule = "{type: sql, query: 'SELECT count(*) FROM {object}', mustBe: 0}"
    spec = only(tmp_path, orders(ID, quality=[rule]))
    assert (spec.name, spec.scope) == ("table_sql", Scope.GATE)
    assert spec.claim == SqlMetric("SELECT COUNT(*) FROM batch")


@pytest.mark.parametrize("placeholder", ["{property}", "${property}", "{column}", "${column}"])
def test_a_query_of_a_column_may_name_it_by_its_placeholder(tmp_path: Path, placeholder: str):
    query = f"SELECT count(*) FROM ${{table}} WHERE {placeholder} < 0"
    spec = only(tmp_path, orders(rule_on(ID, f"{{type: sql, query: '{query}', mustBe: 0}}")))
    assert spec.claim == SqlMetric('SELECT COUNT(*) FROM batch WHERE "id" < 0')


def test_a_predicate_is_a_row_rule_with_the_columns_that_it_reads(tmp_path: Path):
    custom = "[{property: rowPredicate, value: id > 0 OR name IS NULL}]"
    rule = f"{{type: text, name: p, severity: warning, customProperties: {custom}}}"
    spec = only(tmp_path, orders(ID, NAME, quality=[rule]))
    assert spec.claim == Satisfies('"id" > 0 OR "name" IS NULL', ("id", "name"))
    assert (spec.scope, spec.severity, spec.columns) == (
        Scope.ROW,
        Severity.WARNING,
        ("id", "name"),
    )


def test_a_rule_in_prose_is_a_note(tmp_path: Path):
    spec = only(tmp_path, orders(ID, quality=["{type: text, description: Be kind.}"]))
    assert (spec.claim, spec.scope) == (Note("Be kind."), Scope.NOTE)


@pytest.mark.parametrize(
    "engine", ["greatExpectations", "great-expectations", "great_expectations"]
)
@pytest.mark.parametrize(
    "implementation",
    [
        "{type: expect_column_values_to_not_be_null, kwargs: {column: id}}",
        "'{expectation_type: expect_column_values_to_not_be_null, kwargs: {column: id}}'",
    ],
)
def test_an_expectation_about_values_is_a_row_rule(
    tmp_path: Path, engine: str, implementation: str
):
    rule = f"{{type: custom, engine: {engine}, implementation: {implementation}}}"
    spec = only(tmp_path, orders(ID, quality=[rule]))
    assert spec.claim == Expectation("expect_column_values_to_not_be_null", {"column": "id"})
    assert (spec.scope, spec.columns) == (Scope.ROW, ("id",))


@pytest.mark.parametrize(
    "implementation",
    [
        "{type: expect_column_values_to_not_be_null, kwargs: {mostly: 0.9}}",
        "{type: expect_column_mean_to_be_between, kwargs: {min_value: 1}}",
    ],
)
def test_an_expectation_that_allows_failures_or_is_about_all_values_is_a_gate(
    tmp_path: Path, implementation: str
):
    rule = f"{{type: custom, engine: greatExpectations, implementation: {implementation}}}"
    spec = only(tmp_path, orders(rule_on(ID, rule)))
    assert spec.scope is Scope.GATE
    assert spec.columns == ("id",)


def test_an_expectation_about_two_columns_knows_both(tmp_path: Path):
    kwargs = "{column_A: id, column_B: other, or_equal: true}"
    kind = "expect_column_pair_values_a_to_be_greater_than_b"
    rule = (
        f"{{type: custom, engine: greatExpectations, implementation: "
        f"{{type: {kind}, kwargs: {kwargs}}}}}"
    )
    text = orders(ID, "{name: other, logicalType: integer}", quality=[rule])
    assert only(tmp_path, text).columns == ("id", "other")


def test_a_soda_check_with_an_allowance_is_a_gate(tmp_path: Path):
    definition = "{invalid: {valid_min: -30, threshold: {must_be_less_than: 5}}}"
    rule = f"{{type: custom, engine: soda, implementation: {definition}}}"
    spec = only(tmp_path, orders(rule_on(ID, rule)))
    written = {"valid_min": -30, "threshold": {"must_be_less_than": 5}}
    assert spec.claim == SodaCheck({"invalid": written}, "id")
    assert (spec.name, spec.scope, spec.columns) == ("id_soda", Scope.GATE, ("id",))


def test_dates_in_the_text_of_an_implementation_stay_text(tmp_path: Path):
    rule = "{type: custom, engine: soda, implementation: 'freshness: {since: 2020-01-01}'}"
    spec = only(tmp_path, orders(ID, quality=[rule]))
    assert spec.claim == SodaCheck({"freshness": {"since": "2020-01-01"}})


def test_every_name_is_one_that_dagster_takes(tmp_path: Path):
    text = orders(
        "{name: 'a-b c.d', logicalType: string, required: true, unique: true, "
        "logicalTypeOptions: {pattern: x, minLength: 1}, "
        "quality: [{metric: nullValues, mustBe: 0}]}"
    )
    for name in specs_of(tmp_path, text):
        assert re.fullmatch(r"[A-Za-z0-9_]+", name)


def test_checks_come_in_the_contracts_order(tmp_path: Path):
    text = orders(
        "{name: id, logicalType: integer, primaryKey: true, relationships: [{to: customers.id}], "
        "quality: [{metric: nullValues, mustBeLessThan: 5}]}",
        quality=["{metric: rowCount, mustBe: 1}"],
    )
    assert list(specs_of(tmp_path, text)) == [
        "conforms_to_schema",
        "id_not_null",
        "primary_key_unique",
        "id_in_customers",
        "table_rowCount",
        "id_nullValues",
    ]
