"""The versions of training sets that there are, and their end: removed by somebody, or expired."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from quality_platform.config.broken import BrokenPart
from quality_platform.config.tenant_models import is_of_tenant, namespace_of_tenant
from quality_platform.config.training_set_models import TRAINING_SETS
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import StorageError, TableNotFoundError, TrainingSetError
from quality_platform.flows.broken_tables import error_of
from quality_platform.flows.decisions import Decision
from quality_platform.flows.own_warehouses import looked_at
from quality_platform.flows.platform import Platform
from quality_platform.flows.training_definitions import SECTION, identifier_of
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


def training_set_tables(platform: Platform, *, only_readable: bool = False) -> dict[str, Table]:
    """The tables of all training sets by identifier, also of those that are declared no longer.

    `only_readable` leaves out those of tenants whose warehouses cannot be read.
    """
    config = platform.runner.config
    of_tenants = (namespace_of_tenant(tenant, TRAINING_SETS) for tenant in config.tenants)
    declared = (identifier_of(name, found) for name, found in config.training_sets.items())
    namespaces = (identifier.rpartition(".")[0] for identifier in declared)
    found = {}
    for namespace in dict.fromkeys([TRAINING_SETS, *of_tenants, *namespaces]):
        for identifier in platform.lake.identifiers_in(namespace):
            look = partial(platform.lake.find_table, identifier)
            table = looked_at(platform.runner, identifier, look)
            if isinstance(table, StorageError):
                if not only_readable:
                    raise table
                continue
            if table is not None and PROPERTY in table.properties:
                found[identifier] = table
    return found


def versions(platform: Platform, name: str = "") -> list[VersionState]:
    """The versions of a training set, or of all, the oldest of each first.

    Raises:
        TrainingSetError: there is no training set of this name.
        ConfigurationError: there is one, but it is broken, and has no versions.
    """
    tables = training_set_tables(platform)
    if name:
        known = _names(platform, tables.values())
        tables = {n: table for n, table in tables.items() if table.properties[PROPERTY] == name}
        if not tables:
            _require_declared(platform, name, known)
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


def _names(platform: Platform, tables: Iterable[Table]) -> list[str]:
    """The training sets that there are: declared, broken, or with versions."""
    declared = [*platform.runner.config.training_sets, *_broken(platform)]
    return list(dict.fromkeys([*declared, *(table.properties[PROPERTY] for table in tables)]))


def _require_declared(platform: Platform, name: str, known: Sequence[str]) -> None:
    """Looks at a training set that has no table."""
    if name in (broken := _broken(platform)):
        raise error_of(broken[name])
    if name not in known:
        raise TrainingSetError(
            f"there is no training set {name!r}", allowed=known, action=did_you_mean(name, known)
        )


def _broken(platform: Platform) -> Mapping[str, BrokenPart]:
    return {part.name: part for part in platform.broken if part.section == SECTION}


def _expires_at(platform: Platform, identifier: str, manifest: Manifest) -> datetime | None:
    """By what is declared today; by what was, for a set that is not; never for a broken one."""
    if manifest.name in _broken(platform):
        return None
    config = platform.runner.config.training_sets.get(manifest.name)
    is_declared = config is not None and identifier_of(manifest.name, config) == identifier
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
    tenants = platform.runner.config.tenants
    namespace = state.identifier.partition(".")[0]
    told = replace(told, tenant=next((t for t in tenants if is_of_tenant(t, namespace)), ""))
    record_training_set(lake, told)
    snapshot = forget_tag(lake, state.identifier, manifest.tag, [manifest.property_name])
    unpin(lake, manifest.refs)
    table = lake.table(state.identifier)
    # Somebody else may have given the snapshot a name of their own.
    if snapshot is not None and snapshot.snapshot_id not in tags_of(table).values():
        expire(lake, table, [snapshot])
