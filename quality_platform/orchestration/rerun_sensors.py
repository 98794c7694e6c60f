"""Sensors that run tables again: after failed checks, and after drift."""

import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import dagster as dg

from quality_platform.checks.results import Verdict
from quality_platform.config.sensor_models import CheckFailedSensorConfig, DriftSensorConfig
from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.flows.platform import Platform
from quality_platform.flows.reruns import (
    Chain,
    Rerun,
    RerunPolicy,
    TableEnd,
    after,
    due_reruns,
)
from quality_platform.flows.tenant_names import tenant_named
from quality_platform.orchestration.carry_over import CARRIED_OVER
from quality_platform.orchestration.finished_runs import Bookmark, FinishedRun, finished_runs
from quality_platform.orchestration.keys import EVERYTHING, keys_of, table_key
from quality_platform.orchestration.tenants import tenant_tags

RERUN_OF = "quality-platform/rerun-of"
"""Tag of a rerun: the run that began it."""
RERUN_ATTEMPT = "quality-platform/rerun-attempt"
"""Tag of a rerun: its number, from 1."""
RERUN_TABLE = "quality-platform/rerun-table"
"""Tag of a rerun: the table whose checks failed."""
RERUN_BY = "quality-platform/rerun-by"
"""Tag of a rerun: the sensor that asked for it."""

MOST_RUNS = 200
"""So many finished runs are read in one tick; the rest in the next."""


@dataclass(frozen=True)
class Watch:
    """What a rerun sensor watches.

    Attributes:
        name: The sensor.
        tables: The tables by their assets.
        counts: Whether a check of a table counts, by its name and the result.
        selection: The assets of a rerun of a table.
        policy: How often, and when.
        tags: Further tags of a rerun of a table.
    """

    name: str
    tables: Mapping[dg.AssetKey, ContractedTable]
    counts: Callable[[ContractedTable, dg.AssetCheckEvaluation], bool]
    selection: Callable[[str], Collection[dg.AssetKey]]
    policy: RerunPolicy
    tags: Callable[[str], Mapping[str, str]]


def check_failed_sensor(
    platform: Platform, name: str, config: CheckFailedSensorConfig
) -> dg.SensorDefinition:
    """Runs tables again some time after checks of them failed."""
    usable = (*platform.tables, *platform.feature_tables)
    names = [name for name in config.tables or usable if name in usable]
    watch = Watch(
        name=name,
        tables=_by_key(platform, names),
        counts=lambda table, found: _check_counts(config, table, found),
        selection=lambda table: keys_of(platform, table),
        policy=RerunPolicy(
            config.max_reruns, config.delay_seconds, config.multiplier, config.max_delay_seconds
        ),
        tags=lambda table: tenant_tags(platform, [table]),
    )
    return _sensor(
        watch,
        f"Runs tables again when checks of them failed, {config.max_reruns} times at most.",
        config.interval_seconds,
        enabled=config.enabled,
    )


def drift_rerun_sensor(
    platform: Platform, name: str, config: DriftSensorConfig
) -> dg.SensorDefinition:
    """Runs a table, or a feature view with all that it reads, again when it has drifted."""
    watched = platform.contracted(config.tested)
    drift = {spec.name for spec in watched.drift_checks}
    names = (*_inputs_of(platform, config.tested), config.tested)
    watch = Watch(
        name=name,
        tables=_by_key(platform, (config.tested,)),
        counts=lambda _, found: found.check_name in drift,
        selection=lambda _: [key for table in names for key in keys_of(platform, table)],
        policy=RerunPolicy(config.max_reruns, config.delay_seconds),
        tags=lambda _: tenant_tags(platform, names),
    )
    done = "Loads" if config.view is None else "Computes"
    read = "" if config.view is None else " and what it reads"
    return _sensor(
        watch,
        f"{done} {config.tested}{read} again when it has drifted.",
        config.interval_seconds,
        enabled=config.enabled,
    )


def _inputs_of(platform: Platform, name: str) -> tuple[str, ...]:
    """What a feature view reads and its sensor may run; () for a table."""
    view = platform.feature_tables.get(name)
    if view is None:
        return ()
    if not view.tenant:
        return view.config.inputs
    # What it reads may be shared, and of others, who load it themselves.
    return tuple(n for n in view.config.inputs if tenant_named(platform, n) == view.tenant)


def _by_key(platform: Platform, names: Collection[str]) -> dict[dg.AssetKey, ContractedTable]:
    return {table_key(table): table for table in map(platform.contracted, names)}


def _check_counts(
    config: CheckFailedSensorConfig, table: ContractedTable, found: dg.AssetCheckEvaluation
) -> bool:
    if config.checks:
        return found.check_name in config.checks
    blocking = {spec.name for spec in table.all_checks if spec.blocks}
    return found.check_name in blocking or _verdict(found) == Verdict.ERROR


