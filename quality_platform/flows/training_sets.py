"""The flow of a training set: pin what it reads, compute it, and make it a version of its table.

A version is made by one commit, which holds its rows, its manifest and its tag. What an attempt did
before that commit is unseen by readers, and removed by the attempt or, should it die, by upkeep.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from quality_platform.errors import ConcurrentLoadError, TrainingSetError
from quality_platform.feature_store.training_digest import columns_of
from quality_platform.feature_store.training_entities import EntityFile, EntitySource, EntityTable
from quality_platform.flows.outcomes import MaterializationOutcome, Progress, silent
from quality_platform.flows.platform import Platform
from quality_platform.flows.recording import recorded, starting_over
from quality_platform.flows.tenant_rules import entity_file_problem, readable
from quality_platform.flows.training_checks import require_same, require_unchanged
from quality_platform.flows.training_compute import (
    Computed,
    compute,
    pinned_features,
    require_rows,
)
from quality_platform.flows.training_definitions import (
    SECTION,
    TrainingSet,
    digest_of_text,
    training_set,
)
from quality_platform.flows.training_manifest import (
    EntityOrigin,
    Manifest,
    PinnedTable,
    deciding_libraries,
    manifests_of,
    now_text,
)
from quality_platform.flows.training_pins import TAG, heads, new_attempt, pin, unpin
from quality_platform.history.training_sets import (
    TrainingSetEvent,
    record_training_set,
    recorded_versions,
)
from quality_platform.lake.tags import TaggedCommit, replace_and_tag, tagged_snapshot

RECORD = "training_set."
"""What the names of training sets begin with among the runs of `history.runs`."""

_FILES = (".parquet", ".csv")


@dataclass(frozen=True)
class TrainingSetRequest:
    """Which version of which training set.

    `tag` is the version; where "", it is called after what it is made of, so that the same inputs
    are the same version. `entities` are a file or a table instead of the declared one. `verify`
    makes a version that there is once more, and compares.
    """

    name: str
    tag: str = ""
    entities: str = ""
    verify: bool = False


@dataclass(frozen=True)
class TrainingSetOutcome:
    """A version of a training set: made now, or there already.

    `verified` says that it was computed once more, and is what it was. `notes` are sentences.
    """

    identifier: str
    manifest: Manifest
    snapshot_id: int
    state: Literal["made", "existing"]
    verified: bool = False
    notes: tuple[str, ...] = ()


def make_training_set(
    platform: Platform, request: TrainingSetRequest, run_id: str, progress: Progress = silent
) -> TrainingSetOutcome:
    """Makes a version of a training set, or finds that it is there and still the same.

    Raises:
        ConfigurationError: there is no such training set, or it is broken.
        TrainingSetError: nothing has been published to a view, the entity rows cannot be used, or
            the version is there and was made of something else, or is not what it was.
        TableNotFoundError: a version cannot be verified, because a pin of it is gone.
        LakeError: the lake cannot be used.
    """
    wanted = training_set(platform, request.name)
    if request.tag and re.fullmatch(TAG, request.tag) is None:
        raise TrainingSetError(
            "a version cannot be called that",
            field="tag",
            received=request.tag,
            allowed="up to 64 letters, digits, dots, dashes and underscores; not main",
        )
    making = _Making(platform, wanted, request, run_id, progress)
    with recorded(platform, f"{RECORD}{wanted.name}", run_id) as record:
        outcome = starting_over(making.run)
        if outcome.state == "made":
            rows, snapshot = outcome.manifest.rows, outcome.snapshot_id
            record(MaterializationOutcome(wanted.name, run_id, "materialized", rows, snapshot))
    return outcome


@dataclass(frozen=True)
class _Making:
    platform: Platform
    wanted: TrainingSet
    request: TrainingSetRequest
    run_id: str
    progress: Progress

    def run(self) -> TrainingSetOutcome:
        """One attempt.

        Raises:
            ConcurrentLoadError: another run was faster; what it made is found by the next attempt.
        """
        if self.request.tag and (found := self._existing(self.request.tag)):
            return found
        tables = heads(self.platform, self._tables())
        tag = self.request.tag or self._tag(tables)
        return self._existing(tag) or self._made(tag, tables)

    @property
    def _source(self) -> EntitySource:
        """Where the entity rows are, unpinned."""
        return entity_source(self.platform, self.wanted, self.request.entities)

    def _tables(self) -> list[str]:
        """The tables that are read, by identifier."""
        source = self._source
        own = [source.identifier] if isinstance(source, EntityTable) else []
        return [*(one.view.table for one in self.wanted.chosen), *own]

    def _tag(self, tables: dict[str, PinnedTable]) -> str:
        """A name that tells what the version is made of."""
        source = self._source
        file = "" if isinstance(source, EntityTable) else _file_digest(source.path)
        snapshots = {name: [t.uuid, t.snapshot_id] for name, t in tables.items()}
        columns = list(self.wanted.columns.sources.items())
        made_of = [self.wanted.definitions, columns, snapshots, file, self._names]
        return f"auto-{digest_of_text(made_of)[:12]}"

    @property
    def _names(self) -> list[str]:
        """The names of all columns."""
        features = self.wanted.outputs.values()
        return [*self.wanted.columns.sources, *(column.name for column in features)]

    def _existing(self, tag: str) -> TrainingSetOutcome | None:
        table = self.platform.lake.find_table(self.wanted.identifier)
        manifest = manifests_of(table).get(tag)
        if manifest is None or table is None:
            return None
        self.progress("comparing", f"{self.wanted.identifier} has {tag}")
        notes = require_unchanged(self.platform, self.wanted, manifest, self._source, self._names)
        if self.request.verify:
            self.progress("verifying", f"{manifest.rows:,} rows")
            require_same(self.platform, self.wanted, manifest)
        snapshot = tagged_snapshot(table, tag).snapshot_id
        self._record(manifest, snapshot)
        return TrainingSetOutcome(
            self.wanted.identifier, manifest, snapshot, "existing", self.request.verify, notes
        )

    def _made(self, tag: str, tables: dict[str, PinnedTable]) -> TrainingSetOutcome:
        lake, attempt = self.platform.lake, new_attempt()
        self.progress("pinning", ", ".join(tables))
        refs = pin(lake, self.wanted, (tag, attempt), tables)
        try:
            features = pinned_features(self.platform, self.wanted, refs)
            source = self._pinned_source(refs)
            computed = compute(self.platform, self.wanted, source, features, attempt, self.progress)
            require_rows(computed, self.wanted)
            manifest = self._manifest(tag, refs, computed)
        except BaseException:
            unpin(lake, refs)
            raise
        snapshot = self._committed(manifest, computed)
        self._record(manifest, snapshot)
        self.progress("published", f"{manifest.rows:,} rows, {manifest.digest}")
        return TrainingSetOutcome(self.wanted.identifier, manifest, snapshot, "made")

    def _pinned_source(self, refs: dict[str, PinnedTable]) -> EntitySource:
        source = self._source
        if isinstance(source, EntityTable):
            return EntityTable(source.identifier, refs[source.identifier].tag)
        return source

    def _manifest(self, tag: str, refs: dict[str, PinnedTable], computed: Computed) -> Manifest:
        wanted, config, source = self.wanted, self.wanted.config, self._source
        return Manifest(
            name=wanted.name,
            tag=tag,
            made_at=now_text(),
            run_id=self.run_id,
            owner=config.owner,
            labels=dict(config.tags),
            keep=config.keep or "",
            registry_version=wanted.registry_version,
            definitions=wanted.definitions,
            features=tuple(wanted.features),
            columns=tuple((name, kind) for name, kind in columns_of(computed.schema)),
            refs=refs,
            entities=EntityOrigin(
                table=source.identifier if isinstance(source, EntityTable) else "",
                file="" if isinstance(source, EntityTable) else source.path.name,
                columns=tuple(wanted.columns.sources.items()),
                rows=computed.rows,
                digest=computed.entity_digest,
            ),
            rows=computed.rows,
            digest=computed.digest,
            libraries=deciding_libraries(),
        )

    def _committed(self, manifest: Manifest, computed: Computed) -> int:
        told = {
            "quality-platform.training-set": f"{manifest.name} {manifest.tag}",
            "quality-platform.digest": manifest.digest,
        }
        properties = {manifest.property_name: manifest.as_json()}
        commit = TaggedCommit(manifest.tag, computed.files, properties, told)
        try:
            return replace_and_tag(self.platform.lake, computed.table, commit).snapshot_id
        except ConcurrentLoadError:
            # Only now is it sure that nothing was committed.
            computed.discard()
            unpin(self.platform.lake, manifest.refs)
            raise

    def _record(self, manifest: Manifest, snapshot_id: int) -> None:
        """Tells the history of the version, unless it has been told: its maker may have died."""
        key = (manifest.name, manifest.tag, snapshot_id)
        if key in recorded_versions(self.platform.lake, self.platform.engine):
            return
        event = TrainingSetEvent.of("made", manifest, self.wanted.identifier, snapshot_id)
        event = replace(event, tenant=self.wanted.config.tenant or "")
        record_training_set(self.platform.lake, event)


def entity_source(platform: Platform, wanted: TrainingSet, asked: str = "") -> EntitySource:
    """Where entity rows are: as asked for, or as declared; a table at its head.

    A text that ends as a file does is a file, relative to the working directory; any other is a
    table or feature view.

    Raises:
        TrainingSetError: nothing says where they are.
        ConfigurationError: there is no such table.
    """
    entities = wanted.config.entities
    if asked.lower().endswith(_FILES):
        return EntityFile(Path(asked))
    if asked:
        table = platform.contracted(asked)
        _require_readable(platform, wanted, asked)
        return EntityTable(table.identifier, "main")
    if entities is None:
        raise TrainingSetError(
            "it is not said which rows the training set has",
            location=wanted.location,
            field="entities",
            action="write `entities` into runner.yaml, or name a file or table: --entities",
        )
    if entities.table is not None:
        return EntityTable(platform.contracted(entities.table).identifier, "main")
    # Once more: what the path leads to may be another file by now.
    if problem := entity_file_problem(platform.runner, wanted.name):
        raise TrainingSetError.of([problem])
    assert entities.file is not None
    return EntityFile(platform.runner.resolver(SECTION, wanted.name)(entities.file))


def _require_readable(platform: Platform, wanted: TrainingSet, table: str) -> None:
    """Looks at whose rows would come into the table of a training set.

    Raises:
        TrainingSetError: the training set is a tenant's, who may not read the table.
    """
    if table not in readable(platform.runner, wanted.config.tenant):
        raise TrainingSetError(
            f"{table} is not the tenant's, and not shared",
            location=wanted.location,
            field="--entities",
            received=table,
            allowed=f"tables of the tenant {wanted.config.tenant}, and those that are shared",
        )


def _file_digest(path: Path) -> str:
    if not path.is_file():
        # The reading of the rows tells it.
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
