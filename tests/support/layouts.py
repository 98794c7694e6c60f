"""Tables with a layout, and rows of every type for them."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from quality_platform.config.layout_terms import PartitionTerm, SortTerm, TableLayout
from quality_platform.lake import commits
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.data_files import RollingWriter, StagedFile, read_batches
from quality_platform.lake.evolution import TableDefinition, ensure_tables
from quality_platform.lake.layout import arrange
from quality_platform.lake.position import Position
from quality_platform.lake.query import EngineSettings

ENGINE = EngineSettings(memory_limit_mb=100, threads=2)
TARGET = 10**7


def layout_of(partition_by: Sequence[str] = (), sort_by: Sequence[str] = ()) -> TableLayout:
    """A layout of terms as runner.yaml has them."""
    return TableLayout(
        tuple(map(PartitionTerm.parsed, partition_by)), tuple(map(SortTerm.parsed, sort_by))
    )


def table_of(lake: Lake, schema: pa.Schema, layout: TableLayout, name: str = "things") -> Table:
    """A table with a layout, brought up to it where it is there."""
    main = TableDefinition(f"shop.{name}", schema, layout=layout)
    return ensure_tables(lake, main, TableDefinition(f"quarantine.{name}", schema))[0]


def stage(table: Table, rows: pa.RecordBatch) -> tuple[StagedFile, ...]:
    """The rows, arranged and not committed."""
    prefix = f"load-{uuid.uuid4().hex}"
    writer = RollingWriter(table, prefix, TARGET)
    writer.write(rows)
    return arrange(table, writer.close(), ENGINE, f"{prefix}-laid", TARGET)


def publish(lake: Lake, table: Table, rows: pa.RecordBatch) -> tuple[StagedFile, ...]:
    """The rows, arranged and committed."""
    files = stage(table, rows)
    commits.publish(lake, table, files, Position(), {})
    return files


def rows_of(table: Table, file: StagedFile) -> list[dict[str, Any]]:
    """The rows of a staged file."""
    return [row for batch in read_batches(table, file) for row in batch.to_pylist()]


def exact(value: Any) -> Any:
    """A value that is equal to another only when all bits of it are."""
    match value:
        case float():
            return struct.pack("<d", value)
        case dict():
            return tuple((key, exact(item)) for key, item in value.items())
        case list() | tuple():
            return (type(value).__name__, *map(exact, value))
        case _:
            return (type(value).__name__, str(value) if isinstance(value, Decimal) else value)


TIMES = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
# Numbers at the very end are refused by truncate(), which has a test of its own.
INT32, INT64 = st.integers(-(2**31) + 9, 2**31 - 1), st.integers(-(2**63) + 9, 2**63 - 1)


def decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    """All decimals of a type, but for the nine smallest."""
    most = 10**precision - 1
    return st.integers(-most + 9, most).map(lambda n: Decimal(f"{n}E-{scale}"))


def array_of(kind: pa.DataType, values: list[Any]) -> pa.Array[Any]:
    """Values as an array of the type."""
    if isinstance(kind, pa.UuidType):
        return pa.ExtensionArray.from_storage(kind, pa.array(values, pa.binary(16)))
    return pa.array(values, kind)


COLUMNS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "flag": (pa.bool_(), st.booleans()),
    "small": (pa.int32(), INT32),
    "large": (pa.int64(), INT64),
    "single": (pa.float32(), st.floats(width=32)),
    "double": (pa.float64(), st.floats()),
    "price": (pa.decimal128(9, 2), decimals(9, 2)),
    "sum": (pa.decimal128(38, 9), decimals(38, 9)),
    "day": (pa.date32(), st.dates()),
    "clock": (pa.time64("us"), st.times()),
    "local": (pa.timestamp("us"), TIMES),
    "instant": (pa.timestamp("us", "UTC"), TIMES),
    "text": (pa.string(), TEXT),
    "bytes": (pa.binary(), st.binary(max_size=40)),
    "guid": (pa.uuid(), st.binary(min_size=16, max_size=16)),
    "tags": (pa.list_(pa.field("element", pa.string())), st.lists(st.none() | TEXT, max_size=3)),
    "place": (
        pa.struct([pa.field("city", pa.string()), pa.field("height", pa.float64())]),
        st.fixed_dictionaries({"city": st.none() | TEXT, "height": st.none() | st.floats()}),
    ),
    "lines": (
        pa.list_(pa.field("element", pa.struct([pa.field("sku", pa.string())]))),
        st.lists(st.none() | st.fixed_dictionaries({"sku": st.none() | TEXT}), max_size=3),
    ),
    "counts": (
        pa.map_(pa.string(), pa.int64()),
        st.dictionaries(TEXT, st.none() | INT64, max_size=3).map(lambda d: list(d.items())),
    ),
}
SCHEMA = pa.schema([pa.field(name, kind) for name, (kind, _) in COLUMNS.items()])


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    """Rows of `SCHEMA`."""
    rows = draw(st.integers(1, 12))
    columns = [
        array_of(kind, draw(st.lists(st.none() | values, min_size=rows, max_size=rows)))
        for kind, values in COLUMNS.values()
    ]
    return pa.record_batch(columns, schema=SCHEMA)
