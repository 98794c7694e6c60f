"""Tags of tables, and commits that have one."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from quality_platform.errors import ConcurrentLoadError, TableNotFoundError, TableSchemaError
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.data_files import RollingWriter, StagedFile
from quality_platform.lake.reading import batches_of
from quality_platform.lake.tags import (
    TaggedCommit,
    as_it_was,
    forget_tag,
    plain_schema,
    remove_tags,
    replace_and_tag,
    set_tag,
    table_with_columns,
    tagged_snapshot,
    tags_of,
)

NAME = "sets.one"
SCHEMA = pa.schema([("id", pa.int64())])


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    uri, warehouse = f"sqlite:///{tmp_path}/catalog.db", f"file://{tmp_path}/warehouse"
    return Lake("lake", {"type": "sql", "uri": uri, "warehouse": warehouse})


@pytest.fixture
def table(lake: Lake) -> Table:
    return table_with_columns(lake, NAME, SCHEMA, {"kind": "set"})


def staged(table: Table, *ids: int) -> tuple[StagedFile, ...]:
    writer = RollingWriter(table, f"x{'-'.join(map(str, ids))}")
    columns = [pa.array(ids, pa.int64())]
    others = [pa.nulls(len(ids), field.type) for field in list(writer.schema)[1:]]
    writer.write(pa.RecordBatch.from_arrays([*columns, *others], names=writer.schema.names))
    return writer.close()


def commit(lake: Lake, table: Table, tag: str, *ids: int) -> None:
    files = staged(table, *ids)
    replace_and_tag(lake, table, TaggedCommit(tag, files, {f"of.{tag}": str(ids)}, {"by": "me"}))


def ids(lake: Lake, tag: str = "") -> list[int]:
    table = lake.table(NAME)
    snapshot = tagged_snapshot(table, tag) if tag else table.current_snapshot()
    assert snapshot is not None
    then = as_it_was(table, snapshot)
    batches = batches_of(then, snapshot.snapshot_id, columns=["id"])
    return [n for batch in batches for n in batch.column("id").to_pylist()]


def test_rows_tag_and_properties_are_one_commit(lake: Lake, table: Table) -> None:
    before = len(lake.table(NAME).metadata.metadata_log)
    commit(lake, table, "v1", 1, 2)
    found = lake.table(NAME)
    assert len(found.metadata.metadata_log) == before + 1
    assert (ids(lake, "v1"), found.properties["of.v1"]) == ([1, 2], "(1, 2)")
    assert tagged_snapshot(found, "v1").summary["by"] == "me"


def test_each_commit_takes_the_place_of_what_main_had(lake: Lake, table: Table) -> None:
    commit(lake, table, "v1", 1)
    commit(lake, table, "v2", 2, 3)
    assert (ids(lake), ids(lake, "v1"), ids(lake, "v2")) == ([2, 3], [1], [2, 3])


def test_a_tag_that_is_there_is_not_moved(lake: Lake, table: Table) -> None:
    late = lake.table(NAME)
    commit(lake, table, "v1", 1)
    with pytest.raises(ConcurrentLoadError, match="another run made 'v1'"):
        commit(lake, late, "v1", 2)
    assert ids(lake, "v1") == [1]


def test_what_another_run_committed_is_no_obstacle_but_new_columns_are(
    lake: Lake, table: Table
) -> None:
    late, later = lake.table(NAME), lake.table(NAME)
    commit(lake, table, "v1", 1)
    commit(lake, late, "v2", 2)
    table_with_columns(lake, NAME, pa.schema([("id", pa.int64()), ("x", pa.string())]), {})
    with pytest.raises(ConcurrentLoadError, match="changed its columns"):
        commit(lake, later, "v3", 3)
    assert (ids(lake, "v1"), ids(lake, "v2")) == ([1], [2])


def test_a_snapshot_keeps_the_columns_of_its_time(lake: Lake, table: Table) -> None:
    commit(lake, table, "v1", 1)
    wider = table_with_columns(lake, NAME, pa.schema([("x", pa.large_string())]), {})
    assert wider.properties["kind"] == "set"
    commit(lake, wider, "v2", 2)
    now = lake.table(NAME)
    columns = {t: as_it_was(now, tagged_snapshot(now, t)).schema() for t in ("v1", "v2")}
    assert columns["v1"].column_names == ["id"]
    assert columns["v2"].column_names == ["id", "x"]
    assert plain_schema(now, ["x"]) == pa.schema([("x", pa.string())])


def test_a_column_of_another_type_is_refused(lake: Lake, table: Table) -> None:
    with pytest.raises(TableSchemaError, match="'id' of another type"):
        table_with_columns(lake, NAME, pa.schema([("id", pa.string())]), {})


def test_types_that_hold_others_are_the_same_whoever_wrote_them(lake: Lake) -> None:
    kind = pa.struct([("a", pa.large_list(pa.field("item", pa.large_string())))])
    schema = pa.schema([("s", kind), ("m", pa.map_(pa.large_string(), pa.int64()))])
    for _ in range(2):
        table = table_with_columns(lake, "sets.nested", schema, {})
    plain = plain_schema(table, ["s", "m"])
    assert str(plain.field("s").type) == "struct<a: list<element: string>>"
    assert str(plain.field("m").type).startswith("map<string, int64")


def test_tags_are_set_and_removed_and_those_of_others_stay(lake: Lake, table: Table) -> None:
    commit(lake, table, "v1", 1)
    snapshot = tagged_snapshot(lake.table(NAME), "v1").snapshot_id
    set_tag(lake, NAME, "pin", snapshot)
    assert tags_of(lake.table(NAME)) == {"v1": snapshot, "pin": snapshot}
    assert remove_tags(lake, NAME, ["pin", "none"]) == ("pin",)
    assert remove_tags(lake, NAME, ["pin"]) == ()
    assert remove_tags(lake, "sets.none", ["pin"]) == ()
    assert tags_of(lake.table(NAME)) == {"v1": snapshot}


def test_a_snapshot_that_is_gone_cannot_be_tagged(lake: Lake, table: Table) -> None:
    commit(lake, table, "v1", 1)
    with pytest.raises(TableNotFoundError, match="no snapshot 17 any more"):
        set_tag(lake, NAME, "pin", 17)
    with pytest.raises(TableNotFoundError, match="no tag 'v9'"):
        tagged_snapshot(lake.table(NAME), "v9")


@pytest.mark.parametrize(("tag", "left"), [("v1", [3]), ("v2", [3]), ("v3", [2])])
def test_the_newest_of_the_others_is_what_readers_see(
    lake: Lake, table: Table, tag: str, left: list[int]
) -> None:
    for number in (1, 2, 3):
        commit(lake, table, f"v{number}", number)
    snapshot = forget_tag(lake, NAME, tag, [f"of.{tag}", "of.none"])
    assert snapshot is not None
    found = lake.table(NAME)
    assert (ids(lake), set(tags_of(found))) == (left, {"v1", "v2", "v3"} - {tag})
    assert f"of.{tag}" not in found.properties
    assert forget_tag(lake, NAME, tag, []) is None


def test_without_any_tag_main_is_empty(lake: Lake, table: Table) -> None:
    commit(lake, table, "v1", 1)
    forget_tag(lake, NAME, "v1", ["of.v1"])
    found = lake.table(NAME)
    assert (ids(lake), tags_of(found), "of.v1" in found.properties) == ([], {}, False)
