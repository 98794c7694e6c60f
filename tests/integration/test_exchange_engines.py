"""What is exported to other engines finds in them what the platform's own checks find."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import yaml
from duckdb import DuckDBPyConnection
from jsonschema import Draft202012Validator
from support.batches import SMALL, Batch
from support.contracts import load_text, orders
from support.exchanged import loaded, lost, specs_by_table

from quality_platform.checks.specs import CheckSpec, Scope
from quality_platform.contracts.models import Contract
from quality_platform.contracts.schemas import arrow_schema
from quality_platform.exchange.exporters.checks import checks_of
from quality_platform.exchange.exporters.ddl import export_ddl
from quality_platform.exchange.exporters.great_expectations import export_great_expectations
from quality_platform.exchange.exporters.json_schema import export_json_schema
from quality_platform.exchange.exporters.soda import export_soda
from quality_platform.exchange.importers.great_expectations import import_great_expectations
from quality_platform.exchange.importers.soda import import_soda
from quality_platform.lake.query import duckdb_session
from quality_platform.validation.engine_outcomes import EngineOutcome
from quality_platform.validation.great_expectations_library import LOCK, library, validated
from quality_platform.validation.soda_library import load_soda, session_logs

CONTRACT = orders(
    "{name: id, logicalType: integer, required: true, unique: true}",
    "{name: status, logicalType: string, quality: ["
    "{name: known, metric: invalidValues, mustBe: 0, "
    "arguments: {validValues: [placed, shipped]}, severity: warning}, "
    "{name: at_most_half_null, metric: nullValues, unit: percent, mustBeLessOrEqualTo: 10}, "
    "{name: not_a_dash, metric: missingValues, mustBe: 0, arguments: {missingValues: ['-']}}]}",
    "{name: amount, logicalType: number, physicalType: double, "
    "logicalTypeOptions: {exclusiveMinimum: 0, maximum: 100}, quality: ["
    "{name: mean, type: custom, engine: greatExpectations, implementation: "
    "{type: expect_column_mean_to_be_between, kwargs: {max_value: 10}}}]}",
    "{name: code, logicalType: string, "
    "logicalTypeOptions: {pattern: '^[A-Z]+$', minLength: 2, maxLength: 3}}",
    "{name: customer, logicalType: integer, quality: ["
    "{name: soda_sum, type: custom, engine: soda, implementation: "
    "{aggregate: {function: sum, threshold: {must_be: 7}}}}]}",
    "{name: day, logicalType: date, logicalTypeOptions: {minimum: '2020-01-01'}}",
    quality=[
        "{name: few, metric: rowCount, mustBeLessThan: 5}",
        "{name: once_a_day, metric: duplicateValues, mustBe: 0, "
        "arguments: {properties: [customer, day]}}",
        "{name: extra, metric: duplicateValues, mustBeLessOrEqualTo: 1, "
        "arguments: {properties: [customer, code]}}",
        "{name: one_status, type: sql, query: 'SELECT count(DISTINCT status) FROM {object}', "
        "mustBe: 1}",
        "{name: shipped_has_code, type: text, customProperties: "
        "[{property: rowPredicate, value: \"status <> 'shipped' OR code IS NOT NULL\"}]}",
        "{name: placed_is_cheap, metric: duplicateValues, mustBe: 0, "
        "arguments: {properties: [status]}, customProperties: "
        "[{property: rowCondition, value: amount < 9}]}",
        "{name: careful, type: text, description: Handle with care.}",
    ],
)
ROWS = [
    (1, "placed", 5.0, "AB", 1, "2020-01-01"),
    (1, "shipped", 0.0, "ab", 1, "2020-01-01"),
    (None, "lost", 100.0, "ABCD", 2, "2019-12-31"),
    (4, "-", 100.5, "A", 2, None),
    (5, None, None, None, None, "2021-05-05"),
    (6, "placed", 7.5, "XYZ", 2, None),
    (7, "shipped", 2.0, None, 2, "2022-02-02"),
]


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    return load_text(tmp_path, CONTRACT)


@pytest.fixture
def table(contract: Contract) -> pa.Table:
    names = contract.objects[0].column_names
    plain = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in ROWS])
    schema = arrow_schema(contract.objects[0])
    nullable = pa.schema([field.with_nullable(True) for field in schema])
    return plain.select(nullable.names).cast(nullable)


@pytest.fixture
def connection() -> Iterator[DuckDBPyConnection]:
    with duckdb_session(SMALL) as session:
        yield session


@pytest.fixture
def ours(
    contract: Contract, table: pa.Table, connection: DuckDBPyConnection, tmp_path: Path
) -> dict[str, EngineOutcome]:
    """The platform's own outcomes, by check."""
    specs = [s for s in _specs(contract).values() if s.scope is not Scope.NOTE]
    wanted = [s for s in specs if s.name != "conforms_to_schema"]
    return Batch(tmp_path).checks(connection, table).run(wanted)


