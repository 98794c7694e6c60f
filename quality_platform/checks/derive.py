"""A contract's rules as check specs: what the types imply, and what `quality` says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from quality_platform.checks.expectation_kinds import labels_rows
from quality_platform.checks.specs import (
    CheckSpec,
    Claim,
    Conforms,
    Expectation,
    ForeignKey,
    InRange,
    LengthBetween,
    Matches,
    Note,
    NotNull,
    RowCount,
    Satisfies,
    Scope,
    Severity,
    SodaCheck,
    SqlMetric,
    Threshold,
    Unique,
)
from quality_platform.checks.stated_rules import require_column, stated_claim, stated_threshold
from quality_platform.checks.wording import bounds_text
from quality_platform.contracts.models import Property, QualityRule, Relationship, SchemaObject
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import (
    ContractError,
    Location,
    Problem,
    QualityPlatformError,
)

CONFORMS = "conforms_to_schema"
"""The name of the check that every table has: all cells convert to their columns' types."""

_SEVERITIES = {
    "error": Severity.ERROR,
    "warning": Severity.WARNING,
    "info": Severity.WARNING,
}


def check_specs(table: SchemaObject, tables: Mapping[str, str]) -> tuple[CheckSpec, ...]:
    """All checks of a table, those that its columns imply first.

    `tables` gives the platform's table for every contract object that a foreign key can name.

    Raises:
        ContractError: rules that cannot be understood; every one is listed with its line.
    """
    specs: list[CheckSpec] = []
    problems: list[Problem] = []
    for build in _builders(table, tables):
        try:
            specs += build()
        except QualityPlatformError as error:
            problems += error.problems
    problems += _double_names(specs)
    if problems:
        raise ContractError.of(problems)
    return tuple(specs)


def _builders(table: SchemaObject, tables: Mapping[str, str]) -> Iterator[Any]:
    yield lambda: _implied(table)
    for link in table.relationships:
        yield lambda link=link: [_foreign_key(link, table, tables)]
    for rule in table.quality:
        yield lambda rule=rule: [_stated(rule, table)]


def _double_names(specs: list[CheckSpec]) -> list[Problem]:
    counts = Counter(spec.name for spec in specs)
    return [
        Problem(
            f"two checks of this table are called {spec.name!r}",
            spec.location,
            action="give one of them another `name`",
        )
        for spec in specs
        if counts[spec.name] > 1
    ]


def _implied(table: SchemaObject) -> list[CheckSpec]:
    specs = [
        CheckSpec(
            name=CONFORMS,
            claim=Conforms(),
            scope=Scope.ROW,
            dimension="conformity",
            description="Every cell converts to its column's type.",
            location=table.location,
        )
    ]
    for column, prefix in zip(table.properties, _prefixes(table), strict=True):
        specs += _implied_by_column(column, prefix)
    if table.primary_key:
        key = table.primary_key
        specs.append(
            CheckSpec(
                name="primary_key_unique",
                claim=Unique(key),
                scope=Scope.ROW,
                dimension="uniqueness",
                description=f"No two rows share the primary key ({', '.join(key)}).",
                columns=key,
                location=table.location,
            )
        )
    return specs


def _prefixes(table: SchemaObject) -> list[str]:
    """For each column what its checks' names begin with; told apart by number where need be."""
    plain = [_identifier(name) or "column" for name in table.column_names]
    return [
        f"{prefix}_{n}" if plain.count(prefix) > 1 else prefix for n, prefix in enumerate(plain, 1)
    ]


def _implied_by_column(column: Property, prefix: str) -> Iterator[CheckSpec]:
    name, options = column.name, column.options

    def spec(suffix: str, claim: Claim, dimension: str, description: str) -> CheckSpec:
        return CheckSpec(
            name=f"{prefix}_{suffix}",
            claim=claim,
            scope=Scope.ROW,
            dimension=dimension,
            description=description,
            columns=(name,),
            location=column.location,
        )

    if column.required:
        yield spec("not_null", NotNull(name), "completeness", f"{name} has a value.")
    if column.unique:
        yield spec("unique", Unique((name,)), "uniqueness", f"No two rows share {name}.")
    bounds = (options.get("minimum"), options.get("maximum"))
    exclusive = (options.get("exclusiveMinimum"), options.get("exclusiveMaximum"))
    if any(bound is not None and bound is not False for bound in bounds + exclusive):
        claim = _range(name, bounds, exclusive)
        yield spec("in_range", claim, "conformity", f"{name} is within {bounds_text(claim)}.")
    if options.get("pattern") is not None:
        pattern = options["pattern"]
        yield spec("pattern", Matches(name, pattern), "conformity", f"{name} matches {pattern}.")
    lengths = (options.get("minLength"), options.get("maxLength"))
    if any(length is not None for length in lengths):
        yield spec(
            "length", LengthBetween(name, *lengths), "conformity", f"{name} has a valid length."
        )


