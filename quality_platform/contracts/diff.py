"""The differences between two versions of a contract: objects, columns, and the contract itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from quality_platform.contracts.changes import (
    ContractChange,
    ContractDiff,
)
from quality_platform.contracts.column_diff import column_changes
from quality_platform.contracts.diff_parts import (
    BREAKING,
    COMPATIBLE,
    FORWARD_ONLY,
    Named,
    matched,
    prose_changes,
    shown,
    turned,
)
from quality_platform.contracts.models import Contract, Property, Relationship, SchemaObject
from quality_platform.contracts.promises import Turn
from quality_platform.contracts.rule_diff import rule_changes

_ACTED_ON = ("apiVersion", "kind", "id", "version", "schema", "servers", "slaProperties")
"""Top-level keys that are compared by themselves, or mean nothing to a reader."""

_LESS_IS_MORE = {
    "latency", "ly", "freshness", "frequency", "fy", "timeofavailability", "ty",
    "timetodetect", "td", "timetonotify", "tn", "timetorepair", "tr", "errorrate", "er",
}  # fmt: skip
_MORE_IS_MORE = {
    "availability", "av", "throughput", "th", "retention", "ry", "endofsupport", "es",
    "endoflife", "el",
}  # fmt: skip
"""Service levels by the side on which a promise is stronger, as ODCS names and shortens them."""


def diff_contracts(old: Contract, new: Contract) -> ContractDiff:
    """All changes from the old contract to the new one, in the order of the document."""
    changes = (
        *_identity(old, new),
        *_objects(old, new),
        *_sla(old, new),
        *_servers(old, new),
        *prose_changes("", _prose(old.entry), _prose(new.entry)),
    )
    return ContractDiff(old.version, new.version, changes)


def _identity(old: Contract, new: Contract) -> Iterator[ContractChange]:
    if old.id != new.id:
        reason = "Readers find a contract by its id: this is another contract."
        yield ContractChange("id", "id_changed", old.id, new.id, BREAKING, reason)
    if old.version != new.version:
        reason = "A version says what has changed, and changes nothing by itself."
        yield ContractChange(
            "version", "version_changed", old.version, new.version, COMPATIBLE, reason, True
        )


def _prose(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in _ACTED_ON}


def _objects(old: Contract, new: Contract) -> Iterator[ContractChange]:
    for before, after in matched(_named_objects(old), _named_objects(new)):
        if before is None and after is not None:
            reason = "Nobody reads the new object yet."
            yield ContractChange(
                f"schema.{after.name}", "object_added", "", after.name, COMPATIBLE, reason
            )
        elif after is None and before is not None:
            reason = "Readers of the object find it no more."
            yield ContractChange(
                f"schema.{before.name}", "object_removed", before.name, "", BREAKING, reason
            )
        elif before is not None and after is not None:
            yield from _object(before, after)


def _named_objects(contract: Contract) -> list[Named[SchemaObject]]:
    entries = contract.entry.get("schema") or ()
    ids = {entry.get("name"): entry.get("id") or "" for entry in entries}
    return [Named(ids.get(obj.name, ""), obj.name, obj) for obj in contract.objects]


def _object(old: SchemaObject, new: SchemaObject) -> Iterator[ContractChange]:
    path = f"schema.{new.name}"
    if old.name != new.name:
        reason = "Readers find the object under its old name no more."
        yield ContractChange(path, "object_renamed", old.name, new.name, BREAKING, reason)
    yield from prose_changes(
        path,
        {"description": old.description, "tags": old.tags},
        {"description": new.description, "tags": new.tags},
    )
    yield from _columns(f"{path}.properties", old.properties, new.properties)
    yield from _primary_key(path, old, new)
    yield from rule_changes(path, old, new, _renames(old, new))
    yield from _relationships(path, old, new)


def _columns(
    path: str, old: Sequence[Property], new: Sequence[Property]
) -> Iterator[ContractChange]:
    for before, after in matched(_named(old), _named(new)):
        if before is None and after is not None:
            yield _added(path, after)
        elif after is None and before is not None:
            reason = "Readers of the column find it no more."
            yield ContractChange(
                f"{path}.{before.name}", "column_removed", before.name, "", BREAKING, reason
            )
        elif before is not None and after is not None:
            yield from _column(f"{path}.{after.name}", before, after)


def _named(properties: Sequence[Property]) -> list[Named[Property]]:
    return [Named(p.id, p.name, p) for p in properties]


def _added(path: str, column: Property) -> ContractChange:
    needed = column.required
    reason = (
        "Data of before has no value for the new column, and needs one."
        if needed
        else "Readers do not ask for the new column; rows of before have no value in it."
    )
    kind = "required_column_added" if needed else "column_added"
    level = FORWARD_ONLY if needed else COMPATIBLE
    return ContractChange(f"{path}.{column.name}", kind, "", column.name, level, reason)


def _column(path: str, old: Property, new: Property) -> Iterator[ContractChange]:
    if old.name != new.name:
        reason = "Readers find the column under its old name no more; its values stay."
        yield ContractChange(path, "column_renamed", old.name, new.name, BREAKING, reason)
    yield from column_changes(path, old, new)
    yield from _parts(path, old, new)


def _parts(path: str, old: Property, new: Property) -> Iterator[ContractChange]:
    """What the column holds: an object's properties, an array's items, a map's two ends."""
    yield from _columns(f"{path}.properties", old.properties, new.properties)
    for name, before, after in (
        ("items", old.items, new.items),
        ("map.key", old.map_key, new.map_key),
        ("map.value", old.map_value, new.map_value),
    ):
        if before is not None and after is not None:
            yield from column_changes(f"{path}.{name}", before, after)
            yield from _parts(f"{path}.{name}", before, after)


