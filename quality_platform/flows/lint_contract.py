"""Contracts alone: are they valid, can every rule run, and what in them does nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from quality_platform.checks.derive import check_specs
from quality_platform.checks.hints import format_hints
from quality_platform.checks.nested import places
from quality_platform.checks.sla_rules import sla_problems
from quality_platform.checks.specs import (
    CheckSpec,
    Expectation,
    Matches,
    Nested,
    Satisfies,
    Scope,
    SodaCheck,
    SqlMetric,
    When,
    is_row_rule,
)
from quality_platform.contracts.column_types import untold
from quality_platform.contracts.loading import load_contract
from quality_platform.contracts.models import Contract, SchemaObject
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import Problem, QualityPlatformError
from quality_platform.flows.table_schemas import table_problems


@dataclass(frozen=True)
class LintReport:
    """What is wrong with a contract, and what is worth knowing; `checks` are those that can run."""

    path: Path
    objects: int
    checks: int
    problems: tuple[Problem, ...]
    hints: tuple[Problem, ...] = ()


def lint_contract(path: Path, *, engines: bool = False) -> LintReport:
    """Reads a contract, derives its checks, and has DuckDB try every rule in its own words.

    Foreign keys are taken to lead somewhere: only a runner knows the other tables. With `engines`
    Great Expectations and Soda are asked about their entries, which takes some seconds to import.
    """
    try:
        contract = load_contract(path)
    except QualityPlatformError as error:
        return LintReport(path, 0, 0, tuple(error.problems))
    checks = 0
    problems: list[Problem] = []
    # As with columns without a type: the contract may be of no table, and a load refuses it.
    hints = [*contract.hints, *sla_problems(contract), *key_hints(contract)]
    for obj in contract.objects:
        hints += format_hints(obj)
        try:
            targets = {link.to_object: link.to_object for link in obj.relationships}
            specs = check_specs(obj, targets, contract.sla)
        except QualityPlatformError as error:
            problems += error.problems
            continue
        found, silent = table_problems(obj), untold(obj)
        problems += [problem for problem in found if problem not in silent]
        hints += silent
        if found:
            continue
        runnable = [spec for spec in specs if spec.scope is not Scope.NOTE]
        checks += len(runnable)
        problems += rule_problems(runnable, obj)
        if engines:
            problems += engine_problems(runnable)
    return LintReport(path, len(contract.objects), checks, tuple(problems), tuple(hints))


def key_hints(contract: Contract) -> list[Problem]:
    """Foreign keys to columns that the contract's own objects do not have.

    A load refuses them, too; foreign keys to tables of other contracts are for the runner to judge.
    """
    columns = {obj.name: [place.path for place in places(obj)] for obj in contract.objects}
    return [
        Problem(
            f"the foreign key refers to the column {key!r}, which {link.to_object} does not have",
            link.location,
            allowed=", ".join(columns[link.to_object]),
            action=did_you_mean(key, columns[link.to_object]),
        )
        for obj in contract.objects
        for link in obj.relationships
        for key in link.to_columns
        if key not in columns.get(link.to_object, [key])
    ]


def rule_problems(specs: Sequence[CheckSpec], obj: SchemaObject) -> list[Problem]:
    """What DuckDB refuses of the rules in which people write its own words.

    These are patterns, predicates and queries; the values of all other rules have been compared
    with the columns' types when the contract was read.
    """
    rules = [s for s in specs if is_row_rule(s) and isinstance(s.claim, _IN_DUCKDBS_WORDS)]
    queries = [(s, s.claim.query) for s in specs if isinstance(s.claim, SqlMetric)]
    if not rules and not queries:
        return []
    # Importing DuckDB and sqlglot takes longer than all else that lint does.
    from quality_platform.validation.trials import empty_batch, refusal_of_query, refusal_of_rules

    with empty_batch(obj) as connection:
        chunks = [rules[start : start + _AT_ONCE] for start in range(0, len(rules), _AT_ONCE)]
        doubtful = [s for chunk in chunks if refusal_of_rules(connection, chunk) for s in chunk]
        found = [(spec, refusal_of_rules(connection, [spec])) for spec in doubtful]
        found += [(spec, refusal_of_query(connection, query)) for spec, query in queries]
    return [
        Problem(message, spec.location, spec.name, action=_advice(spec))
        for spec, message in found
        if message
    ]


def _advice(spec: CheckSpec) -> str:
    claim = spec.claim
    if not isinstance(claim, SqlMetric) or not claim.written:
        return "correct the rule"
    return (
        f"correct the rule, which was translated from the SQL of {claim.dialect}, or write it in "
        "DuckDB's SQL, with the custom property `dialect: duckdb`"
    )


_IN_DUCKDBS_WORDS = Matches | Satisfies | When | Nested
_AT_ONCE = 31
"""Rules in one statement: the time to plan one grows faster than their number."""


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
