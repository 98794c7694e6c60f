"""What must be done to a table's schema so that it fits its contract; nothing is done here.

Which changes are allowed: https://iceberg.apache.org/spec/#schema-evolution, and docs/evolution.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pyarrow as pa
from pyiceberg.io.pyarrow import pyarrow_to_schema
from pyiceberg.schema import Schema
from pyiceberg.types import (
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StructType,
)

_FIELD_ID = b"PARQUET:field_id"


class Change(StrEnum):
    """The kinds of steps.

    Those of `BREAKING` cannot be done. `REPLACE` is for a table that was never published to: a
    column with a `field` is made anew, one without is dropped.
    """

    RENAME = "rename"
    ADD = "add"
    WIDEN = "widen"
    RELAX = "relax"
    DOCUMENT = "document"
    REORDER = "reorder"
    REQUIRE = "require"
    REMOVE = "remove"
    ADD_REQUIRED = "add required"
    CHANGE_TYPE = "change type"
    REPLACE = "replace"


BREAKING = frozenset({Change.REQUIRE, Change.REMOVE, Change.ADD_REQUIRED, Change.CHANGE_TYPE})
"""Steps that would take something from the readers, or that rows of before could not satisfy."""


@dataclass(frozen=True)
class Step:
    """One step: its kind, the column's path in the table, and what it is and will be, for people.

    `field` is the column as the contract has it, `order` the names of a reordered struct.
    """

    change: Change
    path: tuple[str, ...]
    old: str = ""
    new: str = ""
    field: NestedField | None = None
    order: tuple[str, ...] = ()

    def __str__(self) -> str:
        name = ".".join(self.path) or "columns"
        match self.change:
            case Change.ADD | Change.ADD_REQUIRED:
                return f"{name}: new, {self.new}"
            case Change.REMOVE:
                return f"{name}: removed, {self.old}"
            case Change.DOCUMENT:
                return f"{name}: new description"
            case _:
                return f"{name}: {self.old} becomes {self.new}"


@dataclass(frozen=True)
class TableState:
    """What is known of the table: its schema, and the field of each contract property by its id.

    `rows_without` gives the number of rows that have no value in a field, by the field's id; it may
    count too many, never too few.
    """

    schema: Schema
    fields_of_ids: Mapping[str, int] = field(default_factory=dict)
    has_rows: bool = True
    rows_without: Callable[[int], int] = lambda _: 0


def plan(wanted: pa.Schema, property_ids: Mapping[str, str], state: TableState) -> tuple[Step, ...]:
    """The steps from the table to the contract's columns; () where there is nothing to do.

    Args:
        wanted: the contract's columns, with documentation in the fields' `doc` metadata.
        property_ids: the contract's ids of its properties, by column name; needed for renames.
        state: the table.
    """
    columns = iceberg_schema(wanted).fields
    pairs = _matched(columns, property_ids, state)
    renames = [
        Step(Change.RENAME, (old.name,), old.name, new.name)
        for new, old in pairs
        if old is not None and old.name != new.name
    ]
    return (*renames, *_Planner(state).struct((), pairs, state.schema.fields))


def made_anew(steps: Sequence[Step], wanted: pa.Schema, actual: Schema) -> tuple[Step, ...]:
    """The steps for a table whose content does not count: all columns anew where one breaks."""
    if not any(step.change in BREAKING for step in steps):
        return tuple(steps)
    dropped = [Step(Change.REPLACE, (column.name,)) for column in actual.fields]
    added = [Step(Change.REPLACE, (c.name,), field=c) for c in iceberg_schema(wanted).fields]
    return (*dropped, *added)


Pair = tuple[NestedField, NestedField | None]
"""A column of the contract, and the same column of the table where it has it."""


def _matched(
    columns: Sequence[NestedField], property_ids: Mapping[str, str], state: TableState
) -> list[Pair]:
    """The contract's columns with the table's: the same property id, or else the same name."""
    by_id = {f.field_id: f for f in state.schema.fields}
    known = {c.name: state.fields_of_ids.get(property_ids.get(c.name, "")) for c in columns}
    claimed = {field_id for field_id in known.values() if field_id in by_id}
    by_name = {f.name: f for f in state.schema.fields if f.field_id not in claimed}
    return [(new, by_id.get(known[new.name] or 0) or by_name.get(new.name)) for new in columns]


@dataclass(frozen=True)
class _Planner:
    state: TableState

    def struct(
        self, path: tuple[str, ...], pairs: Sequence[Pair], actual: Sequence[NestedField]
    ) -> Iterator[Step]:
        """Steps within a struct, or the table as a whole; `pairs` in the contract's order."""
        kept = [old.field_id for _, old in pairs if old is not None]
        for gone in (f for f in actual if f.field_id not in kept):
            yield Step(Change.REMOVE, (*path, gone.name), str(gone.field_type))
        for new, old in pairs:
            if old is None:
                yield self._added((*path, new.name), new)
            else:
                yield from self._column((*path, new.name), new, old)
        # New columns come last by themselves.
        is_new = [old is None for _, old in pairs]
        if kept != [f.field_id for f in actual if f.field_id in kept] or is_new != sorted(is_new):
            order = tuple(new.name for new, _ in pairs)
            yield Step(Change.REORDER, path, "their order", ", ".join(order), order=order)

    def _added(self, path: tuple[str, ...], new: NestedField) -> Step:
        breaks = new.required and self.state.has_rows
        required = "required " if new.required else ""
        change = Change.ADD_REQUIRED if breaks else Change.ADD
        return Step(change, path, new=f"{required}{new.field_type}", field=new)

    def _column(self, path: tuple[str, ...], new: NestedField, old: NestedField) -> Iterator[Step]:
        if old.required and new.optional:
            yield Step(Change.RELAX, path, "required", "optional")
        missing = self.state.rows_without(old.field_id) if new.required and old.optional else 0
        if missing:
            yield Step(Change.REQUIRE, path, f"optional ({missing} rows have no value)", "required")
        if (old.doc or "") != (new.doc or ""):
            yield Step(Change.DOCUMENT, path, field=new)
        yield from self._type(path, new.field_type, old.field_type, new)

    def _type(
        self, path: tuple[str, ...], new: IcebergType, old: IcebergType, column: NestedField
    ) -> Iterator[Step]:
        match new, old:
            case StructType(), StructType():
                by_name = {f.name: f for f in old.fields}
                pairs = [(f, by_name.get(f.name)) for f in new.fields]
                yield from self.struct(path, pairs, old.fields)
            case ListType(), ListType():
                yield from self._column((*path, "element"), new.element_field, old.element_field)
            case MapType(), MapType() if not self._key_changes(new, old):
                yield from self._column((*path, "value"), new.value_field, old.value_field)
            case _ if not _same(new, old):
                change = Change.WIDEN if _is_wider(new, old) else Change.CHANGE_TYPE
                yield Step(change, path, str(old), str(new), column)

    def _key_changes(self, new: MapType, old: MapType) -> list[Step]:
        return list(self._type(("key",), new.key_type, old.key_type, new.key_field))


