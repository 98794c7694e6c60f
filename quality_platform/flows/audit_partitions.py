"""What an audit of a partitioned table judges: rows as they are now, of all partitions or some."""

from __future__ import annotations

from dataclasses import replace

from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.flows.partition_staging import held_for
from quality_platform.flows.partitions import column_of, partitions_of
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.position import Position
from quality_platform.lake.query import EngineSettings, duckdb_session, quote_literal
from quality_platform.lake.reading import files_of, snapshot_of
from quality_platform.lake.table_files import TableFiles, read_parquet

Asked = tuple[str, str] | None
"""The first and the last partition; None for all."""


def published_rows(table: ContractedTable, published: TableFiles, asked: Asked) -> TableFiles:
    """The published rows of partitions.

    Raises:
        ConfigurationError: there are no such partitions.
    """
    if asked is None:
        return published
    windows = partitions_of(table).config.calendar.between(*asked)
    return replace(published, where=column_of(table).condition(windows))


def held_rows(lake: Lake, table: ContractedTable, main: Table, asked: Asked) -> TableFiles:
    """The quarantined rows of partitions that count."""
    quarantine = lake.find_table(table.quarantine_identifier)
    head = snapshot_of(quarantine) if quarantine is not None else None
    attempts = Position.of(main.properties).attempts
    if quarantine is None or head is None or not attempts:
        return TableFiles()
    conditions = [f"_attempt IN ({', '.join(map(quote_literal, attempts))})"]
    if asked is not None:
        windows = partitions_of(table).config.calendar.between(*asked)
        conditions.append(held_for([window.key for window in windows]))
    return replace(files_of(quarantine, head.snapshot_id), where=" AND ".join(conditions))


def records(engine: EngineSettings, *relations: TableFiles) -> int:
    """The number of rows of relations that are parts of their files."""
    with duckdb_session(engine) as connection:
        return sum(
            int(connection.sql(f"SELECT count(*) FROM {read_parquet(files)}").fetchall()[0][0])
            for files in relations
            if files
        )
