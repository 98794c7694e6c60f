"""Rows of committed data files, read exactly as they are, to be written anew."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyiceberg.manifest import DataFile
from pyiceberg.table import FileScanTask, Table

from quality_platform.errors import AccountingError
from quality_platform.lake.commits import COMPACTED
from quality_platform.lake.data_files import StagedFile, read_batches
from quality_platform.lake.reading import batches_of_tasks


def rows_of_file(table: Table, file: DataFile) -> Iterator[pa.RecordBatch]:
    """The rows of a data file in their order, with the table's columns of today."""
    if len(table.schemas()) == 1:
        # Straight from Parquet: nothing stands between the bytes and the rows.
        yield from read_batches(table, StagedFile(file.file_path, file.record_count))
    else:
        yield from batches_of_tasks(table, [FileScanTask(file)])


def new_prefix(kind: str = COMPACTED) -> str:
    """The beginning of the names of files that one piece of upkeep writes."""
    return f"{kind}-{uuid.uuid4().hex[:16]}"


def require_rows(expected: int, files: Sequence[StagedFile], what: str) -> None:
    """Checks that a rewriting neither lost nor doubled a row.

    Raises:
        AccountingError: the files have another number of rows.
    """
    written = sum(file.rows for file in files)
    if written != expected:
        raise AccountingError(
            f"{what} would have written {written} rows in place of {expected}",
            action="nothing was changed; report this: it is a defect of the platform",
        )
