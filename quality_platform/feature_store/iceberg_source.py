"""A table of the lake as a Feast data source. A plugin: importing it imports Feast."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from feast.data_source import DataSource
from feast.protos.feast.core.DataSource_pb2 import DataSource as DataSourceProto
from feast.repo_config import RepoConfig
from feast.type_map import pa_to_feast_value_type
from feast.value_type import ValueType

from quality_platform.errors import MaterializationError
from quality_platform.lake.catalog import Lake
from quality_platform.lake.query import quote_identifier


def lake_of(config: RepoConfig) -> Lake:
    """The lake that a Feast configuration with the Iceberg offline store names."""
    return Lake(config.offline_store.catalog, config.offline_store.properties)


class IcebergTableSource(DataSource):
    """A table of the lake as a Feast data source, stored in the registry as a custom source.

    Feast tells sources apart by `name`, which is the table's where none is given: two sources over
    one table need names of their own. `field_mapping` is Feast's: from the table's columns to the
    names that feature views know them by.
    """

    def __init__(  # noqa: PLR0913 - Feast's own parameters of a source
        self,
        *,
        table: str,
        timestamp_field: str,
        created_timestamp_column: str = "",
        name: str = "",
        field_mapping: Mapping[str, str] | None = None,
        description: str = "",
        owner: str = "",
        tags: dict[str, str] | None = None,
    ) -> None:
        super().__init__(
            name=name or table,
            timestamp_field=timestamp_field,
            created_timestamp_column=created_timestamp_column,
            field_mapping=dict(field_mapping or {}),
            description=description,
            owner=owner,
            tags=tags,
        )
        self._table = table

    @property
    def table(self) -> str:
        """The Iceberg identifier."""
        return self._table

    def __eq__(self, other: object) -> bool:
        """Whether both are the same source of the same table."""
        if not isinstance(other, IcebergTableSource) or self.table != other.table:
            return False
        return bool(super().__eq__(other))  # type: ignore[no-untyped-call]

    def __hash__(self) -> int:
        """By the name, as Feast's own sources."""
        return hash(self.name)

    @staticmethod
    def from_proto(data_source: DataSourceProto) -> IcebergTableSource:
        """The source that the registry holds."""
        return IcebergTableSource(
            name=data_source.name,
            table=json.loads(data_source.custom_options.configuration)["table"],
            timestamp_field=data_source.timestamp_field,
            created_timestamp_column=data_source.created_timestamp_column,
            field_mapping=dict(data_source.field_mapping),
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
            field_mapping=self.field_mapping,
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
        return _value_type

    def get_table_column_names_and_types(self, config: RepoConfig) -> Iterable[tuple[str, str]]:
        """The table's columns and their Arrow types."""
        schema = lake_of(config).table(self.table).schema().as_arrow()
        return [(field.name, _told(str(field.type))) for field in schema]

    def get_table_query_string(self) -> str:
        """The table's name as a query of entity rows writes it."""
        namespace, _, name = self.table.rpartition(".")
        return f"{quote_identifier(namespace)}.{quote_identifier(name)}"


def _told(type_name: str) -> str:
    """Arrow's name of a type as Feast knows it, which takes large texts for JSON."""
    return type_name.replace("large_", "").replace("list<element: ", "list<item: ")


def _value_type(type_name: str) -> ValueType:
    if type_name.startswith("decimal"):
        return ValueType.DECIMAL
    try:
        return pa_to_feast_value_type(type_name)
    except KeyError:
        raise MaterializationError(
            "Feast has no type for a column",
            received=type_name,
            action="declare the view's fields, without this column",
        ) from None
