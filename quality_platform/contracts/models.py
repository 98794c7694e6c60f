"""What the platform reads of an ODCS contract, as frozen values.

Source: Open Data Contract Standard v3.1, https://bitol-io.github.io/open-data-contract-standard/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from quality_platform.errors import Location

RESTRICTED_CLASSIFICATIONS = frozenset(
    {"confidential", "restricted", "sensitive", "pii", "personal"}
)
"""Classifications whose values are masked wherever failing rows are shown."""


@dataclass(frozen=True)
class QualityRule:
    """One entry of a `quality` list, as written; `column` is None for one of the whole object."""

    entry: Mapping[str, Any] = field(hash=False)
    location: Location
    column: str | None = None
    """Within objects and arrays the dotted path, `[]` for the items: `address.city`, `tags[]`."""

    @property
    def custom(self) -> dict[str, Any]:
        """The entry's custom properties, by name."""
        return custom_properties(self.entry)


@dataclass(frozen=True)
class Relationship:
    """A foreign key: columns of this object, and the object and columns they refer to."""

    columns: tuple[str, ...]
    to_object: str
    to_columns: tuple[str, ...]
    location: Location
    custom: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Property:
    """One column."""

    name: str
    logical_type: str
    location: Location
    physical_name: str = ""
    physical_type: str = ""
    description: str = ""
    required: bool = False
    unique: bool = False
    primary_key_position: int | None = None
    classification: str = ""
    tags: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    enum: tuple[object, ...] = ()
    properties: tuple[Property, ...] = ()
    """What an object holds."""
    items: Property | None = None
    """What an array holds; its name is the array's followed by `[]`."""
    is_critical: bool = False
    business_name: str = ""
    examples: tuple[object, ...] = field(default=(), hash=False)

    @property
    def source_name(self) -> str:
        """What the source calls the column."""
        return self.physical_name or self.name

    @property
    def is_restricted(self) -> bool:
        """Whether its values must be masked wherever rows are shown."""
        return self.classification.casefold() in RESTRICTED_CLASSIFICATIONS


@dataclass(frozen=True)
class SchemaObject:
    """One table of a contract."""

    name: str
    location: Location
    properties: tuple[Property, ...]
    quality: tuple[QualityRule, ...] = ()
    relationships: tuple[Relationship, ...] = ()
    description: str = ""
    tags: tuple[str, ...] = ()

    @cached_property
    def primary_key(self) -> tuple[str, ...]:
        """The key's columns, in the order of their positions; () where there is none."""
        keyed = [p for p in self.properties if p.primary_key_position is not None]
        return tuple(p.name for p in sorted(keyed, key=lambda p: p.primary_key_position or 0))

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """The columns' names, in the contract's order."""
        return tuple(p.name for p in self.properties)

    @cached_property
    def restricted_columns(self) -> frozenset[str]:
        """Columns whose values must be masked wherever rows are shown."""
        return frozenset(p.name for p in self.properties if p.is_restricted)


@dataclass(frozen=True)
class SlaProperty:
    """One entry of `slaProperties`: a promise about the data as a whole.

    `element` names the columns that it is about, as `object.column`; () where it names none.
    """

    property: str
    value: object
    location: Location
    unit: str = ""
    value_ext: object = None
    elements: tuple[str, ...] = ()
    driver: str = ""
    description: str = ""


@dataclass(frozen=True)
class Server:
    """One entry of `servers`: where the data lives; `entry` is all that is written there."""

    name: str
    type: str
    entry: Mapping[str, Any] = field(hash=False)
    location: Location


@dataclass(frozen=True)
class Contract:
    """One contract file."""

    path: Path
    id: str
    version: str
    name: str
    status: str
    objects: tuple[SchemaObject, ...]
    domain: str = ""
    purpose: str = ""
    tags: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    sla: tuple[SlaProperty, ...] = ()
    servers: tuple[Server, ...] = ()
    entry: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)
    """The whole document as written: what people read but nothing acts on."""


def custom_properties(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The `customProperties` of a part of a contract, by name."""
    return {item["property"]: item["value"] for item in entry.get("customProperties") or ()}
