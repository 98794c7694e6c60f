"""An Iceberg table as a source: of this lake, or of any other catalog."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import pyarrow as pa

from quality_platform.config.source_models import IcebergSourceConfig
from quality_platform.errors import HeaderError, Problem, SourceNotFoundError
from quality_platform.lake.appended import appended_since
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.reading import added_files_of, batches_of, snapshot_of
from quality_platform.sources.protocol import Part, SourceBatch, SourceContext, Wanted
from quality_platform.sources.raw_rows import json_rows


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
        self._require_columns(table)
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
        added = [
            (snapshot.snapshot_id, added_files_of(table, snapshot))
            for snapshot in appended_since(table, head, int(known.version), where)
        ]
        return (Part(name, version, partial(self._batches, table, added)),)

    @cached_property
    def _lake(self) -> Lake:
        if self.config.catalog is None:
            return self.context.lake
        properties = {key: value.get_secret_value() for key, value in self.config.catalog.items()}
        # A SQL catalog keeps the tables of catalogs of several names.
        name = properties.pop("name", "source")
        return Lake(name, properties, self.context.location("source", "catalog"))

    def _table(self) -> Table:
        table = self._lake.find_table(self.config.table)
        if table is None:
            raise SourceNotFoundError(
                "the catalog has no such table",
                location=self.context.location("source", "table"),
                field=f"tables.{self.context.table}.source.table",
                received=self.config.table,
                action="correct the name: namespace.table",
            )
        return table

    def _require_columns(self, table: Table) -> None:
        present = table.schema().as_arrow().names
        known = {*self.context.columns.names, *self.config.ignore_columns}
        where, field = self.context.location("source"), f"tables.{self.context.table}.source"
        problems = [
            Problem(f"the source has no column {name!r}", where, field, ", ".join(present))
            for name in self.context.columns.names
            if name not in present
        ]
        problems += [
            Problem(
                f"the contract has no column {name!r}",
                where,
                field,
                action="add it to the contract, or list it under `ignore_columns`",
            )
            for name in present
            if name not in known
        ]
        if problems:
            raise HeaderError.of(problems)

    def _batches(
        self, table: Table, snapshots: Sequence[tuple[int, Sequence[str] | None]]
    ) -> Iterator[SourceBatch]:
        names = self.context.columns.names
        for snapshot_id, files in snapshots:
            for batch in batches_of(table, snapshot_id, columns=names, only=files):
                rows = batch.select(names)
                lines = pa.nulls(rows.num_rows, pa.int64())
                yield SourceBatch(rows, lines, json_rows(rows), text=False)


def open_source(config: IcebergSourceConfig, context: SourceContext) -> IcebergSource:
    """The table that the configuration names; connects to nothing yet."""
    return IcebergSource(config, context)
