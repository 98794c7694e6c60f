"""Thresholds: eight operators, compared exactly."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quality_platform.checks.thresholds import NONE_ALLOWED, Operator, Threshold


def threshold(operator: Operator, *values: str, percent: bool = False) -> Threshold:
    return Threshold(operator, tuple(Decimal(value) for value in values), percent)


@pytest.mark.parametrize(
    ("operator", "bounds", "holding", "failing"),
    [
        (Operator.MUST_BE, ["2"], ["2", "2.00"], ["1", "3", "2.0000001", "-2"]),
        (Operator.MUST_NOT_BE, ["2"], ["1", "3", "2.0000001"], ["2", "2.0"]),
        (Operator.GREATER, ["2"], ["2.0000001", "3"], ["2", "1"]),
        (Operator.GREATER_OR_EQUAL, ["2"], ["2", "3"], ["1.9999999"]),
        (Operator.LESS, ["2"], ["1.9999999", "-5"], ["2", "3"]),
        (Operator.LESS_OR_EQUAL, ["2"], ["2", "1"], ["2.0000001"]),
        (Operator.BETWEEN, ["2", "4"], ["2", "3", "4"], ["1.9999999", "4.0000001"]),
        (Operator.NOT_BETWEEN, ["2", "4"], ["1.9999999", "4.0000001"], ["2", "3", "4"]),
    ],
)
def test_an_operator_holds_for_these_values_and_not_for_those(operator, bounds, holding, failing):
    bound = threshold(operator, *bounds)
    assert [value for value in holding if not bound.holds(Decimal(value))] == []
    assert [value for value in failing if bound.holds(Decimal(value))] == []


def test_all_eight_operators_of_the_standard_are_known():
    assert len(Operator) == 8


def test_decimals_are_compared_with_all_their_digits():
    # As floats, 0.1 + 0.2 is more than 0.3, and 9007199254740993 is 9007199254740992.
    assert threshold(Operator.LESS_OR_EQUAL, "0.3").holds(Decimal("0.1") + Decimal("0.2"))
    large = threshold(Operator.MUST_BE, "9007199254740993")
    assert large.holds(Decimal(9007199254740993))
    assert not large.holds(Decimal(9007199254740992))


@pytest.mark.parametrize(
    ("bound", "answer"),
    [
        (NONE_ALLOWED, True),
        (threshold(Operator.MUST_BE, "0.00"), True),
        (threshold(Operator.MUST_BE, "0", percent=True), True),
        (threshold(Operator.MUST_BE, "1"), False),
        (threshold(Operator.LESS_OR_EQUAL, "0"), False),
        (threshold(Operator.LESS, "1"), False),
    ],
)
def test_only_must_be_zero_allows_not_a_single_row(bound, answer):
    assert bound.is_none_allowed is answer


@pytest.mark.parametrize(
    ("bound", "text"),
    [
        (NONE_ALLOWED, "= 0"),
        (threshold(Operator.MUST_NOT_BE, "5"), "!= 5"),
        (threshold(Operator.GREATER, "1.50"), "> 1.50"),
        (threshold(Operator.LESS_OR_EQUAL, "5", percent=True), "<= 5%"),
        (threshold(Operator.BETWEEN, "1", "2"), "between 1 and 2"),
        (threshold(Operator.NOT_BETWEEN, "1", "2", percent=True), "not between 1% and 2%"),
    ],
)
def test_a_threshold_reads_as_a_text_for_people(bound, text):
    assert str(bound) == text
