"""What an entry of a contract's `quality` claims, and how often the claim may fail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from quality_platform.checks.contract_values import comparable, kinds_allowed
from quality_platform.checks.expectation_kinds import (
    ENTRY_KEYS,
    SCHEMA_TYPES,
    missing_bounds,
    named_columns,
)
from quality_platform.checks.nested import Place, place_of, require_column
from quality_platform.checks.specs import (
    Claim,
    Expectation,
    InSet,
    Matches,
    Nested,
    Note,
    NotMissing,
    NotNull,
    RowCount,
    Satisfies,
    SodaCheck,
    SqlMetric,
    Unique,
    When,
)
from quality_platform.checks.thresholds import NONE_ALLOWED, Operator, Threshold
from quality_platform.contracts.models import QualityRule, SchemaObject
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.documents.yaml_documents import parse_yaml
from quality_platform.errors import ConfigurationError, ContractError, PredicateError

_ARGUMENTS = {
    "missingValues": ("missingValues",),
    "invalidValues": ("validValues", "pattern"),
    "duplicateValues": ("properties",),
}


def stated_claim(rule: QualityRule, table: SchemaObject) -> Claim:
    """The claim of one entry.

    Raises:
        ContractError: it is incomplete, contradicts itself, or names what is not there.
        PredicateError: its SQL is not allowed.
    """
    kind = rule.entry.get("type", "library")
    if "rowPredicate" in rule.custom and kind != "text":
        raise ContractError(
            f"a rule of type {kind} takes no rowPredicate",
            location=rule.location,
            field="customProperties",
            allowed="type: text",
            action="make it a rule of its own, or use rowCondition to narrow the rows judged",
        )
    claim = _unconditional(rule, table, kind)
    condition = rule.custom.get("rowCondition")
    return claim if condition is None else _conditional(claim, rule, table, condition)


def _unconditional(rule: QualityRule, table: SchemaObject, kind: str) -> Claim:
    match kind:
        case "library":
            return _library_claim(rule, table)
        case "sql":
            return _metric_claim(rule, table)
        case "custom":
            return _engine_claim(rule, table)
        case _:
            return _text_claim(rule, table)


def _conditional(claim: Claim, rule: QualityRule, table: SchemaObject, written: object) -> Claim:
    """The claim about those rows alone for which a condition is true."""
    condition, columns = _predicate(written, "rowCondition", rule, table)
    match claim:
        case Unique():
            return replace(claim, where=condition, written=str(written))
        case RowCount():
            return replace(claim, where=condition)
        case NotNull() | NotMissing() | InSet() | Matches() | Satisfies() | Nested():
            return When(condition, columns, claim, str(written))
        case _:
            raise ContractError(
                "this kind of rule takes no rowCondition",
                location=rule.location,
                field="customProperties",
                allowed="library rules, and texts with a rowPredicate",
                action="say it in the query or the implementation",
            )


def _metric_claim(rule: QualityRule, table: SchemaObject) -> SqlMetric:
    from quality_platform.checks.sql_dialects import metric_of

    if rule.column is not None:
        require_column(rule.column, table, rule.location)
    return metric_of(rule, table)


def stated_threshold(rule: QualityRule, claim: Claim) -> Threshold:
    """The bound of one entry; that not a row may fail where it names none.

    Raises:
        ContractError: the bound cannot be understood, or could never hold or never fail.
    """
    operator = next((o for o in Operator if o.value in rule.entry), None)
    if operator is None:
        return NONE_ALLOWED
    unit = rule.entry.get("unit") or "rows"
    allowed = ("rows",) if isinstance(claim, RowCount) else ("rows", "percent", "%")
    if unit not in allowed:
        raise ContractError(
            "there is no such unit for this rule",
            location=rule.location,
            field="unit",
            received=unit,
            allowed=allowed,
        )
    return Threshold(operator, _bounds(rule, operator), percent=unit != "rows")


def _bounds(rule: QualityRule, operator: Operator) -> tuple[Decimal, ...]:
    value = rule.entry[operator.value]
    is_pair = operator in (Operator.BETWEEN, Operator.NOT_BETWEEN)
    try:
        bounds = tuple(Decimal(str(number)) for number in (value if is_pair else [value]))
    except ArithmeticError:
        bounds = ()
    if not bounds or not all(bound.is_finite() for bound in bounds):
        raise ContractError(
            "the operator needs a number",
            location=rule.location,
            field=operator.value,
            received=value,
        )
    if list(bounds) != sorted(bounds):
        raise ContractError(
            "the smaller number comes first",
            location=rule.location,
            field=operator.value,
            received=value,
        )
    return bounds


def _library_claim(rule: QualityRule, table: SchemaObject) -> Claim:
    metric = rule.entry.get("metric")
    if metric is None:
        raise _incomplete(rule, "a rule", "a metric, or another type than library")
    arguments = _arguments(rule, metric)
    if metric == "rowCount":
        return RowCount()
    if metric == "duplicateValues":
        return _unique_claim(rule, table, arguments)
    place = _place(rule, table)
    if place is None:
        raise ContractError(
            f"the metric {metric} belongs to a property, not to the object",
            location=rule.location,
            action="move the rule under the property's own `quality`",
        )
    if metric == "nullValues":
        return place.claim(NotNull(place.path))
    if metric == "missingValues":
        missing = _values(rule, place, arguments, "missingValues")
        return place.claim(NotMissing(place.path, missing))
    return place.claim(_valid_values_claim(rule, place, arguments))


def _place(rule: QualityRule, table: SchemaObject) -> Place | None:
    """What the rule is about; None for the whole object."""
    return None if rule.column is None else place_of(rule.column, table)


def _arguments(rule: QualityRule, metric: str) -> Mapping[str, Any]:
    arguments: Mapping[str, Any] = rule.entry.get("arguments") or {}
    allowed = _ARGUMENTS.get(metric, ())
    if metric == "duplicateValues" and rule.column:
        allowed = ()
    for name in arguments:
        if name not in allowed:
            raise ContractError(
                f"{metric} has no such argument here",
                location=rule.location,
                field="arguments",
                received=name,
                allowed=allowed or "none",
                action=did_you_mean(name, allowed),
            )
    return arguments


def _unique_claim(rule: QualityRule, table: SchemaObject, arguments: Mapping[str, Any]) -> Unique:
    columns = [rule.column] if rule.column else _list(rule, arguments, "properties")
    if not columns:
        raise _incomplete(rule, "duplicateValues of a whole object", "arguments.properties")
    for column in columns:
        require_column(column, table, rule.location)
    return Unique(tuple(columns))


def _valid_values_claim(
    rule: QualityRule, place: Place, arguments: Mapping[str, Any]
) -> InSet | Matches:
    if arguments.keys() >= {"validValues", "pattern"}:
        raise ContractError(
            "invalidValues takes validValues or a pattern",
            location=rule.location,
            field="arguments",
            received="both",
            action="write two rules",
        )
    if not arguments and (enum := place.definition.enum):
        return InSet(place.path, _typed(rule, place, "enum", enum))
    if "pattern" not in arguments:
        return InSet(place.path, _values(rule, place, arguments, "validValues"))
    if not isinstance(arguments["pattern"], str):
        raise ContractError(
            "the pattern must be text",
            location=rule.location,
            field="arguments.pattern",
            received=arguments["pattern"],
            action="quote it",
        )
    return Matches(place.path, arguments["pattern"])


def _values(
    rule: QualityRule, place: Place, arguments: Mapping[str, Any], key: str
) -> tuple[object, ...]:
    """The values under a key of the arguments, each in the type of the column."""
    if key not in arguments:
        needed = " or ".join(f"arguments.{name}" for name in _ARGUMENTS[rule.entry["metric"]])
        raise _incomplete(rule, rule.entry["metric"], needed)
    return _typed(rule, place, f"arguments.{key}", _list(rule, arguments, key))


def _typed(
    rule: QualityRule, place: Place, field: str, written: Iterable[object]
) -> tuple[object, ...]:
    kind = place.definition.logical_type
    values = []
    for value in written:
        try:
            values.append(comparable(value, kind))
        except ValueError:
            raise ContractError(
                f"a column of logical type {kind} cannot have this value",
                location=rule.location,
                field=field,
                received=repr(value),
                allowed=kinds_allowed(kind),
                action="quote it where it is meant as text: YAML has words of its own for numbers "
                "and truth values",
            ) from None
    return tuple(values)


def _list(rule: QualityRule, arguments: Mapping[str, Any], key: str) -> list[Any]:
    value = arguments.get(key, [])
    if not isinstance(value, list):
        raise ContractError(
            "must be a list", location=rule.location, field=f"arguments.{key}", received=value
        )
    return value


def _engine_claim(rule: QualityRule, table: SchemaObject) -> Claim:
    engine = rule.entry["engine"]
    match engine.replace("-", "").replace("_", "").casefold():
        case "greatexpectations":
            return _expectation(rule, table, _definition(rule))
        case "soda":
            if rule.column is not None:
                require_column(rule.column, table, rule.location)
            return SodaCheck(_definition(rule), rule.column)
        case _:
            raise ContractError(
                "there is no such check engine",
                location=rule.location,
                field="engine",
                received=engine,
                allowed="greatExpectations, soda",
                action=did_you_mean(engine, ("greatExpectations", "soda")),
            )


def _definition(rule: QualityRule) -> dict[str, Any]:
    definition = rule.entry["implementation"]
    if isinstance(definition, str):
        try:
            definition = parse_yaml(definition, Path(rule.location.file)).data
        except ConfigurationError as error:
            raise ContractError(
                f"in the text of the implementation: {error.problems[0].message}",
                location=rule.location,
            ) from error
    if not isinstance(definition, dict):
        raise ContractError(
            "the implementation must be a mapping, or YAML text of one", location=rule.location
        )
    return definition


def _expectation(
    rule: QualityRule, table: SchemaObject, definition: Mapping[str, Any]
) -> Expectation:
    _require_entry_keys(rule, definition)
    kind = definition.get("type") or definition.get("expectation_type")
    kwargs = definition.get("kwargs") or {}
    if not isinstance(kind, str):
        raise _incomplete(rule, "a Great Expectations entry", "implementation.type")
    if not isinstance(kwargs, dict):
        raise _incomplete(rule, "a Great Expectations entry", "implementation.kwargs as a mapping")
    if rule.column and "column" not in kwargs and "column_list" not in kwargs:
        kwargs = {**kwargs, "column": rule.column}
    claim = Expectation(kind, dict(kwargs))
    for column in _judged(claim):
        require_column(column, table, rule.location)
    if bounds := missing_bounds(claim):
        raise ContractError(
            "an expectation without bounds can never fail",
            location=rule.location,
            field="implementation.kwargs",
            received=kind,
            action=f"add {bounds}",
        )
    return claim


def _require_entry_keys(rule: QualityRule, definition: Mapping[str, Any]) -> None:
    """Refuses what Great Expectations would not read: a misspelt key would do nothing."""
    for key in definition:
        if key not in ENTRY_KEYS:
            raise ContractError(
                "an entry of Great Expectations has no such key",
                location=rule.location,
                field="implementation",
                received=key,
                allowed=ENTRY_KEYS,
                action=did_you_mean(str(key), ENTRY_KEYS)
                or "write the arguments of the expectation under `kwargs`",
            )


def _judged(claim: Expectation) -> Iterable[str]:
    return () if claim.type in SCHEMA_TYPES else named_columns(claim)


def _text_claim(rule: QualityRule, table: SchemaObject) -> Claim:
    predicate = rule.custom.get("rowPredicate")
    if predicate is None:
        return Note(rule.entry.get("description") or "")
    return Satisfies(*_predicate(predicate, "rowPredicate", rule, table), str(predicate))


def _predicate(
    written: object, name: str, rule: QualityRule, table: SchemaObject
) -> tuple[str, tuple[str, ...]]:
    """The SQL of a custom property, and the columns that it reads."""
    from quality_platform.checks.sql_guard import checked_predicate

    if not isinstance(written, str):
        raise PredicateError(f"{name} must be text", location=rule.location, received=written)
    columns = {column.name: column for column in table.properties}
    return checked_predicate(written, columns, rule.location)


def _incomplete(rule: QualityRule, what: str, needed: str) -> ContractError:
    return ContractError(f"{what} needs {needed}", location=rule.location, action=f"add {needed}")
