"""The upkeep of tables: old rows, small files, old snapshots and orphans, each table by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal, TypeVar

from quality_platform.checks.specs import Retained
from quality_platform.config.base_models import megabytes, seconds
from quality_platform.config.models import MaintenanceConfig
from quality_platform.config.tenant_models import SEPARATOR, namespace_of_tenant
from quality_platform.errors import ConcurrentLoadError, QualityPlatformError, StorageError
from quality_platform.flows.broken_tables import error_of
from quality_platform.flows.contracted_tables import ContractedTable, SourceTable
from quality_platform.flows.own_warehouses import looked_at
from quality_platform.flows.platform import Platform
from quality_platform.flows.tenant_rules import readable
from quality_platform.flows.training_upkeep import (
    Released,
    release_expired,
    remove_orphaned_pins,
    training_set_tables,
)
from quality_platform.history.drift_profiles import CACHED_AT, DRIFT_PROFILES, KEPT
from quality_platform.history.records import CHECK_RESULTS, DECISIONS, RUNS
from quality_platform.history.training_sets import TRAINING_SETS
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.maintenance.compaction import Compaction, CompactionSettings, compact
from quality_platform.lake.maintenance.expiry import Expiry, expirable, expire
from quality_platform.lake.maintenance.orphans import Sweep, sweep
from quality_platform.lake.maintenance.purging import Purge, purge
from quality_platform.lake.maintenance.removal import Writing
from quality_platform.lake.maintenance.retention import (
    Retention,
    RetentionRule,
    RetentionSettings,
    delete_old_rows,
)
from quality_platform.lake.position import Position
from quality_platform.lake.scratch import remove_scratch_of_the_dead

Task = Literal["tags", "retention", "purge", "compact", "expire", "orphans"]
TASKS: tuple[Task, ...] = ("tags", "retention", "purge", "compact", "expire", "orphans")
"""The tasks in their order: what one leaves behind, the next clears away."""

HISTORY = (RUNS, CHECK_RESULTS, DECISIONS, DRIFT_PROFILES, TRAINING_SETS)
"""The platform's own tables."""

ALL_TRAINING_SETS = "training_sets.*"
"""Stands for the tables of all training sets, also of those that are declared no longer."""

IN_USE = timedelta(hours=1)
"""For so long a load that is under way may read a snapshot, and keep files to itself."""

_ATTEMPTS = 3
_LONGEST = 100 * 366 * 86_400
"""Seconds of a century: what is kept for longer is kept for ever."""

Done = TypeVar("Done")


@dataclass(frozen=True)
class Wanted:
    """Which tasks; `dry_run` only tells what they would do; `force` spares nothing in use."""

    tasks: Sequence[Task] = TASKS
    dry_run: bool = False
    force: bool = False


@dataclass(frozen=True)
class Upkeep:
    """What was done to one table of the lake; a task that was not wanted is None.

    `gave_way` are tasks that a load stopped: there is time for them later. `error` ended the upkeep
    of this table.
    """

    table: str
    tags: Released | None = None
    retention: Retention | None = None
    purge: Purge | None = None
    compact: Compaction | None = None
    expire: Expiry | None = None
    orphans: Sweep | None = None
    gave_way: tuple[Task, ...] = ()
    error: QualityPlatformError | None = None


def maintain(
    platform: Platform, names: Sequence[str] = (), wanted: Wanted | None = None
) -> Iterator[Upkeep]:
    """Looks after tables and feature views with their quarantines; all, and the history, for ().

    Tables that nothing was published to are passed over. An error of one does not stop the others;
    a table of runner.yaml that is broken is one.
    With the orphans go the folders for temporary files of processes that have died.

    Raises:
        RunnerFileError: there is no table of a name.
    """
    wanted = wanted or Wanted()
    targets = list(_targets(platform, names))
    pinned = _pinned(platform)
    if "orphans" in wanted.tasks and not wanted.dry_run:
        remove_scratch_of_the_dead()
    for target in targets:
        look = partial(platform.lake.find_table, target.identifier)
        found = looked_at(platform.runner, target.identifier, look)
        if isinstance(found, StorageError):
            yield Upkeep(target.identifier, error=found)
        elif found is not None:
            yield _Caretaker(platform, target, wanted, pinned).all_tasks()
    if not names:
        for part in platform.broken_tables.values():
            yield Upkeep(part.name, error=error_of(part))


