"""Arranges many rows and prints how its memory grew: python measured_arranging.py FOLDER ROWS."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyiceberg.table import Table
from support.lake_tables import RUNNER

from quality_platform.config.layout_terms import PartitionTerm, SortTerm, TableLayout
from quality_platform.lake.catalog import Lake
from quality_platform.lake.data_files import RollingWriter
from quality_platform.lake.layout import arrange
from quality_platform.lake.layout_spec import apply_layout
from quality_platform.lake.query import EngineSettings

SCHEMA = pa.schema([("id", pa.int64()), ("part", pa.int32()), ("note", pa.string())])
BATCH = 10_000


def table_in(folder: Path) -> Table:
    """A table with partitions and a sort order."""
    properties = {
        "type": "sql",
        "uri": f"sqlite:///{folder}/catalog.db",
        "warehouse": f"file://{folder}/warehouse",
    }
    table = Lake("lake", properties, RUNNER).ensure_table("shop.orders", SCHEMA)
    with table.transaction() as transaction:
        apply_layout(transaction, TableLayout((PartitionTerm("part"),), (SortTerm("id"),)))
    return table


def peak() -> int:
    """The greatest memory so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """Prints one JSON object; memory is in megabytes."""
    table, rows = table_in(Path(sys.argv[1])), int(sys.argv[2])
    chance, writer = np.random.default_rng(1), RollingWriter(table, "load-a")
    note = "a note of some length " * 5
    for _ in range(rows // BATCH):
        ids = chance.integers(0, 10**12, BATCH)
        parts = chance.integers(0, 20, BATCH).astype(np.int32)
        notes = [f"{number} {note}" for number in ids]
        columns = [pa.array(ids), pa.array(parts), pa.array(notes)]
        writer.write(pa.record_batch(columns, schema=SCHEMA))
    staged, before = writer.close(), peak()
    files = arrange(table, staged, EngineSettings(memory_limit_mb=512), "load-b", 128 * 2**20)
    found = {"rows": sum(f.rows for f in files), "files": len(files), "grown": peak() - before}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
