"""Service levels that data can tell: how fresh it is, and how long it is kept.

The names of the properties are those of the standard, in any case:
https://bitol-io.github.io/open-data-contract-standard/latest/service-level-agreement/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from quality_platform.checks.naming import identifier
from quality_platform.checks.specs import (
    CheckSpec,
    Fresh,
    Retained,
    Scope,
    Severity,
)
from quality_platform.checks.thresholds import NONE_ALLOWED, Operator, Threshold
from quality_platform.contracts.models import Contract, SchemaObject, SlaProperty
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import ContractError, Problem

_AGES = {"freshness", "latency", "ly"}
_PERIODS = {"retention", "re"}
_TIMES = ("date", "timestamp")

_SECONDS = {
    "s": 1,
    "min": 60,
    "h": 3600,
    "d": 86_400,
    "w": 7 * 86_400,
    "month": 31 * 86_400,
    "y": 366 * 86_400,
}
"""A month and a year are as long as the longest of them: no warning comes too early."""

_UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "minute", "minutes"), "min"),
    **dict.fromkeys(("h", "hr", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("w", "week", "weeks"), "w"),
    **dict.fromkeys(("mo", "month", "months"), "month"),
    **dict.fromkeys(("y", "yr", "year", "years"), "y"),
}
_DURATION = re.compile(
    r"P(?:(?P<y>\d+)Y)?(?:(?P<month>\d+)M)?(?:(?P<w>\d+)W)?(?:(?P<d>\d+)D)?"
    r"(?:T(?:(?P<h>\d+)H)?(?:(?P<min>\d+)M)?(?:(?P<s>\d+)S)?)?",
    re.IGNORECASE,
)
"""ISO 8601-1, section 5.5.2.2."""


def sla_checks(sla: SlaProperty, table: SchemaObject) -> list[CheckSpec]:
    """The checks of one entry that are about this table; [] where nothing can be checked.

    They are warnings: holding back a late batch would make it later still.

    Raises:
        ContractError: the period cannot be understood, or the column is not there or no time.
    """
    kind = sla.property.casefold()
    if kind not in _AGES | _PERIODS or not sla.elements:
        return []
    columns = [column for element in sla.elements for column in _columns(element, sla, table)]
    if not columns:
        return []
    seconds = _seconds(sla)
    build = _fresh if kind in _AGES else _retained
    return [build(column, seconds, sla) for column in columns]


def sla_problems(contract: Contract) -> list[Problem]:
    """Elements of service levels that name no object of the contract.

    A table alone cannot tell them from elements of its contract's other tables. A contract without
    objects says nothing about any table, and so nothing that could be wrong.
    """
    objects = [table.name for table in contract.objects]
    if not objects:
        return []
    return [
        Problem(
            f"the element {element!r} names no object of this contract",
            sla.location,
            "element",
            allowed=", ".join(f"{name}.COLUMN" for name in objects),
            action=did_you_mean(element.partition(".")[0], objects),
        )
        for sla in contract.sla
        for element in sla.elements
        if sla.property.casefold() in _AGES | _PERIODS and not _is_known(element, contract)
    ]


def _is_known(element: str, contract: Contract) -> bool:
    is_only_object = len(contract.objects) == 1
    return any(
        element.startswith(f"{table.name}.") or (is_only_object and element in table.column_names)
        for table in contract.objects
    )


def _columns(element: str, sla: SlaProperty, table: SchemaObject) -> Iterator[str]:
    """The column of this table that an element names, as `column` or `object.column`."""
    own = element.startswith(f"{table.name}.")
    if "." in element and not own and element not in table.column_names:
        return
    name = element.removeprefix(f"{table.name}.") if own else element
    times = [p.name for p in table.properties if p.logical_type in _TIMES]
    if name not in times:
        raise ContractError(
            f"the element {element!r} is no date or timestamp of {table.name}",
            location=sla.location,
            field="element",
            received=element,
            allowed=[f"{table.name}.{time}" for time in times] or "none: it has no such column",
            action=did_you_mean(name, times),
        )
    yield name


def _seconds(sla: SlaProperty) -> int:
    """The period in seconds: a number and a unit, or a duration of ISO 8601 without one."""
    written = str(sla.value).strip()
    duration = _DURATION.fullmatch(written)
    if not sla.unit and duration and any(duration.groups()):
        return sum(int(n) * _SECONDS[unit] for unit, n in duration.groupdict().items() if n)
    unit = _UNITS.get(sla.unit.strip().casefold())
    if unit is None:
        raise ContractError(
            "there is no such unit of time",
            location=sla.location,
            field="unit",
            received=sla.unit or "no unit",
            allowed="s, min, h, d, w, month, y and their long forms; or a value such as P5D",
            action=did_you_mean(sla.unit, _UNITS),
        )
    if isinstance(sla.value, bool) or not re.fullmatch(r"\d+(\.\d+)?", written):
        raise ContractError(
            "the period must be a number that is not negative",
            location=sla.location,
            field="value",
            received=sla.value,
        )
    return int(Decimal(written) * _SECONDS[unit])


def _fresh(column: str, seconds: int, sla: SlaProperty) -> CheckSpec:
    limit = Threshold(Operator.LESS_OR_EQUAL, (Decimal(seconds),))
    text = f"The newest {column} is at most {sla.value} {sla.unit}".rstrip() + " old."
    return _spec(f"{column}_fresh", Fresh(column, seconds), limit, text, sla)


def _retained(column: str, seconds: int, sla: SlaProperty) -> CheckSpec:
    text = f"No row's {column} is more than {sla.value} {sla.unit}".rstrip() + " ago."
    return _spec(f"{column}_retained", Retained(column, seconds), NONE_ALLOWED, text, sla)


def _spec(
    name: str, claim: Fresh | Retained, threshold: Threshold, text: str, sla: SlaProperty
) -> CheckSpec:
    return CheckSpec(
        name=identifier(name),
        claim=claim,
        scope=Scope.GATE,
        severity=Severity.WARNING,
        threshold=threshold,
        dimension="timeliness",
        description=sla.description.strip() or text,
        columns=(claim.column,),
        location=sla.location,
    )
