"""A table of the lake as a Feast data source. A plugin: importing it imports Feast."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from feast.data_source import DataSource
from feast.protos.feast.core.DataSource_pb2 import DataSource as DataSourceProto
from feast.repo_config import RepoConfig
from feast.type_map import pa_to_feast_value_type
from feast.value_type import ValueType

from quality_platform.lake.catalog import Lake


def lake_of(config: RepoConfig) -> Lake:
    """The lake that a Feast configuration with the Iceberg offline store names."""
    return Lake(config.offline_store.catalog, config.offline_store.properties)


class IcebergTableSource(DataSource):
    """A table of the lake as a Feast data source, stored in the registry as a custom source."""

    def __init__(
        self,
        *,
        table: str,
        timestamp_field: str,
        created_timestamp_column: str = "",
        description: str = "",
        owner: str = "",
        tags: dict[str, str] | None = None,
    ) -> None:
        super().__init__(
            name=table,
            timestamp_field=timestamp_field,
            created_timestamp_column=created_timestamp_column,
            description=description,
            owner=owner,
            tags=tags,
        )

    @property
    def table(self) -> str:
        """The Iceberg identifier."""
        return self.name

    @staticmethod
    def from_proto(data_source: DataSourceProto) -> IcebergTableSource:
        """The source that the registry holds."""
        return IcebergTableSource(
            table=json.loads(data_source.custom_options.configuration)["table"],
            timestamp_field=data_source.timestamp_field,
            created_timestamp_column=data_source.created_timestamp_column,
            description=data_source.description,
            owner=data_source.owner,
            tags=dict(data_source.tags),
        )

    def _to_proto_impl(self) -> DataSourceProto:
        return DataSourceProto(
            name=self.name,
            type=DataSourceProto.CUSTOM_SOURCE,
            data_source_class_type=f"{type(self).__module__}.{type(self).__qualname__}",
            custom_options=DataSourceProto.CustomSourceOptions(
                configuration=json.dumps({"table": self.table}).encode()
            ),
            timestamp_field=self.timestamp_field,
            created_timestamp_column=self.created_timestamp_column,
            description=self.description,
            owner=self.owner,
            tags=self.tags,
        )

    def source_type(self) -> Any:
        """Feast's kind of the source: custom."""
        return DataSourceProto.CUSTOM_SOURCE

    def validate(self, config: RepoConfig) -> None:
        """Checks that the table can be read.

        Raises:
            TableNotFoundError: there is no such table.
        """
        lake_of(config).table(self.table)

    @staticmethod
    def source_datatype_to_feast_value_type() -> Callable[[str], ValueType]:
        """How Feast infers the type of a column whose type no definition gives."""
        return pa_to_feast_value_type

    def get_table_column_names_and_types(self, config: RepoConfig) -> Iterable[tuple[str, str]]:
        """The table's columns and their Arrow types."""
        schema = lake_of(config).table(self.table).schema().as_arrow()
        return [(field.name, str(field.type)) for field in schema]
