"""The entry of a data file in a table's manifests: partition, sort order and statistics."""

from __future__ import annotations

from uuid import UUID

import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.table import Table
from pyiceberg.typedef import Record

from quality_platform.lake.data_files import Placement, StagedFile, footer_of


def data_file_of(table: Table, staged: StagedFile) -> DataFile:
    """The manifest entry of a staged file, with the statistics of its footer.

    Raises:
        AssertionError: the table is partitioned, and the file was not arranged.
    """
    spec, placement = table.spec(), staged.placement or Placement()
    if len(placement.partition) != len(spec.fields):
        raise AssertionError("a staged file does not have the partition of its table: arrange it")
    footer, size = footer_of(table, staged)
    schema = table.schema()
    paths = parquet_path_to_id_mapping(schema)
    statistics = data_file_statistics_from_parquet_metadata(
        parquet_metadata=footer,
        stats_columns=compute_statistics_plan(schema, table.properties),
        parquet_column_mapping=paths,
    ).to_serialized_dict()
    unknown = _without_bounds(footer, paths)
    for bounds in ("lower_bounds", "upper_bounds"):
        statistics[bounds] = {n: b for n, b in statistics[bounds].items() if n not in unknown}
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=staged.uri,
        file_format=FileFormat.PARQUET,
        partition=Record(*placement.partition),
        file_size_in_bytes=size,
        sort_order_id=table.sort_order().order_id if placement.is_sorted else None,
        spec_id=spec.spec_id,
        equality_ids=None,
        key_metadata=None,
        **{**statistics, "nan_value_counts": dict(staged.nan_counts)},
    )


def placement_of(table: Table, file: DataFile) -> Placement | None:
    """Where a published file stands in the table's layout of today.

    A file that takes its place, with the same rows or fewer in the same order, has the same
    placement. None for a file of an older layout: its rows must be arranged anew.
    """
    if file.spec_id != table.spec().spec_id:
        return None
    order = table.sort_order()
    is_sorted = bool(order.fields) and file.sort_order_id == order.order_id
    values = (file.partition[n] for n in range(len(file.partition)))
    # A manifest gives back a UUID for the bytes that it takes.
    plain = tuple(value.bytes if isinstance(value, UUID) else value for value in values)
    return Placement(plain, is_sorted)


def _without_bounds(footer: pq.FileMetaData, paths: dict[str, int]) -> set[int]:
    """The fields with a row group that has values and no bounds of them.

    Parquet leaves out the bounds of long values. pyiceberg (0.12) then takes those of the other
    row groups for bounds of the file, and readers would miss the rows.
    """
    found = set()
    for group in range(footer.num_row_groups):
        for number in range(footer.num_columns):
            column = footer.row_group(group).column(number)
            statistics = column.statistics
            nulls = statistics.null_count if statistics is not None else None
            if statistics is None or (not statistics.has_min_max and nulls != column.num_values):
                found.add(paths[column.path_in_schema])
    return found
