"""Rules that judge only the rows for which a condition is true."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from support.contracts import orders, specs_of

from quality_platform.checks.specs import (
    InSet,
    Matches,
    NotMissing,
    NotNull,
    RowCount,
    Satisfies,
    Scope,
    Unique,
    When,
)
from quality_platform.checks.thresholds import Operator, Threshold

ID = "{name: id, logicalType: integer}"
COUNTRY = "{name: country, logicalType: string}"
ONLY_US = "customProperties: [{property: rowCondition, value: \"country = 'US'\"}]"
CONDITION = "\"country\" = 'US'"


def only(folder: Path, rule: str, column: str | None = None):
    """The one check that a rule makes."""
    entry = f"{{{rule}, {ONLY_US}}}"
    text = (
        orders(ID, COUNTRY, quality=[entry])
        if column is None
        else orders(f"{{name: {column}, logicalType: string, quality: [{entry}]}}", COUNTRY)
    )
    (spec,) = [s for name, s in specs_of(folder, text).items() if name != "conforms_to_schema"]
    return spec


@pytest.mark.parametrize(
    ("rule", "claim"),
    [
        ("metric: nullValues, mustBe: 0", NotNull("zip")),
        (
            "metric: missingValues, mustBe: 0, arguments: {missingValues: ['']}",
            NotMissing("zip", ("",)),
        ),
        (
            "metric: invalidValues, mustBe: 0, arguments: {validValues: [a]}",
            InSet("zip", ("a",)),
        ),
        (
            "metric: invalidValues, mustBe: 0, arguments: {pattern: x}",
            Matches("zip", "x"),
        ),
    ],
)
def test_a_rule_about_values_can_have_a_condition(tmp_path: Path, rule: str, claim):
    spec = only(tmp_path, rule, "zip")
    assert spec.claim == When(CONDITION, ("country",), claim)
    assert (spec.scope, spec.columns) == (Scope.ROW, ("zip", "country"))


def test_an_allowance_among_the_rows_of_a_condition_is_a_gate(tmp_path: Path):
    spec = only(tmp_path, "metric: nullValues, mustBeLessThan: 5, unit: percent", "zip")
    assert spec.claim == When(CONDITION, ("country",), NotNull("zip"))
    assert spec.scope is Scope.GATE
    assert spec.threshold == Threshold(Operator.LESS, (Decimal(5),), percent=True)


def test_a_predicate_can_have_a_condition(tmp_path: Path):
    custom = (
        "customProperties: [{property: rowPredicate, value: id > 0}, "
        "{property: rowCondition, value: country IS NOT NULL}]"
    )
    text = orders(ID, COUNTRY, quality=[f"{{name: p, type: text, {custom}}}"])
    spec = specs_of(tmp_path, text)["p"]
    inner = Satisfies('"id" > 0', ("id",))
    assert spec.claim == When('NOT "country" IS NULL', ("country",), inner)
    assert spec.columns == ("id", "country")


def test_duplicates_and_rows_are_counted_among_the_rows_of_a_condition(tmp_path: Path):
    assert only(tmp_path, "metric: rowCount, mustBe: 3").claim == RowCount(CONDITION)
    duplicates = "metric: duplicateValues, mustBe: 0, arguments: {properties: [id]}"
    assert only(tmp_path, duplicates).claim == Unique(("id",), CONDITION)
