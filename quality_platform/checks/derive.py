"""A contract's rules as check specs: what the types imply, and what `quality` says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import yaml

from quality_platform.checks.expectation_kinds import labels_rows
from quality_platform.checks.specs import (
    NONE_ALLOWED,
    CheckSpec,
    Claim,
    Conforms,
    Expectation,
    ForeignKey,
    InRange,
    InSet,
    LengthBetween,
    Matches,
    Note,
    NotMissing,
    NotNull,
    Operator,
    RowCount,
    Satisfies,
    Scope,
    Severity,
    SodaCheck,
    SqlMetric,
    Threshold,
    Unique,
)
from quality_platform.checks.sql_guard import checked_predicate, checked_query
from quality_platform.checks.wording import bounds_text
from quality_platform.contracts.models import Property, QualityRule, Relationship, SchemaObject
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import (
    ContractError,
    Location,
    PredicateError,
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
    for column in table.properties:
        specs += _implied_by_column(column)
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


def _implied_by_column(column: Property) -> Iterator[CheckSpec]:
    name, options = column.name, column.options

    def spec(suffix: str, claim: Claim, dimension: str, description: str) -> CheckSpec:
        return CheckSpec(
            name=f"{_identifier(name)}_{suffix}",
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
        _require_column(column, table, link.location)
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
    claim, threshold = _claim(rule, table), _threshold(rule)
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


def _claim(rule: QualityRule, table: SchemaObject) -> Claim:
    match rule.entry.get("type", "library"):
        case "library":
            return _library_claim(rule, table)
        case "sql":
            return SqlMetric(checked_query(rule.entry["query"], rule.location))
        case "custom":
            return _engine_claim(rule)
        case _:
            return _text_claim(rule, table)


def _library_claim(rule: QualityRule, table: SchemaObject) -> Claim:
    metric, arguments = rule.entry["metric"], rule.entry.get("arguments") or {}
    if metric == "rowCount":
        return RowCount()
    if metric == "duplicateValues":
        return _unique_claim(rule, table, arguments)
    if rule.column is None:
        raise ContractError(
            f"the metric {metric} belongs to a property, not to the object",
            location=rule.location,
            action="move the rule under the property's own `quality`",
        )
    if metric == "nullValues":
        return NotNull(rule.column)
    if metric == "missingValues":
        if "missingValues" not in arguments:
            raise _incomplete(rule, metric, "arguments.missingValues")
        return NotMissing(rule.column, tuple(arguments["missingValues"]))
    return _valid_values_claim(rule, rule.column, arguments)


def _unique_claim(rule: QualityRule, table: SchemaObject, arguments: Mapping[str, Any]) -> Unique:
    columns = (rule.column,) if rule.column else tuple(arguments.get("properties") or ())
    if not columns:
        raise _incomplete(rule, "duplicateValues of a whole object", "arguments.properties")
    for column in columns:
        _require_column(column, table, rule.location)
    return Unique(columns)


def _valid_values_claim(
    rule: QualityRule, column: str, arguments: Mapping[str, Any]
) -> InSet | Matches:
    if "validValues" in arguments:
        return InSet(column, tuple(arguments["validValues"]))
    if "pattern" in arguments:
        return Matches(column, arguments["pattern"])
    raise _incomplete(rule, "invalidValues", "arguments.validValues or arguments.pattern")


def _engine_claim(rule: QualityRule) -> Claim:
    engine = rule.entry["engine"]
    definition = rule.entry["implementation"]
    if isinstance(definition, str):
        definition = yaml.safe_load(definition)
    if not isinstance(definition, dict):
        raise ContractError(
            "the implementation must be a mapping, or YAML text of one", location=rule.location
        )
    match engine.replace("-", "").replace("_", "").casefold():
        case "greatexpectations":
            kind = definition.get("type") or definition.get("expectation_type")
            kwargs = dict(definition.get("kwargs") or {})
            if not kind:
                raise _incomplete(rule, "a Great Expectations entry", "implementation.type")
            if rule.column and "column" not in kwargs and "column_list" not in kwargs:
                kwargs["column"] = rule.column
            return Expectation(kind, kwargs)
        case "soda":
            return SodaCheck(definition, rule.column)
        case _:
            raise ContractError(
                "there is no such check engine",
                location=rule.location,
                field="engine",
                received=engine,
                allowed="greatExpectations, soda",
                action=did_you_mean(engine, ("greatExpectations", "soda")),
            )


def _text_claim(rule: QualityRule, table: SchemaObject) -> Claim:
    predicate = rule.custom.get("rowPredicate")
    if predicate is None:
        return Note(rule.entry.get("description") or "")
    if not isinstance(predicate, str):
        raise PredicateError(
            "rowPredicate must be text", location=rule.location, received=predicate
        )
    return Satisfies(*checked_predicate(predicate, table.column_names, rule.location))


def _threshold(rule: QualityRule) -> Threshold:
    operator = next((o for o in Operator if o.value in rule.entry), None)
    if operator is None:
        return NONE_ALLOWED
    value = rule.entry[operator.value]
    numbers = value if isinstance(value, list) else [value]
    unit = rule.entry.get("unit") or "rows"
    if unit not in ("rows", "percent", "%"):
        raise ContractError(
            "there is no such unit",
            location=rule.location,
            field="unit",
            received=unit,
            allowed="rows, percent",
        )
    try:
        values = tuple(Decimal(str(number)) for number in numbers)
    except ArithmeticError:
        raise ContractError(
            "the operator needs a number",
            location=rule.location,
            field=operator.value,
            received=value,
        ) from None
    return Threshold(operator, values, percent=unit != "rows")


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
        return _identifier(str(written))
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


def _require_column(column: str, table: SchemaObject, location: Location) -> None:
    if column not in table.column_names:
        raise ContractError(
            f"the rule names the column {column!r}, which the contract does not have",
            location=location,
            allowed=", ".join(table.column_names),
            action=did_you_mean(column, table.column_names),
        )


def _incomplete(rule: QualityRule, what: str, needed: str) -> ContractError:
    return ContractError(f"{what} needs {needed}", location=rule.location, action=f"add {needed}")
