"""A table's checks as a suite of Great Expectations 1.x, in the library's own JSON.

The counts of failing rows are those of the platform's own checks. Where the library counts in
another way, or needs a database, the check is a loss.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from quality_platform.checks.specs import (
    CheckSpec,
    Conforms,
    Expectation,
    InRange,
    InSet,
    LengthBetween,
    Matches,
    Note,
    NotMissing,
    NotNull,
    RowCount,
    Scope,
    Severity,
    Unique,
)
from quality_platform.checks.thresholds import Operator, Threshold
from quality_platform.contracts.models import Contract, SchemaObject
from quality_platform.exchange.exporters.checks import checks_of, is_nested, loss_of, plain
from quality_platform.exchange.results import Exported, Loss

_Parts = tuple[str, dict[str, Any]]
_NO_EQUAL = "Great Expectations has nothing that means the same"


def export_great_expectations(contract: Contract, table: SchemaObject) -> Exported:
    """The suite, called as the table; every expectation bears its check's name in `meta.rule_id`.

    Raises:
        ContractError: rules of the contract that cannot be understood.
    """
    losses: list[Loss] = []
    expectations: list[dict[str, Any]] = []
    notes: list[str] = []
    for spec in checks_of(contract, table):
        if isinstance(spec.claim, Note):
            notes.append(f"{spec.name}: {spec.claim.text}")
            continue
        parts = [] if is_nested(spec, table) else _parts(spec, table)
        if not parts:
            losses.append(loss_of(spec, _NO_EQUAL))
        expectations += [_written(spec, *part) for part in parts]
    types = "the columns' types: they are called otherwise in each of the library's engines"
    losses.append(Loss(str(table.location), "conforms_to_schema, in part", types))
    suite = {
        "name": table.name,
        "id": None,
        "expectations": expectations,
        "meta": {"contract": {"id": contract.id, "version": contract.version}},
        "notes": notes or None,
    }
    text = json.dumps(suite, indent=2, ensure_ascii=False)
    return Exported(text + "\n", tuple(losses))


def _written(spec: CheckSpec, kind: str, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": kind,
        "kwargs": dict(kwargs),
        "meta": {"rule_id": spec.name},
        "severity": "critical" if spec.severity is Severity.ERROR else "warning",
    }
    if spec.dimension:
        entry["meta"]["dimension"] = spec.dimension
    if spec.description:
        entry["description"] = spec.description
    return entry


def _parts(spec: CheckSpec, table: SchemaObject) -> list[_Parts]:
    """The expectations that together say what the check says; none where nothing does."""
    match spec.claim:
        case Conforms():
            columns = list(table.column_names)
            return [("expect_table_columns_to_match_ordered_list", {"column_list": columns})]
        case Expectation(kind, kwargs):
            return [(kind, dict(kwargs))]
        case RowCount(""):
            return _row_count(spec.threshold)
        case NotNull(column) if spec.scope is Scope.GATE:
            return _share_of_nulls(column, spec.threshold)
        case _ if spec.scope is Scope.ROW:
            return _row_rule(spec)
        case _:
            return []


def _row_rule(spec: CheckSpec) -> list[_Parts]:  # noqa: PLR0911 - one case for each claim
    match spec.claim:
        case NotNull(column):
            return [("expect_column_values_to_not_be_null", {"column": column})]
        case InSet(column, values):
            present = [plain(v) for v in values if v is not None]
            kwargs = {"column": column, "value_set": present}
            return [("expect_column_values_to_be_in_set", kwargs)] if present else []
        case NotMissing(column, values):
            return _not_missing(column, values)
        case Matches(column, pattern):
            kwargs = {"column": column, "regex": pattern}
            return [("expect_column_values_to_match_regex", kwargs)]
        case InRange():
            return _range(spec.claim)
        case LengthBetween(column, minimum, maximum):
            bounds = {"min_value": minimum, "max_value": maximum}
            kwargs = {"column": column, **_given(bounds)}
            return [("expect_column_value_lengths_to_be_between", kwargs)]
        case Unique((column,), ""):
            return [("expect_column_values_to_be_unique", {"column": column})]
        case Unique(columns, ""):
            # By default the library judges keys with some NULLs, too.
            kwargs = {"column_list": list(columns), "ignore_row_if": "any_value_is_missing"}
            return [("expect_compound_columns_to_be_unique", kwargs)]
        case _:
            return []


def _not_missing(column: str, values: tuple[object, ...]) -> list[_Parts]:
    """One expectation: two for one check would give two counts."""
    present = [plain(v) for v in values if v is not None]
    if present and len(present) == len(values):
        kwargs = {"column": column, "value_set": present}
        return [("expect_column_values_to_not_be_in_set", kwargs)]
    return [] if present else [("expect_column_values_to_not_be_null", {"column": column})]


def _range(claim: InRange) -> list[_Parts]:
    bounds = {"min_value": plain(claim.minimum), "max_value": plain(claim.maximum)}
    # JSON has no dates: the library would compare a column of dates with texts.
    if any(isinstance(bound, str) for bound in bounds.values()):
        return []
    flags = {
        "strict_min": claim.exclusive_minimum or None,
        "strict_max": claim.exclusive_maximum or None,
    }
    kwargs = {"column": claim.column, **_given({**bounds, **flags})}
    return [("expect_column_values_to_be_between", kwargs)]


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _row_count(threshold: Threshold) -> list[_Parts]:
    """Counts are whole numbers, so that "greater than 5" is "at least 6"."""
    first, last = int(threshold.values[0]), int(threshold.values[-1])
    if any(bound != int(bound) for bound in threshold.values):
        return []
    bounds: dict[str, Any]
    match threshold.operator:
        case Operator.MUST_BE:
            return [("expect_table_row_count_to_equal", {"value": first})]
        case Operator.BETWEEN:
            bounds = {"min_value": first, "max_value": last}
        case Operator.GREATER_OR_EQUAL:
            bounds = {"min_value": first}
        case Operator.GREATER:
            bounds = {"min_value": first + 1}
        case Operator.LESS_OR_EQUAL:
            bounds = {"max_value": first}
        case Operator.LESS:
            bounds = {"max_value": first - 1}
        case _:
            return []
    return [("expect_table_row_count_to_be_between", bounds)]


def _share_of_nulls(column: str, threshold: Threshold) -> list[_Parts]:
    """`mostly` is a share of all rows here alone: elsewhere the library leaves NULLs out."""
    if threshold.operator is not Operator.LESS_OR_EQUAL or not threshold.percent:
        return []
    mostly = float(1 - threshold.values[0] / Decimal(100))
    kwargs = {"column": column, "mostly": mostly}
    return [("expect_column_values_to_not_be_null", kwargs)]