def _verdict(found: dg.AssetCheckEvaluation) -> str:
    value = found.metadata.get("verdict")
    return value.text or "" if isinstance(value, dg.TextMetadataValue) else ""


def _sensor(
    watch: Watch, description: str, interval_seconds: int, *, enabled: bool
) -> dg.SensorDefinition:
    status = dg.DefaultSensorStatus

    @dg.sensor(
        name=watch.name,
        description=description,
        job_name=EVERYTHING,
        minimum_interval_seconds=interval_seconds,
        default_status=status.RUNNING if enabled else status.STOPPED,
    )
    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = time.time()
        state = _State.from_cursor(context.cursor, context.instance)
        state = state.with_ends(context.instance, watch, now)
        due, chains = due_reruns(state.chains, now)
        reason = None if due else dg.SkipReason(_waiting(chains, now))
        return dg.SensorResult(
            run_requests=[_request(watch, rerun) for rerun in due],
            skip_reason=reason,
            cursor=replace(state, chains=chains).cursor,
        )

    return evaluate


@dataclass(frozen=True)
class _State:
    """What the sensor's cursor holds. Numbers of reruns are in their tags as well."""

    bookmark: Bookmark
    chains: dict[str, Chain]

    @classmethod
    def from_cursor(cls, cursor: str | None, instance: dg.DagsterInstance) -> "_State":
        """What ended before the first look is of no interest."""
        if not cursor:
            return cls(Bookmark.now(instance), {})
        data = json.loads(cursor)
        chains = {table: Chain.from_json(chain) for table, chain in data["chains"].items()}
        return cls(Bookmark(data["read"]), chains)

    @property
    def cursor(self) -> str:
        chains = {table: chain.to_json() for table, chain in sorted(self.chains.items())}
        return json.dumps({"read": dict(self.bookmark.cursors), "chains": chains})

    def with_ends(self, instance: dg.DagsterInstance, watch: Watch, now: float) -> "_State":
        chains, bookmark = self.chains, self.bookmark
        for n, (run, read) in enumerate(finished_runs(instance, bookmark, now), start=1):
            for end in _ends(watch, run):
                chains = after(chains, end, watch.policy)
            bookmark = read
            if n == MOST_RUNS:
                break
        return _State(bookmark, chains)


def _ends(watch: Watch, finished: FinishedRun) -> list[TableEnd]:
    """How the run ended for each watched table that it judged."""
    tags = finished.run.tags
    is_ours = tags.get(RERUN_BY) == watch.name
    failed: dict[str, set[str]] = {}
    passed: dict[str, set[str]] = {}
    for found in finished.evaluations:
        table = watch.tables.get(found.asset_key)
        # A result that was carried over is of another run, which has been read.
        if table is None or CARRIED_OVER in found.metadata or not watch.counts(table, found):
            continue
        (passed if found.passed else failed).setdefault(table.name, set()).add(found.check_name)
    crashed = {tags[RERUN_TABLE]} if is_ours and not finished.succeeded else set()
    return [
        TableEnd(
            table=table,
            run_id=finished.run.run_id,
            ended_at=finished.ended_at,
            failed=frozenset(failed.get(table, ())),
            passed=frozenset(passed.get(table, ())),
            root=tags[RERUN_OF] if is_ours and tags[RERUN_TABLE] == table else "",
            attempt=int(tags[RERUN_ATTEMPT]) if is_ours and tags[RERUN_TABLE] == table else 0,
            crashed=table in crashed and not finished.will_retry,
        )
        for table in sorted({*failed, *passed, *crashed})
    ]


def _request(watch: Watch, rerun: Rerun) -> dg.RunRequest:
    """The key is of the chain and its number: a daemon that asks again starts nothing."""
    return dg.RunRequest(
        run_key=f"{watch.name}-{rerun.name}",
        job_name=EVERYTHING,
        asset_selection=list(watch.selection(rerun.table)),
        tags={
            **watch.tags(rerun.table),
            RERUN_OF: rerun.root,
            RERUN_ATTEMPT: str(rerun.attempt),
            RERUN_TABLE: rerun.table,
            RERUN_BY: watch.name,
        },
    )


def _waiting(chains: Mapping[str, Chain], now: float) -> str:
    """What the tick shows where there is nothing to do."""
    told = [
        f"{table}: rerun {chain.reruns + 1} in {max(chain.due - now, 0):.0f} s"
        if chain.due is not None
        else f"{table}: {chain.reruns} reruns so far"
        for table, chain in sorted(chains.items())
    ]
    return "; ".join(told) or "no check that counts has failed"