def _same(new: IcebergType, old: IcebergType) -> bool:
    """Whether two types that have no fields are the same; those with fields never are."""
    return new.is_primitive and new == old


def _is_wider(new: IcebergType, old: IcebergType) -> bool:
    """Whether every value of the old type is one of the new, and Iceberg can read it so."""
    match old, new:
        case (IntegerType(), LongType()) | (FloatType(), DoubleType()):
            return True
        case DecimalType(), DecimalType():
            return new.scale == old.scale and new.precision > old.precision
        case _:
            return False


def iceberg_schema(schema: pa.Schema) -> Schema:
    """The Arrow schema as an Iceberg one; its field ids mean nothing but the order."""
    numbers = itertools.count(1)
    return pyarrow_to_schema(pa.schema([_numbered(field, numbers) for field in schema]))


def _numbered(column: pa.Field[Any], numbers: Iterator[int]) -> pa.Field[Any]:
    metadata: dict[bytes | str, bytes | str] = {_FIELD_ID: str(next(numbers))}
    for key, value in (column.metadata or {}).items():
        metadata[key] = value
    return column.with_type(_numbered_type(column.type, numbers)).with_metadata(metadata)


def _numbered_type(kind: Any, numbers: Iterator[int]) -> Any:
    if pa.types.is_struct(kind):
        return pa.struct([_numbered(field, numbers) for field in kind])
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(_numbered(kind.value_field, numbers))
    if pa.types.is_map(kind):
        key, item = _numbered(kind.key_field, numbers), _numbered(kind.item_field, numbers)
        return pa.map_(key, item)
    return kind
