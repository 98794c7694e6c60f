"""An Iceberg table as a source: of this lake, or of any other catalog."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial

import pyarrow as pa

from quality_platform.config.source_models import IcebergSourceConfig
from quality_platform.errors import (
    HeaderError,
    LakeError,
    RunnerFileError,
    SourceNotFoundError,
)
from quality_platform.lake.appended import appended_since
from quality_platform.lake.catalog import Lake, Table, translated
from quality_platform.lake.foreign import foreign_batches
from quality_platform.lake.reading import added_files_of, snapshot_of
from quality_platform.sources.plain_columns import plain_type
from quality_platform.sources.protocol import Part, SourceBatch, SourceContext, Wanted
from quality_platform.sources.raw_rows import json_rows
from quality_platform.sources.sql_columns import name_problems


@dataclass(frozen=True)
class IcebergSource:
    """A table, as one of its branches or tags shows it."""

    config: IcebergSourceConfig
    context: SourceContext

    def parts(self, wanted: Wanted) -> Sequence[Part]:
        """The table as it is now, or for `append` what was appended; () for the same snapshot.

        Raises:
            SourceNotFoundError: there is no such table.
            HeaderError: its columns do not fit the contract.
            SourceChangedError: for `append`, rows were changed or removed since the last load.
            LakeError: the catalog or the files cannot be read.
        """
        table = self._table()
        self._missing(table)
        head = snapshot_of(table, self.config.ref)
        name = f"{self.config.table}@{self.config.ref}"
        known = wanted.position.sources.get(name)
        if head is None or (
            known and known.version == str(head.snapshot_id) and not wanted.full_refresh
        ):
            return ()
        version = str(head.snapshot_id)
        if known is None or wanted.full_refresh or self.context.load.mode != "append":
            whole = partial(self._batches, table, [(head.snapshot_id, None)])
            return (Part(name, version, whole, whole=True),)
        where = self.context.location("load", "mode")
        with self._reading():
            added = [
                (snapshot.snapshot_id, added_files_of(table, snapshot))
                for snapshot in appended_since(table, head, int(known.version), where)
            ]
        # What only puts files together has no rows that would be new.
        return (Part(name, version, partial(self._batches, table, added)),) if added else ()

    @cached_property
    def _lake(self) -> Lake:
        if self.config.catalog is None:
            return self.context.lake
        properties = {key: value.get_secret_value() for key, value in self.config.catalog.items()}
        # A SQL catalog keeps the tables of catalogs of several names.
        name = properties.pop("name", "source")
        # Whoever reads makes no tables in a database of somebody else.
        properties.setdefault("init_catalog_tables", "false")
        return Lake(name, properties, self.context.location("source", "catalog"))

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Has the errors of another catalog say that it is not the lake's."""
        try:
            with translated(self._lake):
                yield
        except (LakeError, RunnerFileError) as error:
            if self.config.catalog is not None:
                field = f"tables.{self.context.table}.source.catalog"
                action = "check the properties of the source's catalog, and that it is up"
                error.problems = tuple(
                    replace(problem, field=field, allowed="", action=action)
                    for problem in error.problems
                )
            raise

    def _table(self) -> Table:
        # pyiceberg fails on a name without a namespace.
        is_name = all(self.config.table.split(".")) and "." in self.config.table
        with self._reading():
            table = self._lake.find_table(self.config.table) if is_name else None
        if table is None:
            raise SourceNotFoundError(
                "the catalog has no such table",
                location=self.context.location("source", "table"),
                field=f"tables.{self.context.table}.source.table",
                received=self.config.table,
                action="correct the name: namespace.table",
            )
        return table

    def _missing(self, table: Table) -> list[str]:
        """The contract's columns that the source may lack, and does.

        Raises:
            HeaderError: other columns are missing, or there are some that nobody knows.
        """
        present = table.schema().as_arrow().names
        if problems := list(name_problems(present, self.context, self.config)):
            raise HeaderError.of(problems)
        return [name for name in self.context.columns.names if name not in present]

    def _batches(
        self, table: Table, snapshots: Sequence[tuple[int, Sequence[str] | None]]
    ) -> Iterator[SourceBatch]:
        missing = self._missing(table)
        names = [name for name in self.context.columns.names if name not in missing]
        with self._reading():
            for snapshot_id, files in snapshots:
                for batch in foreign_batches(table, snapshot_id, names, files):
                    yield self._source_batch(batch)

    def _source_batch(self, batch: pa.RecordBatch) -> SourceBatch:
        absent = pa.nulls(batch.num_rows)
        plain = [column.cast(plain_type(column.type)) for column in batch.columns]
        known = dict(zip(batch.schema.names, plain, strict=True))
        names = self.context.columns.names
        rows = pa.record_batch([known.get(name, absent) for name in names], names=names)
        return SourceBatch(rows, pa.nulls(rows.num_rows, pa.int64()), json_rows(rows), text=False)


def open_source(config: IcebergSourceConfig, context: SourceContext) -> IcebergSource:
    """The table that the configuration names; connects to nothing yet."""
    return IcebergSource(config, context)
