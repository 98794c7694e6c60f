"""The versions of training sets that there are, and their end: removed by somebody, or expired."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from quality_platform.config.training_set_models import TRAINING_SETS
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import TableNotFoundError, TrainingSetError
from quality_platform.flows.decisions import Decision
from quality_platform.flows.platform import Platform
from quality_platform.flows.training_definitions import SECTION
from quality_platform.flows.training_manifest import PROPERTY, Manifest, manifests_of
from quality_platform.flows.training_pins import Pin, holder, orphans, unpin
from quality_platform.history.training_sets import Event, TrainingSetEvent, record_training_set
from quality_platform.lake.catalog import Table
from quality_platform.lake.maintenance.expiry import expire
from quality_platform.lake.tags import forget_tag, remove_tags, tagged_snapshot, tags_of

LEFT_BEHIND = timedelta(hours=24)
"""Pins of an attempt that is older belong to no attempt that is still under way."""


@dataclass(frozen=True)
class VersionState:
    """A version as it stands.

    `expires_at` is when upkeep may remove it, None for never. `lost` are tables whose pins are
    gone: the version is there, and cannot be made again.
    """

    identifier: str
    manifest: Manifest
    snapshot_id: int
    expires_at: datetime | None
    lost: tuple[str, ...] = ()


@dataclass(frozen=True)
class Released:
    """Tags that upkeep removed, or would remove: expired versions, and pins of dead attempts."""

    versions: tuple[str, ...] = ()
    pins: tuple[str, ...] = ()


def training_set_tables(platform: Platform) -> dict[str, Table]:
    """The tables of all training sets by identifier, also of those that are declared no longer."""
    declared = platform.runner.config.training_sets
    namespaces = dict.fromkeys([TRAINING_SETS, *(config.namespace for config in declared.values())])
    found = {}
    for namespace in namespaces:
        for identifier in platform.lake.identifiers_in(namespace):
            table = platform.lake.find_table(identifier)
            if table is not None and PROPERTY in table.properties:
                found[identifier] = table
    return found


def versions(platform: Platform, name: str = "") -> list[VersionState]:
    """The versions of a training set, or of all, the oldest of each first.

    Raises:
        TrainingSetError: there is no training set of this name.
    """
    tables = training_set_tables(platform)
    if name:
        tables = {n: table for n, table in tables.items() if table.properties[PROPERTY] == name}
        known = _names(platform)
        if name not in known:
            raise TrainingSetError(
                f"there is no training set {name!r}",
                allowed=known,
                action=did_you_mean(name, known),
            )
    return [
        VersionState(
            identifier,
            manifest,
            tagged_snapshot(table, manifest.tag).snapshot_id,
            _expires_at(platform, identifier, manifest),
            _lost(platform, manifest),
        )
        for identifier, table in tables.items()
        for manifest in manifests_of(table).values()
    ]


def version_of(platform: Platform, name: str, tag: str) -> VersionState:
    """A version of a training set.

    Raises:
        TrainingSetError: there is no such training set, or it has no such version.
    """
    found = {state.manifest.tag: state for state in versions(platform, name)}
    if tag not in found:
        raise TrainingSetError(
            f"the training set {name} has no version {tag!r}",
            field="tag",
            allowed=list(found),
            action=did_you_mean(tag, list(found)),
        )
    return found[tag]


def remove_version(
    platform: Platform, name: str, tag: str, decision: Decision, *, dry_run: bool = False
) -> VersionState:
    """Removes a version with its rows and its pins; the history keeps who did it, and why.

    Rows of the tables that only it had pinned go with the upkeep of these tables.

    Raises:
        TrainingSetError: there is no such version.
        ConfigurationError: nobody said why.
    """
    decision.require_reason()
    state = version_of(platform, name, tag)
    if not dry_run:
        _remove(platform, state, "removed", decision)
    return state


def release_expired(platform: Platform, identifier: str, *, dry_run: bool = False) -> Released:
    """Removes the versions of a training set that have been kept for as long as they are to be.

    Raises:
        LakeError: the lake cannot be used.
    """
    found, now = [], datetime.now(UTC)
    table = platform.lake.find_table(identifier)
    for manifest in manifests_of(table).values():
        expires_at = _expires_at(platform, identifier, manifest)
        if table is None or expires_at is None or expires_at > now:
            continue
        found.append(manifest.tag)
        snapshot = tagged_snapshot(table, manifest.tag).snapshot_id
        state = VersionState(identifier, manifest, snapshot, expires_at)
        if not dry_run:
            _remove(platform, state, "expired", Decision("upkeep", f"kept for {manifest.keep}"))
    return Released(versions=tuple(found))


def remove_orphaned_pins(
    platform: Platform, identifier: str, *, force: bool = False, dry_run: bool = False
) -> Released:
    """Removes pins of a table that no version names and whose attempts must have died.

    With `force` those of attempts that may be under way go too.

    Raises:
        LakeError: the lake cannot be used.
    """
    table = platform.lake.find_table(identifier)
    if table is None or not any(Pin.of(ref) for ref in tags_of(table)):
        return Released()
    before = datetime.now(UTC) + (LEFT_BEHIND if force else -LEFT_BEHIND)
    tables = training_set_tables(platform).values()
    made = {found.properties[PROPERTY]: manifests_of(found) for found in tables}
    dead = orphans(table, made, before)
    return Released(pins=tuple(dead) if dry_run else remove_tags(platform.lake, identifier, dead))


def _names(platform: Platform) -> list[str]:
    tables = training_set_tables(platform).values()
    declared = platform.runner.config.training_sets
    return list(dict.fromkeys([*declared, *(table.properties[PROPERTY] for table in tables)]))


def _expires_at(platform: Platform, identifier: str, manifest: Manifest) -> datetime | None:
    """By what is declared today; by what was, for a set that is not; never for a broken one."""
    if any((p.section, p.name) == (SECTION, manifest.name) for p in platform.broken):
        return None
    config = platform.runner.config.training_sets.get(manifest.name)
    is_declared = config is not None and f"{config.namespace}.{manifest.name}" == identifier
    return manifest.expires_at(config.keep if config and is_declared else manifest.keep)


def _lost(platform: Platform, manifest: Manifest) -> tuple[str, ...]:
    found = []
    for identifier, pinned in manifest.refs.items():
        try:
            holder(platform.lake, identifier, pinned)
        except TableNotFoundError:
            found.append(identifier)
    return tuple(found)


def _remove(platform: Platform, state: VersionState, event: Event, decision: Decision) -> None:
    lake, manifest = platform.lake, state.manifest
    # First: what is gone must be told, and what is told once more does no harm.
    told = TrainingSetEvent.of(
        event, manifest, state.identifier, state.snapshot_id, decision.by, decision.reason
    )
    record_training_set(lake, told)
    snapshot = forget_tag(lake, state.identifier, manifest.tag, [manifest.property_name])
    unpin(lake, manifest.refs)
    table = lake.table(state.identifier)
    # Somebody else may have given the snapshot a name of their own.
    if snapshot is not None and snapshot.snapshot_id not in tags_of(table).values():
        expire(lake, table, [snapshot])
