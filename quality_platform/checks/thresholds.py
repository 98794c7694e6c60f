"""Bounds of metrics: the operators of the standard, and the numbers that they compare with."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Operator(StrEnum):
    """The eight ODCS operators, by their names in the standard."""

    MUST_BE = "mustBe"
    MUST_NOT_BE = "mustNotBe"
    GREATER = "mustBeGreaterThan"
    GREATER_OR_EQUAL = "mustBeGreaterOrEqualTo"
    LESS = "mustBeLessThan"
    LESS_OR_EQUAL = "mustBeLessOrEqualTo"
    BETWEEN = "mustBeBetween"
    NOT_BETWEEN = "mustNotBeBetween"


_SYMBOLS = {
    Operator.MUST_BE: "=",
    Operator.MUST_NOT_BE: "!=",
    Operator.GREATER: ">",
    Operator.GREATER_OR_EQUAL: ">=",
    Operator.LESS: "<",
    Operator.LESS_OR_EQUAL: "<=",
}


@dataclass(frozen=True)
class Threshold:
    """A metric's bound: `operator` against one number; the between operators take two, inclusive.

    `percent` tells that the metric is 100 * failing rows / rows of the batch.
    """

    operator: Operator
    values: tuple[Decimal, ...]
    percent: bool = False

    @property
    def is_none_allowed(self) -> bool:
        """Whether this says "not a single row may fail"."""
        return self.operator is Operator.MUST_BE and self.values == (Decimal(0),)

    def holds(self, value: Decimal) -> bool:
        """Whether the metric's value is within the bound."""
        first = self.values[0]
        match self.operator:
            case Operator.MUST_BE:
                return value == first
            case Operator.MUST_NOT_BE:
                return value != first
            case Operator.GREATER:
                return value > first
            case Operator.GREATER_OR_EQUAL:
                return value >= first
            case Operator.LESS:
                return value < first
            case Operator.LESS_OR_EQUAL:
                return value <= first
            case Operator.BETWEEN:
                return first <= value <= self.values[1]
            case Operator.NOT_BETWEEN:
                return not first <= value <= self.values[1]

    def __str__(self) -> str:
        unit = "%" if self.percent else ""
        if self.operator in _SYMBOLS:
            return f"{_SYMBOLS[self.operator]} {self.values[0]}{unit}"
        words = "between" if self.operator is Operator.BETWEEN else "not between"
        return f"{words} {self.values[0]}{unit} and {self.values[1]}{unit}"


NONE_ALLOWED = Threshold(Operator.MUST_BE, (Decimal(0),))
