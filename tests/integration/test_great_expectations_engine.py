"""Great Expectations on Arrow tables: real runs, positions of failing rows, errors kept apart."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import textwrap
import threading
import warnings
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from quality_platform.checks.specs import CheckSpec, Expectation, NotNull, Scope
from quality_platform.errors import EngineError
from quality_platform.validation.engine_outcomes import EngineOutcome
from quality_platform.validation.expectation_kinds import (
    ROW_TYPES,
    RUNNABLE_TYPES,
    SQL_ONLY_TYPES,
    TYPE_TYPES,
)
from quality_platform.validation.great_expectations_engine import (
    EVERY_COLUMN,
    columns_needed,
    labels_rows,
    run_expectations,
    validate_definition,
)

TABLE = pa.table(
    {
        "origin": ["EWR", "JFK", None, "XXX", "EWR", "YYY"],
        "dep": pa.array([100, 200, None, 400, None, 600], pa.int64()),
        "arr": pa.array([150, 150, None, None, 500, 600], pa.int64()),
        "fare": pa.array([Decimal("1.10"), None, Decimal(2), Decimal(3), Decimal(4), Decimal(5)]),
        "day": [date(2013, 1, n) if n else None for n in (1, 2, 0, 4, 4, 6)],
        "other_day": [date(2013, 1, n) if n else None for n in (2, 1, 0, 0, 4, 7)],
        "person": ["ann@x.org", "bob@x.org", "ann@x.org", "eve", None, "zoe@x.org"],
    }
)
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
QUIET_RUN = """
    import os, sys
    happened = []
    def watch(event, args):
        if event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR):
            if str(args[0]) != os.devnull and "__pycache__" not in str(args[0]):
                happened.append((event, str(args[0])))
        if event in ("socket.connect", "socket.getaddrinfo", "os.mkdir"):
            happened.append((event, str(args)))
    sys.addaudithook(watch)
    import logging, warnings
    before = (warnings.showwarning, sys.stderr, sys.stdout, tuple(logging.root.handlers))
    import pyarrow as pa
    from quality_platform.checks.specs import CheckSpec, Expectation, Scope
    from quality_platform.validation.great_expectations_engine import run_expectations
    specs = [
        CheckSpec(c, Expectation("expect_column_values_to_not_be_null", {"column": c}), Scope.ROW)
        for c in ("x", "nowhere")
    ]
    outcomes = run_expectations(pa.table({"x": [1, None]}), specs)
    assert outcomes["x"].positions.to_pylist() == [1] and outcomes["nowhere"].error
    assert before == (warnings.showwarning, sys.stderr, sys.stdout, tuple(logging.root.handlers))
    assert not happened, happened
"""


def spec(name: str, kind: str, **kwargs: object) -> CheckSpec:
    return CheckSpec(name, Expectation(kind, kwargs), Scope.ROW)


def broken(outcome: EngineOutcome) -> list[int]:
    assert outcome.error == ""
    assert outcome.positions is not None
    assert outcome.positions.type == pa.uint64()
    assert outcome.count == len(outcome.positions)
    assert outcome.passed == (outcome.count == 0)
    return outcome.positions.to_pylist()


def run_one(table: pa.Table, kind: str, **kwargs: object) -> EngineOutcome:
    return run_expectations(table, [spec("one", kind, **kwargs)])["one"]


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

    assert names == RUNNABLE_TYPES | SQL_ONLY_TYPES
    assert of_rows == ROW_TYPES | (TYPE_TYPES & of_rows) | not_on_pandas
    assert not_on_pandas == SQL_ONLY_TYPES & of_rows


def test_labelling_rows_is_decided_without_importing_the_library() -> None:
    code = """
        import sys
        from quality_platform.checks.specs import CheckSpec, Expectation, Scope
        from quality_platform.validation.great_expectations_engine import (
            columns_needed, labels_rows,
        )
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
            {"column": "a", "row_condition": {"type": "nullity"}},
            (EVERY_COLUMN,),
        ),
    ],
)
def test_the_columns_an_expectation_reads_are_told(
    kind: str, kwargs: dict[str, object], columns: tuple[str, ...]
) -> None:
    assert columns_needed(spec("n", kind, **kwargs)) == columns


