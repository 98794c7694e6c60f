"""A table's checks as a Soda data contract (version 4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import sqlglot
from sqlglot import exp

from quality_platform.checks.specs import (
    CheckSpec,
    Conforms,
    ForeignKey,
    Fresh,
    InRange,
    InSet,
    LengthBetween,
    Matches,
    Nested,
    NotMissing,
    NotNull,
    RowCount,
    Satisfies,
    Scope,
    Severity,
    SodaCheck,
    SqlMetric,
    Unique,
    When,
)
from quality_platform.checks.sql_guard import BATCH
from quality_platform.checks.thresholds import Operator, Threshold
from quality_platform.contracts.models import Contract, SchemaObject
from quality_platform.exchange.exporters.checks import (
    checks_of,
    is_nested,
    lets_nan_pass,
    loss_of,
    plain,
)
from quality_platform.exchange.odcs import dumped
from quality_platform.exchange.results import Exported, Loss

DEFAULT_PLACE = "duckdb/main"
"""Soda's names of the data source and the schema, where the caller gives none."""

_OPERATORS = {
    Operator.MUST_BE: "must_be",
    Operator.MUST_NOT_BE: "must_not_be",
    Operator.GREATER: "must_be_greater_than",
    Operator.GREATER_OR_EQUAL: "must_be_greater_than_or_equal",
    Operator.LESS: "must_be_less_than",
    Operator.LESS_OR_EQUAL: "must_be_less_than_or_equal",
}
_NO_EQUAL = "Soda has nothing that means the same"
_OBJECT = re.compile(r"\{object\}")

_Check = tuple[str, str, dict[str, Any]]
"""The column ("" for the data set), the check's type, and its body."""


def export_soda(contract: Contract, table: SchemaObject, place: str = DEFAULT_PLACE) -> Exported:
    """The contract of the data set `place`/table; every check bears its name as `qualifier`.

    Raises:
        ContractError: rules of the contract that cannot be understood.
    """
    losses: list[Loss] = []
    checks: dict[str, list[dict[str, Any]]] = {}
    for spec in checks_of(contract, table):
        found = None if is_nested(spec, table) else _check(spec, table, place)
        if found is None:
            losses.append(loss_of(spec, _NO_EQUAL))
            continue
        if lets_nan_pass(spec, table):
            losses.append(loss_of(spec, "in part: Soda lets NaN pass"))
        column, kind, body = found
        checks.setdefault(column, []).append({kind: _named(spec, kind, body)})
    why = "the columns' types: each data source calls them otherwise"
    losses.append(Loss(str(table.location), "conforms_to_schema, in part", why))
    written: dict[str, Any] = {"dataset": f"{place}/{table.name}"}
    if text := table.description or contract.purpose:
        written["description"] = text
    written["columns"] = [
        {
            "name": p.name,
            **({"description": p.description} if p.description else {}),
            **({"checks": checks[p.name]} if p.name in checks else {}),
        }
        for p in table.properties
    ]
    if "" in checks:
        written["checks"] = checks[""]
    return Exported(dumped(written), tuple(losses))


