"""Every check type of Soda on DuckDB: one case that holds and one that is broken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from support.batches import SMALL

from quality_platform.checks.soda_kinds import CHECK_TYPES
from quality_platform.checks.specs import CheckSpec, Scope, SodaCheck
from quality_platform.lake.query import duckdb_session
from quality_platform.validation.soda_engine import run_soda_checks, validate_definition

COLUMNS = {"id": "BIGINT", "code": "VARCHAR", "at": "TIMESTAMPTZ"}


def bounded(key: str, value: float, **more: Any) -> dict[str, Any]:
    return {**more, "threshold": {key: value}}


def aggregate(function: str, value: float) -> dict[str, Any]:
    return {"aggregate": bounded("must_be", value, function=function)}


DAYS_OLD = {"column": "at", "threshold": {"unit": "day", "must_be_less_than": 3}}
HOURS_OLD = {"column": "at", "threshold": {"unit": "hour", "must_be_less_than": 3}}
CASES: list[tuple[dict[str, Any], dict[str, Any], str | None]] = [
    ({"missing": {}}, {"missing": {"missing_values": [1]}}, "id"),
    ({"invalid": {"valid_min": 1}}, {"invalid": {"valid_min": 2}}, "id"),
    (
        {"invalid": {"valid_reference_data": {"dataset": "duckdb/main/known", "column": "code"}}},
        {"invalid": {"valid_reference_data": {"dataset": "duckdb/main/other", "column": "code"}}},
        "code",
    ),
    ({"duplicate": {}}, {"duplicate": bounded("must_be", 1)}, "id"),
    ({"duplicate": {"columns": ["id", "code"]}}, {"duplicate": {"columns": ["at"]}}, None),
    (aggregate("avg", 2), aggregate("avg", 3), "id"),
    (aggregate("sum", 6), aggregate("sum", 7), "id"),
    (aggregate("min", 1), aggregate("min", 2), "id"),
    (aggregate("max", 3), aggregate("max", 4), "id"),
    (aggregate("minLength", 1), aggregate("minLength", 2), "code"),
    (aggregate("maxLength", 3), aggregate("maxLength", 2), "code"),
    (aggregate("avgLength", 2), aggregate("avgLength", 1), "code"),
    ({"failed_rows": {"expression": "id > 3"}}, {"failed_rows": {"expression": "id > 2"}}, None),
    (
        {"failed_rows": {"query": "SELECT * FROM {object} WHERE id > 3"}},
        {"failed_rows": {"query": "SELECT * FROM {object} WHERE id > 2"}},
        None,
    ),
    (
        {"metric": bounded("must_be", 3, expression="max(id)")},
        {"metric": bounded("must_be", 4, expression="max(id)")},
        None,
    ),
    (
        {"metric": bounded("must_be", 3, query="SELECT max(id) FROM {object}")},
        {"metric": bounded("must_be", 4, query="SELECT max(id) FROM {object}")},
        None,
    ),
    ({"row_count": bounded("must_be", 3)}, {"row_count": bounded("must_be", 4)}, None),
    ({"freshness": DAYS_OLD}, {"freshness": HOURS_OLD}, None),
    ({"schema": {}}, {"schema": {"name": "without a column"}}, None),
]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """Three rows; the newest is two days old."""
    with duckdb_session(SMALL) as opened:
        opened.execute(
            "CREATE TABLE batch AS SELECT i AS id, repeat('x', i::INTEGER) AS code, "
            "now() - INTERVAL 2 DAY AS at FROM range(1, 4) t(i)"
        )
        opened.execute("CREATE TABLE known AS SELECT code FROM batch")
        opened.execute("CREATE TABLE other AS SELECT 'y' AS code")
        yield opened


def test_there_is_a_case_for_every_check_type() -> None:
    assert {kind for holds, _, _ in CASES for kind in holds} == CHECK_TYPES


@pytest.mark.parametrize(
    ("holds", "broken", "column"),
    CASES,
    ids=[f"{n} {next(iter(c[0]))}" for n, c in enumerate(CASES)],
)
def test_every_check_type_tells_what_holds_from_what_is_broken(
    connection: duckdb.DuckDBPyConnection,
    holds: dict[str, Any],
    broken: dict[str, Any],
    column: str | None,
) -> None:
    specs = [
        CheckSpec(name, SodaCheck(definition, column), Scope.GATE)
        for name, definition in (("holds", holds), ("broken", broken))
    ]
    assert [validate_definition(spec) for spec in specs] == ["", ""]
    found = {"holds": run_soda_checks(connection, "batch", COLUMNS, specs)["holds"]}
    if "schema" in broken:
        connection.execute("ALTER TABLE batch DROP COLUMN code")
    found["broken"] = run_soda_checks(connection, "batch", COLUMNS, specs)["broken"]

    assert {name: (outcome.passed, outcome.error) for name, outcome in found.items()} == {
        "holds": (True, ""),
        "broken": (False, ""),
    }


@pytest.mark.parametrize(
    ("definition", "column", "told"),
    [
        ({"invalid": {}}, "code", "add a condition"),
        ({"metric": {"expression": "max(id)"}}, None, "add a threshold with a bound"),
        ({"aggregate": {"function": "avg", "threshold": {}}}, "id", "add a threshold"),
        (
            {"row_count": {"threshold": {"must_be": 1, "must_be_less_than": 3}}},
            None,
            "one bound is allowed; received must_be, must_be_less_than",
        ),
        ({"missing": {"scope": "part"}}, "code", "declares no scopes"),
    ],
)
def test_what_soda_would_only_refuse_at_the_run_is_told_before(
    definition: dict[str, Any], column: str | None, told: str
) -> None:
    assert told in validate_definition(CheckSpec("c", SodaCheck(definition, column), Scope.GATE))