def test_failing_rows_come_back_by_position_and_nulls_break_nothing_but_null_checks() -> None:
    outcomes = run_expectations(
        TABLE,
        [
            spec("known", "expect_column_values_to_be_in_set", column="origin", value_set=["EWR"]),
            spec("full", "expect_column_values_to_not_be_null", column="origin"),
            spec("mail", "expect_column_values_to_match_regex", column="person", regex="@"),
            spec("once", "expect_column_values_to_be_unique", column="person"),
            spec("cheap", "expect_column_values_to_be_between", column="fare", max_value=3),
            spec(
                "early", "expect_column_values_to_be_between", column="day", max_value="2013-01-03"
            ),
            spec("all", "expect_column_values_to_be_between", column="dep", min_value=0),
        ],
    )

    assert {name: broken(outcome) for name, outcome in outcomes.items()} == {
        "known": [1, 3, 5],
        "full": [2],
        "mail": [3],
        "once": [0, 2],
        "cheap": [4, 5],
        "early": [3, 4, 5],
        "all": [],
    }
    assert all(outcome.rows == 6 for outcome in outcomes.values())
    assert outcomes["known"].message == "3 of 6 rows break expect_column_values_to_be_in_set"


def test_results_find_their_own_check_among_equal_types() -> None:
    kind = "expect_column_values_to_be_between"
    specs = [spec(f"above_{n}", kind, column="dep", min_value=n) for n in (601, 101, 0, 401, 101)]
    named = [CheckSpec(f"{s.name}_{i}", s.claim, s.scope) for i, s in enumerate(specs)]
    outcomes = run_expectations(TABLE, named)

    assert [broken(outcomes[s.name]) for s in named] == [[0, 1, 3, 5], [0], [], [0, 1, 3], [0]]


def test_a_pair_with_one_null_breaks_the_pair_unless_it_is_ignored() -> None:
    greater = "expect_column_pair_values_a_to_be_greater_than_b"
    days = {"column_A": "day", "column_B": "other_day"}
    outcomes = run_expectations(
        TABLE,
        [
            spec("judged", greater, column_A="arr", column_B="dep"),
            spec(
                "ignored",
                greater,
                column_A="arr",
                column_B="dep",
                ignore_row_if="either_value_is_missing",
            ),
            spec("days", greater, **days),
            spec("same", "expect_column_pair_values_to_be_equal", **days),
            spec("equal", "expect_multicolumn_values_to_be_equal", column_list=["arr", "dep"]),
        ],
    )

    assert {name: broken(outcome) for name, outcome in outcomes.items()} == {
        "judged": [1, 3, 4, 5],
        "ignored": [1, 5],
        "days": [0, 3, 4, 5],
        "same": [0, 1, 3, 5],
        "equal": [0, 1, 3, 4],
    }


def test_large_integers_beside_nulls_are_compared_exactly() -> None:
    large = 2**53
    table = pa.table({"a": [large + 1, None, 5], "b": pa.array([large, 1, 5], pa.int64())})
    outcome = run_one(table, "expect_column_pair_values_to_be_equal", column_A="a", column_B="b")

    assert broken(outcome) == [0, 1]


def test_positions_are_those_of_the_table_given_however_it_is_cut() -> None:
    kind, kwargs = "expect_column_values_to_not_be_null", {"column": "dep"}
    parts = pa.concat_tables([TABLE.slice(3), TABLE.slice(0, 3)])
    indexed = pa.Table.from_pandas(TABLE.to_pandas().set_index("person"))

    assert broken(run_one(TABLE.slice(2, 3), kind, **kwargs)) == [0, 2]
    assert broken(run_one(parts, kind, **kwargs)) == [1, 5]
    assert broken(run_one(indexed, kind, **kwargs)) == [2, 4]


