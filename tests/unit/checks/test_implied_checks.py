"""What the columns and foreign keys of a contract imply, as check specs."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.contracts import line_of, load_text, orders, specs_of

from quality_platform.checks.derive import check_specs
from quality_platform.checks.specs import (
    Conforms,
    ForeignKey,
    InRange,
    LengthBetween,
    Matches,
    NotNull,
    Scope,
    Severity,
    Unique,
)
from quality_platform.checks.thresholds import NONE_ALLOWED

ID = "{name: id, logicalType: integer}"


def only(folder: Path, text: str):
    """The one check beside conformity."""
    conforming, spec = specs_of(folder, text).values()
    assert conforming.name == "conforms_to_schema"
    return spec


# --- what columns imply -------------------------------------------------------------------------


def test_every_table_is_checked_for_conformity(tmp_path: Path):
    spec = specs_of(tmp_path, orders(ID))["conforms_to_schema"]
    assert (spec.claim, spec.scope, spec.severity) == (Conforms(), Scope.ROW, Severity.ERROR)


@pytest.mark.parametrize(
    ("column", "name", "claim", "dimension"),
    [
        ("logicalType: integer, required: true", "c_not_null", NotNull("c"), "completeness"),
        ("logicalType: integer, unique: true", "c_unique", Unique(("c",)), "uniqueness"),
        (
            "logicalType: integer, logicalTypeOptions: {minimum: 1, maximum: 9}",
            "c_in_range",
            InRange("c", 1, 9),
            "conformity",
        ),
        (
            "logicalType: integer, logicalTypeOptions: {minimum: 0}",
            "c_in_range",
            InRange("c", 0, None),
            "conformity",
        ),
        (
            "logicalType: number, logicalTypeOptions: {exclusiveMinimum: 0, exclusiveMaximum: 9}",
            "c_in_range",
            InRange("c", 0, 9, True, True),
            "conformity",
        ),
        (
            "logicalType: number, logicalTypeOptions: {minimum: 0, exclusiveMaximum: 1.5}",
            "c_in_range",
            InRange("c", 0, 1.5, False, True),
            "conformity",
        ),
        (
            "logicalType: date, logicalTypeOptions: {minimum: 2020-01-01}",
            "c_in_range",
            InRange("c", "2020-01-01", None),
            "conformity",
        ),
        (
            "logicalType: string, logicalTypeOptions: {pattern: '^[A-Z]+$'}",
            "c_pattern",
            Matches("c", "^[A-Z]+$"),
            "conformity",
        ),
        (
            "logicalType: string, logicalTypeOptions: {minLength: 0, maxLength: 3}",
            "c_length",
            LengthBetween("c", 0, 3),
            "conformity",
        ),
        (
            "logicalType: string, logicalTypeOptions: {maxLength: 0}",
            "c_length",
            LengthBetween("c", None, 0),
            "conformity",
        ),
    ],
)
def test_what_a_column_says_of_itself_is_a_row_rule(
    tmp_path: Path, column: str, name: str, claim, dimension: str
):
    text = orders(f"{{name: c, {column}}}")
    spec = only(tmp_path, text)
    assert (spec.name, spec.claim, spec.dimension) == (name, claim, dimension)
    assert (spec.scope, spec.severity) == (Scope.ROW, Severity.ERROR)
    assert spec.threshold == NONE_ALLOWED
    assert spec.columns == ("c",)
    assert spec.description
    assert spec.location is not None
    assert spec.location.line == line_of(text, "name: c")


def test_a_primary_key_is_not_null_and_unique_as_a_whole(tmp_path: Path):
    specs = specs_of(
        tmp_path,
        orders(
            "{name: a, logicalType: integer, primaryKey: true, primaryKeyPosition: 2}",
            "{name: b, logicalType: integer, primaryKey: true, primaryKeyPosition: 1}",
        ),
    )
    assert set(specs) == {"conforms_to_schema", "a_not_null", "b_not_null", "primary_key_unique"}
    spec = specs["primary_key_unique"]
    assert (spec.claim, spec.scope) == (Unique(("b", "a")), Scope.ROW)
    assert spec.columns == ("b", "a")


def test_columns_with_names_of_any_kind_have_checks_with_names_of_their_own(tmp_path: Path):
    required = "logicalType: string, required: true"
    text = orders(
        *(f"{{name: {name}, {required}}}" for name in ("日付", "名前", '"a b"', "a_b", "_x", "n"))
    )
    names = list(specs_of(tmp_path, text))
    assert names == [
        "conforms_to_schema",
        "column_1_not_null",
        "column_2_not_null",
        "a_b_3_not_null",
        "a_b_4_not_null",
        "x_not_null",
        "n_not_null",
    ]


# --- foreign keys -------------------------------------------------------------------------------


def test_a_foreign_key_refers_to_the_table_that_the_object_describes(tmp_path: Path):
    text = orders("{name: customer, logicalType: integer, relationships: [{to: customers.id}]}")
    (table,) = load_text(tmp_path, text).objects
    spec = check_specs(table, {"customers": "people"})[-1]
    assert spec.claim == ForeignKey(("customer",), "people", ("id",))
    assert spec.name == "customer_in_customers"
    assert (spec.scope, spec.severity) == (Scope.ROW, Severity.ERROR)
    assert (spec.dimension, spec.columns) == ("consistency", ("customer",))


def test_a_foreign_keys_name_and_severity_are_custom_properties(tmp_path: Path):
    custom = "[{property: name, value: has customer}, {property: severity, value: Warning}]"
    keys = "from: [orders.a, orders.b], to: [customers.x, customers.y]"
    link = f"{{{keys}, customProperties: {custom}}}"
    text = orders(
        "{name: a, logicalType: integer}",
        "{name: b, logicalType: integer}",
        relationships=[link],
    )
    spec = only(tmp_path, text)
    assert (spec.name, spec.severity) == ("has_customer", Severity.WARNING)
    assert spec.claim == ForeignKey(("a", "b"), "customers", ("x", "y"))
    assert spec.location is not None
    assert spec.location.line == line_of(text, "from:")
