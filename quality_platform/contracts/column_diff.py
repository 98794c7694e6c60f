"""What changed in one column: its type and what the contract promises of its values."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from quality_platform.contracts.changes import ContractChange
from quality_platform.contracts.column_types import integer_bounds, text_length
from quality_platform.contracts.diff_parts import (
    BREAKING,
    COMPATIBLE,
    FORWARD_ONLY,
    prose_changes,
    shown,
    turned,
)
from quality_platform.contracts.models import Property, SchemaObject
from quality_platform.contracts.promises import Turn, turn_of_bound, turn_of_sets
from quality_platform.contracts.schemas import arrow_schema
from quality_platform.errors import ContractError

_WIDER = {(pa.int32(), pa.int64()), (pa.float32(), pa.float64())}


def column_changes(path: str, old: Property, new: Property) -> Iterator[ContractChange]:
    """The changes of a column by itself; not those of its nested properties and quality rules."""
    yield from _type(path, old, new)
    yield from _flags(path, old, new)
    yield from _options(path, old, new)
    yield from _enum(path, old, new)
    yield from _classification(path, old, new)
    if old.source_name != new.source_name and (old.physical_name or new.physical_name):
        reason = "Files that name the column as before can be loaded no more."
        yield ContractChange(
            f"{path}.physicalName",
            "source_name_changed",
            old.source_name,
            new.source_name,
            FORWARD_ONLY,
            reason,
        )
    yield from prose_changes(path, _prose(old), _prose(new))


def _prose(column: Property) -> dict[str, object]:
    return {
        "description": column.description,
        "businessName": column.business_name,
        "tags": column.tags,
        "examples": column.examples,
        "criticalDataElement": column.is_critical,
    }


def _type(path: str, old: Property, new: Property) -> Iterator[ContractChange]:
    was, now = _type_text(old), _type_text(new)
    if was == now:
        return
    before, after = _arrow_type(old), _arrow_type(new)
    limits = _turn_of_limits(old, new) if before == after else None
    if before is not None and before == after and limits is None:
        reason = "Tables of the platform have the same type as before."
        yield ContractChange(path, "type_respelled", was, now, COMPATIBLE, reason)
    elif limits is Turn.TIGHTER:
        reason = "Values of before may be longer or greater than the new type allows."
        yield ContractChange(path, "type_limit_tightened", was, now, FORWARD_ONLY, reason)
    elif limits is Turn.LOOSER or _is_wider(before, after):
        reason = "Every value of before fits, and readers take the type from the table."
        yield ContractChange(path, "type_widened", was, now, COMPATIBLE, reason)
    else:
        narrowed = _is_wider(after, before)
        reason = (
            "Values of before may not fit into the new type, so that no table can hold both."
            if narrowed
            else "Readers meet values of another type, and no table can hold both."
        )
        kind = "type_narrowed" if narrowed else "type_changed"
        yield ContractChange(path, kind, was, now, BREAKING, reason)


def _turn_of_limits(old: Property, new: Property) -> Turn | None:
    """How the limits changed that only the written type has: varchar(n), smallint."""
    least_was, most_was = integer_bounds(old) or (None, None)
    least_now, most_now = integer_bounds(new) or (None, None)
    turns = {
        turn_of_bound("maxLength", text_length(old), text_length(new)),
        turn_of_bound("minimum", least_was, least_now),
        turn_of_bound("maximum", most_was, most_now),
    } - {None}
    return turns.pop() if len(turns) == 1 else Turn.OTHER if turns else None


def _type_text(column: Property) -> str:
    physical = f" ({column.physical_type})" if column.physical_type else ""
    return f"{column.logical_type}{physical}"


def _arrow_type(column: Property) -> pa.DataType | None:
    """The type in the platform's tables; None where they have none, or it is a nested one.

    What a nested column holds is compared part by part.
    """
    if column.parts:
        return None
    table = SchemaObject("column", column.location, (column,))
    try:
        found: pa.DataType = arrow_schema(table).field(0).type
        return found
    except ContractError:
        return None


def _is_wider(old: pa.DataType | None, new: pa.DataType | None) -> bool:
    """Whether a table can turn the old type into the new one (the rules of Iceberg)."""
    if old is None or new is None:
        return False
    if pa.types.is_decimal128(old) and pa.types.is_decimal128(new):
        return bool(old.scale == new.scale and new.precision > old.precision)
    return (old, new) in _WIDER


def _flags(path: str, old: Property, new: Property) -> Iterator[ContractChange]:
    for key, was, now in (
        ("required", old.required, new.required),
        ("unique", old.unique, new.unique),
    ):
        if was != now:
            turn = Turn.TIGHTER if now else Turn.LOOSER
            texts = str(was).lower(), str(now).lower()
            yield turned(f"{path}.{key}", key, *texts, turn)


def _options(path: str, old: Property, new: Property) -> Iterator[ContractChange]:
    for option in dict.fromkeys((*old.options, *new.options)):
        was, now = old.options.get(option), new.options.get(option)
        turn: Turn | None = None
        if option.casefold().startswith(("min", "max", "exclusive")):
            turn = turn_of_bound(option, was, now)
        elif was != now:
            # Of two patterns or formats nobody can say which one allows more.
            turn = Turn.TIGHTER if was is None else Turn.LOOSER if now is None else Turn.OTHER
        if turn is not None:
            place = f"{path}.logicalTypeOptions.{option}"
            yield turned(place, "option", shown(was), shown(now), turn)


def _enum(path: str, old: Property, new: Property) -> Iterator[ContractChange]:
    if old.enum and new.enum:
        turn = turn_of_sets(old.enum, new.enum)
    elif old.enum or new.enum:
        turn = Turn.LOOSER if old.enum else Turn.TIGHTER
    else:
        turn = None
    if turn is not None:
        yield turned(f"{path}.enum", "enum", shown(old.enum), shown(new.enum), turn)


def _classification(path: str, old: Property, new: Property) -> Iterator[ContractChange]:
    if old.classification == new.classification:
        return
    place, texts = f"{path}.classification", (old.classification, new.classification)
    if old.is_restricted and not new.is_restricted:
        reason = "Values that were masked are shown: the people whose data it is must agree."
        yield ContractChange(place, "protection_lowered", *texts, BREAKING, reason)
    elif new.is_restricted and not old.is_restricted:
        reason = "Data of before was shown to more people than the contract allows now."
        yield ContractChange(place, "protection_raised", *texts, FORWARD_ONLY, reason)
    else:
        reason = "Both are protected alike."
        yield ContractChange(place, "classification_changed", *texts, COMPATIBLE, reason)
