"""Every place of a table that a rule can be about: columns, and what objects, arrays, maps hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from quality_platform.checks.specs import (
    ITEMS,
    KEYS,
    VALUES,
    CheckSpec,
    Claim,
    Nested,
    ValueClaim,
    When,
)
from quality_platform.contracts.models import Property, SchemaObject
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import ContractError, Location

_SUFFIXES = {ITEMS: "item", KEYS: "key", VALUES: "value"}
"""How the steps into arrays and maps are called in the names of checks."""


@dataclass(frozen=True)
class Place:
    """A column, or what the steps lead to from it; `path` is `lines[].sku` as people write it."""

    definition: Property
    column: str
    path: str
    name: str
    """What the names of its checks begin with, such as `lines_item_sku`; of any characters."""
    steps: tuple[str, ...] = ()

    @property
    def is_nested(self) -> bool:
        """Whether this is a part of a column."""
        return bool(self.steps)

    def claim(self, claim: ValueClaim) -> Claim:
        """A claim about this path as one about the column that holds it."""
        return Nested(self.column, self.steps, claim) if self.steps else claim


def places(table: SchemaObject) -> Iterator[Place]:
    """Every place of the table, a column before its parts, in the contract's order."""
    for column in table.properties:
        yield from _with_parts(Place(column, column.name, column.name, column.name))


def place_of(path: str, table: SchemaObject) -> Place | None:
    """The place with this path; a column's own name goes before a path of the same text."""
    for column in table.properties:
        if column.name == path:
            return Place(column, path, path, path)
    return next((place for place in places(table) if place.path == path), None)


def require_column(column: str, table: SchemaObject, location: Location) -> None:
    """Refuses a column that the table has not, and a part of one.

    Raises:
        ContractError: there is no such column.
    """
    if column in table.column_names:
        return
    if place_of(column, table) is not None:
        raise ContractError(
            f"{column!r} is a part of a column: this kind of rule is about whole columns",
            location=location,
            allowed=", ".join(table.column_names),
            action="make it a column of its own, or use a library rule of the property",
        )
    raise ContractError(
        f"the rule names the column {column!r}, which the contract does not have",
        location=location,
        allowed=", ".join(table.column_names),
        action=did_you_mean(column, table.column_names),
    )


def columns_read(spec: CheckSpec) -> tuple[str, ...]:
    """The whole columns that a check is about: for a part of one, the column that holds it."""
    claim = spec.claim.claim if isinstance(spec.claim, When) else spec.claim
    if not isinstance(claim, Nested):
        return spec.columns
    return tuple(claim.column if path == claim.claim.column else path for path in spec.columns)


def children(place: Place) -> Iterator[Place]:
    """The properties of the object at a place, not what these hold."""
    for child in place.definition.properties:
        yield _below(place, child, child.name, f".{child.name}")


def _with_parts(place: Place) -> Iterator[Place]:
    yield place
    for child in children(place):
        yield from _with_parts(child)
    for step, inner in (
        (ITEMS, place.definition.items),
        (KEYS, place.definition.map_key),
        (VALUES, place.definition.map_value),
    ):
        if inner is not None:
            yield from _with_parts(_below(place, inner, step, step))


def _below(place: Place, inner: Property, step: str, suffix: str) -> Place:
    name = f"{place.name}_{_SUFFIXES.get(step, step)}"
    return Place(inner, place.column, place.path + suffix, name, (*place.steps, step))
