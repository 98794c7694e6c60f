"""`lint` on what the standard's own example files write: each construct in a contract of our own.

The files are at docs/examples of the standard's repository; docs/contracts.md names those that
have problems of their own.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support.contracts import contract_text, line_of

from quality_platform.flows.lint_contract import LintReport, lint_contract

TABLE = "schema:\n- name: t\n  properties:\n"


def linted(folder: Path, text: str, version: str = "v3.2.0") -> LintReport:
    path = folder / "t.odcs.yaml"
    path.write_text(contract_text(text, version))
    return lint_contract(path)


@pytest.mark.parametrize("version", ["v3.0.0", "v3.1.0", "v3.2.0"])
@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("schema:\n- {name: topic, physicalType: topic}\n", "properties"),
        (f"{TABLE}  - {{name: latest, logicalType: array, physicalType: list}}\n", "items"),
        (f"{TABLE}  - {{name: who, logicalType: object, physicalType: json}}\n", "properties"),
        (f"{TABLE}  - {{name: who, logicalType: object, physicalType: Flag}}\n", "properties"),
        (f"{TABLE}  - {{name: any}}\n", "logicalType"),
        (
            f"{TABLE}  - {{name: rate, logicalType: number, physicalType: numeric}}\n",
            "physicalType (digits)",
        ),
    ],
    ids=["topic", "array", "object", "type of its own", "no type", "no digits"],
)
def test_what_says_too_little_for_a_table_is_a_hint(
    tmp_path: Path, version: str, text: str, field: str
):
    report = linted(tmp_path, text, version)
    assert report.problems == ()
    assert field in [hint.field for hint in report.hints]


def test_beside_what_says_too_little_a_contradiction_stays_a_problem(tmp_path: Path):
    bad = "  - {name: code, logicalType: integer, physicalType: 'varchar[15]'}\n"
    text = f"{TABLE}  - {{name: who, logicalType: object}}\n{bad}"
    report = linted(tmp_path, text)
    (problem,) = report.problems
    assert problem.received == "varchar[15]"
    assert problem.location is not None
    assert problem.location.line == line_of(contract_text(text, "v3.2.0"), "varchar[15]")


def test_the_length_of_a_text_in_brackets_is_its_length(tmp_path: Path):
    column = "  - {name: code, logicalType: string, physicalType: 'varchar[15]'}\n"
    report = linted(tmp_path, TABLE + column)
    assert report.problems == ()
    assert [hint.action for hint in report.hints] == ["write varchar(15)"]
    # That its values conform, and that none is longer.
    assert report.checks == 2


def test_a_column_of_times_that_is_called_a_date_is_a_timestamp(tmp_path: Path):
    column = "  - {name: turnover_ts, logicalType: date, physicalType: TIMESTAMP}\n"
    report = linted(tmp_path, TABLE + column)
    assert report.problems == ()
    assert [hint.field for hint in report.hints] == ["logicalType"]


def test_invalid_values_of_a_column_with_an_enum_are_those_that_it_lacks(tmp_path: Path):
    rule = "{metric: invalidValues, mustBeLessThan: 1, unit: percent}"
    enum = "[{value: pending}, {value: paid}]"
    column = f"  - {{name: status, logicalType: string, enum: {enum}, quality: [{rule}]}}\n"
    report = linted(tmp_path, TABLE + column)
    assert report.problems == ()
    assert report.checks == 3


def test_a_variable_in_a_query_is_told_by_its_name(tmp_path: Path):
    query = "SELECT count(*) FROM ${TARGET_TABLE} WHERE at > ${CUTOFF_DATE}"
    rule = f"  - {{name: a, logicalType: string}}\n  quality:\n  - {{type: sql, query: '{query}'"
    for server in ("", "servers: [{server: s, type: local, path: p, format: csv}]\n"):
        report = linted(tmp_path, f"{server}{TABLE}{rule}, mustBe: 0}}\n")
        (problem,) = report.problems
        assert problem.message == "the query has a variable, and nothing here gives it a value"
        assert problem.received == "${TARGET_TABLE}"


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "snowflake", "databricks", "mysql"])
def test_a_query_that_does_not_bind_is_told_before_any_data(tmp_path: Path, dialect: str):
    query = "SELECT max(nope) FROM {object}"
    rule = f"{{type: sql, name: q, query: '{query}', mustBe: 0, {_in(dialect)}}}"
    report = linted(tmp_path, f"{TABLE}  - {{name: a, logicalType: string, quality: [{rule}]}}\n")
    (problem,) = report.problems
    assert "nope" in problem.message


def test_a_translation_that_duckdb_refuses_names_the_sql_that_it_was(tmp_path: Path):
    query = "SELECT width_bucket(max(a), 0, 10, 5) FROM {object}"
    rule = f"{{type: sql, name: q, query: '{query}', mustBe: 0, {_in('postgres')}}}"
    report = linted(tmp_path, f"{TABLE}  - {{name: a, logicalType: number, quality: [{rule}]}}\n")
    (problem,) = report.problems
    assert "width_bucket" in problem.message
    assert "translated from the SQL of postgres" in problem.action
    assert "`dialect: duckdb`" in problem.action


def test_every_type_of_the_lake_can_be_tried(tmp_path: Path):
    text = f"""{TABLE}  - {{name: s, logicalType: string, logicalTypeOptions: {{pattern: a}}}}
  - {{name: b, logicalType: string, physicalType: bytea}}
  - {{name: i, logicalType: integer, physicalType: int}}
  - {{name: n, logicalType: number, physicalType: 'decimal(5, 2)'}}
  - {{name: f, logicalType: number, physicalType: float}}
  - {{name: d, logicalType: date}}
  - {{name: at, logicalType: timestamp}}
  - {{name: here, logicalType: timestamp, physicalType: timestamp}}
  - {{name: t, logicalType: time}}
  - {{name: ok, logicalType: boolean}}
  - {{name: v, logicalType: vector, logicalTypeOptions: {{dimensions: 3}}}}
  - name: o
    logicalType: object
    properties: [{{name: 'a "b"', logicalType: string, logicalTypeOptions: {{pattern: a}}}}]
  - name: l
    logicalType: array
    items: {{logicalType: string, logicalTypeOptions: {{pattern: a}}}}
  - name: m
    logicalType: map
    map:
      key: {{logicalType: string, logicalTypeOptions: {{pattern: a}}}}
      value: {{logicalType: integer}}
