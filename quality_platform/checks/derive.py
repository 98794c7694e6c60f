"""A contract's rules as check specs: what the types imply, and what `quality` says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from quality_platform.checks.expectation_kinds import labels_rows
from quality_platform.checks.implied import place_checks, prefixed_places, table_checks
from quality_platform.checks.naming import CONFORMS, Named, identifier, told_apart
from quality_platform.checks.nested import Place, place_of, require_column
from quality_platform.checks.sla_rules import sla_checks
from quality_platform.checks.specs import (
    CheckSpec,
    Claim,
    Conforms,
    Expectation,
    ForeignKey,
    Nested,
    Note,
    RowCount,
    Satisfies,
    Scope,
    Severity,
    SodaCheck,
    SqlMetric,
    Unique,
    When,
)
from quality_platform.checks.stated_rules import stated_claim, stated_threshold
from quality_platform.checks.thresholds import Threshold
from quality_platform.contracts.models import QualityRule, Relationship, SchemaObject, SlaProperty
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import (
    ContractError,
    Location,
    Problem,
    QualityPlatformError,
)

__all__ = ["CONFORMS", "check_specs"]

_SEVERITIES = {
    **dict.fromkeys(("error", "critical", "blocker", "high", "major"), Severity.ERROR),
    **dict.fromkeys(("warning", "warn", "medium", "minor", "low", "info"), Severity.WARNING),
}
"""ODCS leaves the words open; these are its examples and those of common tools."""


def check_specs(
    table: SchemaObject, tables: Mapping[str, str], sla: Iterable[SlaProperty] = ()
) -> tuple[CheckSpec, ...]:
    """All checks of a table, those that its columns imply first, service levels last.

    `tables` gives the platform's table for every contract object that a foreign key can name;
    `sla` are the service levels of the table's contract.

    Raises:
        ContractError: rules that cannot be understood; every one is listed with its line.
    """
    found: list[Named] = []
    problems: list[Problem] = []
    for build in _builders(table, tables, sla):
        try:
            found += build()
        except QualityPlatformError as error:
            problems += error.problems
    specs, doubles = told_apart(found)
    if problems or doubles:
        raise ContractError.of([*problems, *doubles])
    return tuple(specs)


def _builders(
    table: SchemaObject, tables: Mapping[str, str], sla: Iterable[SlaProperty]
) -> Iterator[Callable[[], Sequence[Named]]]:
    conforms, *keys = table_checks(table)
    yield partial(_derived, [conforms])
    for place, prefix in prefixed_places(table):
        yield partial(_of_place, place, prefix)
    yield partial(_derived, keys)
    for link in table.relationships:
        yield partial(_foreign_key, link, table, tables)
    for rule in table.quality:
        yield partial(_stated, rule, table)
    for entry in sla:
        yield partial(_of_service_level, entry, table)


def _derived(specs: Iterable[CheckSpec]) -> list[Named]:
    return [Named(spec) for spec in specs]


def _of_place(place: Place, prefix: str) -> list[Named]:
    return _derived(place_checks(place, prefix))


def _of_service_level(entry: SlaProperty, table: SchemaObject) -> list[Named]:
    return _derived(sla_checks(entry, table))


def _foreign_key(link: Relationship, table: SchemaObject, tables: Mapping[str, str]) -> list[Named]:
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
    written = link.custom.get("name")
    default = f"{'_'.join(link.columns)}_in_{link.to_object}"
    spec = CheckSpec(
        name=identifier(str(written or default)),
        claim=ForeignKey(link.columns, target, link.to_columns),
        scope=Scope.ROW,
        severity=_severity(link.custom.get("severity"), link.location),
        dimension="consistency",
        description=f"{', '.join(link.columns)} stands in {target} ({', '.join(link.to_columns)}).",
        columns=link.columns,
        location=link.location,
    )
    return [Named(spec, is_stated=bool(written))]


def _soda_labels_rows(claim: SodaCheck, table: SchemaObject) -> bool:
    from quality_platform.checks import soda_kinds

    return soda_kinds.labels_rows(claim, table.column_names)


def _stated(rule: QualityRule, table: SchemaObject) -> list[Named]:
    claim = stated_claim(rule, table)
    threshold = stated_threshold(rule, claim)
    entry, written = rule.entry, _written_name(rule)
    spec = CheckSpec(
        name=written or _derived_name(rule, table),
        claim=claim,
        scope=_scope(claim, threshold),
        severity=_severity(entry.get("severity"), rule.location),
        threshold=threshold,
        dimension=entry.get("dimension") or "",
        description=(entry.get("description") or "").strip(),
        columns=_columns_of(claim),
        location=rule.location,
        impact=(entry.get("businessImpact") or "").strip(),
        tags=tuple(entry.get("tags") or ()),
        id=entry.get("id") or "",
        schedule=" ".join(filter(None, (entry.get("scheduler"), entry.get("schedule")))),
    )
    if isinstance(claim, Expectation):
        spec = replace(spec, scope=Scope.ROW if labels_rows(spec) else Scope.GATE)
    if isinstance(claim, SodaCheck) and _soda_labels_rows(claim, table):
        spec = replace(spec, scope=Scope.ROW)
    return [Named(spec, is_stated=bool(written))]


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
    severity = _SEVERITIES.get(str(written).strip().casefold())
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


def _written_name(rule: QualityRule) -> str:
    """The rule's `name`, or its `id`; "" where it has neither."""
    written = rule.entry.get("name") or rule.entry.get("id")
    if not written:
        return ""
    if name := identifier(str(written)):
        return name
    raise ContractError(
        "the name of a rule needs a letter or a digit",
        location=rule.location,
        field="name",
        received=written,
        allowed="A-Z, a-z, 0-9, _; anything else becomes _",
    )


def _derived_name(rule: QualityRule, table: SchemaObject) -> str:
    entry = rule.entry
    kind = entry.get("engine") or entry.get("metric") or entry.get("type", "rule")
    place = place_of(rule.column, table) if rule.column else None
    about = place.name if place else rule.column or "table"
    return identifier(f"{about}_{kind}")


def _columns_of(claim: Claim) -> tuple[str, ...]:
    match claim:
        case Unique(columns) | Satisfies(_, columns):
            return columns
        case When(_, columns, inner):
            return tuple(dict.fromkeys((*_columns_of(inner), *columns)))
        case Nested(_, _, inner):
            return (inner.column,)
        case Expectation(_, kwargs):
            named = (kwargs.get(key) for key in ("column", "column_A", "column_B"))
            listed = kwargs.get("column_list") or ()
            return tuple(str(name) for name in (*named, *listed) if name)  # type: ignore[misc]
        case RowCount() | SqlMetric() | Note() | Conforms():
            return ()
        case _:
            column = getattr(claim, "column", None)
            return (column,) if column else ()
