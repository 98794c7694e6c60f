"""What an expectation is and needs, known by its name; and which definitions are refused."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pyarrow as pa
import pytest

from quality_platform.checks.expectation_kinds import (
    ENTRY_KEYS,
    PANDAS_ONLY_TYPES,
    ROW_TYPES,
    RUNNABLE_TYPES,
    SQL_ONLY_TYPES,
    TYPE_TYPES,
)
from quality_platform.checks.specs import CheckSpec, Expectation, NotNull, Scope
from quality_platform.errors import EngineError
from quality_platform.validation.engine_outcomes import EngineOutcome
from quality_platform.validation.great_expectations_engine import (
    EVERY_COLUMN,
    columns_needed,
    labels_rows,
    run_expectations,
    validate_definition,
)
from quality_platform.validation.great_expectations_library import library

TABLE = pa.table({"dep": pa.array([100, 200, None], pa.int64())})
# Minimal arguments for each row expectation, on the columns `n`, `m` (numbers) and `s` (text).
ROW_ARGUMENTS: dict[str, dict[str, object]] = {
    "expect_column_pair_values_a_to_be_greater_than_b": {"column_A": "n", "column_B": "m"},
    "expect_column_pair_values_to_be_equal": {"column_A": "n", "column_B": "m"},
    "expect_column_pair_values_to_be_in_set": {
        "column_A": "n",
        "column_B": "m",
        "value_pairs_set": [[1, 2]],
    },
    "expect_column_value_lengths_to_be_between": {"column": "s", "min_value": 1},
    "expect_column_value_lengths_to_equal": {"column": "s", "value": 1},
    "expect_column_value_z_scores_to_be_less_than": {
        "column": "n",
        "threshold": 1,
        "double_sided": True,
    },
    "expect_column_values_to_be_between": {"column": "n", "min_value": 1},
    "expect_column_values_to_be_dateutil_parseable": {"column": "s"},
    "expect_column_values_to_be_decreasing": {"column": "n"},
    "expect_column_values_to_be_in_set": {"column": "s", "value_set": ["a"]},
    "expect_column_values_to_be_increasing": {"column": "n"},
    "expect_column_values_to_be_json_parseable": {"column": "s"},
    "expect_column_values_to_be_null": {"column": "s"},
    "expect_column_values_to_be_unique": {"column": "s"},
    "expect_column_values_to_match_json_schema": {"column": "s", "json_schema": {}},
    "expect_column_values_to_match_regex": {"column": "s", "regex": "a"},
    "expect_column_values_to_match_regex_list": {"column": "s", "regex_list": ["a"]},
    "expect_column_values_to_match_strftime_format": {"column": "s", "strftime_format": "%Y"},
    "expect_column_values_to_not_be_in_set": {"column": "s", "value_set": ["a"]},
    "expect_column_values_to_not_be_null": {"column": "s"},
    "expect_column_values_to_not_be_outliers": {"column": "n", "method": "iqr"},
    "expect_column_values_to_not_match_regex": {"column": "s", "regex": "a"},
    "expect_column_values_to_not_match_regex_list": {"column": "s", "regex_list": ["a"]},
    "expect_compound_columns_to_be_unique": {"column_list": ["n", "s"]},
    "expect_multicolumn_sum_to_equal": {"column_list": ["n", "m"], "sum_total": 3},
    "expect_multicolumn_values_to_be_equal": {"column_list": ["n", "m"]},
    "expect_select_column_values_to_be_unique_within_record": {"column_list": ["n", "m"]},
}


def spec(name: str, kind: str, **kwargs: object) -> CheckSpec:
    return CheckSpec(name, Expectation(kind, kwargs), Scope.ROW)


def broken(outcome: EngineOutcome) -> list[int]:
    assert outcome.error == ""
    assert outcome.positions is not None
    assert outcome.positions.type == pa.uint64()
    assert outcome.count == len(outcome.positions)
    assert outcome.passed == (outcome.count == 0)
    return outcome.positions.to_pylist()


def test_the_names_known_without_the_library_are_those_of_its_registry() -> None:
    # Through the engine, which keeps quiet what the import warns of.
    validate_definition(spec("n", "expect_table_row_count_to_equal", value=1))
    from great_expectations.exceptions.exceptions import MetricProviderError
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.expectations import expectation as base
    from great_expectations.expectations import registry

    names = set(registry.list_registered_expectation_implementations())
    maps = (base.ColumnMapExpectation, base.ColumnPairMapExpectation)
    row_kinds = (*maps, base.MulticolumnMapExpectation)
    classes = {name: registry.get_expectation_impl(name) for name in names}
    of_rows = {name for name, found in classes.items() if issubclass(found, row_kinds)}
    not_on_pandas = set()
    for name in of_rows:
        try:
            registry.get_metric_provider(
                f"{classes[name].map_metric}.condition", PandasExecutionEngine(batch_data_dict={})
            )
        except MetricProviderError:
            not_on_pandas.add(name)

    assert names == RUNNABLE_TYPES | SQL_ONLY_TYPES | PANDAS_ONLY_TYPES
    assert of_rows == ROW_TYPES | ((TYPE_TYPES | PANDAS_ONLY_TYPES) & of_rows) | not_on_pandas
    assert not_on_pandas == SQL_ONLY_TYPES & of_rows


def test_labelling_rows_is_decided_without_importing_the_library() -> None:
    code = """
        import sys
        from quality_platform.checks.specs import CheckSpec, Expectation, Scope
        from quality_platform.checks.expectation_kinds import columns_needed, labels_rows
        kind = "expect_column_values_to_be_null"
        spec = CheckSpec("n", Expectation(kind, {"column": "x"}), Scope.ROW)
        assert labels_rows(spec) and columns_needed(spec) == ("x",)
        assert not {"great_expectations", "pandas"} & set(sys.modules)
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=Path(__file__).parents[2],
        check=True,
    )