@dataclass(frozen=True)
class _Target:
    """One table of the lake; `contracted` is None for the history."""

    identifier: str
    config: MaintenanceConfig
    contracted: ContractedTable | None = None
    is_quarantine: bool = False
    is_training_set: bool = False
    is_of_profiles: bool = False

    @property
    def rules(self) -> tuple[RetentionRule, ...]:
        """What the contract says of how long rows are kept; profiles have a time of their own."""
        if self.is_of_profiles:
            return (RetentionRule((CACHED_AT,), datetime.now(UTC) - KEPT),)
        claims = [s.claim for s in self.contracted.specs] if self.contracted else []
        kept = {claim for claim in claims if isinstance(claim, Retained)}
        # What could not be read has no time of its own: it counts from when it came.
        more = ("_quarantined_at",) if self.is_quarantine else ()
        found = []
        for claim in sorted(kept, key=lambda claim: (claim.column, claim.max_age_seconds)):
            # What is before all time is never reached.
            with suppress(OverflowError):
                before = datetime.now(UTC) - timedelta(seconds=claim.max_age_seconds)
                found.append(RetentionRule((claim.column, *more), before))
        return tuple(found)


def _targets(platform: Platform, names: Sequence[str]) -> Iterator[_Target]:
    general = platform.runner.config.maintenance
    for name in names or (*platform.tables, *platform.feature_tables):
        if name in HISTORY:
            yield from _history(platform, name, general)
            continue
        if name == ALL_TRAINING_SETS:
            yield from _training_sets(platform, general)
            continue
        table = platform.contracted(name)
        own = table.config.maintenance if isinstance(table, SourceTable) else None
        yield _Target(table.identifier, own or general, table)
        yield _Target(table.quarantine_identifier, own or general, table, is_quarantine=True)
    if not names:
        for name in HISTORY:
            yield from _history(platform, name, general)
        yield from _training_sets(platform, general)


def _history(platform: Platform, name: str, config: MaintenanceConfig) -> Iterator[_Target]:
    """A table of the history; of profiles also those of every tenant."""
    is_of_profiles = name == DRIFT_PROFILES
    for tenant in ("", *(platform.runner.config.tenants if is_of_profiles else ())):
        namespace, _, table = name.partition(".")
        identifier = f"{namespace_of_tenant(tenant, namespace)}.{table}"
        yield _Target(identifier, config, is_of_profiles=is_of_profiles)


def _training_sets(platform: Platform, config: MaintenanceConfig) -> Iterator[_Target]:
    for identifier in training_set_tables(platform, only_readable=True):
        yield _Target(identifier, config, is_training_set=True)


@dataclass(frozen=True)
class _Pinned:
    """The snapshots that feature views were computed from: their rows can be told again.

    `unknown` says why it is not known which snapshots of a table are: the tables that are read by
    views whose tenant's warehouse cannot be read.
    """

    snapshots: frozenset[int]
    unknown: Mapping[str, StorageError]

    def of(self, table: ContractedTable | None) -> frozenset[int]:
        """The snapshots, none of which may expire.

        Raises:
            StorageError: it is not known which of this table are.
        """
        if table is not None and table.name in self.unknown:
            # Anew each time: the traces would pile up.
            raise StorageError.of(self.unknown[table.name].problems)
        return self.snapshots


def _pinned(platform: Platform) -> _Pinned:
    """What no upkeep may take away. Of views that cannot be used, too: they will be again."""
    # Of runner.yaml alone: the contracts of all views would be read for the upkeep of one table.
    views = platform.runner.config.feature_views.items()
    names = [f"{namespace_of_tenant(v.tenant or '', 'features')}.{name}" for name, v in views]
    if platform.runner.broken:
        names = list(_all_views(platform))
    found: set[int] = set()
    unknown: dict[str, StorageError] = {}
    for name in names:
        look = partial(platform.lake.find_table, name)
        table = looked_at(platform.runner, name, look)
        if isinstance(table, StorageError):
            unknown |= dict.fromkeys(_may_be_read_by(platform, name), table)
            continue
        sources = Position.of(table.properties).sources if table is not None else {}
        found.update(int(s.version) for s in sources.values() if s.version.isdigit())
    return _Pinned(frozenset(found), unknown)


def _all_views(platform: Platform) -> Iterator[str]:
    """The tables of all feature views that there are or were."""
    broken = [part.name for part in platform.runner.broken if part.section == "tenants"]
    for tenant in ("", *platform.runner.config.tenants, *broken):
        yield from platform.lake.identifiers_in(namespace_of_tenant(tenant, "features"))