def _renames(old: SchemaObject, new: SchemaObject) -> dict[str, str]:
    """The new names of the old object's columns."""
    pairs = matched(_named(old.properties), _named(new.properties))
    return {b.name: a.name for b, a in pairs if a is not None and b is not None}


def _primary_key(path: str, old: SchemaObject, new: SchemaObject) -> Iterator[ContractChange]:
    renames = _renames(old, new)
    before = tuple(renames.get(name, name) for name in old.primary_key)
    if before == new.primary_key:
        return
    turn = Turn.OTHER
    if not before or not new.primary_key:
        turn = Turn.LOOSER if before else Turn.TIGHTER
    elif set(new.primary_key) < set(before):
        turn = Turn.TIGHTER
    yield turned(
        f"{path}.primaryKey",
        "primary_key",
        ", ".join(before),
        ", ".join(new.primary_key),
        turn,
    )


def _relationships(path: str, old: SchemaObject, new: SchemaObject) -> Iterator[ContractChange]:
    renames = _renames(old, new)
    before = {_link_text(link, renames): link for link in old.relationships}
    after = {_link_text(link, {}): link for link in new.relationships}
    for text in dict.fromkeys((*before, *after)):
        place = f"{path}.relationships.{text.partition(' -> ')[0]}"
        if text not in before:
            yield _link(place, "", text, after[text], Turn.TIGHTER)
        elif text not in after:
            yield _link(place, text, "", before[text], Turn.LOOSER)
        elif before[text].custom != after[text].custom:
            yield from _link_severity(place, before[text], after[text])


def _link_text(link: Relationship, renames: Mapping[str, str]) -> str:
    columns = ", ".join(renames.get(column, column) for column in link.columns)
    return f"{columns} -> {link.to_object}({', '.join(link.to_columns)})"


def _link(place: str, old: str, new: str, link: Relationship, turn: Turn) -> ContractChange:
    return turned(place, "relationship", old, new, turn, holds=_holds(link))


def _holds(link: Relationship) -> bool:
    return str(link.custom.get("severity", "error")) == "error"


def _link_severity(place: str, old: Relationship, new: Relationship) -> Iterator[ContractChange]:
    if _holds(old) != _holds(new):
        turn = Turn.TIGHTER if _holds(new) else Turn.LOOSER
        was, now = (str(link.custom.get("severity", "error")) for link in (old, new))
        yield turned(f"{place}.severity", "relationship_severity", was, now, turn)
    else:
        yield from prose_changes(place, {"custom": old.custom}, {"custom": new.custom})


def _sla(old: Contract, new: Contract) -> Iterator[ContractChange]:
    before, after = _sla_entries(old), _sla_entries(new)
    for key in dict.fromkeys((*before, *after)):
        path = f"slaProperties.{key}"
        was, now = before.get(key), after.get(key)
        if was is None or now is None:
            turn = Turn.TIGHTER if was is None else Turn.LOOSER
            yield turned(path, "sla", _sla_text(was), _sla_text(now), turn)
        elif _sla_text(was) != _sla_text(now):
            yield turned(path, "sla", _sla_text(was), _sla_text(now), _sla_turn(was, now))


def _sla_entries(contract: Contract) -> dict[str, Mapping[str, Any]]:
    entries = contract.entry.get("slaProperties") or ()
    return {_sla_key(entry): entry for entry in entries}


def _sla_key(entry: Mapping[str, Any]) -> str:
    parts = [entry["property"], entry.get("element") or "", entry.get("driver") or ""]
    return ".".join(part for part in parts if part)


def _sla_text(entry: Mapping[str, Any] | None) -> str:
    parts = [entry.get(key) for key in ("value", "valueExt", "unit")] if entry else []
    return " ".join(str(part) for part in parts if part is not None)


def _sla_turn(old: Mapping[str, Any], new: Mapping[str, Any]) -> Turn:
    """How a service level changed, where both are numbers of one unit and it has a better side."""
    name = str(new["property"]).casefold()
    values = old.get("value"), new.get("value")
    has_side = name in _LESS_IS_MORE | _MORE_IS_MORE
    are_numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    if not has_side or not are_numbers or old.get("unit") != new.get("unit"):
        return Turn.OTHER
    rose = values[1] > values[0]  # type: ignore[operator]
    return Turn.TIGHTER if rose == (name in _MORE_IS_MORE) else Turn.LOOSER


def _servers(old: Contract, new: Contract) -> Iterator[ContractChange]:
    before = {server.name: server for server in old.servers}
    after = {server.name: server for server in new.servers}
    for name in dict.fromkeys((*before, *after)):
        path = f"servers.{name}"
        if name not in before:
            yield ContractChange(
                path, "server_added", "", name, COMPATIBLE, "There is one more place to read from."
            )
        elif name not in after:
            reason = "Readers of the server find the data there no more."
            yield ContractChange(path, "server_removed", name, "", BREAKING, reason)
        else:
            yield from _server(path, before[name].entry, after[name].entry)


def _server(path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ContractChange]:
    for key in dict.fromkeys((*old, *new)):
        if old.get(key) == new.get(key):
            continue
        if key in ("description", "tags", "roles", "customProperties", "id"):
            yield from prose_changes(path, {key: old.get(key)}, {key: new.get(key)})
        else:
            reason = "Readers look for the data at the old place."
            was, now = shown(old.get(key)), shown(new.get(key))
            yield ContractChange(f"{path}.{key}", "server_changed", was, now, BREAKING, reason)