@pytest.mark.parametrize(
    ("kind", "mostly", "rows"),
    [
        ("expect_column_values_to_be_null", None, True),
        ("expect_column_values_to_be_null", 1, True),
        ("expect_column_values_to_be_null", 1.0, True),
        ("expect_column_values_to_be_null", 0.99, False),
        ("expect_compound_columns_to_be_unique", None, True),
        ("expect_column_pair_values_to_be_equal", None, True),
        ("expect_column_values_to_be_of_type", None, False),
        ("expect_column_mean_to_be_between", None, False),
        ("expect_table_row_count_to_equal", None, False),
    ],
)
def test_only_a_row_expectation_without_allowance_labels_rows(
    kind: str, mostly: float | None, rows: bool
) -> None:
    kwargs = {} if mostly is None else {"mostly": mostly}

    assert labels_rows(spec("n", kind, **kwargs)) is rows


def test_an_unknown_type_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(EngineError) as caught:
        labels_rows(spec("n", "expect_column_values_to_be_in_sett", column="x"))

    assert "use expect_column_values_to_be_in_set" in str(caught.value)
    assert "QP402" in str(caught.value)


def test_a_type_for_sql_databases_only_is_refused_with_what_to_use_instead() -> None:
    with pytest.raises(EngineError, match="on SQL databases only") as caught:
        labels_rows(spec("n", "expect_column_values_to_match_like_pattern", column="x"))

    assert "use expect_column_values_to_match_regex" in str(caught.value)


def test_a_claim_of_another_kind_is_refused() -> None:
    with pytest.raises(EngineError, match="not an expectation"):
        labels_rows(CheckSpec("n", NotNull("x"), Scope.ROW))