"""
    report = linted(tmp_path, text)
    assert report.problems == ()
    # Four patterns, the dimensions of the vector, and conforms_to_schema.
    assert report.checks == 6


def _in(dialect: str) -> str:
    return f"customProperties: [{{property: dialect, value: {dialect}}}]"


def test_service_levels_of_what_the_contract_does_not_describe_are_a_hint(tmp_path: Path):
    told = "slaProperties:\n- {property: latency, value: 4, unit: d, element: tab.made}\n"
    report = linted(tmp_path, f"{TABLE}  - {{name: made, logicalType: date}}\n{told}")
    assert report.problems == ()
    (hint,) = report.hints
    assert (hint.field, hint.allowed) == ("element", "t.COLUMN")


def test_foreign_keys_to_what_the_contract_does_not_describe_are_hints(tmp_path: Path):
    parts = [
        f"{TABLE}  - {{name: shop, logicalType: integer, relationships: [{{to: shops.number}}]}}",
        "  - {name: town, logicalType: string, relationships: [{to: shops.place.town}]}",
        "  - {name: area, logicalType: string, relationships: [{to: areas.id}]}",
        "- name: shops",
        "  properties:",
        "  - {name: numbers, logicalType: integer}",
        "  - name: place",
        "    logicalType: object",
        "    properties: [{name: town, logicalType: string}]",
    ]
    report = linted(tmp_path, "\n".join(parts) + "\n")
    assert report.problems == ()
    (hint,) = report.hints
    assert "'number', which shops does not have" in hint.message
    assert hint.action == "did you mean 'numbers'?"
