"""Service levels of a contract as checks."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.contracts import contract_text, line_of, load_text
from support.problems import only_problem, place

from quality_platform.checks.derive import check_specs
from quality_platform.checks.sla_rules import sla_problems
from quality_platform.checks.specs import (
    CheckSpec,
    Fresh,
    Retained,
    Scope,
    Severity,
)
from quality_platform.checks.thresholds import NONE_ALLOWED
from quality_platform.errors import ContractError

SCHEMA = """schema:
- name: orders
  properties:
  - {name: at, logicalType: timestamp}
  - {name: day, logicalType: date}
  - {name: id, logicalType: integer}
"""
OTHER = """- name: lines
  properties:
  - {name: made, logicalType: date}
"""


def text_with(*entries: str, schema: str = SCHEMA) -> str:
    """A contract with these service levels."""
    listed = "".join(f"- {entry}\n" for entry in entries)
    return contract_text(schema, more=f"slaProperties:\n{listed}")


def specs_of_sla(folder: Path, *entries: str, schema: str = SCHEMA) -> dict[str, CheckSpec]:
    """The checks of `orders` that its service levels make, by name."""
    contract = load_text(folder, text_with(*entries, schema=schema))
    specs = check_specs(contract.objects[0], {}, contract.sla)
    return {spec.name: spec for spec in specs if spec.dimension == "timeliness"}


@pytest.mark.parametrize("word", ["freshness", "latency", "Latency", "ly"])
def test_the_age_of_the_newest_value_is_a_gate_that_warns(tmp_path: Path, word: str):
    entry = f"{{property: {word}, value: 4, unit: d, element: orders.at}}"
    (spec,) = specs_of_sla(tmp_path, entry).values()
    assert (spec.name, spec.claim) == ("at_fresh", Fresh("at", 4 * 86_400))
    assert (spec.scope, spec.severity) == (Scope.GATE, Severity.WARNING)
    assert str(spec.threshold) == "<= 345600"
    assert spec.columns == ("at",)
    assert spec.location is not None
    assert spec.location.line == line_of(text_with(entry), entry)


@pytest.mark.parametrize("word", ["retention", "RE"])
def test_rows_that_are_kept_too_long_are_counted(tmp_path: Path, word: str):
    entry = f"{{property: {word}, value: 3, unit: y, element: orders.day}}"
    (spec,) = specs_of_sla(tmp_path, entry).values()
    assert (spec.name, spec.claim) == ("day_retained", Retained("day", 3 * 366 * 86_400))
    assert (spec.scope, spec.severity) == (Scope.GATE, Severity.WARNING)
    assert spec.threshold == NONE_ALLOWED


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("value: 90, unit: s", 90),
        ("value: 90, unit: minutes", 5400),
        ("value: 1.5, unit: hours", 5400),
        ("value: '12', unit: H", 43_200),
        ("value: 2, unit: week", 14 * 86_400),
        ("value: 1, unit: month", 31 * 86_400),
        ("value: 1, unit: yr", 366 * 86_400),
        ("value: 0, unit: day", 0),
        ("value: P1DT2H", 26 * 3600),
        ("value: PT15M", 900),
        ("value: P1Y2M", (366 + 62) * 86_400),
    ],
)
def test_periods_are_numbers_with_a_unit_or_iso_durations(
    tmp_path: Path, written: str, seconds: int
):
    entry = f"{{property: latency, {written}, element: orders.at}}"
    assert specs_of_sla(tmp_path, entry)["at_fresh"].claim == Fresh("at", seconds)


def test_an_element_names_several_columns_and_tables(tmp_path: Path):
    entry = "{property: latency, value: 1, unit: d, element: 'orders.at, lines.made, orders.day'}"
    specs = specs_of_sla(tmp_path, entry, schema=SCHEMA + OTHER)
    assert list(specs) == ["at_fresh", "day_fresh"]


def test_the_only_object_of_a_contract_need_not_be_named(tmp_path: Path):
    entry = "{property: latency, value: 1, unit: d, element: day}"
    assert list(specs_of_sla(tmp_path, entry)) == ["day_fresh"]


@pytest.mark.parametrize(
    "entry",
    [
        "{property: frequency, value: 1, unit: d, element: orders.at}",
        "{property: fy, value: 1, unit: d, element: orders.at}",
        "{property: generalAvailability, value: '2022-05-12T09:30:10-08:00'}",
        "{property: latency, value: 5, unit: d}",
        "{property: retention, value: 5, unit: fortnights}",
    ],
)
def test_what_data_cannot_tell_is_not_checked(tmp_path: Path, entry: str):
    assert specs_of_sla(tmp_path, entry) == {}


@pytest.mark.parametrize(
    ("written", "field", "received", "action"),
    [
        ("value: 1, unit: dy, element: orders.at", "unit", "dy", "did you mean 'day'?"),
        ("value: 1, element: orders.at", "unit", "no unit", ""),
        ("value: soon, unit: d, element: orders.at", "value", "soon", ""),
        ("value: -1, unit: d, element: orders.at", "value", "-1", ""),
        ("value: true, unit: d, element: orders.at", "value", "True", ""),
        (
            "value: 1, unit: d, element: orders.days",
            "element",
            "orders.days",
            "did you mean 'day'?",
        ),
        ("value: 1, unit: d, element: orders.id", "element", "orders.id", ""),
        ("value: 1, unit: d, element: orders", "element", "orders", ""),
    ],
)
def test_what_cannot_be_understood_is_told_with_its_line(
    tmp_path: Path, written: str, field: str, received: str, action: str
):
    entry = f"{{property: latency, {written}}}"
    problem = only_problem(ContractError, lambda: specs_of_sla(tmp_path, entry))
    assert place(problem) == ("contract.odcs.yaml", line_of(text_with(entry), entry))
    assert (problem.field, problem.received, problem.action) == (field, received, action)


def test_an_element_of_no_object_is_a_problem_of_the_contract(tmp_path: Path):
    wrong = "{property: latency, value: 1, unit: d, element: lins.made}"
    right = "{property: retention, value: 1, unit: d, element: 'lines.made, orders.at'}"
    text = text_with(wrong, right, schema=SCHEMA + OTHER)
    (problem,) = sla_problems(load_text(tmp_path, text))
    assert place(problem) == ("contract.odcs.yaml", line_of(text, wrong))
    assert (problem.field, problem.action) == ("element", "did you mean 'lines'?")
    assert problem.allowed == "orders.COLUMN, lines.COLUMN"


def test_the_service_levels_of_a_contract_without_objects_are_no_problem(tmp_path):
    sla = "slaProperties:\n- {property: latency, value: 4, unit: d, element: tab1.at}\n"
    text = contract_text("schema: []\n", more=sla)
    assert sla_problems(load_text(tmp_path, text)) == []
