"""Great Expectations on Arrow tables: real runs, positions of failing rows, errors kept apart."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from quality_platform.checks.specs import CheckSpec, Expectation, Scope
from quality_platform.validation.engine_outcomes import EngineOutcome
from quality_platform.validation.great_expectations_engine import (
    run_expectations,
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
    indexed = pa.Table.from_pandas(TABLE.to_pandas().set_index("dep"))

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
