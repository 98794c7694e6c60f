"""What the parts of a contract diff share: pairs by id or name, levels of promises, prose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from quality_platform.contracts.changes import Compatibility, ContractChange
from quality_platform.contracts.promises import Turn

COMPATIBLE = Compatibility.COMPATIBLE
FORWARD_ONLY = Compatibility.FORWARD_ONLY
BREAKING = Compatibility.BREAKING

_LONGEST_TEXT = 80

_LEVELS = {Turn.TIGHTER: FORWARD_ONLY, Turn.LOOSER: BREAKING, Turn.OTHER: BREAKING}
_REASONS = {
    Turn.TIGHTER: "The promise is stronger: readers lose nothing, data of before may break it.",
    Turn.LOOSER: "The promise is weaker: readers may meet data that they do not expect.",
    Turn.OTHER: "The new promise is another one: readers may meet data that they do not expect.",
}
_ENDINGS = {Turn.TIGHTER: "tightened", Turn.LOOSER: "loosened", Turn.OTHER: "changed"}

T = TypeVar("T")


@dataclass(frozen=True)
class Named(Generic[T]):
    """A part of a contract with what tells it from its neighbours; `id` is "" for none."""

    id: str
    name: str
    part: T


def matched(
    old: Sequence[Named[T]], new: Sequence[Named[T]]
) -> Iterator[tuple[T | None, T | None]]:
    """The parts of both versions in pairs: of the same id, or else of the same name.

    In the order of the new version; the parts that it has no more come last.
    """
    by_id = {part.id: part for part in old if part.id}
    pairs = {part.name: by_id.get(part.id) if part.id else None for part in new}
    taken = {part.name for part in pairs.values() if part is not None}
    by_name = {part.name: part for part in old if part.name not in taken}
    for part in new:
        before = pairs[part.name] or by_name.get(part.name)
        taken |= {before.name} if before else set()
        yield before.part if before else None, part.part
    yield from ((part.part, None) for part in old if part.name not in taken)


def turned(
    path: str, kind: str, old: str, new: str, turn: Turn, *, holds: bool = True
) -> ContractChange:
    """A change of a promise. One that does not hold (a warning) hurts nobody when it changes.

    The kind gets an ending: `added`, `removed`, or `tightened`, `loosened` and `changed`.
    """
    ending = _ENDINGS[turn] if old and new else "added" if new else "removed"
    level = _LEVELS[turn] if holds else COMPATIBLE
    reason = _REASONS[turn] if holds else "It only warns: no row is held back because of it."
    return ContractChange(path, f"{kind}_{ending}", old, new, level, reason)


def prose_changes(
    path: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[ContractChange]:
    """Changes of what is for people only."""
    for key in dict.fromkeys((*old, *new)):
        before, after = old.get(key) or None, new.get(key) or None
        if before != after:
            place = f"{path}.{key}" if path else key
            reason = "This is for people: no data and no reader depends on it."
            yield ContractChange(
                place, "prose_changed", shown(before), shown(after), COMPATIBLE, reason, True
            )


def shown(value: Any) -> str:
    """A value for people, cut where it is long; "" for None."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        text = ", ".join(shown(item) for item in value)
    elif isinstance(value, Mapping):
        text = "; ".join(f"{key}: {shown(item)}" for key, item in value.items())
    else:
        text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 3]}..."