def test_an_allowance_makes_a_gate_with_the_share_that_holds_as_its_value() -> None:
    kind = "expect_column_values_to_be_in_set"
    arguments = {"column": "origin", "value_set": ["EWR", "JFK"]}
    outcomes = run_expectations(
        TABLE,
        [spec("low", kind, mostly=0.6, **arguments), spec("high", kind, mostly=0.7, **arguments)],
    )

    assert (outcomes["low"].passed, outcomes["high"].passed) == (True, False)
    assert outcomes["low"].value == Decimal("0.6")
    assert outcomes["low"].count == 2


def test_gates_give_their_metric_and_no_rows() -> None:
    outcomes = run_expectations(
        TABLE,
        [
            spec("rows", "expect_table_row_count_to_be_between", min_value=7),
            spec("mean", "expect_column_mean_to_be_between", column="dep", max_value=400),
            spec("sum", "expect_column_sum_to_be_between", column="fare", max_value=15),
            spec(
                "kinds",
                "expect_column_distinct_values_to_be_in_set",
                column="person",
                value_set=["nobody"],
            ),
            spec("columns", "expect_table_column_count_to_equal", value=7),
            spec("type", "expect_column_values_to_be_of_type", column="dep", type_="str"),
        ],
    )

    found = {name: (o.passed, o.value, o.count, o.positions) for name, o in outcomes.items()}
    assert found == {
        "rows": (False, Decimal(6), None, None),
        "mean": (True, Decimal("325.0"), None, None),
        "sum": (False, Decimal("15.10"), None, None),
        "kinds": (False, None, None, None),
        "columns": (True, Decimal(7), None, None),
        "type": (False, None, None, None),
    }
    assert outcomes["rows"].message == (
        "observed 6, expected expect_table_row_count_to_be_between(min_value=7)"
    )


def test_messages_hold_no_values_of_rows() -> None:
    among = {"column": "person", "value_set": ["nobody"]}
    outcomes = run_expectations(
        TABLE,
        [
            spec("set", "expect_column_distinct_values_to_be_in_set", **among),
            spec("top", "expect_column_most_common_value_to_be_in_set", **among),
            spec("rows", "expect_column_values_to_be_null", column="person"),
        ],
    )

    assert not any(outcome.passed or outcome.error for outcome in outcomes.values())
    assert "ann" not in "".join(outcome.message for outcome in outcomes.values())


def test_a_schema_expectation_sees_every_column_beside_narrow_ones() -> None:
    outcomes = run_expectations(
        TABLE,
        [
            spec("narrow", "expect_column_values_to_be_null", column="dep"),
            spec("set", "expect_table_columns_to_match_set", column_set=["dep"]),
            spec("there", "expect_column_to_exist", column="nowhere"),
        ],
    )

    assert [outcomes[name].passed for name in ("set", "there")] == [False, False]
    assert not any(outcome.error for outcome in outcomes.values())


@pytest.mark.parametrize(
    ("kind", "kwargs"),
    [
        ("expect_column_values_to_be_between", {"column": "nowhere", "min_value": 0}),
        ("expect_column_values_to_be_between", {"column": "origin", "min_value": 0}),
        ("expect_column_values_to_be_between", {"column": "dep", "min_value": 2, "max_value": 1}),
        ("expect_column_values_to_match_regex", {"column": "origin", "regex": "("}),
        ("expect_column_values_to_be_between", {"column": "dep", "min_value": {"$PARAMETER": "p"}}),
        ("expect_multicolumn_sum_to_equal", {"column_list": ["dep", "day"], "sum_total": 1}),
        ("expect_column_values_to_match_like_pattern", {"column": "origin", "like_pattern": "E%"}),
    ],
)
def test_an_expectation_that_cannot_run_is_an_error_and_spoils_nothing(
    kind: str, kwargs: dict[str, object]
) -> None:
    good = spec("good", "expect_column_values_to_not_be_null", column="dep")
    outcomes = run_expectations(TABLE, [spec("bad", kind, **kwargs), good])

    assert outcomes["bad"].error
    assert "\n" not in outcomes["bad"].error
    assert not outcomes["bad"].passed
    assert outcomes["bad"].positions is None
    assert broken(outcomes["good"]) == [2, 4]


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


