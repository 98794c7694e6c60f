"""Random contracts over random data: the platform agrees with plain Python, rule by rule."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.naive_contracts import verdicts

from quality_platform.flows.check_data import CheckRequest, check_data

# Texts that are told apart only by whoever counts code points, case, spaces and line ends right.
TEXTS = st.one_of(
    st.sampled_from(["", "a", "A", "ab", "a\nb", " a", "é", "e\u0301", "ß", "日本", "𝄞", "a1"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4),
)
INTEGERS = st.one_of(st.integers(-3, 3), st.sampled_from([2**63 - 1, -(2**63), 2**53 + 1]))
PATTERNS = st.sampled_from(["^[a-z]+$", "[0-9]", "^a", "b$", "^$", "^(a|ab)$", "^.{2}$", "é|ß"])
OPERATORS = ["mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo",
             "mustBeLessThan", "mustBeLessOrEqualTo"]  # fmt: skip
KEYS = st.sampled_from([["t", "i"], ["k"], ["i", "u", "k"]])


@st.composite
def thresholds(draw: st.DrawFn, units: tuple[str, ...] = ("rows", "percent")) -> dict[str, Any]:
    """An operator with its number, and a unit."""
    unit = draw(st.sampled_from(units))
    number = st.integers(0, 100 if unit == "percent" else 8)
    if draw(st.booleans()):
        chosen: dict[str, Any] = {draw(st.sampled_from(OPERATORS)): draw(number)}
    else:
        name = draw(st.sampled_from(["mustBeBetween", "mustNotBeBetween"]))
        low = draw(number)
        chosen = {name: [low, low + draw(st.integers(1, 50))]}
    return {**chosen, "unit": unit}


@st.composite
def text_columns(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """A column of text with options and rules."""
    options: dict[str, Any] = {}
    if draw(st.booleans()):
        options["pattern"] = draw(PATTERNS)
    if draw(st.booleans()):
        low = draw(st.integers(0, 3))
        options |= {"minLength": low, "maxLength": low + draw(st.integers(0, 2))}
    values = draw(st.lists(TEXTS, min_size=1, max_size=3, unique=True))
    rules: list[dict[str, Any]] = [
        {"metric": "invalidValues", "arguments": {"validValues": values}},
        {"metric": "invalidValues", "arguments": {"pattern": draw(PATTERNS)}},
        {"metric": "missingValues", "arguments": {"missingValues": [*values, None]}},
    ]
    return _with_rules(draw, {"name": name, "logicalType": "string"}, options, rules)


@st.composite
def integer_columns(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """A column of 64-bit integers with options and rules."""
    options: dict[str, Any] = {}
    for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
        if draw(st.integers(0, 3)) == 0:
            options[key] = draw(INTEGERS)
    if draw(st.integers(0, 3)) == 0:
        options["multipleOf"] = draw(st.integers(1, 4))
    values = draw(st.lists(INTEGERS, min_size=1, max_size=3, unique=True))
    rules: list[dict[str, Any]] = [
        {"metric": "invalidValues", "arguments": {"validValues": values}},
        {"metric": "missingValues", "arguments": {"missingValues": values}},
    ]
    return _with_rules(draw, {"name": name, "logicalType": "integer"}, options, rules)


def _with_rules(
    draw: st.DrawFn, column: dict[str, Any], options: dict[str, Any], rules: list[dict[str, Any]]
) -> dict[str, Any]:
    everywhere = [{"metric": "nullValues"}, {"metric": "duplicateValues"}]
    chosen = draw(st.lists(st.sampled_from([*rules, *everywhere]), max_size=3))
    quality = [
        {"name": f"{column['name']}_rule_{n}", **rule, **draw(thresholds())}
        for n, rule in enumerate(chosen)
    ]
    flags = {key: True for key in ("required", "unique") if draw(st.integers(0, 2)) == 0}
    return {
        **column,
        **flags,
        **({"logicalTypeOptions": options} if options else {}),
        **({"quality": quality} if quality else {}),
    }


@st.composite
def contracts(draw: st.DrawFn) -> dict[str, Any]:
    """An ODCS document with one object of the columns `t`, `u` (texts) and `i`, `k` (integers)."""
    columns = [
        draw(text_columns("t")),
        draw(text_columns("u")),
        draw(integer_columns("i")),
        draw(integer_columns("k")),
    ]
    for position, column in enumerate(draw(st.lists(st.sampled_from(columns), max_size=2)), 1):
        column |= {"primaryKey": True, "primaryKeyPosition": position}
    quality = [
        {"name": "rows", "metric": "rowCount", **draw(thresholds(("rows",)))},
        {
            "name": "pairs",
            "metric": "duplicateValues",
            "arguments": {"properties": draw(KEYS)},
            **draw(thresholds()),
        },
    ]
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "random",
        "version": "1.0.0",
        "status": "active",
        "schema": [{"name": "orders", "quality": quality, "properties": columns}],
    }


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "t": st.none() | TEXTS,
            "u": st.none() | TEXTS,
            "i": st.none() | INTEGERS,
            "k": st.none() | st.integers(0, 2),
        }
    ),
    max_size=8,
)
SCHEMA = pa.schema([("t", pa.string()), ("u", pa.string()), ("i", pa.int64()), ("k", pa.int64())])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(document=contracts(), rows=ROWS)
def test_the_platform_agrees_with_plain_python_on_every_rule(
    document: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        contract, data = Path(folder) / "random.odcs.yaml", Path(folder) / "rows.parquet"
        contract.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), data)

        report = check_data(CheckRequest(contract, str(data)))

    expected = verdicts(document, rows)
    found = {
        result.spec.name: (
            result.verdict.value == "pass",
            int(result.value or 0) if result.count is None else result.count,
        )
        for result in report.results
        if result.spec.name != "conforms_to_schema"
    }
    assert found == expected
