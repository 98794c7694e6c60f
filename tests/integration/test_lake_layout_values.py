"""Arranged rows: every value comes out as it went in, in the partition of Iceberg's reference."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyiceberg.utils import datetime as iceberg_times
from support.lake_tables import open_lake
from support.layouts import (
    COLUMNS,
    ENGINE,
    SCHEMA,
    TARGET,
    array_of,
    batches,
    exact,
    layout_of,
    publish,
    rows_of,
    stage,
    table_of,
)

from quality_platform.errors import TableSchemaError
from quality_platform.lake import commits
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.data_files import RollingWriter
from quality_platform.lake.layout import arrange, placement_of
from quality_platform.lake.position import Position


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(tmp_path / "lake")


PARTITIONS = [
    "flag", "small", "large", "price", "sum", "day", "clock", "local", "instant", "text", "bytes",
    "guid", "place.city", "year(day)", "month(day)", "day(day)", "year(local)", "month(local)",
    "day(local)", "hour(local)", "year(instant)", "month(instant)", "day(instant)",
    "hour(instant)", "bucket(7, small)", "bucket(7, large)", "bucket(7, price)", "bucket(7, sum)",
    "bucket(7, day)", "bucket(7, clock)", "bucket(7, local)", "bucket(7, instant)",
    "bucket(7, text)", "bucket(7, bytes)", "bucket(7, guid)", "truncate(10, small)",
    "truncate(10, large)", "truncate(10, price)", "truncate(10, sum)", "truncate(2, text)",
    "bucket(3, place.city)",
]  # fmt: skip


@settings(
    max_examples=25,
    deadline=None,
    # A failure is told as it was found: making it smaller takes minutes.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    rows=batches(),
    partitions=st.lists(st.sampled_from(PARTITIONS), max_size=2, unique=True),
    keys=st.lists(
        st.sampled_from([*list(COLUMNS)[:14], "place.height", "text desc", "double desc"]),
        max_size=2, unique_by=lambda key: key.split()[0],
    ),
)  # fmt: skip
def test_every_value_comes_out_of_the_arranging_as_it_went_in(
    tmp_path: Path, rows: pa.RecordBatch, partitions: list[str], keys: list[str]
) -> None:
    if len({p.rpartition("(")[2] for p in partitions}) < len(partitions):
        partitions = partitions[:1]
    lake = open_lake(tmp_path / uuid.uuid4().hex)
    table = table_of(lake, SCHEMA, layout_of(partitions, keys))
    plain = RollingWriter(table, "load-plain", TARGET)
    plain.write(rows)
    staged = plain.close()
    before = sorted(repr(exact(row)) for file in staged for row in rows_of(table, file))
    files = arrange(table, staged, ENGINE, "load-laid", TARGET)
    after = [repr(exact(row)) for file in files for row in rows_of(table, file)]
    assert sorted(after) == before
    commits.publish(lake, table, files, Position(), {})
    assert table.scan().to_arrow().num_rows == rows.num_rows
    for file in files if partitions else ():
        assert file.placement is not None
        expected = {_partition_by_reference(table, row) for row in rows_of(table, file)}
        assert expected == {file.placement.partition}
    assert not partitions or len({file.placement for file in files}) == len(files)


def _partition_by_reference(table: Table, row: dict[str, Any]) -> tuple[Any, ...]:
    """The partition of a row by pyiceberg's own functions of single values."""
    schema = table.schema()
    found = []
    for field in table.spec().fields:
        value: Any = row
        for name in str(schema.find_column_name(field.source_id)).split("."):
            value = None if value is None else value[name]
        kind = schema.find_type(field.source_id)
        found.append(field.transform.transform(kind)(_internal(value)))
    return tuple(found)


def _internal(value: Any) -> Any:
    """A value as Iceberg stores it."""
    match value:
        case datetime():
            return iceberg_times.datetime_to_micros(value.replace(tzinfo=None))
        case date():
            return iceberg_times.date_to_days(value)
        case time():
            return iceberg_times.time_to_micros(value)
        case uuid.UUID():
            return value.bytes
        case _:
            return value


