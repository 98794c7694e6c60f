"""Soda on DuckDB: real sessions, one contract for all checks, counts that agree with SQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from quality_platform.checks.specs import CheckSpec, NotNull, Scope, Severity, SodaCheck
from quality_platform.errors import EngineError
from quality_platform.validation.engine_outcomes import EngineOutcome
from quality_platform.validation.soda_engine import run_soda_checks, validate_definition

COLUMNS = {"id": "BIGINT", "origin": "VARCHAR", "delay": "BIGINT", "day": "DATE"}


def gate(name: str, definition: dict[str, object], column: str | None = None) -> CheckSpec:
    return CheckSpec(name, SodaCheck(definition, column), Scope.GATE)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """Ten rows: two origins missing, one unknown; one id three times; delays 0, 10, ... 90."""
    with duckdb.connect() as opened:
        opened.execute(
            """
            CREATE TABLE batch AS SELECT
                CASE WHEN i < 3 THEN 0 ELSE i END AS id,
                CASE WHEN i IN (4, 5) THEN NULL WHEN i = 6 THEN 'XXX' ELSE 'EWR' END AS origin,
                i * 10 AS delay,
                DATE '2013-01-01' + i::INTEGER AS day
            FROM range(10) t(i)
            """
        )
        yield opened


def run(connection: duckdb.DuckDBPyConnection, *specs: CheckSpec) -> dict[str, EngineOutcome]:
    return run_soda_checks(connection, "batch", COLUMNS, specs)


def test_every_check_type_gives_its_count_and_metric(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    percent = {"metric": "percent", "must_be_less_than": 25}
    outcomes = run(
        connection,
        gate("origin_full", {"missing": {}}, "origin"),
        gate("origin_mostly_full", {"missing": {"threshold": percent}}, "origin"),
        gate("origin_known", {"invalid": {"valid_values": ["EWR", "JFK"]}}, "origin"),
        gate("id_once", {"duplicate": {}}, "id"),
        gate("pair_once", {"duplicate": {"columns": ["id", "origin"]}}),
        gate("some_rows", {"row_count": {"threshold": {"must_be_greater_than": 5}}}),
        gate("short", {"failed_rows": {"expression": "delay > 60"}}),
        gate("mean", {"aggregate": {"function": "avg", "threshold": {"must_be": 45}}}, "delay"),
        gate("top", {"metric": {"expression": "max(delay)", "threshold": {"must_be": 1}}}),
    )

    found = {
        name: (outcome.passed, outcome.count, outcome.value, outcome.error)
        for name, outcome in outcomes.items()
    }
    assert found == {
        "origin_full": (False, 2, Decimal(2), ""),
        "origin_mostly_full": (True, 2, Decimal(20), ""),
        "origin_known": (False, 1, Decimal(1), ""),
        "id_once": (False, 2, Decimal(2), ""),
        "pair_once": (False, 2, Decimal(2), ""),
        "some_rows": (True, None, Decimal(10), ""),
        "short": (False, 3, Decimal(3), ""),
        "mean": (True, None, Decimal(45), ""),
        "top": (False, None, Decimal(90), ""),
    }
    assert all(outcome.rows == 10 for outcome in outcomes.values())
    assert all(outcome.positions is None for outcome in outcomes.values())


def test_the_message_tells_what_was_observed_and_what_was_expected(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    between = {"must_be_between": {"greater_than": 1, "less_than": 3}}
    outcomes = run(connection, gate("n", {"row_count": {"threshold": between}}))

    message = outcomes["n"].message
    assert message == "row_count: observed 10, must be greater than: 1, must be less than: 3"


def test_checks_of_one_type_on_one_column_keep_their_own_results(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    outcomes = run(
        connection,
        gate("a", {"missing": {"threshold": {"must_be": 2}, "qualifier": "same"}}, "origin"),
        gate("b", {"missing": {"threshold": {"must_be": 0}, "qualifier": "same"}}, "origin"),
    )

    assert (outcomes["a"].passed, outcomes["b"].passed) == (True, False)


def test_a_warning_of_soda_is_not_a_pass_whatever_the_severity(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    warn = {"missing": {"threshold": {"must_be": 0, "level": "warn"}}}
    two = {
        "missing": {
            "threshold": {
                "must_be_less_than": 5,
                "additional": {"must_be_less_than": 1, "level": "warn"},
            }
        }
    }
    warned = CheckSpec("warned", SodaCheck(warn, "origin"), Scope.GATE, Severity.WARNING)
    outcomes = run(connection, warned, gate("two", two, "origin"))

    assert not outcomes["warned"].passed
    assert not outcomes["warned"].error
    assert not outcomes["two"].passed
    assert outcomes["two"].message == "missing: observed 2, must be less than: 1"


def test_one_bad_column_is_an_error_of_its_own_check_only(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    good = [gate(f"good_{n}", {"missing": {}}, "origin") for n in range(5)]
    bad = gate("bad", {"missing": {}}, "nowhere")
    outcomes = run(connection, *good[:2], bad, *good[2:])

    assert not outcomes["bad"].passed
    assert "nowhere" in outcomes["bad"].error
    assert "\n" not in outcomes["bad"].error
    assert [outcomes[spec.name].count for spec in good] == [2] * 5
    assert not any(outcomes[spec.name].error for spec in good)


@pytest.mark.parametrize(
    ("definition", "column"),
    [
        ({"failed_rows": {"expression": "delay +"}}, None),
        ({"metric": {"query": "SELECT nothing FROM batch", "threshold": {"must_be": 1}}}, None),
        ({"metric": {"query": "SELECT 'text'", "threshold": {"must_be": 1}}}, None),
        ({"metric": {"expression": "sum(delay)"}}, None),
        ({"invalid": {"valid_format": {"name": "regex", "regex": "("}}}, "origin"),
        ({"invalid": {}}, "origin"),
        ({"row_count": {"threshold": {"must_be": 1, "must_be_less_than": 3}}}, None),
        ({"row_count": {"scope": "nobody"}}, None),
        ({"missing": {"filter": "${var.unknown} = 1"}}, "origin"),
        ({"freshness": {"column": "delay", "threshold": {"must_be_less_than": 1}}}, None),
    ],
)
def test_a_check_that_cannot_run_is_an_error_and_spoils_nothing(
    connection: duckdb.DuckDBPyConnection, definition: dict[str, object], column: str | None
) -> None:
    good = gate("good", {"missing": {}}, "origin")
    outcomes = run(connection, gate("bad", definition, column), good)

    assert outcomes["bad"].error
    assert not outcomes["bad"].passed
    assert (outcomes["good"].count, outcomes["good"].error) == (2, "")
    assert connection.execute("SELECT count(*) FROM batch").fetchall() == [(10,)]


@pytest.mark.parametrize(
    ("definition", "column", "told"),
    [
        ({}, "origin", "one type as its only key"),
        ({"missing": {}, "invalid": {}}, "origin", "one type as its only key"),
        ({"mising": {}}, "origin", "did you mean missing?"),
        ({"row_count": {}}, "origin", "no check type 'row_count' on the column 'origin'"),
        ({"missing": {}}, None, "no check type 'missing' on the data set"),
        ({"missing": [1]}, "origin", "the body must be a mapping"),
        ({"missing": {"treshold": {"must_be": 0}}}, "origin", "treshold"),
        ({"missing": {"threshold": {"must_bee": 0}}}, "origin", "must_bee"),
        ({"missing": {"threshold": {"must_be": 0, "level": "wran"}}}, "origin", "wran"),
        ({"failed_rows": {"expression": "x = '${env.HOME}'"}}, None, "${env...} is not allowed"),
    ],
)
def test_a_wrong_definition_is_told_before_and_at_the_run(
    connection: duckdb.DuckDBPyConnection,
    definition: dict[str, object],
    column: str | None,
    told: str,
) -> None:
    spec = gate("wrong", definition, column)

    assert told in validate_definition(spec)
    outcome = run(connection, spec)["wrong"]
    assert told in outcome.error
    assert not outcome.passed


def test_the_definitions_of_the_module_docstring_are_valid() -> None:
    filtered: dict[str, object] = {"expression": "sum(delay)", "filter": "delay > 0"}
    for spec in (
        gate("a", {"missing": {"threshold": {"metric": "percent", "must_be_less_than": 5}}}, "x"),
        gate("b", {"aggregate": {"function": "avg", "threshold": {"must_be": 1}}}, "x"),
        gate("c", {"duplicate": None}, "x"),
        gate("d", {"freshness": {"column": "x", "threshold": {"must_be_less_than": 2}}}),
        gate("e", {"schema": {"allow_extra_columns": True}}),
        gate("f", {"metric": {**filtered, "threshold": {"must_be": 1}}}),
    ):
        assert validate_definition(spec) == ""


def test_values_reach_duckdb_as_they_are_written(connection: duckdb.DuckDBPyConnection) -> None:
    words = ["1e5", "on", "0o14", "12:30", "null", "ü \U0001f600 \u2028 '\"\\", "5", ""]
    connection.register("words", pa.table({"word": words}))
    connection.execute("CREATE OR REPLACE TABLE batch AS SELECT word AS origin FROM words")
    specs = [
        gate(f"w{n}", {"invalid": {"invalid_values": [word]}}, "origin")
        for n, word in enumerate(words)
    ]
    outcomes = run_soda_checks(connection, "batch", {"origin": "VARCHAR"}, specs)

    assert {name: outcome.count for name, outcome in outcomes.items()} == dict.fromkeys(outcomes, 1)


def test_dates_in_a_definition_are_compared_as_dates(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    days = [date(2013, 1, 4), date(2013, 1, 5)]
    outcomes = run(connection, gate("d", {"invalid": {"invalid_values": days}}, "day"))

    assert (outcomes["d"].count, outcomes["d"].error) == (2, "")


def test_queries_can_name_the_batch_whatever_it_is_called(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.execute('ALTER TABLE batch RENAME TO "Batch of July"')
    query = "SELECT count(*) FROM {object} WHERE delay > 60"
    threshold = {"must_be": 3}
    specs = [
        gate("m", {"metric": {"query": query, "threshold": threshold}}),
        gate("f", {"failed_rows": {"query": "SELECT * FROM {object} WHERE delay > 60"}}),
        gate("n", {"missing": {}}, "origin"),
    ]
    outcomes = run_soda_checks(connection, "Batch of July", COLUMNS, specs)

    assert (outcomes["m"].passed, outcomes["m"].value) == (True, Decimal(3))
    assert (outcomes["f"].count, outcomes["f"].rows) == (3, 10)
    assert outcomes["n"].count == 2


def test_a_filter_narrows_the_rows_judged(connection: duckdb.DuckDBPyConnection) -> None:
    outcomes = run(connection, gate("few", {"missing": {"filter": "delay >= 50"}}, "origin"))

    assert (outcomes["few"].rows, outcomes["few"].count) == (5, 1)


def test_reference_data_is_another_relation_of_the_connection(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.execute("CREATE TABLE airports AS SELECT 'EWR' AS code")
    reference = {"dataset": "duckdb/main/airports", "column": "code"}
    outcomes = run(
        connection, gate("fk", {"invalid": {"valid_reference_data": reference}}, "origin")
    )

    assert (outcomes["fk"].count, outcomes["fk"].error) == (1, "")


def test_a_schema_check_compares_the_names_of_the_columns(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    assert run(connection, gate("s", {"schema": {}}))["s"].passed

    connection.execute("ALTER TABLE batch RENAME COLUMN day TO jour")
    outcome = run(connection, gate("s", {"schema": {}}))["s"]
    assert not outcome.passed
    assert "columns missing: day; columns not expected: jour" in outcome.message


def test_a_view_on_files_and_a_registered_table_are_checked_as_a_table(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    file = tmp_path / "batch.parquet"
    connection.execute(f"COPY batch TO '{file}'")
    connection.execute(f"CREATE VIEW from_file AS FROM read_parquet('{file}')")
    connection.register("from_arrow", connection.sql("FROM batch").to_arrow_table())

    for relation in ("from_file", "from_arrow"):
        spec = gate("n", {"missing": {}}, "origin")
        outcome = run_soda_checks(connection, relation, COLUMNS, [spec])["n"]
        assert (outcome.count, outcome.rows, outcome.error) == (2, 10, "")


def test_a_batch_without_rows_breaks_nothing_but_a_row_count(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.execute("DELETE FROM batch")
    percent = {"metric": "percent", "must_be_less_than": 1}
    average = {"aggregate": {"function": "avg", "threshold": {"must_be": 1}}}
    outcomes = run(
        connection,
        gate("missing", {"missing": {"threshold": percent}}, "origin"),
        gate("invalid", {"invalid": {"valid_values": ["EWR"]}}, "origin"),
        gate("duplicate", {"duplicate": {"columns": ["id", "day"]}}),
        gate("failed", {"failed_rows": {"expression": "delay > 0"}}),
        gate("rows", {"row_count": {}}),
        gate("average", average, "delay"),
    )

    for name in ("missing", "invalid", "duplicate", "failed"):
        assert (outcomes[name].passed, outcomes[name].count, outcomes[name].rows) == (True, 0, 0)
    assert (outcomes["rows"].passed, outcomes["rows"].value) == (False, Decimal(0))
    assert outcomes["average"].error, "there is no average of nothing: not a pass"


def test_a_relation_that_does_not_exist_is_told_at_once(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    with pytest.raises(EngineError, match="cannot read the relation") as caught:
        run_soda_checks(connection, "nowhere", COLUMNS, [gate("n", {"row_count": {}})])

    assert '"main"."nowhere"' in str(caught.value)


def test_a_claim_of_another_kind_is_refused(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(EngineError, match="not a check of Soda"):
        run(connection, CheckSpec("n", NotNull("id"), Scope.ROW))


def test_no_check_means_no_outcome(connection: duckdb.DuckDBPyConnection) -> None:
    assert run(connection) == {}
