"""What runner.yaml says of a table over what its contract says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from quality_platform.contracts.models import (
    Contract,
    Property,
    SchemaObject,
    SlaProperty,
    TeamMember,
)
from quality_platform.errors import Location, Problem

DEFAULT = "default"
"""Stands for all columns that have no classification of their own."""


@dataclass(frozen=True)
class Overrides:
    """What wins over a contract; nothing where left out.

    Attributes:
        classification: Classifications by column, and by `DEFAULT`.
        owner: Who owns the table.
        retention_days: How long rows are kept.
        properties: Custom properties, by name.
        location: Where they are written.
    """

    classification: Mapping[str, str] = field(default_factory=dict, hash=False)
    owner: str = ""
    retention_days: int | None = None
    properties: Mapping[str, str] = field(default_factory=dict, hash=False)
    location: Location = field(default=Location(""), compare=False)


def override_problems(overrides: Overrides, obj: SchemaObject) -> list[Problem]:
    """Columns with a classification that the contract does not have."""
    return [
        Problem(
            f"the contract has no column {name!r}",
            overrides.location,
            "overrides.classification",
            allowed=", ".join((DEFAULT, *obj.column_names)),
        )
        for name in overrides.classification
        if name != DEFAULT and name not in obj.column_names
    ]


def overridden(contract: Contract, overrides: Overrides) -> Contract:
    """The contract as it is with the overrides."""
    objects = tuple(
        replace(obj, properties=_classified(obj.properties, overrides.classification))
        for obj in contract.objects
    )
    owned: dict[str, Any] = {}
    if overrides.owner:
        others = [replace(m, role="") if m.is_owner else m for m in contract.team]
        owned["owners"] = (overrides.owner,)
        owned["team"] = (TeamMember(overrides.owner, role="owner"), *others)
    return replace(
        contract,
        objects=objects,
        sla=_kept(contract.sla, overrides),
        entry={**contract.entry, "customProperties": _custom(contract, overrides)},
        **owned,
    )


def _classified(
    columns: Sequence[Property], classification: Mapping[str, str]
) -> tuple[Property, ...]:
    default = classification.get(DEFAULT, "")
    return tuple(
        replace(
            column,
            classification=classification.get(column.name) or column.classification or default,
        )
        for column in columns
    )


def _kept(sla: tuple[SlaProperty, ...], overrides: Overrides) -> tuple[SlaProperty, ...]:
    """The service levels, with the retention that the overrides say; 0 is one."""
    days = overrides.retention_days
    if days is None:
        return sla
    is_stated = [promise.property.casefold() in ("retention", "re") for promise in sla]
    if not any(is_stated):
        return (*sla, SlaProperty("retention", days, overrides.location, "d"))
    return tuple(
        replace(promise, value=days, unit="d", location=overrides.location) if found else promise
        for promise, found in zip(sla, is_stated, strict=True)
    )


def _custom(contract: Contract, overrides: Overrides) -> list[dict[str, Any]]:
    """The custom properties, with those under whose names Dativo writes them to its tables."""
    said: dict[str, Any] = {
        **{
            f"classification.{DEFAULT}"
            if name == DEFAULT
            else f"classification.fields.{name}": text.lower()
            for name, text in overrides.classification.items()
        },
        **({"governance.owner": overrides.owner} if overrides.owner else {}),
        **overrides.properties,
    }
    if overrides.retention_days is not None:
        said["governance.retention_days"] = overrides.retention_days
    names = {**contract.custom, **said}
    return [{"property": name, "value": value} for name, value in names.items()]
