"""Deletes in Iceberg tables as Spark and Flink write them; pyiceberg itself writes none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    ManifestWriterV2,
)
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.update.snapshot import _FastAppendFiles
from pyiceberg.typedef import Record

_PATH_ID, _POSITION_ID = 2147483546, 2147483545
"""The field ids that the format reserves for the columns of position deletes."""


def delete_by_position(table: Table, position: int) -> None:
    """Deletes the row with this number from the first data file of a table."""
    path = next(iter(table.scan().plan_files())).file.file_path
    schema = pa.schema(
        [_field("file_path", pa.string(), _PATH_ID), _field("pos", pa.int64(), _POSITION_ID)]
    )
    _commit(table, DataFileContent.POSITION_DELETES, pa.table([[path], [position]], schema=schema))


def delete_by_value(table: Table, **values: Any) -> None:
    """Deletes the rows that have these values."""
    fields = [table.schema().find_field(name) for name in values]
    schema = table.schema().select(*values).as_arrow()
    rows = pa.table([[value] for value in values.values()], schema=schema)
    _commit(table, DataFileContent.EQUALITY_DELETES, rows, [field.field_id for field in fields])


def _field(name: str, kind: pa.DataType, number: int) -> pa.Field[Any]:
    return pa.field(name, kind, nullable=False, metadata={"PARQUET:field_id": str(number)})


class _DeleteManifest(ManifestWriterV2):
    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}


class _WithDeletes(_FastAppendFiles):
    deletes: DataFile

    def _existing_manifests(self) -> list[ManifestFile]:
        metadata = self._transaction.table_metadata
        writer = _DeleteManifest(
            metadata.spec(),
            metadata.schema(),
            self._io.new_output(f"{metadata.location}/metadata/{self.commit_uuid}-deletes.avro"),
            self._snapshot_id,
            "gzip",
        )
        with writer:
            writer.add(
                ManifestEntry.from_args(
                    status=ManifestEntryStatus.ADDED,
                    snapshot_id=self._snapshot_id,
                    data_file=self.deletes,
                )
            )
        return [*super()._existing_manifests(), writer.to_manifest_file()]


def _commit(
    table: Table, content: DataFileContent, rows: pa.Table, equality_ids: list[int] | None = None
) -> None:
    path = f"{table.location()}/data/deletes-{content.name}.parquet"
    local = Path(path.removeprefix("file://"))
    pq.write_table(rows, local)
    with table.transaction() as transaction:
        update = _WithDeletes(Operation.OVERWRITE, transaction, table.io)
        update.deletes = DataFile.from_args(
            _table_format_version=2,
            content=content,
            file_path=path,
            file_format=FileFormat.PARQUET,
            partition=Record(),
            record_count=rows.num_rows,
            file_size_in_bytes=local.stat().st_size,
            equality_ids=equality_ids,
        )
        update.commit()
