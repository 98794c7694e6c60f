"""Whether one bound, set or threshold of a contract allows more than another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any


class Turn(Enum):
    """How a promise changed: stricter, weaker, or in a way that is neither or cannot be told."""

    TIGHTER = "tighter"
    LOOSER = "looser"
    OTHER = "other"


OPERATORS = (
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
)
"""The operators of quality rules in ODCS."""

_INFINITY = Decimal("Infinity")


@dataclass(frozen=True)
class Interval:
    """The numbers between two; an end that is `open` does not belong to it."""

    low: Decimal
    high: Decimal
    low_open: bool = False
    high_open: bool = False

    def is_within(self, other: Interval) -> bool:
        """Whether all its numbers are the other's, too."""
        low = self.low > other.low or (
            self.low == other.low and (self.low_open or not other.low_open)
        )
        high = self.high < other.high or (
            self.high == other.high and (self.high_open or not other.high_open)
        )
        return low and high


def turn_of_sets(old: Iterable[object], new: Iterable[object]) -> Turn | None:
    """How the set of allowed values changed; None where it did not."""
    before, after = set(map(_key, old)), set(map(_key, new))
    if before == after:
        return None
    if after < before:
        return Turn.TIGHTER
    return Turn.LOOSER if before < after else Turn.OTHER


def _key(value: object) -> tuple[str, str]:
    """Values that are equal in Python (1 and True) and differ in a contract."""
    return type(value).__name__, str(value)


def turn_of_bound(option: str, old: Any, new: Any) -> Turn | None:
    """How an option such as `minimum` or `maxLength` changed; None stands for "not written"."""
    if old == new:
        return None
    if old is None or new is None:
        return Turn.TIGHTER if old is None else Turn.LOOSER
    if isinstance(old, bool) and isinstance(new, bool):
        return Turn.TIGHTER if new else Turn.LOOSER
    is_lower_bound = option.casefold().startswith(("min", "exclusivemin"))
    try:
        rose = Decimal(str(new)) > Decimal(str(old))
    except InvalidOperation:
        # Dates and times in ISO 8601 sort as texts.
        rose = str(new) > str(old)
    return Turn.TIGHTER if rose == is_lower_bound else Turn.LOOSER


def turn_of_thresholds(old: Mapping[str, Any], new: Mapping[str, Any]) -> Turn | None:
    """How the threshold of a quality rule changed; None where it allows the same as before.

    A rule without an operator allows no failing row.
    """
    if _unit(old) != _unit(new):
        return Turn.OTHER
    before, after = _allowed(old), _allowed(new)
    is_tighter, is_looser = _all_within(after, before), _all_within(before, after)
    if is_tighter and is_looser:
        return None
    if is_tighter:
        return Turn.TIGHTER
    return Turn.LOOSER if is_looser else Turn.OTHER


def _unit(rule: Mapping[str, Any]) -> str:
    return "percent" if rule.get("unit") == "percent" else "rows"


def _all_within(parts: Sequence[Interval], others: Sequence[Interval]) -> bool:
    return all(any(part.is_within(other) for other in others) for part in parts)


def _allowed(rule: Mapping[str, Any]) -> list[Interval]:
    """The values of the metric that the rule lets pass; a library metric is never negative."""
    parts = _written(rule)
    if "metric" not in rule:
        return parts
    zero = Decimal(0)
    return [replace(p, low=zero, low_open=False) if p.low < 0 else p for p in parts if p.high >= 0]


def _written(rule: Mapping[str, Any]) -> list[Interval]:
    operator = next((name for name in OPERATORS if rule.get(name) is not None), "mustBe")
    written = rule.get(operator, 0)
    numbers = [Decimal(str(n)) for n in (written if isinstance(written, list) else [written])]
    first, last = numbers[0], numbers[-1]
    below = Interval(-_INFINITY, first, high_open=True)
    above = Interval(last, _INFINITY, low_open=True)
    match operator:
        case "mustNotBe" | "mustNotBeBetween":
            return [below, above]
        case "mustBeGreaterThan":
            return [above]
        case "mustBeGreaterOrEqualTo":
            return [Interval(first, _INFINITY)]
        case "mustBeLessThan":
            return [below]
        case "mustBeLessOrEqualTo":
            return [Interval(-_INFINITY, first)]
        case _:
            return [Interval(first, last)]


def threshold_text(rule: Mapping[str, Any]) -> str:
    """The threshold as it is written."""
    found = [f"{name}: {rule[name]}" for name in OPERATORS if rule.get(name) is not None]
    unit = " percent" if _unit(rule) == "percent" else ""
    return (", ".join(found) or "none allowed") + unit