def _specs(contract: Contract) -> dict[str, CheckSpec]:
    return {spec.name: spec for spec in checks_of(contract, contract.objects[0])}


def test_the_suite_runs_in_great_expectations_with_the_same_counts(
    contract: Contract, table: pa.Table, ours: dict[str, EngineOutcome]
) -> None:
    exported = export_great_expectations(contract, contract.objects[0])

    theirs = _validated(json.loads(exported.text), table)
    counts = {n: r.result.get("unexpected_count") for n, r in theirs.items()}
    assert {n: c for n, c in counts.items() if c is not None and n != "at_most_half_null"} == {
        name: ours[name].count
        for name in (
            "id_not_null", "id_unique", "known", "not_a_dash", "amount_in_range", "code_pattern",
            "code_length", "once_a_day",
        )
    }  # fmt: skip
    assert {n: bool(r.success) for n, r in theirs.items()} == {
        n: n == "conforms_to_schema" or ours[n].passed for n in theirs
    }
    assert [n for n, o in ours.items() if n not in theirs] == [
        n for n in ours if lost(exported.losses, f"check {n}:")
    ]
    assert {n for n in ours if n not in theirs} == {
        "day_in_range", "soda_sum", "extra", "one_status", "shipped_has_code", "placed_is_cheap",
    }  # fmt: skip
    assert json.loads(exported.text)["notes"] == ["careful: Handle with care."]


def _validated(suite: dict[str, Any], table: pa.Table) -> dict[str, Any]:
    """Great Expectations' own results of a suite read from its JSON, by the rule's id."""
    with LOCK:
        read = library().ExpectationSuite(**suite)
        for expectation in read.expectations:
            # The name by which the platform's own runs find a result again.
            expectation.meta = {**expectation.meta, "check": expectation.meta["rule_id"]}
        found, problem = validated(read.expectations, table.to_pandas(types_mapper=_arrow_type))
    assert problem == ""
    return found


def _arrow_type(kind: pa.DataType) -> Any:
    import pandas as pd

    return pd.ArrowDtype(kind)


def test_the_contract_runs_in_soda_with_the_same_results(
    contract: Contract,
    table: pa.Table,
    connection: DuckDBPyConnection,
    ours: dict[str, EngineOutcome],
) -> None:
    exported = export_soda(contract, contract.objects[0])
    connection.register("orders", table)

    theirs = _verified(exported.text, connection)
    assert {n: passed for n, (passed, _) in theirs.items()} == {
        n: n == "conforms_to_schema" or ours[n].passed for n in theirs
    }
    counted = ("id_not_null", "known", "not_a_dash", "code_pattern", "code_length")
    counted += ("amount_in_range", "day_in_range", "shipped_has_code")
    assert {n: theirs[n][1] for n in counted} == {n: ours[n].count for n in counted}
    assert set(ours) - set(theirs) == {"mean"}
    assert lost(exported.losses, "check mean:")
    assert not ours["placed_is_cheap"].passed


def _verified(text: str, connection: DuckDBPyConnection) -> dict[str, tuple[bool, Any]]:
    """Whether each check passed, and what it counted, from Soda itself."""
    load_soda()
    from soda_core.common.yaml import ContractYamlSource
    from soda_core.contracts.contract_verification import ContractVerificationSession
    from soda_duckdb.common.data_sources.duckdb_data_source import DuckDBDataSourceImpl

    with session_logs() as logs:
        session = ContractVerificationSession.execute(
            contract_yaml_sources=[ContractYamlSource.from_str(text)],
            data_source_impls=[DuckDBDataSourceImpl.from_existing_cursor(connection, "duckdb")],
            logs=logs,
        )
    assert not session.has_errors, session.get_errors_str()
    found = [r for result in session.contract_verification_results for r in result.check_results]
    return {r.check.qualifier: (r.outcome.name == "PASSED", r.threshold_value) for r in found}