def test_the_arguments_of_a_check_are_not_changed_by_running_it() -> None:
    kwargs = {"column": "origin", "value_set": ["EWR"]}
    run_one(TABLE, "expect_column_values_to_be_in_set", **kwargs)

    assert kwargs == {"column": "origin", "value_set": ["EWR"]}


def test_a_condition_on_rows_narrows_them_and_keeps_positions() -> None:
    condition = {"type": "comparison", "column": {"name": "dep"}, "operator": ">", "parameter": 150}
    outcome = run_one(
        TABLE,
        "expect_column_values_to_be_in_set",
        column="origin",
        value_set=["JFK"],
        row_condition=condition,
    )

    assert broken(outcome) == [3, 5]
    assert outcome.rows == 3


def test_a_condition_that_would_run_python_code_is_never_evaluated(tmp_path: Path) -> None:
    target = tmp_path / "made"
    code = f"@pd.io.common.os.mkdir({str(target)!r}) or dep > 0"
    for condition in (code, {"type": "pass_through", "pass_through_filter": code}):
        outcome = run_one(
            TABLE, "expect_column_values_to_be_null", column="dep", row_condition=condition
        )
        assert "row_condition" in outcome.error
    assert not target.exists()


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


def test_on_a_batch_without_rows_a_row_count_is_0_and_a_statistic_does_not_pass() -> None:
    outcomes = run_expectations(
        TABLE.slice(0, 0),
        [
            spec("rows", "expect_table_row_count_to_equal", value=0),
            spec("mean", "expect_column_mean_to_be_between", column="dep", min_value=0),
        ],
    )

    assert (outcomes["rows"].passed, outcomes["rows"].value) == (True, Decimal(0))
    assert (outcomes["mean"].passed, outcomes["mean"].error) == (False, "")


def test_a_row_count_needs_no_column() -> None:
    outcome = run_one(TABLE.select([]), "expect_table_row_count_to_equal", value=6)

    assert (outcome.passed, outcome.rows) == (True, 6)


def test_no_check_means_no_outcome() -> None:
    assert run_expectations(TABLE, []) == {}


def test_calls_do_not_keep_the_data_of_earlier_ones() -> None:
    import pandas as pd

    kind = "expect_column_values_to_not_be_null"
    run_one(TABLE, kind, column="dep")
    gc.collect()
    before = sum(isinstance(found, pd.DataFrame) for found in gc.get_objects())
    for _ in range(3):
        run_one(TABLE, kind, column="dep")
    gc.collect()

    assert sum(isinstance(found, pd.DataFrame) for found in gc.get_objects()) <= before


def test_the_logging_and_warnings_of_the_process_stay_as_they_were(
    caplog: pytest.LogCaptureFixture,
) -> None:
    show, handlers = warnings.showwarning, list(logging.root.handlers)
    run_one(TABLE, "expect_column_values_to_be_between", column="nowhere", min_value=0)

    assert (warnings.showwarning, list(logging.root.handlers)) == (show, handlers)
    assert caplog.records == []


def test_threads_do_not_mix_results() -> None:
    found: dict[int, list[int]] = {}

    def check(place: int) -> None:
        table = pa.table({"x": [None if n == place else n for n in range(9)]})
        outcome = run_one(table, "expect_column_values_to_not_be_null", column="x")
        found[place] = broken(outcome)

    threads = [threading.Thread(target=check, args=(place,)) for place in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == {place: [place] for place in range(6)}


def test_a_run_prints_nothing_writes_nothing_and_calls_nobody(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(QUIET_RUN)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []
