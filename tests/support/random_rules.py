"""Random rows and random rules over them, for the tests that compare engines with definitions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from quality_platform.checks.specs import (
    Claim,
    InRange,
    InSet,
    LengthBetween,
    Matches,
    NotMissing,
    NotNull,
)

SCHEMA = pa.schema(
    [
        ("n", pa.int64()),
        ("small", pa.int32()),
        ("x", pa.float64()),
        ("amount", pa.decimal128(12, 3)),
        ("s", pa.string()),
        ("flag", pa.bool_()),
        ("day", pa.date32()),
    ]
)
integers = st.one_of(st.integers(-3, 3), st.sampled_from([2**63 - 1, -(2**63), 2**53 + 1]))
floats = st.one_of(st.integers(-3, 3).map(float), st.floats(), st.just(0.1))
finite = st.floats(allow_nan=False, allow_infinity=False)
cents = st.integers(-(10**12) + 1, 10**12 - 1).map(lambda n: Decimal(n).scaleb(-3))
texts = st.one_of(
    st.sampled_from(["", "a", "A", "ab", "NA", "it's", 'quo"te', "back\\slash", "a\nb", "a\x00b"]),
    st.text(st.characters(codec="utf-8"), max_size=5),
)
days = st.dates()
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "n": integers,
    "small": st.integers(-(2**31), 2**31 - 1),
    "x": floats,
    "amount": cents,
    "s": texts,
    "flag": st.booleans(),
    "day": days,
}
LITERALS: dict[str, st.SearchStrategy[Any]] = {
    "n": st.one_of(integers, st.integers(-(2**70), 2**70)),
    "small": integers,
    "x": st.one_of(finite, st.integers(-3, 3)),
    "amount": st.one_of(st.integers(-3, 3), st.integers(-9999, 9999).map(lambda n: n / 8)),
    "s": texts,
    "flag": st.booleans(),
}
ORDERED = ("n", "small", "x", "amount", "s")
PATTERNS = ("a", "^a", "[A-Z]", "b", "^[a-z]*$", "^$", ".", "'", r"\\", "^(a|ab)$", "^[A-Z]{2}$")


def rows() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Up to a dozen rows of `SCHEMA`, with NULLs and the extremes of each type."""
    return st.lists(
        st.fixed_dictionaries({name: st.none() | values for name, values in VALUES.items()}),
        max_size=12,
    )


@st.composite
def claims(draw: st.DrawFn) -> Claim:
    """A claim about one column of `SCHEMA`."""
    kind = draw(st.sampled_from([NotNull, NotMissing, InSet, Matches, InRange, LengthBetween]))
    if kind is NotNull:
        return NotNull(draw(st.sampled_from(SCHEMA.names)))
    if kind is Matches:
        return Matches("s", draw(st.sampled_from(PATTERNS)))
    if kind is LengthBetween:
        bounds = draw(st.tuples(st.none() | st.integers(0, 4), st.none() | st.integers(0, 4)))
        return LengthBetween("s", *bounds)
    if kind is InRange:
        column = draw(st.sampled_from(ORDERED))
        low, high = draw(st.tuples(*[st.none() | LITERALS[column]] * 2))
        return InRange(column, low, high, draw(st.booleans()), draw(st.booleans()))
    column = draw(st.sampled_from(sorted(LITERALS)))
    values = draw(st.lists(st.none() | LITERALS[column], max_size=4))
    return kind(column, tuple(values))
