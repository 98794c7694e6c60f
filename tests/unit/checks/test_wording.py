"""Why a row breaks a check, in words for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.contracts import orders, specs_of

from quality_platform.checks.specs import (
    CheckSpec,
    Claim,
    InRange,
    NotMissing,
    NotNull,
    Satisfies,
    Scope,
    SodaCheck,
    Unique,
    When,
)
from quality_platform.checks.wording import reason_text

AT = "{name: at, logicalType: timestamp}"


def words(claim: Claim) -> str:
    return reason_text(CheckSpec("n", claim, Scope.ROW))


def test_a_predicate_is_shown_as_its_author_wrote_it(tmp_path: Path):
    rule = (
        "{name: past, type: text, customProperties: ["
        "{property: rowPredicate, value: 'at <=  current_timestamp'}, "
        "{property: rowCondition, value: at > today()}]}"
    )
    spec = specs_of(tmp_path, orders(AT, quality=[rule]))["past"]
    assert isinstance(spec.claim, When)
    assert "GETVARIABLE" in spec.claim.condition
    assert reason_text(spec) == "not true: at <= current_timestamp, where at > today()"


def test_the_condition_of_a_key_is_shown_as_its_author_wrote_it(tmp_path: Path):
    rule = (
        "{name: one, metric: duplicateValues, mustBe: 0, arguments: {properties: [at]}, "
        "customProperties: [{property: rowCondition, value: at < now()}]}"
    )
    spec = specs_of(tmp_path, orders(AT, quality=[rule]))["one"]
    assert reason_text(spec) == "another row among the rows with at < now() has the same (at)"


def test_claims_that_nobody_wrote_are_shown_in_sql():
    assert words(Satisfies('"a" > 1', ("a",))) == 'not true: "a" > 1'
    assert words(When('"a" = 1', ("a",), NotNull("b"))) == 'b is NULL, where "a" = 1'
    assert (
        words(Unique(("a",), '"b" = 1'))
        == 'another row among the rows with "b" = 1 has the same (a)'
    )


def test_a_value_that_is_missing_can_be_told_from_the_empty_text():
    assert words(NotMissing("a", ("", None, "-"))) == "a is missing: one of '', NULL, -"


def test_what_the_author_wrote_is_no_part_of_what_a_claim_is():
    assert Satisfies("a", ("a",), "A") == Satisfies("a", ("a",), "a")


def test_a_bound_in_time_is_shown_with_its_zone(tmp_path: Path):
    options = "{logicalTypeOptions: {minimum: '2024-05-31T12:00:00+02:00'}}"
    spec = specs_of(tmp_path, orders(f"{AT[:-1]}, {options[1:-1]}}}"))["at_in_range"]
    assert reason_text(spec) == "at is not within [2024-05-31 10:00:00 UTC, ∞)"
    assert words(InRange("day", "2024-05-31", None)) == "day is not within [2024-05-31, ∞)"


@pytest.mark.parametrize(
    ("definition", "column", "expected"),
    [
        ({"missing": None}, "a", "a is missing"),
        ({"missing": {"missing_values": ["", "-"]}}, "a", "a is missing (missing_values '', -)"),
        (
            {"invalid": {"valid_values": ["x", "y"], "filter": "b =  1", "name": "n"}},
            "a",
            "a is not valid (valid_values x, y), where b = 1",
        ),
        (
            {"invalid": {"valid_format": {"regex": "^a$", "name": "as"}, "valid_min": 3}},
            "a",
            "a is not valid (valid_format ^a$; valid_min 3)",
        ),
        ({"duplicate": None}, "a", "another row has the same (a)"),
        ({"duplicate": {"columns": ["a", "b"]}}, None, "another row has the same (a, b)"),
        (
            {"failed_rows": {"expression": "a >\n 1"}},
            None,
            "true, and should not be: a > 1",
        ),
        ({"aggregate": {}}, "a", "breaks n"),
    ],
)
def test_a_row_check_of_soda_is_told_in_words(
    definition: dict[str, Any], column: str | None, expected: str
):
    assert words(SodaCheck(definition, column)) == expected
