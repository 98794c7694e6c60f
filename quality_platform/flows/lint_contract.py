"""Contracts alone: are they valid, can every rule run, and what in them does nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from quality_platform.checks.derive import check_specs
from quality_platform.checks.hints import format_hints
from quality_platform.checks.sla_rules import sla_problems
from quality_platform.checks.specs import (
    CheckSpec,
    Expectation,
    Matches,
    Nested,
    Satisfies,
    Scope,
    SodaCheck,
    When,
    is_row_rule,
)
from quality_platform.contracts.loading import load_contract
from quality_platform.errors import EngineError, Problem, QualityPlatformError
from quality_platform.flows.contracted_tables import table_schema
from quality_platform.lake.query import EngineSettings, duckdb_session
from quality_platform.validation.row_rules import BITS, ReferenceKeys, RowRules

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class LintReport:
    """What is wrong with a contract, and what is worth knowing; `checks` are those that can run."""

    path: Path
    objects: int
    checks: int
    problems: tuple[Problem, ...]
    hints: tuple[Problem, ...] = ()


def lint_contract(path: Path, *, engines: bool = False) -> LintReport:
    """Reads a contract, derives its checks, and has DuckDB try every row rule on an empty row.

    Foreign keys are taken to lead somewhere: only a runner knows the other tables. With `engines`
    Great Expectations and Soda are asked about their entries, which takes some seconds to import.
    """
    try:
        contract = load_contract(path)
    except QualityPlatformError as error:
        return LintReport(path, 0, 0, tuple(error.problems))
    checks = 0
    problems = sla_problems(contract)
    hints = [*contract.hints]
    for obj in contract.objects:
        hints += format_hints(obj)
        try:
            targets = {link.to_object: link.to_object for link in obj.relationships}
            specs = check_specs(obj, targets, contract.sla)
            schema = table_schema(obj)
        except QualityPlatformError as error:
            problems += error.problems
            continue
        runnable = [spec for spec in specs if spec.scope is not Scope.NOTE]
        checks += len(runnable)
        problems += rule_problems(runnable, schema)
        if engines:
            problems += engine_problems(runnable)
    return LintReport(path, len(contract.objects), checks, tuple(problems), tuple(hints))


def rule_problems(specs: Sequence[CheckSpec], schema: pa.Schema) -> list[Problem]:
    """What DuckDB refuses of the rules in which people write its own words.

    These are patterns and predicates; the values of all other rules have been compared with the
    columns' types when the contract was read.
    """
    rules = [s for s in specs if is_row_rule(s) and isinstance(s.claim, _IN_DUCKDBS_WORDS)]
    if not rules:
        return []
    with duckdb_session(EngineSettings()) as connection:
        chunks = [rules[start : start + BITS] for start in range(0, len(rules), BITS)]
        doubtful = [s for chunk in chunks if _refusal(connection, chunk, schema) for s in chunk]
        found = [(spec, _refusal(connection, [spec], schema)) for spec in doubtful]
    return [
        Problem(message, spec.location, spec.name, action="correct the rule")
        for spec, message in found
        if message
    ]


_IN_DUCKDBS_WORDS = Matches | Satisfies | When | Nested


def _refusal(connection: DuckDBPyConnection, specs: Sequence[CheckSpec], schema: pa.Schema) -> str:
    """Why DuckDB refuses these rules on an empty row; "" where it does not."""
    try:
        keys = ReferenceKeys(connection, {})
        RowRules.compiled(connection, specs, keys, schema).tried(schema)
    except EngineError as error:
        return error.problems[0].message
    return ""


def engine_problems(specs: Sequence[CheckSpec]) -> list[Problem]:
    """What Great Expectations and Soda have against their entries."""
    from quality_platform.validation import great_expectations_engine, soda_engine

    validators = {
        Expectation: great_expectations_engine.validate_definition,
        SodaCheck: soda_engine.validate_definition,
    }
    return [
        Problem(problem, spec.location, spec.name)
        for spec in specs
        if (validate := validators.get(type(spec.claim))) and (problem := validate(spec))
    ]