def _named(spec: CheckSpec, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    named = {**body, "qualifier": spec.name}
    if spec.description:
        named["name"] = spec.description
    if spec.severity is Severity.WARNING and kind != "schema":
        threshold = dict(named.get("threshold") or {"must_be": 0})
        named["threshold"] = {**threshold, "level": "warn"}
    return named


def _check(  # noqa: C901, PLR0911 - one case for each kind of claim
    spec: CheckSpec, table: SchemaObject, place: str
) -> _Check | None:
    match spec.claim:
        case Conforms():
            return "", "schema", {}
        case SodaCheck(definition, column):
            [(kind, body)] = definition.items()
            return column or "", kind, _placed(body or {}, table)
        case RowCount(where):
            body = {"threshold": _threshold(spec.threshold)}
            return "", "row_count", {**body, **({"filter": where} if where else {})}
        case Fresh(column, seconds):
            limit = {"unit": "minute", "must_be_less_than_or_equal": seconds / 60}
            return "", "freshness", {"column": column, "threshold": limit}
        case When(condition, _, claim) if not isinstance(claim, Satisfies | Nested):
            found = _check(replace(spec, claim=claim), table, place)
            return _filtered(found, condition)
        case SqlMetric(query, dialect, written):
            # Soda runs it where the data is.
            text = _reading(written or query, dialect, table.name)
            return "", "metric", {"query": text, "threshold": _threshold(spec.threshold)}
        case ForeignKey((column,), to_table, (to_column,)) if spec.scope is Scope.ROW:
            reference = {"dataset": f"{place}/{to_table}", "column": to_column}
            return column, "invalid", {"valid_reference_data": reference}
        case Unique(columns, where):
            return _unique(spec, columns, where)
        case Satisfies(predicate, _) if spec.scope is Scope.ROW:
            return "", "failed_rows", {"expression": f"NOT ({predicate})"}
        case NotNull(column):
            return column, "missing", _limited(spec)
        case _ if spec.scope is Scope.ROW:
            return _values(spec)
        case _:
            # Of these Soda counts its percentages without the missing values.
            return _counted(spec)


def _counted(spec: CheckSpec) -> _Check | None:
    found = None if spec.threshold.percent else _values(spec)
    return (found[0], found[1], {**found[2], **_limited(spec)}) if found else None


def _limited(spec: CheckSpec) -> dict[str, Any]:
    """The threshold, where it is not that no row may fail, which is Soda's own."""
    return {} if spec.threshold.is_none_allowed else {"threshold": _threshold(spec.threshold)}


def _threshold(threshold: Threshold) -> dict[str, Any]:
    unit = {"metric": "percent"} if threshold.percent else {}
    numbers = [_number(value) for value in threshold.values]
    if threshold.operator in _OPERATORS:
        return {**unit, _OPERATORS[threshold.operator]: numbers[0]}
    low, high = numbers
    if threshold.operator is Operator.BETWEEN:
        ends = {"greater_than_or_equal": low, "less_than_or_equal": high}
        return {**unit, "must_be_between": ends}
    return {
        **unit,
        "must_be_not_between": {"greater_than_or_equal": low, "less_than_or_equal": high},
    }


def _filtered(found: _Check | None, condition: str) -> _Check | None:
    """The check on the rows for which a condition is true; a share is then one of these."""
    if found is None:
        return None
    column, kind, body = found
    if kind == "failed_rows":
        return column, kind, {**body, "expression": f"({condition}) AND ({body['expression']})"}
    return column, kind, {**body, "filter": condition}


def _unique(spec: CheckSpec, columns: tuple[str, ...], where: str) -> _Check:
    conditions = [f"({where})"] if where else []
    if len(columns) > 1:
        # Soda takes NULLs for equal; the standard does not judge them.
        conditions += [f"{_quoted(column)} IS NOT NULL" for column in columns]
    body = {"filter": " AND ".join(conditions), **_limited(spec)} if conditions else _limited(spec)
    if len(columns) == 1:
        return columns[0], "duplicate", body
    return "", "duplicate", {"columns": list(columns), **body}


def _values(spec: CheckSpec) -> _Check | None:
    match spec.claim:
        case InSet(column, values):
            present = [plain(v) for v in values if v is not None]
            is_known = bool(present) and _are_plain(present)
            return (column, "invalid", {"valid_values": present}) if is_known else None
        case NotMissing(column, values):
            return _not_missing(column, values)
        case Matches(column, pattern):
            form = {"name": spec.name, "regex": pattern}
            return column, "invalid", {"valid_format": form}
        case InRange():
            return _range(spec.claim)
        case LengthBetween(column, minimum, maximum):
            bounds = {"valid_min_length": minimum, "valid_max_length": maximum}
            return column, "invalid", {k: v for k, v in bounds.items() if v is not None}
        case _:
            return None


def _not_missing(column: str, values: tuple[object, ...]) -> _Check | None:
    """To Soda, NULL is always missing; to the standard, where it is listed."""
    present = [plain(v) for v in values if v is not None]
    if not _are_plain(present):
        return None
    if len(present) < len(values):
        return column, "missing", {"missing_values": present} if present else {}
    return column, "invalid", {"invalid_values": present}


def _are_plain(values: list[Any]) -> bool:
    """Whether Soda takes the values: all texts, or all numbers."""
    kinds = {isinstance(v, str) for v in values}
    return len(kinds) == 1 and not any(isinstance(v, bool) for v in values)


def _range(claim: InRange) -> _Check:
    bounds = {"valid_min": plain(claim.minimum), "valid_max": plain(claim.maximum)}
    is_simple = not (claim.exclusive_minimum or claim.exclusive_maximum)
    if is_simple and not any(isinstance(bound, str) for bound in bounds.values()):
        return claim.column, "invalid", {k: v for k, v in bounds.items() if v is not None}
    signs = (
        ("<=" if claim.exclusive_minimum else "<", claim.minimum),
        (">=" if claim.exclusive_maximum else ">", claim.maximum),
    )
    broken = [f"{_quoted(claim.column)} {sign} {_literal(b)}" for sign, b in signs if b is not None]
    return claim.column, "failed_rows", {"expression": " OR ".join(broken)}


def _reading(query: str, dialect: str, table: str) -> str:
    """The query, in the SQL of `dialect`, with the table's name in the place of the batch."""
    tree = sqlglot.parse_one(query, read=dialect)
    for node in tree.find_all(exp.Table):
        if node.name == BATCH and not node.db:
            node.set("this", exp.to_identifier(table, quoted=True))
    return tree.sql(dialect=dialect)


def _placed(body: Any, table: SchemaObject) -> Any:
    """A Soda check of the contract with the table's name in the place of `{object}`."""
    if isinstance(body, Mapping):
        return {key: _placed(value, table) for key, value in body.items()}
    if isinstance(body, str):
        return _OBJECT.sub(lambda _: _quoted(table.name), body)
    return body


def _quoted(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql(dialect="duckdb")


def _literal(value: object) -> str:
    if isinstance(value, str):
        return exp.Literal.string(value).sql(dialect="duckdb")
    return str(value)


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
