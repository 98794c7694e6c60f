"""The expectations of Great Expectations 1.24, known by name without importing the library.

What an expectation judges is decided when contracts are read, and importing Great Expectations
costs 5 s of CPU. So its registry is copied here; a test compares the copy with what is installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from quality_platform.checks.specs import CheckSpec, Expectation
from quality_platform.errors import EngineError

EVERY_COLUMN = "*"

ROW_TYPES = frozenset(
    {
        "expect_column_pair_values_a_to_be_greater_than_b",
        "expect_column_pair_values_to_be_equal",
        "expect_column_pair_values_to_be_in_set",
        "expect_column_value_lengths_to_be_between",
        "expect_column_value_lengths_to_equal",
        "expect_column_value_z_scores_to_be_less_than",
        "expect_column_values_to_be_between",
        "expect_column_values_to_be_dateutil_parseable",
        "expect_column_values_to_be_decreasing",
        "expect_column_values_to_be_in_set",
        "expect_column_values_to_be_increasing",
        "expect_column_values_to_be_json_parseable",
        "expect_column_values_to_be_null",
        "expect_column_values_to_be_unique",
        "expect_column_values_to_match_json_schema",
        "expect_column_values_to_match_regex",
        "expect_column_values_to_match_regex_list",
        "expect_column_values_to_match_strftime_format",
        "expect_column_values_to_not_be_in_set",
        "expect_column_values_to_not_be_null",
        "expect_column_values_to_not_be_outliers",
        "expect_column_values_to_not_match_regex",
        "expect_column_values_to_not_match_regex_list",
        "expect_compound_columns_to_be_unique",
        "expect_multicolumn_sum_to_equal",
        "expect_multicolumn_values_to_be_equal",
        "expect_select_column_values_to_be_unique_within_record",
    }
)
# A row's verdict depends on other rows, or on a statistic of the column.
_ACROSS_ROWS = frozenset(
    {
        "expect_column_value_z_scores_to_be_less_than",
        "expect_column_values_to_be_decreasing",
        "expect_column_values_to_be_increasing",
        "expect_column_values_to_be_unique",
        "expect_column_values_to_not_be_outliers",
        "expect_compound_columns_to_be_unique",
    }
)
ROW_LOCAL_TYPES = ROW_TYPES - _ACROSS_ROWS
"""Each row decides by itself, so that a batch can be judged piece by piece."""

# By name they are about values; on typed columns they look at the column's type and see no row.
TYPE_TYPES = frozenset(
    {
        "expect_column_type_to_be",
        "expect_column_values_to_be_of_type",
    }
)
# It compares the column's type with types of numpy and pandas, which no column of Arrow has: it
# could never hold.
PANDAS_ONLY_TYPES = frozenset({"expect_column_values_to_be_in_type_list"})
STATISTIC_TYPES = frozenset(
    {
        "expect_column_distinct_values_to_be_in_set",
        "expect_column_distinct_values_to_contain_set",
        "expect_column_distinct_values_to_equal_set",
        "expect_column_kl_divergence_to_be_less_than",
        "expect_column_max_to_be_between",
        "expect_column_mean_to_be_between",
        "expect_column_median_to_be_between",
        "expect_column_min_to_be_between",
        "expect_column_most_common_value_to_be_in_set",
        "expect_column_proportion_of_non_null_values_to_be_between",
        "expect_column_proportion_of_unique_values_to_be_between",
        "expect_column_quantile_values_to_be_between",
        "expect_column_stdev_to_be_between",
        "expect_column_sum_to_be_between",
        "expect_column_unique_value_count_to_be_between",
        "expect_table_row_count_to_be_between",
        "expect_table_row_count_to_equal",
    }
)
# About the set of columns: judged on a projection they would pass or fail for the wrong reason.
SCHEMA_TYPES = frozenset(
    {
        "expect_column_to_exist",
        "expect_table_column_count_to_be_between",
        "expect_table_column_count_to_equal",
        "expect_table_columns_to_match_ordered_list",
        "expect_table_columns_to_match_set",
    }
)
SQL_ONLY_TYPES = frozenset(
    {
        "expect_column_values_to_match_like_pattern",
        "expect_column_values_to_match_like_pattern_list",
        "expect_column_values_to_not_match_like_pattern",
        "expect_column_values_to_not_match_like_pattern_list",
        "expect_query_results_to_match_comparison",
        "expect_table_row_count_to_equal_other_table",
        "unexpected_rows_expectation",
    }
)
RUNNABLE_TYPES = ROW_TYPES | TYPE_TYPES | STATISTIC_TYPES | SCHEMA_TYPES

ENTRY_KEYS = (
    "type",
    "kwargs",
    "meta",
    "notes",
    "id",
    "description",
    "severity",
    "rendered_content",
    "expectation_context",
    "windows",
    "expectation_type",
    "ge_cloud_id",
    "success_on_last_run",
)
"""The keys of an expectation in a suite that Great Expectations 1.24, or 0.x, writes.