def _range(column: str, bounds: tuple[Any, Any], exclusive: tuple[Any, Any]) -> InRange:
    """ODCS v3.0 gives exclusive bounds as numbers or as flags beside the inclusive ones."""
    minimum, maximum = bounds
    low, high = (bound is not None and bound is not False for bound in exclusive)
    if low and exclusive[0] is not True:
        minimum = exclusive[0]
    if high and exclusive[1] is not True:
        maximum = exclusive[1]
    return InRange(column, minimum, maximum, low, high)


def _foreign_key(link: Relationship, table: SchemaObject, tables: Mapping[str, str]) -> CheckSpec:
    target = tables.get(link.to_object)
    if target is None:
        raise ContractError(
            f"the foreign key refers to {link.to_object!r}, which no table of the runner describes",
            location=link.location,
            allowed=sorted(tables),
            action=did_you_mean(link.to_object, tables),
        )
    for column in link.columns:
        require_column(column, table, link.location)
    default = f"{'_'.join(link.columns)}_in_{link.to_object}"
    return CheckSpec(
        name=_identifier(str(link.custom.get("name", default))),
        claim=ForeignKey(link.columns, target, link.to_columns),
        scope=Scope.ROW,
        severity=_severity(link.custom.get("severity"), link.location),
        dimension="consistency",
        description=f"{', '.join(link.columns)} stands in {target} ({', '.join(link.to_columns)}).",
        columns=link.columns,
        location=link.location,
    )


def _stated(rule: QualityRule, table: SchemaObject) -> CheckSpec:
    claim = stated_claim(rule, table)
    threshold = stated_threshold(rule, claim)
    spec = CheckSpec(
        name=_rule_name(rule),
        claim=claim,
        scope=_scope(claim, threshold),
        severity=_severity(rule.entry.get("severity"), rule.location),
        threshold=threshold,
        dimension=rule.entry.get("dimension") or "",
        description=(rule.entry.get("description") or "").strip(),
        columns=_columns_of(claim),
        location=rule.location,
    )
    if isinstance(claim, Expectation):
        return replace(spec, scope=Scope.ROW if labels_rows(spec) else Scope.GATE)
    return spec


def _scope(claim: Claim, threshold: Threshold) -> Scope:
    match claim:
        case Note():
            return Scope.NOTE
        case RowCount() | SqlMetric() | SodaCheck():
            return Scope.GATE
        case _:
            return Scope.ROW if threshold.is_none_allowed else Scope.GATE


def _severity(written: object, location: Location) -> Severity:
    if written is None:
        return Severity.ERROR
    severity = _SEVERITIES.get(str(written).casefold())
    if severity is None:
        raise ContractError(
            "there is no such severity",
            location=location,
            field="severity",
            received=written,
            allowed=_SEVERITIES,
            action=did_you_mean(str(written), _SEVERITIES),
        )
    return severity


def _rule_name(rule: QualityRule) -> str:
    entry = rule.entry
    written = entry.get("name") or entry.get("id")
    if written:
        if name := _identifier(str(written)):
            return name
        raise ContractError(
            "the name of a rule needs a letter or a digit",
            location=rule.location,
            field="name",
            received=written,
            allowed="A-Z, a-z, 0-9, _; anything else becomes _",
        )
    engine = entry.get("engine") or entry.get("metric") or entry.get("type", "rule")
    return _identifier(f"{rule.column or 'table'}_{engine}")


def _identifier(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")


def _columns_of(claim: Claim) -> tuple[str, ...]:
    match claim:
        case Unique(columns) | Satisfies(_, columns):
            return columns
        case Expectation(_, kwargs):
            named = (kwargs.get(key) for key in ("column", "column_A", "column_B"))
            listed = kwargs.get("column_list") or ()
            return tuple(str(name) for name in (*named, *listed) if name)  # type: ignore[misc]
        case RowCount() | SqlMetric() | Note() | Conforms():
            return ()
        case _:
            column = getattr(claim, "column", None)
            return (column,) if column else ()
