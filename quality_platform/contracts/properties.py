"""Properties at each depth, with their rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from quality_platform.contracts.models import Property, QualityRule
from quality_platform.contracts.physical_types import PhysicalType, physical_type, told_logical_type
from quality_platform.contracts.walking import dotted, inner, part_name
from quality_platform.documents.yaml_documents import PathInDocument, YamlDocument


@dataclass(frozen=True)
class Properties:
    """Makes the properties of one document; physical types are meant in `dialect`."""

    document: YamlDocument
    dialect: str

    def of(self, path: PathInDocument, entry: Mapping[str, Any], name: str) -> Property:
        """The property written at `path`, and all that is within it."""
        position = entry.get("primaryKeyPosition")
        is_keyed = bool(entry.get("primaryKey"))
        physical = self._physical(entry)
        parts = self._parts(path, entry, name, physical)
        return Property(
            name=name,
            logical_type=entry.get("logicalType")
            or told_logical_type(entry.get("physicalType") or "", self.dialect),
            location=self.document.location(path),
            physical_name=entry.get("physicalName") or "",
            physical_type=entry.get("physicalType") or "",
            description=(entry.get("description") or "").strip(),
            required=bool(entry.get("required")) or is_keyed,
            unique=bool(entry.get("unique")),
            primary_key_position=(position if position and position > 0 else 1)
            if is_keyed
            else None,
            classification=entry.get("classification") or "",
            tags=tuple(entry.get("tags") or ()),
            options=entry.get("logicalTypeOptions") or {},
            enum=tuple(item["value"] for item in entry.get("enum") or ()),
            properties=tuple(part for part in parts if part.name not in _ends(name)),
            items=_named(parts, f"{name}[]"),
            map_key=_named(parts, f"{name}{{key}}"),
            map_value=_named(parts, f"{name}{{value}}"),
            is_critical=bool(entry.get("criticalDataElement")),
            business_name=entry.get("businessName") or "",
            examples=tuple(entry.get("examples") or ()),
            dialect=self.dialect,
            entry=entry,
            id=entry.get("id") or "",
        )

    def _physical(self, entry: Mapping[str, Any]) -> PhysicalType | None:
        written = entry.get("physicalType")
        return physical_type(written, self.dialect) if written else None

    def _parts(
        self,
        path: PathInDocument,
        entry: Mapping[str, Any],
        name: str,
        physical: PhysicalType | None,
    ) -> list[Property]:
        written = [
            self.of(place, part, part_name(place, part, name)) for place, part in inner(path, entry)
        ]
        if written or physical is None:
            return written
        # Where only the physical type tells what is within, it is read as if it were written there.
        names = {"list": [f"{name}[]"], "map": [f"{name}{{key}}", f"{name}{{value}}"]}.get(
            physical.kind, [part for part, _ in physical.inner]
        )
        return [
            self.of((*path, "physicalType"), {"physicalType": text}, part)
            for part, (_, text) in zip(names, physical.inner, strict=False)
        ]


def _ends(name: str) -> tuple[str, str, str]:
    return f"{name}[]", f"{name}{{key}}", f"{name}{{value}}"


def _named(parts: list[Property], name: str) -> Property | None:
    return next((part for part in parts if part.name == name), None)


def rules(
    document: YamlDocument, path: PathInDocument, entry: Mapping[str, Any], column: str | None
) -> Iterator[QualityRule]:
    """The rules of an object or a property, then those of all that is within it."""
    for n, rule in enumerate(entry.get("quality") or ()):
        yield QualityRule(rule, document.location((*path, "quality", n)), column)
    for place, part in inner(path, entry):
        yield from rules(document, place, part, dotted(place, part, column or ""))