Source: `ExpectationConfigurationSchema` of `great_expectations.expectations`.
"""

# The run sets these itself; a value from a contract could hide rows or errors.
_RESERVED = frozenset({"batch_id", "catch_exceptions", "id", "meta", "result_format"})


def labels_rows(spec: CheckSpec) -> bool:
    """Whether the failures of this expectation are rows; Great Expectations is not imported.

    Raises:
        EngineError: the type is unknown, or runs on SQL databases only.
    """
    claim = runnable_expectation(spec)
    return claim.type in ROW_TYPES and allowance(claim) is None


def is_row_local(spec: CheckSpec) -> bool:
    """Whether each row decides by itself if it breaks the expectation, without any other row.

    Raises:
        EngineError: the type is unknown, or runs on SQL databases only.
    """
    return runnable_expectation(spec).type in ROW_LOCAL_TYPES


def columns_needed(spec: CheckSpec) -> tuple[str, ...]:
    """The columns that the expectation and its row condition read; empty for a row count.

    `(EVERY_COLUMN,)` for an expectation about the set of columns: the table given to
    `run_expectations` must then hold all columns of the batch.

    Raises:
        EngineError: the type is unknown, or runs on SQL databases only.
    """
    claim = runnable_expectation(spec)
    if claim.type in SCHEMA_TYPES:
        return (EVERY_COLUMN,)
    conditioned = _condition_columns(claim.kwargs.get("row_condition"))
    return tuple(dict.fromkeys([*named_columns(claim), *conditioned]))


def named_columns(claim: Expectation) -> tuple[str, ...]:
    """The columns that the arguments name as the ones to judge."""
    listed = claim.kwargs.get("column_list")
    named = [claim.kwargs.get(key) for key in ("column", "column_A", "column_B")]
    found = [*named, *(listed if isinstance(listed, list | tuple) else [])]
    return tuple(dict.fromkeys(name for name in found if isinstance(name, str)))


def runnable_expectation(spec: CheckSpec) -> Expectation:
    """The spec's expectation, when it can run on an Arrow table.

    Raises:
        EngineError: the type is unknown, or runs on SQL databases only, or the claim is another.
    """
    claim = spec.claim
    if not isinstance(claim, Expectation):
        raise EngineError(
            "not an expectation of Great Expectations",
            location=spec.location,
            field=spec.name,
            received=type(claim).__name__,
            action="hand over only check specs whose claim is an Expectation",
        )
    if claim.type in RUNNABLE_TYPES:
        return claim
    if claim.type in SQL_ONLY_TYPES:
        message = "Great Expectations runs this expectation on SQL databases only"
        action = "use expect_column_values_to_match_regex, or a rule in SQL"
    elif claim.type in PANDAS_ONLY_TYPES:
        message = "Great Expectations judges this expectation on types of pandas only"
        action = "use expect_column_values_to_be_of_type with int, float, str, bool or the like"
    else:
        near = get_close_matches(claim.type, RUNNABLE_TYPES, n=1)
        message = "Great Expectations has no such expectation"
        action = f"use {near[0]}" if near else "see the gallery of Great Expectations 1.24"
    raise EngineError(
        message, location=spec.location, field=spec.name, received=claim.type, action=action
    )


def allowance(claim: Expectation) -> object | None:
    """The `mostly` that allows some rows to fail; None when not a single one may."""
    mostly = claim.kwargs.get("mostly")
    return None if mostly is None or mostly == 1 else mostly


def refused_arguments(claim: Expectation) -> str:
    """What the platform refuses although Great Expectations would take it; empty when nothing."""
    reserved = sorted(_RESERVED & claim.kwargs.keys())
    if reserved:
        return f"{', '.join(reserved)}: set by the platform; remove it from the arguments"
    if missing := missing_bounds(claim):
        return f"{claim.type} can never fail: add {missing}"
    condition = claim.kwargs.get("row_condition")
    if condition is None and "condition_parser" not in claim.kwargs:
        return ""
    # A condition in text is handed to DataFrame.query, which can run Python code.
    if not isinstance(condition, Mapping) or {"`", "pass_through"} & set(_words(condition)):
        return (
            "row_condition: write it as a mapping, for example {type: comparison, column: "
            "{name: distance}, operator: '>', parameter: 0}, without condition_parser"
        )
    return ""


def missing_bounds(claim: Expectation) -> str:
    """The arguments without which the expectation holds for everything; "" where it has any."""
    if claim.type == "expect_column_quantile_values_to_be_between":
        ranges = claim.kwargs.get("quantile_ranges")
        listed = ranges.get("value_ranges") if isinstance(ranges, Mapping) else None
        if isinstance(listed, list | tuple) and not any(map(_has_bound, listed)):
            return "a bound to quantile_ranges.value_ranges"
        return ""
    bounds = (claim.kwargs.get("min_value"), claim.kwargs.get("max_value"))
    is_range = claim.type in RUNNABLE_TYPES and claim.type.endswith("_to_be_between")
    return "min_value or max_value" if is_range and not _has_bound(bounds) else ""


def _has_bound(bounds: object) -> bool:
    """Whether a pair is something else than two open ends; what is no pair is judged later."""
    return not isinstance(bounds, list | tuple) or any(bound is not None for bound in bounds)


def _condition_columns(condition: object) -> Iterator[str]:
    """The columns that a row condition compares, at any depth of AND and OR."""
    if isinstance(condition, list | tuple):
        for part in condition:
            yield from _condition_columns(part)
    elif isinstance(condition, Mapping):
        column = condition.get("column")
        if isinstance(column, Mapping) and isinstance(column.get("name"), str):
            yield column["name"]
        yield from _condition_columns(condition.get("conditions"))


def _words(condition: object) -> Iterator[str]:
    """Every text within the condition; a backtick, which ends a column's name, on its own."""
    if isinstance(condition, Mapping):
        for value in condition.values():
            yield from _words(value)
    elif isinstance(condition, list | tuple):
        for value in condition:
            yield from _words(value)
    elif isinstance(condition, str):
        yield "`" if "`" in condition else condition
