"""Parquet and Arrow IPC files as sources: columns that have types already."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from quality_platform.errors import (
    HeaderError,
    Location,
    MalformedSourceError,
    Problem,
    SourceError,
)

PARQUET_SUFFIXES = (".parquet", ".pq")
IPC_SUFFIXES = (".arrow", ".feather", ".ipc")
BATCH_ROWS = 65_536
"""Rows that are read at a time; memory is a small multiple of them."""


def schema_of(path: Path) -> pa.Schema:
    """The Arrow schema of a Parquet or Arrow IPC file.

    Raises:
        MalformedSourceError: it is neither, or cut short.
        SourceError: it cannot be read.
    """
    with _opened(path) as file:
        schema: pa.Schema = file.schema_arrow if _is_parquet(path) else file.schema
        return schema


def batches_of_file(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The columns asked for, in that order, in batches of at most `BATCH_ROWS` rows.

    Raises:
        MalformedSourceError: the file is no longer what it says it is.
        SourceError: it cannot be read.
    """
    names = list(columns)
    with _opened(path) as file:
        if _is_parquet(path):
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=names):
                yield batch.select(names)
            return
        for n in range(file.num_record_batches):
            whole = file.get_batch(n).select(names)
            for start in range(0, whole.num_rows, BATCH_ROWS):
                yield whole.slice(start, BATCH_ROWS)


def require_columns(path: Path, columns: Sequence[str], ignored: Sequence[str]) -> None:
    """Refuses a file that lacks one of `columns`, or has one that is neither there nor `ignored`.

    Raises:
        HeaderError: with all that is wrong.
    """
    present = schema_of(path).names
    where = Location(str(path))
    missing = [name for name in columns if name not in present]
    unexpected = [name for name in present if name not in {*columns, *ignored}]
    problems = [
        Problem(
            f"the file has no column {name!r}",
            where,
            received=", ".join(present),
            action=_nearest(name, unexpected),
        )
        for name in missing
    ]
    problems += [
        Problem(
            f"the contract has no column {name!r}",
            where,
            action="add it to the contract, or have it ignored",
        )
        for name in unexpected
    ]
    if problems:
        raise HeaderError.of(problems)


def _nearest(name: str, names: Sequence[str]) -> str:
    found = difflib.get_close_matches(name, names, n=1)
    return f"{found[0]!r} in the file may be meant for {name!r}" if found else ""


def _is_parquet(path: Path) -> bool:
    return path.suffix.casefold() in PARQUET_SUFFIXES


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    import pyarrow.parquet as pq

    try:
        if _is_parquet(path):
            with pq.ParquetFile(path) as file:
                yield file
        else:
            with pa.memory_map(str(path)) as source:
                yield pa.ipc.open_file(source)
    except pa.ArrowInvalid as error:
        raise MalformedSourceError(
            "the file is not what its name says, or cut short",
            location=Location(str(path)),
            received=str(error).splitlines()[0],
            allowed="a whole Parquet file" if _is_parquet(path) else "a whole Arrow IPC file",
            action="deliver the file again",
        ) from error
    except OSError as error:
        raise SourceError(
            "the file cannot be read",
            location=Location(str(path)),
            received=error.strerror or str(error).splitlines()[0],
            action="check the path and the rights",
        ) from error
