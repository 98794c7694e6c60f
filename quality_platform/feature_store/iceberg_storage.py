"""Tables of the lake as places that Feast writes to. A plugin: importing it imports Feast."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.feature_logging import LOG_TIMESTAMP_FIELD, LoggingDestination
from feast.infra.offline_stores.file_source import FileSource, SavedDatasetFileStorage
from feast.protos.feast.core.DataSource_pb2 import DataSource as DataSourceProto
from feast.protos.feast.core.FeatureService_pb2 import LoggingConfig as LoggingConfigProto
from feast.protos.feast.core.SavedDataset_pb2 import (
    SavedDatasetStorage as SavedDatasetStorageProto,
)
from feast.saved_dataset import SavedDatasetStorage
from pyarrow import parquet
from pyarrow.fs import FileSystem, FileType, LocalFileSystem

from quality_platform.errors import MaterializationError
from quality_platform.feature_store import table_writes
from quality_platform.feature_store.entity_rows import MOMENT
from quality_platform.feature_store.iceberg_source import IcebergTableSource
from quality_platform.lake.catalog import Lake

_KIND = "quality_platform_iceberg"


class SavedDatasetIcebergStorage(SavedDatasetStorage):
    """A saved data set as a table of the lake, `namespace.name`."""

    _proto_attr_name = "custom_storage"

    def __init__(self, table: str) -> None:
        self.table = table

    def __eq__(self, other: object) -> bool:
        """Whether both are the same table."""
        return isinstance(other, SavedDatasetIcebergStorage) and self.table == other.table

    def __hash__(self) -> int:
        """By the table."""
        return hash(self.table)

    @staticmethod
    def from_proto(storage_proto: SavedDatasetStorageProto) -> SavedDatasetIcebergStorage:
        """The storage that the registry holds."""
        configuration = json.loads(storage_proto.custom_storage.configuration)
        return SavedDatasetIcebergStorage(configuration["table"])

    def to_proto(self) -> SavedDatasetStorageProto:
        """What the registry keeps."""
        options = DataSourceProto.CustomSourceOptions(
            configuration=json.dumps({"table": self.table}).encode()
        )
        return self._custom_storage_proto(options)

    def to_data_source(self) -> IcebergTableSource:
        """The table as a source, by which Feast reads the data set again."""
        return IcebergTableSource(table=self.table, timestamp_field=MOMENT)


class IcebergLoggingDestination(LoggingDestination):
    """A table of the lake, `namespace.name`, to which logs of served features are added."""

    _proto_kind = _KIND

    def __init__(self, *, table: str) -> None:
        self.table = table

    @classmethod
    def from_proto(cls, config_proto: LoggingConfigProto) -> IcebergLoggingDestination:
        """The destination that the registry holds."""
        return cls(table=config_proto.custom_destination.config["table"])

    def to_proto(self) -> LoggingConfigProto:
        """What the registry keeps."""
        return LoggingConfigProto(
            custom_destination=LoggingConfigProto.CustomDestination(
                kind=_KIND, config={"table": self.table}
            )
        )

    def to_data_source(self) -> IcebergTableSource:
        """The table as a source, by which Feast reads the logs again."""
        return IcebergTableSource(table=self.table, timestamp_field=LOG_TIMESTAMP_FIELD)


def save_table(
    lake: Lake, storage: SavedDatasetIcebergStorage, rows: pa.Table, *, allow_overwrite: bool
) -> None:
    """Writes a saved data set to a table of the lake.

    Raises:
        SavedDatasetLocationAlreadyExists: the table has rows, and they may not be replaced.
        MaterializationError: the table holds something else, or the rows do not fit it.
    """
    found = lake.find_table(storage.table)
    if found is not None and found.current_snapshot() is not None and not allow_overwrite:
        raise SavedDatasetLocationAlreadyExists(location=storage.table)
    table_writes.save(lake, storage.table, rows)


def save_file(folder: Path | None, storage: Any, rows: pa.Table, *, allow_overwrite: bool) -> None:
    """Writes a saved data set to a Parquet file; a relative path begins at the folder.

    Raises:
        SavedDatasetLocationAlreadyExists: there is a file, and it may not be replaced.
        MaterializationError: the storage is no file.
    """
    if not isinstance(storage, SavedDatasetFileStorage):
        raise MaterializationError(
            "a data set is not saved to this kind of storage",
            field="storage",
            received=type(storage).__name__,
            allowed="SavedDatasetIcebergStorage, SavedDatasetFileStorage",
        )
    files, path = _located(folder, storage.to_data_source())
    if files.get_file_info(path).type is not FileType.NotFound and not allow_overwrite:
        raise SavedDatasetLocationAlreadyExists(location=storage.file_options.uri)
    parquet.write_table(rows, path, filesystem=files)


def read_file(folder: Path | None, source: FileSource, columns: list[str]) -> pa.Table:
    """These columns of a Parquet file that a data set was saved to."""
    files, path = _located(folder, source)
    return parquet.read_table(path, columns=columns, filesystem=files)


def _located(folder: Path | None, source: Any) -> tuple[FileSystem, str]:
    """The file system of a file, and its path there."""
    uri = FileSource.get_uri_for_file_path(folder, source.path)
    files, path = FileSource.create_filesystem_and_path(uri, source.s3_endpoint_override or "")
    return files or LocalFileSystem(), path
