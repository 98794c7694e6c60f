"""What the platform reads of an ODCS contract, as frozen values.

Source: Open Data Contract Standard v3.2, https://bitol-io.github.io/open-data-contract-standard/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from quality_platform.contracts.physical_types import DIALECTS
from quality_platform.errors import Location, Problem

RESTRICTED_CLASSIFICATIONS = frozenset(
    {"confidential", "restricted", "sensitive", "pii", "personal"}
)
"""Classifications whose values are masked wherever failing rows are shown; also as a word of a
longer one, such as `high_pii`."""


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
    map_key: Property | None = None
    map_value: Property | None = None
    """What a map holds; their names are the map's followed by `{key}` and `{value}`."""
    is_critical: bool = False
    business_name: str = ""
    examples: tuple[object, ...] = field(default=(), hash=False)
    dialect: str = ""
    """SQL dialect of the contract's servers (sqlglot's name), in which `physical_type` is meant."""
    entry: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)
    """The property as written: what people read but nothing acts on."""
    id: str = ""
    """What stays the same when the name changes (v3.1)."""

    @property
    def source_name(self) -> str:
        """What the source calls the column."""
        return self.physical_name or self.name

    @property
    def is_restricted(self) -> bool:
        """Whether its values, or parts of them, must be masked wherever rows are shown."""
        words = set(re.split(r"[^a-z]+", self.classification.casefold()))
        return not words.isdisjoint(RESTRICTED_CLASSIFICATIONS) or any(
            part.is_restricted for part in self.parts
        )

    @property
    def parts(self) -> tuple[Property, ...]:
        """What it holds, one level down: an object's properties, an array's items, a map's ends."""
        inner = (self.items, self.map_key, self.map_value)
        return (*self.properties, *(part for part in inner if part is not None))

    @property
    def custom(self) -> dict[str, Any]:
        """Its custom properties, by name."""
        return custom_properties(self.entry)


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
    physical_name: str = ""
    business_name: str = ""
    dialect: str = ""
    """SQL of the contract's servers (sqlglot's name); "" where they speak none, or several."""
    entry: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)
    """The object as written: what people read but nothing acts on."""

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

    @property
    def dialect(self) -> str:
        """The SQL that it speaks, by sqlglot's name; "" for none, or one that nobody here knows."""
        return DIALECTS.get(self.type, "")


@dataclass(frozen=True)
class TeamMember:
    """One entry of the team; the dates are as written, "" where there is none."""

    username: str
    name: str = ""
    role: str = ""
    description: str = ""
    date_in: str = ""
    date_out: str = ""

    @property
    def is_owner(self) -> bool:
        """Whether the role speaks of an owner: Owner, Product owner, data owner, ..."""
        return "owner" in self.role.casefold()


@dataclass(frozen=True)
class Role:
    """One entry of `roles`: an access role that consumers can ask for."""

    role: str
    access: str = ""
    description: str = ""
    first_level_approvers: str = ""
    second_level_approvers: str = ""


@dataclass(frozen=True)
class SupportChannel:
    """One entry of `support`: where people ask."""

    channel: str
    url: str = ""
    tool: str = ""
    scope: str = ""
    description: str = ""
    invitation_url: str = ""


@dataclass(frozen=True)
class Price:
    """The `price`: an amount of a currency for each unit."""

    amount: float | None = None
    currency: str = ""
    unit: str = ""


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
    team: tuple[TeamMember, ...] = ()
    roles: tuple[Role, ...] = ()
    support: tuple[SupportChannel, ...] = ()
    price: Price | None = None
    hints: tuple[Problem, ...] = ()
    """What the contract says in words that are deprecated, look misspelt or are not understood."""
    entry: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)
    """The whole document as written: what people read but nothing acts on."""

    @property
    def api_version(self) -> str:
        """The version of the standard that it follows, such as `v3.1.0`."""
        return str(self.entry.get("apiVersion", ""))

    @property
    def custom(self) -> dict[str, Any]:
        """Its custom properties, by name."""
        return custom_properties(self.entry)


def custom_properties(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The `customProperties` of a part of a contract, by name."""
    listed = entry.get("customProperties") or ()
    return {item["property"]: item.get("value") for item in listed if "property" in item}