def _may_be_read_by(platform: Platform, identifier: str) -> Iterable[str]:
    """The tables that a feature view reads; all that it may read where that is not known."""
    namespace, _, name = identifier.partition(".")
    view = platform.feature_tables.get(name)
    if view is not None:
        return view.config.inputs
    return readable(platform.runner, namespace.rpartition(SEPARATOR)[0] or None)


@dataclass(frozen=True)
class _Caretaker:
    platform: Platform
    target: _Target
    wanted: Wanted
    pinned: _Pinned

    def all_tasks(self) -> Upkeep:
        """Does the tasks in their order."""
        does: dict[Task, Callable[[], object]] = {
            "tags": self._tags,
            "retention": self._retention,
            "purge": self._purge,
            "compact": self._compaction,
            "expire": self._expiry,
            "orphans": self._orphans,
        }
        done: dict[str, Any] = {}
        gave_way: list[Task] = []
        error = None
        for task in TASKS:
            if task not in self.wanted.tasks or (self.target.is_training_set and task == "compact"):
                continue
            try:
                done[task] = _again(does[task])
            except ConcurrentLoadError:
                gave_way.append(task)
            except QualityPlatformError as problem:
                error = problem
                break
        return Upkeep(self.target.identifier, **done, gave_way=tuple(gave_way), error=error)

    @property
    def _lake(self) -> Lake:
        return self.platform.lake

    @property
    def _table(self) -> Table:
        return self._lake.table(self.target.identifier)

    @property
    def _main(self) -> Table | None:
        """For a quarantine, the table whose rows it holds, where there is one."""
        if not self.target.is_quarantine or self.target.contracted is None:
            return None
        return self._lake.find_table(self.target.contracted.identifier)

    @property
    def _writing(self) -> Writing:
        return Writing(self.platform.target_file_bytes, self.platform.engine)

    @property
    def _in_use_since(self) -> datetime:
        # With force not even what the task itself puts aside is in use.
        return datetime.now(UTC) + (IN_USE if self.wanted.force else -IN_USE)

    def _before(self, kept: str) -> datetime:
        """The moment before which what is kept for so long may go."""
        age = timedelta(seconds=min(seconds(kept), _LONGEST))
        return min(datetime.now(UTC) - age, self._in_use_since)

    def _tags(self) -> Released:
        identifier, dry_run = self.target.identifier, self.wanted.dry_run
        if self.target.is_training_set:
            return release_expired(self.platform, identifier, dry_run=dry_run)
        force = self.wanted.force
        return remove_orphaned_pins(self.platform, identifier, force=force, dry_run=dry_run)

    def _retention(self) -> Retention:
        table = self._table
        names = table.schema().as_arrow().names
        rules = [
            RetentionRule(there, rule.before)
            for rule in self.target.rules
            # A column that the contract has got since the last load has no values yet.
            if (there := tuple(name for name in rule.columns if name in names))
        ]
        if not rules:
            return Retention()
        settings = RetentionSettings(self._in_use_since, self._writing)
        return delete_old_rows(self._lake, table, rules, settings, dry_run=self.wanted.dry_run)

    def _purge(self) -> Purge:
        main = self._main
        if main is None:
            return Purge()
        dry_run = self.wanted.dry_run
        return purge(self._lake, main, self._table, self._writing, dry_run=dry_run)

    def _compaction(self) -> Compaction:
        below = megabytes(self.target.config.compact_below) * 10**6
        settings = CompactionSettings(below, self.platform.target_file_bytes, self.platform.engine)
        return compact(
            self._lake, self._table, settings, self._committed(), dry_run=self.wanted.dry_run
        )

    def _committed(self) -> frozenset[str] | None:
        """For a quarantine, the attempts whose rows count; None for other tables."""
        if not self.target.is_quarantine:
            return None
        main = self._main
        return frozenset(Position.of(main.properties).attempts) if main else frozenset()

    def _expiry(self) -> Expiry:
        table, config = self._table, self.target.config
        before = self._before(config.keep_snapshots)
        pinned = self.pinned.of(self.target.contracted)
        found = expirable(table, before, config.keep_at_least, pinned)
        return expire(self._lake, table, found, dry_run=self.wanted.dry_run)

    def _orphans(self) -> Sweep:
        before = self._before(self.target.config.orphans_after)
        return sweep(self._lake, self.target.identifier, before, dry_run=self.wanted.dry_run)


def _again(task: Callable[[], Done]) -> Done:
    """A task, done anew where a load was faster; loads never wait for it.

    Raises:
        ConcurrentLoadError: loads were faster each time.
    """
    for _ in range(_ATTEMPTS - 1):
        with suppress(ConcurrentLoadError):
            return task()
    return task()
