"""Tags: names for snapshots, which keep them from being removed, and what is read by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import pyarrow as pa
from pyiceberg.table.refs import SnapshotRefType
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.table.update import (
    AssertRefSnapshotId,
    AssertTableUUID,
    RemovePropertiesUpdate,
    RemoveSnapshotRefUpdate,
    SetSnapshotRefUpdate,
    TableUpdate,
)
from pyiceberg.table.update.snapshot import ManageSnapshots

from quality_platform.errors import ConcurrentLoadError, TableNotFoundError, TableSchemaError
from quality_platform.lake.catalog import Lake, Table, translated
from quality_platform.lake.data_files import StagedFile
from quality_platform.lake.file_entries import data_file_of
from quality_platform.lake.reading import tasks_of

_ATTEMPTS = 20
"""How often a commit is tried while other runs commit to the same table."""

Done = TypeVar("Done")


@dataclass(frozen=True)
class TaggedCommit:
    """What is committed as one: files in place of all others, a tag on them, and properties.

    `summary` are properties of the snapshot.
    """

    tag: str
    files: Sequence[StagedFile]
    properties: Mapping[str, str]
    summary: Mapping[str, str]


def tags_of(table: Table) -> dict[str, int]:
    """The table's tags with the ids of their snapshots."""
    refs = table.refs().items()
    return {n: r.snapshot_id for n, r in refs if r.snapshot_ref_type is SnapshotRefType.TAG}


def set_tag(lake: Lake, identifier: str, tag: str, snapshot_id: int) -> None:
    """Gives a snapshot a name that no branch or tag of the table has.

    Raises:
        TableNotFoundError: there is no such table, or it no longer has the snapshot.
        ConcurrentLoadError: other runs were faster each time.
    """

    def commit() -> None:
        table = lake.table(identifier)
        if table.snapshot_by_id(snapshot_id) is None:
            raise TableNotFoundError(
                f"{identifier} has no snapshot {snapshot_id} any more",
                action="run it again: it takes the newest one",
            )
        with translated(lake):
            table.manage_snapshots().create_tag(snapshot_id, tag).commit()

    _again(commit)


def remove_tags(lake: Lake, identifier: str, tags: Sequence[str]) -> tuple[str, ...]:
    """Removes tags; returns those that were there. Snapshots stay until upkeep removes them.

    Raises:
        ConcurrentLoadError: other runs were faster each time.
    """

    def commit() -> tuple[str, ...]:
        table = lake.find_table(identifier)
        there = tuple(tag for tag in tags if table is not None and tag in tags_of(table))
        if table is None or not there:
            return ()
        with translated(lake):
            manager = table.manage_snapshots()
            for tag in there:
                manager = manager.remove_tag(tag)
            manager.commit()
        return there

    return _again(commit)


def tagged_snapshot(table: Table, tag: str) -> Snapshot:
    """The snapshot of a tag.

    Raises:
        TableNotFoundError: there is no such tag.
    """
    found = tags_of(table)
    snapshot = table.snapshot_by_id(found[tag]) if tag in found else None
    if snapshot is None:
        raise TableNotFoundError(
            f"{'.'.join(table.name())} has no tag {tag!r}", allowed=sorted(found)
        )
    return snapshot


def as_it_was(table: Table, snapshot: Snapshot) -> Table:
    """The table with the columns that it had when the snapshot was made, to be read only."""
    if snapshot.schema_id in (None, table.metadata.current_schema_id):
        return table
    then = copy(table)
    then.metadata = table.metadata.model_copy(update={"current_schema_id": snapshot.schema_id})
    return then


def plain_schema(table: Table, names: Sequence[str]) -> pa.Schema:
    """These columns of a table: Arrow's ordinary types, all nullable, without metadata.

    A type of the lake has one such type, whatever wrote the rows.
    """
    known = table.schema().as_arrow()
    return pa.schema([pa.field(name, _plain(known.field(name).type)) for name in names])


