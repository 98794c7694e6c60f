"""Every expectation that Great Expectations ships: one case that holds, one that is broken.

For expectations about rows the broken rows are told by position. Those that run on SQL databases
only are refused with a reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from support.batches import SMALL, Batch, labelled_rows, places

from quality_platform.checks.expectation_kinds import (
    PANDAS_ONLY_TYPES,
    ROW_LOCAL_TYPES,
    ROW_TYPES,
    RUNNABLE_TYPES,
    SQL_ONLY_TYPES,
)
from quality_platform.checks.specs import CheckSpec, Expectation, Scope
from quality_platform.lake.query import duckdb_session
from quality_platform.validation import engine_checks, great_expectations_engine
from quality_platform.validation.engine_outcomes import EngineOutcome
from quality_platform.validation.great_expectations_engine import (
    RowLocalRun,
    run_expectations,
    validate_definition,
)

ROWS = pa.table(
    {
        "n": pa.array([1, 2, 3, None, 3, 9], pa.int64()),
        "m": pa.array([1, 1, 3, 4, None, 9], pa.int64()),
        "up": pa.array([1, 2, 2, None, 5, 4], pa.int64()),
        "f": pa.array([0.5, 1.5, None, 2.5, 2.5, 99.0]),
        "s": ["a1", "bb", None, "a1", "é", "a 1"],
        "t": ["2024-01-31", "31/01/2024", None, "x", "2024-02-30", "2024-01-01"],
        "k": ["x"] * 6,
        "v": ['{"a": 1}', "{}", None, "[]", '{"a": "x"}', "null"],
        "j": ['{"a": 1}', "{", None, "[]", '{"a": "x"}', "null"],
        "d": pa.array([Decimal("1.10"), Decimal("2"), None, Decimal("3"), Decimal("4"), None]),
        "day": [date(2024, 1, 1), None, *(date(2024, 1, n) for n in (3, 4, 5, 6))],
        "at": pa.array(
            [None, *(datetime(2024, 1, n, tzinfo=UTC) for n in (2, 3, 4, 5, 6))],
            pa.timestamp("us", "UTC"),
        ),
    }
)
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


@dataclass(frozen=True)
class Case:
    """Arguments that hold, arguments that do not, and the rows that break those."""

    holds: dict[str, Any]
    broken: dict[str, Any]
    rows: tuple[int, ...] = ()


def on(column: str, **more: Any) -> dict[str, Any]:
    return {"column": column, **more}


def pair(first: str, second: str, **more: Any) -> dict[str, Any]:
    return {"column_A": first, "column_B": second, **more}


def several(*columns: str, **more: Any) -> dict[str, Any]:
    return {"column_list": list(columns), **more}


def where(column: str, operator: str, parameter: int) -> dict[str, Any]:
    return {
        "type": "comparison",
        "column": {"name": column},
        "operator": operator,
        "parameter": parameter,
    }


EITHER, ANY = "either_value_is_missing", "any_value_is_missing"
PAIRS: list[list[Any]] = [[1, 1], [2, 1], [3, 3], [9, 9]]
ALL_COLUMNS = ROWS.column_names
CASES: dict[str, Case] = {
    "expect_column_pair_values_a_to_be_greater_than_b": Case(
        pair("n", "m", or_equal=True, ignore_row_if=EITHER),
        pair("n", "m", ignore_row_if=EITHER),
        (0, 2, 5),
    ),
    "expect_column_pair_values_to_be_equal": Case(
        pair("n", "n", ignore_row_if=EITHER), pair("n", "m", ignore_row_if=EITHER), (1,)
    ),
    "expect_column_pair_values_to_be_in_set": Case(
        pair("n", "m", value_pairs_set=PAIRS, ignore_row_if=EITHER),
        pair("n", "m", value_pairs_set=PAIRS[:2], ignore_row_if=EITHER),
        (2, 5),
    ),
    "expect_column_value_lengths_to_be_between": Case(
        on("s", min_value=1, max_value=3), on("s", min_value=2, max_value=2), (4, 5)
    ),
    "expect_column_value_lengths_to_equal": Case(
        on(
            "t",
            value=10,
            row_condition=where("n", "==", 1),
        ),
        on("s", value=2),
        (4, 5),
    ),
    "expect_column_value_z_scores_to_be_less_than": Case(
        on("f", threshold=3, double_sided=True), on("f", threshold=1, double_sided=True), (5,)
    ),
    "expect_column_values_to_be_between": Case(
        on("d", min_value=1, max_value=4), on("d", min_value=2, strict_min=True), (0, 1)
    ),
    "expect_column_values_to_be_dateutil_parseable": Case(
        on(
            "t",
            row_condition=where("n", "<", 3),
        ),
        on("t"),
        (3, 4),
    ),
    "expect_column_values_to_be_decreasing": Case(
        on(
            "m",
            row_condition=where("n", "<", 3),
        ),
        on("up"),
        (1, 4),
    ),
    "expect_column_values_to_be_in_set": Case(
        on("s", value_set=["a1", "bb", "é", "a 1"]), on("s", value_set=["a1"]), (1, 4, 5)
    ),
    "expect_column_values_to_be_increasing": Case(on("f"), on("up"), (5,)),
    "expect_column_values_to_be_json_parseable": Case(
        on(
            "j",
            row_condition=where("m", ">", 3),
        ),
        on("j"),
        (1,),
    ),
    "expect_column_values_to_be_null": Case(
        on(
            "n",
            row_condition=where("m", "==", 4),
        ),
        on("n"),
        (0, 1, 2, 4, 5),
    ),
    "expect_column_values_to_be_unique": Case(on("t"), on("s"), (0, 3)),
    "expect_column_values_to_match_json_schema": Case(
        on(
            "j",
            json_schema={},
            row_condition=where("m", ">", 3),
        ),
        on("v", json_schema=SCHEMA),
        (3, 4, 5),
    ),
    "expect_column_values_to_match_regex": Case(on("s", regex="^."), on("s", regex="^a"), (1, 4)),
    "expect_column_values_to_match_regex_list": Case(
        on("s", regex_list=["a", "b", "é"]), on("s", regex_list=["^b", "1"]), (4,)
    ),
    "expect_column_values_to_match_strftime_format": Case(
        on(
            "t",
            strftime_format="%Y-%m-%d",
            row_condition=where("n", "==", 1),
        ),
        on("t", strftime_format="%Y-%m-%d"),
        (1, 3, 4),
    ),
    "expect_column_values_to_not_be_in_set": Case(
        on("n", value_set=[7]), on("n", value_set=[3]), (2, 4)
    ),
    "expect_column_values_to_not_be_null": Case(
        on("n", row_condition={"type": "nullity", "column": {"name": "n"}, "is_null": False}),
        on("n"),
        (3,),
    ),
    "expect_column_values_to_not_be_outliers": Case(
        on("n", method="iqr", multiplier=10), on("f", method="iqr"), (5,)
    ),
    "expect_column_values_to_not_match_regex": Case(
        on("s", regex="^z"), on("s", regex="[0-9]"), (0, 3, 5)
    ),
    "expect_column_values_to_not_match_regex_list": Case(
        on("s", regex_list=["z"]), on("s", regex_list=["z", "b"]), (1,)
    ),
    "expect_compound_columns_to_be_unique": Case(several("n", "m"), several("s", "k"), (0, 3)),
    "expect_multicolumn_sum_to_equal": Case(
        several(
            "n",
            "m",
            sum_total=2,
            ignore_row_if=ANY,
            row_condition=where("n", "==", 1),
        ),
        several("n", "m", sum_total=6, ignore_row_if=ANY),
        (0, 1, 5),
    ),
    "expect_multicolumn_values_to_be_equal": Case(
        several("n", "m", row_condition=where("n", "==", 9)),
        several("n", "m", ignore_row_if=ANY),
        (1,),
    ),
    "expect_select_column_values_to_be_unique_within_record": Case(
        several("n", "f", ignore_row_if=ANY), several("n", "m", ignore_row_if=ANY), (0, 2, 5)
    ),
    "expect_column_type_to_be": Case(
        on("n", type_="int64[pyarrow]"), on("n", type_="string[pyarrow]")
    ),
    "expect_column_values_to_be_of_type": Case(on("s", type_="str"), on("s", type_="int")),
    "expect_column_distinct_values_to_be_in_set": Case(
        on("n", value_set=[1, 2, 3, 9]), on("n", value_set=[1])
    ),
    "expect_column_distinct_values_to_contain_set": Case(
        on("n", value_set=[1]), on("n", value_set=[8])
    ),
    "expect_column_distinct_values_to_equal_set": Case(
        on("n", value_set=[1, 2, 3, 9]), on("n", value_set=[1, 2])
    ),
    "expect_column_kl_divergence_to_be_less_than": Case(
        on(
            "s",
            threshold=9,
            partition_object={
                "values": ["a1", "bb", "é", "a 1"],
                "weights": [0.4, 0.2, 0.2, 0.2],
            },
        ),
        on(
            "s",
            threshold=0.01,
            partition_object={
                "values": ["a1", "bb", "é", "a 1"],
                "weights": [0.1, 0.1, 0.1, 0.7],
            },
        ),
    ),
    "expect_column_max_to_be_between": Case(on("n", max_value=9), on("n", max_value=8)),
    "expect_column_mean_to_be_between": Case(on("n", max_value=4), on("n", max_value=3)),
    "expect_column_median_to_be_between": Case(on("n", max_value=3), on("n", max_value=2)),
    "expect_column_min_to_be_between": Case(on("n", min_value=1), on("n", min_value=2)),
    "expect_column_most_common_value_to_be_in_set": Case(
        on("n", value_set=[3]), on("n", value_set=[1])
    ),
    "expect_column_proportion_of_non_null_values_to_be_between": Case(
        on("n", min_value=0.8), on("n", min_value=0.9)
    ),
    "expect_column_proportion_of_unique_values_to_be_between": Case(
        on("n", min_value=0.6), on("n", min_value=0.9)
    ),
    "expect_column_quantile_values_to_be_between": Case(
        on("f", quantile_ranges={"quantiles": [0.5], "value_ranges": [[2, 3]]}),
        on("f", quantile_ranges={"quantiles": [0.5], "value_ranges": [[5, 6]]}),
    ),
    "expect_column_stdev_to_be_between": Case(on("f", min_value=40), on("f", max_value=40)),
    "expect_column_sum_to_be_between": Case(on("n", max_value=18), on("n", max_value=17)),
    "expect_column_unique_value_count_to_be_between": Case(
        on("n", min_value=4), on("n", min_value=5)
    ),
    "expect_table_row_count_to_be_between": Case({"min_value": 6}, {"min_value": 7}),
    "expect_table_row_count_to_equal": Case({"value": 6}, {"value": 7}),
    "expect_column_to_exist": Case(on("n"), on("nowhere")),
    "expect_table_column_count_to_be_between": Case({"max_value": 12}, {"max_value": 11}),
    "expect_table_column_count_to_equal": Case({"value": 12}, {"value": 11}),
    "expect_table_columns_to_match_ordered_list": Case(
        {"column_list": ALL_COLUMNS}, {"column_list": ALL_COLUMNS[::-1]}
    ),
    "expect_table_columns_to_match_set": Case(
        {"column_set": ALL_COLUMNS[::-1]}, {"column_set": ["n"]}
    ),
}


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb_session(SMALL) as opened:
        yield opened


def spec(name: str, kind: str, kwargs: dict[str, Any]) -> CheckSpec:
    return CheckSpec(name, Expectation(kind, kwargs), Scope.ROW)


def test_there_is_a_case_for_every_type_that_runs() -> None:
    assert CASES.keys() == RUNNABLE_TYPES


@pytest.fixture(scope="module")
def outcomes() -> dict[str, EngineOutcome]:
    """Both cases of every type, all in one run."""
    specs = [
        spec(f"{kind} {name}", kind, kwargs)
        for kind, case in CASES.items()
        for name, kwargs in (("holds", case.holds), ("broken", case.broken))
    ]
    return run_expectations(ROWS, specs)


@pytest.mark.parametrize("kind", sorted(CASES))
def test_every_type_tells_what_holds_from_what_is_broken(
    kind: str, outcomes: dict[str, EngineOutcome]
) -> None:
    case = CASES[kind]
    holds, broken = outcomes[f"{kind} holds"], outcomes[f"{kind} broken"]

    assert validate_definition(spec("one", kind, case.holds)) == ""
    assert [(o.passed, o.error) for o in (holds, broken)] == [(True, ""), (False, "")]
    if kind in ROW_TYPES:
        assert holds.positions is not None
        assert broken.positions is not None
        assert holds.positions.to_pylist() == []
        assert broken.positions.to_pylist() == list(case.rows)
    else:
        assert broken.positions is None


@pytest.mark.parametrize("kind", sorted(SQL_ONLY_TYPES | PANDAS_ONLY_TYPES))
def test_every_type_that_cannot_run_is_refused_with_what_to_use_instead(kind: str) -> None:
    wrong = spec("wrong", kind, {"column": "s"})

    reason = "on types of pandas only" if kind in PANDAS_ONLY_TYPES else "on SQL databases only"
    assert f"{reason}: {kind}; use expect_column_values_to_" in validate_definition(wrong)
    outcome = run_expectations(ROWS, [wrong])["wrong"]
    assert (outcome.passed, outcome.error) == (False, validate_definition(wrong))


def local_specs() -> list[CheckSpec]:
    """Every row-local expectation, also with an allowance and beside NULL."""
    specs = []
    for kind in sorted(ROW_LOCAL_TYPES):
        broken = CASES[kind].broken
        beside_null = {k: v for k, v in broken.items() if k != "ignore_row_if"}
        specs += [
            spec(f"{kind} holds", kind, CASES[kind].holds),
            spec(f"{kind} broken", kind, {**broken, "mostly": 0.7}),
            spec(f"{kind} broken null", kind, beside_null),
        ]
    return specs


# Beside NULL the library cannot add; the error's hint tells of ignore_row_if.
CANNOT_ADD = {"expect_multicolumn_sum_to_equal broken null"}


@pytest.mark.parametrize("copies", [0, 2])
def test_pieces_of_seven_rows_give_what_the_whole_gives(copies: int) -> None:
    table = pa.concat_tables([ROWS.slice(0, 0), *[ROWS] * copies])
    whole = run_expectations(table, local_specs(), chunk_rows=1_000)
    pieces = run_expectations(table, local_specs(), chunk_rows=7)

    for name, outcome in whole.items():
        other = pieces[name]
        assert other == outcome, name
        assert bool(outcome.error) == (copies > 0 and name in CANNOT_ADD), name


def test_a_run_by_pieces_tells_the_places_within_each_piece() -> None:
    run = RowLocalRun(
        [spec("full", "expect_column_values_to_not_be_null", on("n"))], ROWS.column_names
    )
    found = [run.judge(ROWS.slice(start, 2))["full"].to_pylist() for start in (0, 2, 4)]
    outcome = run.outcomes()["full"]

    assert found == [[], [1], []]
    assert outcome.positions is not None
    assert (outcome.positions.to_pylist(), outcome.rows, outcome.count) == ([3], 6, 1)


def test_a_value_that_only_a_later_piece_has_makes_an_error_without_that_value() -> None:
    table = pa.table({"x": ["ok"] * 8 + ["secret-value"]})
    kind = "expect_column_values_to_be_between"
    good = spec("good", "expect_column_values_to_not_be_null", on("x"))
    outcomes = run_expectations(table, [spec("bad", kind, on("x", min_value=1)), good], 4)

    assert outcomes["bad"].error
    assert "secret" not in outcomes["bad"].error
    assert (outcomes["good"].count, outcomes["good"].rows) == (0, 9)


def test_one_that_raises_does_not_make_the_library_compute_the_others_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows: list[tuple[int, int]] = []
    real = great_expectations_engine.validated

    def counted(expectations: Any, frame: Any) -> Any:
        rows.append((len(expectations), len(frame)))
        return real(expectations, frame)

    monkeypatch.setattr(great_expectations_engine, "validated", counted)
    table = pa.concat_tables([ROWS] * 1000)
    between = "expect_column_values_to_be_between"
    specs = [
        spec("bad", between, on("s", min_value=0)),
        spec("good", between, on("n", min_value=0)),
        spec("other", between, on("m", min_value=0)),
    ]
    outcomes = run_expectations(table, specs)

    assert [bool(outcomes[s.name].error) for s in specs] == [True, False, False]
    assert rows == [(3, 1000), (2, 6000), (1, 6000)]


def test_the_batch_is_read_piece_by_piece_and_rows_keep_their_places(
    connection: duckdb.DuckDBPyConnection, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_checks, "CHUNK_ROWS", 2048)
    table = pa.concat_tables([ROWS] * 1000)
    specs = [
        spec("local", "expect_column_values_to_not_be_null", on("n")),
        spec("whole", "expect_column_values_to_be_unique", on("t")),
    ]
    checks = Batch(tmp_path).checks(connection, table, ROWS)
    outcomes = checks.run(specs)

    expected = [("good_0", n) for n in range(3, 6000, 6)] + [("good_1", 3)]
    assert places(checks, specs[0]) == sorted(expected)
    assert outcomes["local"].count == 1001
    assert outcomes["whole"].count == len(places(checks, specs[1])) == 5005


def test_pieces_stop_at_the_time_limit_and_the_check_is_an_error(
    connection: duckdb.DuckDBPyConnection, tmp_path: Any
) -> None:
    checks = Batch(tmp_path).checks(connection, ROWS, timeout_seconds=1e-9)
    kind = "expect_column_values_to_not_be_null"
    outcome = checks.run([spec("late", kind, on("n"))])["late"]

    assert outcome.error == "took longer than 1e-09 s and was stopped"
    assert not outcome.passed
    assert labelled_rows(checks) == []