EDGES: dict[str, list[Any]] = {
    "small": [-(2**31) + 8, -1, 0, 2**31 - 1],
    "large": [-(2**63) + 8, -11, -10, 2**63 - 1],
    "price": [Decimal("-9999999.90"), Decimal("-0.01"), Decimal("0.05"), Decimal("9999999.99")],
    "sum": [Decimal(-(10**28)), Decimal("-0.000000001"), Decimal(0), Decimal(10**28)],
    "day": [date(1, 1, 1), date(1969, 12, 31), date(1970, 1, 1), date(9999, 12, 31)],
    "local": [
        datetime(1, 1, 1),
        datetime(1969, 12, 31, 23, 59, 59, 999_999),
        datetime(1960, 2, 29),
        datetime(9999, 12, 31, 23, 59, 59, 999_999),
    ],
    "text": ["", "a", "\U0001f642\U0001f642\U0001f642", "a\0b"],
    "bytes": [b"", b"\0", b"\xff" * 20, b"abc"],
    "clock": [time(0), time(12), time(23, 59, 59, 999_999), time(1)],
    "guid": [b"\0" * 16, b"\xff" * 16, b"g" * 16, b"\x80" + b"\0" * 15],
    "flag": [True, False, True, False],
}
EDGES["instant"] = EDGES["local"]
EDGES["place"] = [{"city": city, "height": None} for city in ("x", None, "", "y")]


@pytest.mark.parametrize("term", PARTITIONS)
def test_partition_values_are_those_of_the_reference(lake: Lake, term: str) -> None:
    columns = [array_of(f.type, [*EDGES.get(f.name, [None] * 4), None]) for f in SCHEMA]
    table = table_of(lake, SCHEMA, layout_of([term]))
    files = publish(lake, table, pa.record_batch(columns, SCHEMA))
    assert sum(file.rows for file in files) == 5
    for file in files:
        assert file.placement is not None
        expected = {_partition_by_reference(table, row) for row in rows_of(table, file)}
        assert expected == {file.placement.partition}


def test_the_placement_of_a_published_file_is_that_of_the_staged_one(lake: Lake) -> None:
    terms = [term for term in PARTITIONS if "(" not in term]
    row = {
        "flag": True, "small": 1, "large": 2, "price": Decimal("1.20"), "sum": Decimal(3),
        "day": date(1960, 2, 3), "clock": time(1, 2), "local": datetime(1900, 1, 1),
        "instant": datetime(1900, 1, 1, tzinfo=UTC), "text": "é/../ =", "bytes": b"\xff",
        "guid": b"g" * 16, "place": {"city": "x", "height": 1.0},
    }  # fmt: skip
    columns = [array_of(field.type, [row.get(field.name), None]) for field in SCHEMA]
    table = table_of(lake, SCHEMA, layout_of(terms, ["large"]))
    staged = {file.uri: file for file in publish(lake, table, pa.record_batch(columns, SCHEMA))}
    published = [task.file for task in lake.table("shop.things").scan().plan_files()]
    assert len(published) == 2
    for file in published:
        assert placement_of(table, file) == staged[file.file_path].placement
        assert file.sort_order_id == table.sort_order().order_id


@pytest.mark.parametrize(
    ("column", "value"),
    [("small", -(2**31)), ("large", -(2**63)), ("price", Decimal("-9999999.99"))],
)
def test_a_number_too_small_to_be_truncated_is_refused(
    lake: Lake, column: str, value: object
) -> None:
    table = table_of(lake, SCHEMA, layout_of([f"truncate(100, {column})"]))
    rows = pa.RecordBatch.from_pylist([{column: value}], schema=SCHEMA)
    with pytest.raises(TableSchemaError, match=rf"truncate\(\) of {column}") as caught:
        stage(table, rows)
    assert str(value) not in str(caught.value)
