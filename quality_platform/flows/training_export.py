"""A version of a training set as a Parquet file, the same bytes each time, and as Arrow."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from quality_platform.errors import TrainingSetError
from quality_platform.feature_store.training_digest import BLOCK_ROWS, RowsDigest
from quality_platform.feature_store.training_rows import stored_rows
from quality_platform.flows.platform import Platform
from quality_platform.flows.training_compute import schema_of
from quality_platform.flows.training_manifest import Manifest


def export_training_set(
    platform: Platform, identifier: str, manifest: Manifest, path: Path
) -> None:
    """Writes a version to a Parquet file, as a whole or not at all.

    The same version gives the same bytes with the same version of pyarrow, which stands in the
    file: rows in canonical order, row groups of 65,536 rows, and no moment.

    Raises:
        TrainingSetError: the file cannot be written, or the rows are not those of the manifest.
        TableNotFoundError: there is no such version.
    """
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    schema = schema_of(platform, identifier, manifest)
    digest = RowsDigest(schema)
    try:
        with _writer(part, schema) as writer:
            for table in _row_groups(_rows(platform, identifier, manifest, schema), schema):
                for batch in table.to_batches():
                    digest.update(batch)
                writer.write_table(table, row_group_size=BLOCK_ROWS)
        _require_same(digest, manifest)
        part.replace(path)
    except OSError as error:
        raise TrainingSetError(
            f"the file cannot be written: {error.strerror}", field="to", received=path.name
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()


def training_rows(platform: Platform, identifier: str, manifest: Manifest) -> pa.Table:
    """All rows of a version, in canonical order.

    Raises:
        TrainingSetError: they are not those of the manifest.
        TableNotFoundError: there is no such version.
    """
    schema = schema_of(platform, identifier, manifest)
    digest, found = RowsDigest(schema), []
    for batch in _rows(platform, identifier, manifest, schema):
        digest.update(batch)
        found.append(batch)
    _require_same(digest, manifest)
    return pa.Table.from_batches(found, schema)


def _rows(
    platform: Platform, identifier: str, manifest: Manifest, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    with stored_rows(
        platform.lake, identifier, manifest.tag, schema, manifest.entity_columns, platform.engine
    ) as rows:
        yield from rows


def _row_groups(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows in tables of exactly so many rows as a row group has, but for the last one."""
    rest = schema.empty_table()
    for batch in batches:
        rest = pa.concat_tables([rest, pa.Table.from_batches([batch])])
        while rest.num_rows >= BLOCK_ROWS:
            yield rest.slice(0, BLOCK_ROWS).combine_chunks()
            rest = rest.slice(BLOCK_ROWS)
    if rest.num_rows:
        yield rest.combine_chunks()


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        path,
        schema,
        version="2.6",
        data_page_version="1.0",
        compression="zstd",
        compression_level=3,
        use_dictionary=True,
        write_statistics=True,
    )


def _require_same(digest: RowsDigest, manifest: Manifest) -> None:
    found = digest.hexdigest()
    if found != manifest.digest:
        raise TrainingSetError(
            f"the rows of {manifest.name} {manifest.tag} are not those that were written",
            received=found,
            allowed=manifest.digest,
            action="somebody changed the table's files: remove the version, and make another",
        )