def test_a_warning_is_a_warning_in_soda_and_in_great_expectations(contract: Contract) -> None:
    suite = json.loads(export_great_expectations(contract, contract.objects[0]).text)
    soda = yaml.safe_load(export_soda(contract, contract.objects[0]).text)

    severities = {e["meta"]["rule_id"]: e["severity"] for e in suite["expectations"]}
    assert (severities["known"], severities["id_not_null"]) == ("warning", "critical")
    status = next(c for c in soda["columns"] if c["name"] == "status")["checks"]
    (known,) = [c["invalid"] for c in status if c.get("invalid", {}).get("qualifier") == "known"]
    assert known["threshold"] == {"must_be": 0, "level": "warn"}


def test_the_table_refuses_in_duckdb_what_the_contract_calls_an_error(
    contract: Contract, table: pa.Table, tmp_path: Path
) -> None:
    made = export_ddl(contract, contract.objects[0], "duckdb")

    plain = duckdb.connect()
    plain.execute(made.text)
    refused = []
    for row in table.to_pylist():
        try:
            plain.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?)", list(row.values()))
        except duckdb.ConstraintException:
            refused.append(row["id"])
    kinds = plain.execute(
        "SELECT data_type FROM duckdb_columns() WHERE table_name = 'orders' ORDER BY column_index"
    ).fetchall()
    plain.close()
    # 7 is shipped without a code; "known" is a warning only.
    assert refused == [1, None, 4, 7]
    assert [kind for (kind,) in kinds] == [
        "BIGINT", "VARCHAR", "DOUBLE", "VARCHAR", "BIGINT", "DATE",
    ]  # fmt: skip
    assert lost(made.losses, "check known: a constraint would refuse")
    assert lost(made.losses, "check few: a table's constraints judge rows")


def test_the_schema_accepts_the_rows_that_the_contract_accepts(
    contract: Contract, table: pa.Table
) -> None:
    exported = export_json_schema(contract, contract.objects[0])

    schema = json.loads(exported.text)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    rows = [_as_json(row) for row in table.to_pylist()]
    assert [bool(validator.is_valid(row)) for row in rows] == [
        # The third has no id, 0.0 is no amount, "-" is no status; dates are not compared.
        True, False, False, False, True, True, True,
    ]  # fmt: skip
    assert not validator.is_valid({**rows[0], "more": 1})
    assert not validator.is_valid({k: v for k, v in rows[0].items() if k != "id"})
    assert lost(exported.losses, "check day_in_range")
    assert lost(exported.losses, "check known: a warning")


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    return {k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in row.items()}


def test_a_suite_that_was_exported_comes_back_with_its_checks(
    contract: Contract, tmp_path: Path
) -> None:
    path = tmp_path / "suite.json"
    path.write_text(export_great_expectations(contract, contract.objects[0]).text)

    found = specs_by_table(loaded(tmp_path, import_great_expectations(path)))["orders"]

    before = _specs(contract)
    for name in ("known", "at_most_half_null", "code_pattern", "id_not_null", "once_a_day", "few"):
        threshold = found[name].threshold
        assert (found[name].claim, threshold.percent) == (
            before[name].claim,
            before[name].threshold.percent,
        )
        assert found[name].severity == before[name].severity
    assert found["few"].threshold.values == (Decimal(4),)


def test_a_soda_contract_that_was_exported_comes_back_with_its_checks(
    contract: Contract, tmp_path: Path
) -> None:
    path = tmp_path / "soda.yml"
    path.write_text(export_soda(contract, contract.objects[0]).text)

    found = specs_by_table(loaded(tmp_path, import_soda(path)))["orders"]

    before = _specs(contract)
    for name in ("known", "at_most_half_null", "code_pattern", "few"):
        assert (found[name].claim, found[name].threshold) == (
            before[name].claim,
            before[name].threshold,
        )
        assert found[name].severity == before[name].severity
