"""Computing a training set: staged in files that nobody can read yet, or only its digest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa

from quality_platform.errors import StorageError, TrainingSetError
from quality_platform.feature_store.training_digest import BLOCK_ROWS, RowsDigest
from quality_platform.feature_store.training_entities import (
    EntityColumns,
    EntitySource,
    entity_rows,
)
from quality_platform.feature_store.training_features import PinnedFeatures, with_features
from quality_platform.feature_store.training_on_demand import with_computed
from quality_platform.feature_store.training_rows import stored_rows
from quality_platform.flows.outcomes import Progress
from quality_platform.flows.platform import Platform
from quality_platform.flows.quotas import Quota
from quality_platform.flows.training_definitions import TrainingSet
from quality_platform.flows.training_manifest import PROPERTY, Manifest, PinnedTable
from quality_platform.flows.training_pins import holder
from quality_platform.lake.catalog import Table
from quality_platform.lake.data_files import RollingWriter, StagedFile, delete_file
from quality_platform.lake.tags import (
    as_it_was,
    plain_schema,
    table_with_columns,
    tagged_snapshot,
)


@dataclass(frozen=True)
class Computed:
    """A training set in staged files, with the digests of all its rows and of its entity rows."""

    table: Table
    files: tuple[StagedFile, ...]
    schema: pa.Schema
    rows: int
    digest: str
    entity_digest: str

    def discard(self) -> None:
        """Deletes the files: nothing of them will be committed."""
        for file in self.files:
            # What cannot be deleted stays unseen, and is swept later.
            with suppress(StorageError):
                delete_file(self.table, file)


def pinned_features(
    platform: Platform, wanted: TrainingSet, refs: Mapping[str, PinnedTable]
) -> list[PinnedFeatures]:
    """The features of a training set at its pins, called `view:feature`.

    Raises:
        TableNotFoundError: a pin is gone.
    """
    return [
        PinnedFeatures(
            one.view,
            one.features,
            holder(platform.lake, one.view.table, refs[one.view.table]),
            refs[one.view.table].tag,
            f"{one.view.name}:",
        )
        for one in wanted.chosen
    ]


def compute(
    platform: Platform,
    wanted: TrainingSet,
    source: EntitySource,
    features: list[PinnedFeatures],
    attempt: str,
    progress: Progress,
) -> Computed:
    """The training set in files whose names begin with the attempt; nothing is committed.

    Raises:
        TrainingSetError: the entity rows cannot be used, or the table is not a training set's.
        TableSchemaError: the table has a column of another type.
        MaterializationError: the feature rows cannot be read.
        QuotaError: it has more rows than its tenant may have in one load.
    """
    with entity_rows(platform.lake, source, wanted.columns, platform.engine) as entities:
        columns = pa.schema([*entities.schema, *wanted.outputs.values()])
        table = table_with_columns(
            platform.lake, wanted.identifier, columns, {PROPERTY: wanted.name}
        )
        require_own(table, wanted.name)
        schema, names = plain_schema(table, columns.names), entities.schema.names
        of_entities = RowsDigest(plain_schema(table, names))
        told = _digested(entities.cast(of_entities.schema), of_entities)
        chunks = with_features(platform.lake, features, told, of_entities.schema, platform.engine)
        digest = RowsDigest(schema)
        writer = RollingWriter(table, attempt, platform.target_file_bytes)
        try:
            for chunk in _allowed(platform, wanted, _finished(chunks, wanted, names)):
                for batch in chunk.cast(schema).to_batches(max_chunksize=BLOCK_ROWS):
                    digest.update(batch)
                    writer.write(_as_stored(batch, writer.schema))
                progress("computing", f"{digest.rows:,} rows")
            staged = writer.close()
        except BaseException:
            writer.discard()
            raise
    return Computed(table, staged, schema, digest.rows, digest.hexdigest(), of_entities.hexdigest())


def digest_of_source(
    platform: Platform, source: EntitySource, columns: EntityColumns, schema: pa.Schema
) -> str:
    """The digest of entity rows, with the types of a training set that there is.

    Raises:
        TrainingSetError: they cannot be read, or do not have these types.
    """
    with entity_rows(platform.lake, source, columns, platform.engine) as entities:
        return _all(entities.cast(schema), schema)


def stored_digest(platform: Platform, identifier: str, manifest: Manifest) -> str:
    """The digest of the rows that a version holds.

    Raises:
        TableNotFoundError: there is no such version.
        TrainingSetError: the rows cannot be read.
    """
    schema = schema_of(platform, identifier, manifest)
    with stored_rows(
        platform.lake, identifier, manifest.tag, schema, manifest.entity_columns, platform.engine
    ) as rows:
        return _all(rows, schema)


def digest_made_again(
    platform: Platform, wanted: TrainingSet, manifest: Manifest
) -> tuple[str, str]:
    """The digests of a version's entity rows, and of its rows as they are computed from the pins.

    The entity rows are those of the version itself.

    Raises:
        TableNotFoundError: a pin is gone.
        MaterializationError: the feature rows cannot be read.
    """
    schema = schema_of(platform, wanted.identifier, manifest)
    entities = pa.schema([schema.field(name) for name in manifest.entity_columns])
    features = pinned_features(platform, wanted, manifest.refs)
    of_entities, digest = RowsDigest(entities), RowsDigest(schema)
    with stored_rows(
        platform.lake,
        wanted.identifier,
        manifest.tag,
        entities,
        manifest.entity_columns,
        platform.engine,
    ) as rows:
        told = _digested(rows, of_entities)
        chunks = with_features(platform.lake, features, told, entities, platform.engine)
        for chunk in _finished(chunks, wanted, entities.names):
            for batch in chunk.cast(schema).to_batches(max_chunksize=BLOCK_ROWS):
                digest.update(batch)
    return of_entities.hexdigest(), digest.hexdigest()


def schema_of(platform: Platform, identifier: str, manifest: Manifest) -> pa.Schema:
    """The columns of a version, with the types that they had when it was made.

    Raises:
        TableNotFoundError: there is no such version.
    """
    table = platform.lake.table(identifier)
    then = as_it_was(table, tagged_snapshot(table, manifest.tag))
    return plain_schema(then, [name for name, _ in manifest.columns])


def require_own(table: Table, name: str) -> None:
    """Checks that a table is that of a training set.

    Raises:
        TrainingSetError: it is not: its rows would be replaced.
    """
    if table.properties.get(PROPERTY) != name:
        raise TrainingSetError(
            f"{'.'.join(table.name())} is a table already, and not that of the training set {name}",
            action="choose another name or namespace",
        )


def require_rows(computed: Computed, wanted: TrainingSet) -> None:
    """Checks that there are rows.

    Raises:
        TrainingSetError: there are none.
    """
    if not computed.rows:
        raise TrainingSetError(
            "there are no entity rows: the training set would be empty",
            location=wanted.location,
            field="entities",
        )


def _finished(
    chunks: Iterable[pa.Table], wanted: TrainingSet, entities: Sequence[str]
) -> Iterator[pa.Table]:
    """Rows with their features computed, and with the columns of the training set alone."""
    names = [*entities, *(column.name for column in wanted.outputs.values())]
    for chunk in chunks:
        found = chunk
        for one in wanted.computed:
            found = with_computed(found, one)
        yield found.select([*entities, *wanted.outputs]).rename_columns(names)


def _allowed(
    platform: Platform, wanted: TrainingSet, chunks: Iterable[pa.Table]
) -> Iterator[pa.Table]:
    """The chunks, as long as they are no more than one load of the tenant's may have."""
    quota = Quota.of(platform.runner, wanted.config.tenant or "")
    rows = size = 0
    for chunk in chunks:
        rows, size = rows + chunk.num_rows, size + chunk.nbytes
        quota.require(rows, size)
        yield chunk


def _all(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> str:
    digest = RowsDigest(schema)
    for batch in batches:
        digest.update(batch)
    return digest.hexdigest()


def _digested(batches: Iterable[pa.RecordBatch], digest: RowsDigest) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        digest.update(batch)
        yield batch


def _as_stored(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with all columns of the table; those of other versions have no values."""
    columns = [
        batch.column(field.name)
        if field.name in batch.schema.names
        else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, names=schema.names)
