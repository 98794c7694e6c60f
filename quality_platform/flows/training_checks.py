"""Whether a version of a training set is still what it was, and would be made as it was."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from quality_platform.errors import TrainingSetError
from quality_platform.feature_store.training_entities import EntityFile, EntitySource, EntityTable
from quality_platform.flows.platform import Platform
from quality_platform.flows.training_compute import (
    digest_made_again,
    digest_of_source,
    schema_of,
    stored_digest,
)
from quality_platform.flows.training_definitions import TrainingSet
from quality_platform.flows.training_manifest import Manifest, deciding_libraries


def require_unchanged(
    platform: Platform,
    wanted: TrainingSet,
    manifest: Manifest,
    source: EntitySource,
    names: Sequence[str],
) -> tuple[str, ...]:
    """Checks that a version was made of the definitions and entity rows of today; notes to tell.

    `names` are the columns that it would have today. Rows of the table that the version pins are
    those of the pin; of any other table or file they are compared.

    Raises:
        TrainingSetError: something differs; it is said what.
    """
    differences = manifest.differences(wanted.definitions, wanted.columns.sources)
    then = [name for name, _ in manifest.columns]
    if not differences and list(names) != then:
        differences.append(f"columns: {', '.join(then)} then, {', '.join(names)} now")
    if differences:
        raise _changed(manifest, differences)
    if isinstance(source, EntityTable) and source.identifier == manifest.entities.table:
        return ()
    if isinstance(source, EntityFile) and not source.path.is_file():
        return (f"The file {source.path.name} is gone: its rows could not be compared.",)
    schema = schema_of(platform, wanted.identifier, manifest)
    entities = pa.schema([schema.field(name) for name in manifest.entity_columns])
    digest = digest_of_source(platform, source, wanted.columns, entities)
    if digest != manifest.entities.digest:
        told = f"rows of {_origin(manifest)} then, other rows of {_name(source)} now"
        raise _changed(manifest, [f"entities: {told}"])
    return ()


def require_same(platform: Platform, wanted: TrainingSet, manifest: Manifest) -> None:
    """Checks that a version holds what was written, and that its pins give the same once more.

    Raises:
        TrainingSetError: one of the two is not so.
        TableNotFoundError: a pin is gone.
    """
    stored = stored_digest(platform, wanted.identifier, manifest)
    if stored != manifest.digest:
        raise TrainingSetError(
            f"the rows of {manifest.name} {manifest.tag} are not those that were written",
            received=stored,
            allowed=manifest.digest,
            action="somebody changed the table's files: remove the version, and make another",
        )
    entities, again = digest_made_again(platform, wanted, manifest)
    if (entities, again) != (manifest.entities.digest, manifest.digest):
        raise TrainingSetError(
            f"{manifest.name} {manifest.tag} was computed once more, and is not the same",
            received=again,
            allowed=manifest.digest,
            action=_libraries(manifest),
        )


def _libraries(manifest: Manifest) -> str:
    now = deciding_libraries()
    changed = [
        f"{name} {then} then, {now.get(name)} now"
        for name, then in manifest.libraries.items()
        if now.get(name) != then
    ]
    if changed:
        return f"the version itself is unchanged; libraries differ: {'; '.join(changed)}"
    if any("function" in definition for definition in manifest.definitions.values()):
        return "the version itself is unchanged; a function gives something else for the same rows"
    return "the version itself is unchanged; report this: it is a defect of the platform"


def _changed(manifest: Manifest, differences: Sequence[str]) -> TrainingSetError:
    return TrainingSetError(
        f"{manifest.name} {manifest.tag} was made of something else",
        received="; ".join(differences),
        action="choose another tag: a version does not change",
    )


def _origin(manifest: Manifest) -> str:
    return manifest.entities.table or manifest.entities.file


def _name(source: EntitySource) -> str:
    return source.identifier if isinstance(source, EntityTable) else source.path.name
