"""Entries of Great Expectations that would do nothing, or less than their author thinks."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.contracts import line_of, orders, specs_of
from support.problems import only_problem, place

from quality_platform.checks.expectation_kinds import missing_bounds, refused_arguments
from quality_platform.checks.specs import Expectation
from quality_platform.errors import ContractError

ID = "{name: id, logicalType: integer}"
MEAN = "expect_column_mean_to_be_between"
QUANTILES = "expect_column_quantile_values_to_be_between"


def entry(implementation: str) -> str:
    return f"{{type: custom, engine: greatExpectations, implementation: {implementation}}}"


@pytest.mark.parametrize(
    ("key", "action"),
    [
        ("kwarg", "did you mean 'kwargs'?"),
        ("mostly", "write the arguments of the expectation under `kwargs`"),
        ("min_value", "write the arguments of the expectation under `kwargs`"),
    ],
)
def test_a_key_that_the_engine_would_not_read_is_refused(tmp_path: Path, key: str, action: str):
    rule = entry(
        f"{{type: expect_column_values_to_not_be_null, {key}: 0.5, kwargs: {{column: id}}}}"
    )
    text = orders(ID, quality=[rule])
    problem = only_problem(ContractError, lambda: specs_of(tmp_path, text))
    assert place(problem) == ("contract.odcs.yaml", line_of(text, rule))
    assert (problem.field, problem.received, problem.action) == ("implementation", key, action)


def test_the_keys_that_the_engine_itself_writes_are_taken(tmp_path: Path):
    rule = entry(
        "{type: expect_column_values_to_not_be_null, kwargs: {column: id}, meta: {a: 1}, "
        "notes: null, id: 5b1f, description: There is one., severity: critical, "
        "rendered_content: []}"
    )
    (spec,) = (
        s
        for s in specs_of(tmp_path, orders(ID, quality=[rule])).values()
        if isinstance(s.claim, Expectation)
    )
    assert spec.claim == Expectation("expect_column_values_to_not_be_null", {"column": "id"})


@pytest.mark.parametrize(
    "implementation",
    [
        f"{{type: {MEAN}}}",
        f"{{type: {MEAN}, kwargs: {{min_value: null, strict_min: true}}}}",
        "{type: expect_column_values_to_be_between, kwargs: {}}",
        f"{{type: {QUANTILES}, kwargs: {{quantile_ranges: {{quantiles: [0.5], "
        "value_ranges: [[null, null]]}}}",
    ],
)
def test_an_expectation_without_bounds_is_refused_since_it_cannot_fail(
    tmp_path: Path, implementation: str
):
    rule = entry(implementation)
    text = orders(f"{ID[:-1]}, quality: [{rule}]}}")
    problem = only_problem(ContractError, lambda: specs_of(tmp_path, text))
    assert place(problem) == ("contract.odcs.yaml", line_of(text, rule))
    assert problem.message == "an expectation without bounds can never fail"
    assert problem.action.startswith("add ")


@pytest.mark.parametrize(
    ("kind", "kwargs"),
    [
        (MEAN, {"min_value": 0}),
        (MEAN, {"max_value": 0}),
        ("expect_table_row_count_to_be_between", {"max_value": 5}),
        (QUANTILES, {"quantile_ranges": {"quantiles": [0.5], "value_ranges": [[None, 2]]}}),
        # What has no form is told by the library.
        (QUANTILES, {"quantile_ranges": "all"}),
        ("expect_column_values_to_be_unique", {}),
    ],
)
def test_one_bound_is_enough(kind: str, kwargs: dict[str, object]):
    assert not missing_bounds(Expectation(kind, kwargs))


def test_the_engine_is_not_asked_for_an_expectation_without_bounds():
    problem = refused_arguments(Expectation(MEAN, {"column": "id"}))
    assert problem == f"{MEAN} can never fail: add min_value or max_value"