def _plain(kind: Any) -> pa.DataType:
    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_large_binary(kind):
        return pa.binary()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        # What wrote the rows may have called the items otherwise.
        return pa.list_(pa.field("element", _plain(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([_plain_field(kind.field(n)) for n in range(kind.num_fields)])
    if pa.types.is_map(kind):
        return cast("pa.DataType", pa.map_(_plain(kind.key_type), _plain(kind.item_type)))
    return cast("pa.DataType", kind)


def _plain_field(field: pa.Field[Any]) -> pa.Field[Any]:
    return pa.field(field.name, _plain(field.type))


def table_with_columns(
    lake: Lake, identifier: str, schema: pa.Schema, properties: Mapping[str, str]
) -> Table:
    """A table that has these columns, and may have others; made, or given more, where needed.

    `properties` are those of a table that is made. Field metadata and nullability do not count.

    Raises:
        TableSchemaError: there is one with a column of another type.
        ConcurrentLoadError: other runs were faster each time.
    """
    plain = pa.schema([_plain_field(field) for field in schema])

    def commit() -> Table:
        found = lake.find_table(identifier)
        table = found or lake.create_table(identifier, plain, properties)
        if set(plain.names) - set(table.schema().column_names):
            with translated(lake), table.update_schema() as update:
                update.union_by_name(plain)
        return table

    table = _again(commit)
    known = plain_schema(table, plain.names)
    for field in plain:
        there = known.field(field.name).type
        if there != field.type:
            raise TableSchemaError(
                f"{identifier} has a column {field.name!r} of another type",
                field=field.name,
                received=field.type,
                allowed=there,
                action="cast it to that type, or choose another name for the table",
            )
    return table


def replace_and_tag(lake: Lake, table: Table, commit: TaggedCommit) -> Snapshot:
    """Makes the files all that `main` has, with the tag on them, in one commit.

    What others committed since `table` was loaded is no obstacle, unless it is the tag or changed
    the columns.

    Raises:
        ConcurrentLoadError: the tag is there already, the columns have changed, or other runs were
            faster each time; nothing was committed.
    """
    columns = table.metadata.current_schema_id

    def attempt() -> Snapshot | None:
        with translated(lake):
            table.refresh()
        if commit.tag in table.refs() or table.metadata.current_schema_id != columns:
            return None
        _commit(lake, table, commit)
        return tagged_snapshot(table, commit.tag)

    made = _again(attempt)
    if made is None:
        raise ConcurrentLoadError(
            f"another run made {commit.tag!r} of {'.'.join(table.name())}, or changed its columns, "
            "meanwhile; nothing of this one was committed",
            action="run it again",
        )
    return made


def _commit(lake: Lake, table: Table, commit: TaggedCommit) -> None:
    gone = [task.file for task in tasks_of(table)] if table.current_snapshot() else []
    with translated(lake), table.transaction() as transaction:
        transaction.set_properties(dict(commit.properties))
        update = transaction.update_snapshot(snapshot_properties=dict(commit.summary))
        producer = update.overwrite() if gone else update.fast_append()
        for file in gone:
            producer.delete_data_file(file)
        for staged in commit.files:
            producer.append_data_file(data_file_of(table, staged))
        producer.commit()
        head = transaction.table_metadata.current_snapshot_id
        assert head is not None
        # Whoever makes a tag moves main: its compare-and-swap stands for that of the tag.
        ManageSnapshots(transaction).create_tag(head, commit.tag).commit()


def forget_tag(lake: Lake, identifier: str, tag: str, properties: Sequence[str]) -> Snapshot | None:
    """Removes a tag with properties that tell of it; returns its snapshot, None for no tag.

    Where that is the head of `main`, the newest of the other tags becomes it; without another,
    `main` has no rows any more.

    Raises:
        ConcurrentLoadError: other runs were faster each time.
    """

    def commit() -> Snapshot | None:
        table = lake.find_table(identifier)
        if table is None or tag not in tags_of(table):
            return None
        snapshot = tagged_snapshot(table, tag)
        obsolete = [name for name in properties if name in table.properties]
        others = [tagged_snapshot(table, name) for name in tags_of(table) if name != tag]
        if table.metadata.current_snapshot_id != snapshot.snapshot_id:
            _move(lake, table, tag, obsolete, None)
        elif others:
            newest = max(others, key=lambda other: other.sequence_number or 0)
            _move(lake, table, tag, obsolete, newest)
        else:
            _clear(lake, table, tag, obsolete)
        return snapshot

    return _again(commit)


def _move(
    lake: Lake, table: Table, tag: str, properties: Sequence[str], head: Snapshot | None
) -> None:
    """Removes a tag and properties, and sets `main` to another snapshot where one is given."""
    updates: list[TableUpdate] = [RemoveSnapshotRefUpdate.model_validate({"ref-name": tag})]
    if properties:
        updates.append(RemovePropertiesUpdate(removals=list(properties)))
    if head is not None:
        told = {"ref-name": "main", "type": SnapshotRefType.BRANCH}
        main = SetSnapshotRefUpdate.model_validate({**told, "snapshot-id": head.snapshot_id})
        updates.append(main)
    unmoved = [
        AssertRefSnapshotId.model_validate({"ref": name, "snapshot-id": ref.snapshot_id})
        for name, ref in table.refs().items()
    ]
    same = AssertTableUUID(uuid=table.metadata.table_uuid)
    with translated(lake):
        lake.catalog.commit_table(table, (same, *unmoved), tuple(updates))


def _clear(lake: Lake, table: Table, tag: str, properties: Sequence[str]) -> None:
    """Removes a tag and properties, and all rows of `main`."""
    gone = [task.file for task in tasks_of(table)]
    with translated(lake), table.transaction() as transaction:
        if properties:
            transaction.remove_properties(*properties)
        update = transaction.update_snapshot()
        producer = update.overwrite() if gone else update.fast_append()
        for file in gone:
            producer.delete_data_file(file)
        producer.commit()
        ManageSnapshots(transaction).remove_tag(tag).commit()


def _again(commit: Callable[[], Done]) -> Done:
    for _ in range(_ATTEMPTS - 1):
        try:
            return commit()
        except ConcurrentLoadError:
            continue
    return commit()
