"""Soda's row checks: the platform finds the rows that Soda counts, or says that it cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from support.batches import SMALL, Batch, places
from support.contracts import orders, specs_of

from quality_platform.checks import soda_kinds
from quality_platform.checks.soda_kinds import CHECK_TYPES, labels_rows
from quality_platform.checks.specs import CheckSpec, Scope, SodaCheck
from quality_platform.lake.query import duckdb_session
from quality_platform.validation import soda_definitions, soda_engine, soda_rows

NAN = float("nan")
ROWS = pa.table(
    {
        "id": pa.array([1, 1, 2, None, None, 3, 1], pa.int64()),
        "code": ["A1", "B2", None, "", "zz", "A1 ", "A1"],
        "size": pa.array([1.5, NAN, None, -0.0, 99.0, float("inf"), 3.0], pa.float64()),
        "price": pa.array([Decimal("0.10"), None, *map(Decimal, ["2.00", "3.01", "3", "4", "5"])]),
        "day": pa.array(["a", "b", "c", "d", "e", "f", None]),
    }
)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb_session(SMALL) as opened:
        yield opened


def row_check(definition: dict[str, Any], column: str | None = None) -> CheckSpec:
    return CheckSpec("check", SodaCheck(definition, column), Scope.ROW)


def labelled(
    connection: duckdb.DuckDBPyConnection, folder: Path, spec: CheckSpec, table: pa.Table = ROWS
) -> tuple[list[int], str]:
    """The positions that a check labels, and its error."""
    assert isinstance(spec.claim, SodaCheck)
    assert labels_rows(spec.claim, table.column_names)
    checks = Batch(folder).checks(connection, table)
    outcome = checks.run([spec])[spec.name]
    found = [position for _, position in places(checks, spec)]
    if not outcome.error:
        assert outcome.count == len(found)
        assert outcome.passed == (not found)
    return found, outcome.error


@pytest.mark.parametrize(
    ("kind", "body", "column", "rows"),
    [
        ("missing", None, "code", [2]),
        ("missing", {}, "size", [2]),
        ("missing", {"missing_values": ["", "zz"]}, "code", [2, 3, 4]),
        ("missing", {"missing_format": {"name": "blank", "regex": "^z*$"}}, "code", [2, 3, 4]),
        ("missing", {"filter": "id = 1 OR code = 'zz'"}, "id", [4]),
        ("missing", {"threshold": {"metric": "percent", "must_be": 0}}, "code", [2]),
        ("missing", {"threshold": {"must_be": 0, "level": "warn"}}, "code", [2]),
        ("invalid", {"valid_values": ["A1", "zz"]}, "code", [1, 3, 5]),
        ("invalid", {"valid_values": [1, 2]}, "id", [5]),
        ("invalid", {"invalid_values": ["A1"]}, "code", [0, 6]),
        ("invalid", {"valid_format": {"name": "n", "regex": "[0-9]"}}, "code", [3, 4]),
        ("invalid", {"valid_format": {"name": "n", "regex": "^[A-Z][0-9]$"}}, "code", [3, 4, 5]),
        ("invalid", {"invalid_format": {"name": "n", "regex": "\\d"}}, "code", [0, 1, 5, 6]),
        ("invalid", {"valid_min": 1}, "size", [3]),
        ("invalid", {"valid_max": 50}, "size", [1, 4, 5]),
        ("invalid", {"valid_min": 2, "valid_max": 4}, "price", [0, 6]),
        ("invalid", {"valid_min": 3.01}, "price", [0, 2, 4]),
        ("invalid", {"valid_length": 2}, "code", [3, 5]),
        ("invalid", {"valid_min_length": 1, "valid_max_length": 2}, "code", [3, 5]),
        ("invalid", {"valid_max_length": 0}, "code", [0, 1, 4, 5, 6]),
        ("invalid", {"valid_values": ["A1", ""], "valid_max_length": 1}, "code", [0, 1, 4, 5, 6]),
        ("invalid", {"valid_values": ["x"], "filter": "id IS NULL"}, "code", [3, 4]),
        ("duplicate", None, "id", [0, 1, 6]),
        ("duplicate", {"filter": "code <> 'A1'"}, "id", []),
        ("duplicate", {"columns": ["id", "code"]}, None, [0, 6]),
        ("duplicate", {"columns": ["id"]}, None, [0, 1, 3, 4, 6]),
        ("failed_rows", {"expression": "size > 50"}, None, [1, 4, 5]),
        ("failed_rows", {"expression": "id = 1 AND code = 'B2' OR id = 3"}, None, [1, 5]),
        ("failed_rows", {"expression": "lower(code) = code"}, "code", [3, 4]),
    ],
)
def test_a_check_that_allows_no_row_labels_the_rows_that_soda_counts(
    connection: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    kind: str,
    body: dict[str, Any] | None,
    column: str | None,
    rows: list[int],
) -> None:
    assert labelled(connection, tmp_path, row_check({kind: body}, column)) == (rows, "")


@pytest.mark.parametrize(
    ("definition", "column"),
    [
        ({"missing": {"threshold": {"must_be_less_than": 5}}}, "code"),
        ({"missing": {"threshold": {"must_be": 1}}}, "code"),
        ({"missing": {"threshold": {"must_be": False}}}, "code"),
        (
            {
                "missing": {
                    "threshold": {"must_be": 0, "additional": {"must_be": 1, "level": "warn"}}
                }
            },
            "code",
        ),
        ({"missing": {"column_expression": "trim(code)"}}, "code"),
        ({"missing": {"scope": "part"}}, "code"),
        ({"missing": {"filter": "id IN (SELECT 1)"}}, "code"),
        ({"invalid": {"valid_reference_data": {"dataset": "duckdb/main/x", "column": "c"}}}, "id"),
        ({"invalid": {"valid_length": 2.5}}, "code"),
        ({"invalid": {}}, "code"),
        ({"failed_rows": {"query": "SELECT * FROM {object}"}}, None),
        ({"failed_rows": {"expression": "nowhere > 1"}}, None),
        ({"duplicate": {"columns": ["nowhere"]}}, None),
        ({"duplicate": {}}, None),
        ({"missing": {}}, None),
        ({"missing": [1]}, "code"),
        ({"row_count": {}}, None),
        ({"schema": {}}, None),
        ({"freshness": {"column": "day", "threshold": {"must_be": 0}}}, None),
        ({"aggregate": {"function": "min", "threshold": {"must_be": 0}}}, "id"),
        ({"metric": {"expression": "min(id)", "threshold": {"must_be": 0}}}, None),
        ({}, "code"),
        ({"missing": {}, "invalid": {}}, "code"),
    ],
)
def test_a_check_that_allows_rows_or_is_no_row_predicate_judges_the_batch(
    definition: dict[str, Any], column: str | None
) -> None:
    assert not labels_rows(SodaCheck(definition, column), ROWS.column_names)


def test_a_contract_makes_row_rules_of_such_checks_and_gates_of_the_others(tmp_path: Path) -> None:
    specs = specs_of(
        tmp_path,
        orders(
            "{name: status, logicalType: string, quality: ["
            "{name: full, type: custom, engine: soda, implementation: {missing: {}}}, "
            "{name: mostly, type: custom, engine: soda, implementation: "
            "{missing: {threshold: {must_be_less_than: 5}}}}]}",
            quality=(
                "{name: positive, type: custom, engine: soda, implementation: "
                "{failed_rows: {expression: status = ''}}}",
            ),
        ),
    )

    scopes = {name: specs[name].scope for name in ("full", "mostly", "positive")}
    assert scopes == {"full": Scope.ROW, "mostly": Scope.GATE, "positive": Scope.ROW}


def test_counts_that_differ_are_an_error_and_label_no_row(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    # Over several columns Soda compares texts that it joins with this mark.
    table = pa.table({"a": ["x'||'y", "x"], "b": ["z", "y'||'z"]})
    spec = row_check({"duplicate": {"columns": ["a", "b"]}})
    shown = pa.table({"a": ["x||y", "x"], "b": ["z", "y||z"]})

    found, error = labelled(connection, tmp_path, spec, shown)
    assert (found, error[:44]) == ([], "Soda counts 1 rows and the platform 0: its r")
    assert labelled(connection, tmp_path, spec, table) == ([], "")


def test_a_key_that_repeats_is_counted_by_soda_in_extra_rows_and_labelled_whole(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    checks = Batch(tmp_path).checks(connection, ROWS)
    outcome = checks.run([row_check({"duplicate": {}}, "id")])["check"]

    assert (outcome.value, outcome.count, outcome.rows) == (Decimal(2), 3, 7)


def test_a_row_check_on_a_batch_without_rows_passes(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    for definition, column in (
        ({"missing": {}}, "code"),
        ({"invalid": {"valid_values": ["A1"]}}, "code"),
        ({"duplicate": {}}, "id"),
        ({"duplicate": {"columns": ["id", "code"]}}, None),
        ({"failed_rows": {"expression": "id > 0"}}, None),
    ):
        spec = row_check(definition, column)
        assert labelled(connection, tmp_path, spec, ROWS.slice(0, 0)) == ([], "")


def test_a_column_may_have_the_name_of_what_the_platform_counts(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    table = pa.table({"n": [1, 1, 2], "select": ["a", "a", "b"]})
    spec = row_check({"duplicate": {"columns": ["n", "select"]}})

    assert labelled(connection, tmp_path, spec, table) == ([0, 1], "")


def test_the_check_types_known_are_those_that_soda_ships() -> None:
    soda_engine.validate_definition(row_check({"missing": {}}, "code"))
    from soda_core.contracts.impl.contract_verification_impl import CheckImpl
    from soda_core.contracts.impl.contract_yaml import CheckYaml

    schemas = soda_definitions.body_schemas()
    assert set(schemas["column"]) | set(schemas["dataset"]) == CHECK_TYPES
    assert set(CheckYaml.check_yaml_parsers) == CHECK_TYPES
    assert set(CheckImpl.check_parsers) == CHECK_TYPES


def test_a_check_that_takes_too_long_is_stopped_and_is_an_error(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.execute("CREATE TABLE batch AS SELECT 1 AS id")
    endless = "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE a <> b"
    threshold = {"must_be": 0}
    specs = [
        CheckSpec("long", SodaCheck({"metric": {"query": endless, "threshold": threshold}}),
                  Scope.GATE),
        CheckSpec("beside", SodaCheck({"missing": {}}, "id"), Scope.GATE),
    ]  # fmt: skip
    outcomes = soda_engine.run_soda_checks(connection, "batch", {"id": "BIGINT"}, specs, 0.2)

    assert outcomes["long"].error == "took longer than 0.2 s and was stopped"
    assert not outcomes["long"].passed
    assert connection.execute("SELECT count(*) FROM batch").fetchall() == [(1,)]


def test_rows_that_are_looked_for_too_long_are_an_error(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.execute("CREATE TABLE batch AS SELECT 1 AS id, 'f' AS file, 0 AS place")
    endless = "(SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE a <> b) > 1"
    rows = soda_kinds.SodaRows(condition=endless)
    monkeypatch.setattr(soda_rows, "soda_rows", lambda *_: rows)
    finder = soda_rows.SodaRowFinder(connection, "batch", "file, place", 0.2)
    spec = row_check({"missing": {}}, "id")
    said = soda_engine.run_soda_checks(connection, "batch", {"id": "BIGINT"}, [spec])
    taken: list[Callable[..., None]] = []
    outcome = finder.agreed([spec], said, lambda *found: taken.append(found))["check"]

    assert outcome.error == "took longer than 0.2 s and was stopped"
    assert not taken
