"""The data files of a snapshot as DuckDB reads them: with the table's columns of today.

Files that were written before a column was added, renamed or widened have other columns than the
table has now. Iceberg tells columns by their field ids, and so does DuckDB where it is given them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import pyarrow as pa

from quality_platform.lake.query import quote_identifier, quote_literal


@dataclass(frozen=True)
class FileColumn:
    """A column of the table as it is now: Iceberg's field id, the name, the type in DuckDB."""

    field_id: int
    name: str
    duckdb_type: str


@dataclass(frozen=True)
class TableFiles(Sequence[str]):
    """Paths or URIs of data files of one table.

    `columns` are the table's, where some of the files may have been written with others; () where
    all files have the same columns, which is faster to read. `where` is a SQL condition on the rows
    that count; "" for all.
    """

    paths: tuple[str, ...] = ()
    columns: tuple[FileColumn, ...] = ()
    where: str = ""

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> TableFiles: ...

    def __getitem__(self, index: int | slice) -> str | TableFiles:
        """The file at a place, or the files at several."""
        if isinstance(index, slice):
            return replace(self, paths=self.paths[index])
        return self.paths[index]

    def __len__(self) -> int:
        """The number of files."""
        return len(self.paths)

    def __iter__(self) -> Iterator[str]:
        """The files, in their order."""
        return iter(self.paths)

    def only(self, paths: Iterable[str]) -> TableFiles:
        """These files of the same table."""
        return replace(self, paths=tuple(paths))


def read_parquet(files: Sequence[str], *options: str) -> str:
    """The SQL of a relation with the rows of the files.

    Where `files` are `TableFiles`, its columns are the table's of today: by field id, NULL in files
    that are older than a column. `options` are DuckDB's, such as `file_row_number = true`. Column
    names are never taken from folder names.
    """
    listed = ", ".join(quote_literal(file) for file in files)
    columns = files.columns if isinstance(files, TableFiles) else ()
    known = [f"schema = MAP {{{', '.join(map(_entry, columns))}}}"] if columns else []
    arguments = [f"[{listed}]", *known, "hive_partitioning = false", *options]
    rows = f"read_parquet({', '.join(arguments)})"
    where = files.where if isinstance(files, TableFiles) else ""
    return f"(SELECT * FROM {rows} WHERE {where})" if where else rows


def _entry(column: FileColumn) -> str:
    name, type_name = quote_literal(column.name), quote_literal(column.duckdb_type)
    return f"{column.field_id}: {{name: {name}, type: {type_name}, default_value: NULL}}"


def column_sql(field: pa.Field[Any]) -> str:
    """A column of the files in SQL, as it must stand where conditions may be put on it.

    The statistics of Parquet files leave out NaN, and DuckDB 2.0 takes them for the whole truth:
    it finds no NaN by any condition, not even by isnan(). Behind TRY it asks the values.
    """
    name = quote_identifier(field.name)
    return f"TRY({name}) AS {name}" if _may_be_nan(field.type) else name


def _may_be_nan(kind: pa.DataType) -> bool:
    inner = [kind.field(n).type for n in range(kind.num_fields)]
    return pa.types.is_floating(kind) or any(map(_may_be_nan, inner))