@pytest.mark.parametrize(
    ("kind", "kwargs", "columns"),
    [
        ("expect_column_values_to_be_null", {"column": "a"}, ("a",)),
        ("expect_column_pair_values_to_be_equal", {"column_A": "b", "column_B": "a"}, ("b", "a")),
        ("expect_compound_columns_to_be_unique", {"column_list": ["c", "a"]}, ("c", "a")),
        ("expect_table_row_count_to_equal", {"value": 1}, ()),
        ("expect_table_columns_to_match_set", {"column_set": ["a"]}, (EVERY_COLUMN,)),
        ("expect_column_to_exist", {"column": "a"}, (EVERY_COLUMN,)),
        (
            "expect_column_values_to_be_null",
            {"column": "a", "row_condition": {"type": "nullity", "column": {"name": "b"}}},
            ("a", "b"),
        ),
        (
            "expect_column_values_to_be_null",
            {
                "column": "a",
                "row_condition": {
                    "type": "or",
                    "conditions": [
                        {"type": "nullity", "column": {"name": "b"}},
                        {"type": "and", "conditions": [{"column": {"name": "c"}}]},
                    ],
                },
            },
            ("a", "b", "c"),
        ),
    ],
)
def test_the_columns_an_expectation_reads_are_told(
    kind: str, kwargs: dict[str, object], columns: tuple[str, ...]
) -> None:
    assert columns_needed(spec("n", kind, **kwargs)) == columns


@pytest.mark.parametrize(
    ("kind", "kwargs", "told"),
    [
        ("expect_column_values_to_be_inset", {"column": "dep"}, "use expect_column_values_to_be"),
        ("unexpected_rows_expectation", {"unexpected_rows_query": "x"}, "SQL databases only"),
        ("expect_column_values_to_be_null", {}, "column: field required"),
        ("expect_column_values_to_be_null", {"column": "dep", "colour": 1}, "colour"),
        ("expect_column_values_to_be_null", {"column": "dep", "mostly": 2}, "mostly"),
        ("expect_column_values_to_be_null", {"column": "dep", "mostly": "most"}, "mostly"),
        (
            "expect_column_values_to_be_null",
            {"column": "dep", "result_format": "BOOLEAN_ONLY"},
            "result_format: set by the platform",
        ),
        (
            "expect_column_values_to_be_null",
            {"column": "dep", "row_condition": "dep > 0", "condition_parser": "pandas"},
            "row_condition: write it as a mapping",
        ),
        (
            "expect_column_values_to_be_null",
            {
                "column": "dep",
                "row_condition": {"type": "comparison", "column": {"name": "a` + `b"}},
            },
            "row_condition: write it as a mapping",
        ),
    ],
)
def test_a_wrong_definition_is_told_before_and_at_the_run(
    kind: str, kwargs: dict[str, object], told: str
) -> None:
    wrong = spec("wrong", kind, **kwargs)

    assert told in validate_definition(wrong)
    outcome = run_expectations(TABLE, [wrong])["wrong"]
    assert told in outcome.error
    assert not outcome.passed


def test_a_good_definition_has_nothing_wrong() -> None:
    for kind, kwargs in ROW_ARGUMENTS.items():
        assert validate_definition(spec("n", kind, **kwargs)) == ""


def test_there_are_arguments_for_every_row_expectation() -> None:
    assert set(ROW_ARGUMENTS) == ROW_TYPES


@pytest.mark.parametrize("rows", [0, 3])
def test_a_row_expectation_on_no_values_at_all_passes_with_a_count(rows: int) -> None:
    schema = {"n": pa.int64(), "m": pa.int64(), "s": pa.string()}
    table = pa.table({name: pa.nulls(rows, kind) for name, kind in schema.items()})
    specs = [spec(kind, kind, **kwargs) for kind, kwargs in ROW_ARGUMENTS.items()]
    outcomes = run_expectations(table, specs)

    about_nulls = {
        "expect_column_values_to_not_be_null": [*range(rows)],
        "expect_select_column_values_to_be_unique_within_record": [],
    }
    for kind, outcome in outcomes.items():
        assert broken(outcome) == about_nulls.get(kind, [])
        assert outcome.rows == rows


def test_every_key_that_the_library_writes_in_a_suite_is_known() -> None:
    configurations = library().expectations.expectation_configuration
    written = configurations.ExpectationConfigurationSchema._declared_fields

    assert set(written) <= set(ENTRY_KEYS)
    assert {"type", "kwargs", "severity"} <= set(written)


def test_an_expectation_without_bounds_is_told_before_the_library_is_asked() -> None:
    problem = validate_definition(spec("n", "expect_column_mean_to_be_between", column="x"))

    assert "can never fail: add min_value or max_value" in problem
