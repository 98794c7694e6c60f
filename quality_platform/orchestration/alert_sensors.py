"""Hooks as sensors: each tells its hook of the runs that have ended, one event after the other."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import dagster as dg

from quality_platform.checks.results import Verdict
from quality_platform.config.alert_models import AlertEvent
from quality_platform.config.base_models import seconds
from quality_platform.config.sensor_models import DriftSensorConfig
from quality_platform.config.sensor_references import HOOK_SENSOR
from quality_platform.errors import QualityPlatformError
from quality_platform.flows.alert_delivery import deliver
from quality_platform.flows.alerts import (
    Alert,
    AlertCheck,
    AlertFilter,
    AlertRun,
    contract_of,
)
from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.flows.drift_checks import OVERALL
from quality_platform.flows.platform import Platform
from quality_platform.orchestration.carry_over import CARRIED_OVER
from quality_platform.orchestration.finished_runs import Bookmark, FinishedRun, finished_runs
from quality_platform.orchestration.keys import op_tables, table_key
from quality_platform.orchestration.rerun_sensors import RERUN_ATTEMPT
from quality_platform.orchestration.ticks import clear_errors

TENANT = "quality-platform/tenant"
"""Tag of a run: its tenant."""

_DRIFT: tuple[AlertEvent, ...] = ("drift",)

TICK_SECONDS = 20
"""A tick begins to tell no further event after so long: Dagster stops it after a minute."""


def alert_sensors(platform: Platform) -> list[dg.SensorDefinition]:
    """A sensor for each hook that is told of events by itself."""
    hooks = platform.runner.config.alerts.hooks
    return [
        _sensor(
            platform,
            HOOK_SENSOR + name,
            name,
            AlertFilter(hook.events, hook.tables, hook.severity),
            interval_seconds=hook.interval_seconds,
            enabled=hook.enabled,
        )
        for name, hook in hooks.items()
        if hook.events
    ]


def drift_alert_sensor(
    platform: Platform, name: str, config: DriftSensorConfig
) -> dg.SensorDefinition:
    """Tells a hook when a table or feature view has drifted."""
    assert config.hook is not None
    return _sensor(
        platform,
        name,
        config.hook,
        AlertFilter(_DRIFT, (config.tested,), "warning"),
        interval_seconds=config.interval_seconds,
        enabled=config.enabled,
    )


def _sensor(
    platform: Platform,
    name: str,
    hook: str,
    wanted: AlertFilter,
    *,
    interval_seconds: int,
    enabled: bool,
) -> dg.SensorDefinition:
    status = dg.DefaultSensorStatus
    told_of = ", ".join(wanted.events)

    @dg.sensor(
        name=name,
        description=f"Tells the hook {hook} of {told_of}.",
        minimum_interval_seconds=interval_seconds,
        default_status=status.RUNNING if enabled else status.STOPPED,
    )
    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        tick = _Tick(platform, hook, wanted, context)
        with clear_errors():
            state = tick.tell_all(_State.from_cursor(context.cursor, context.instance))
        return dg.SensorResult(skip_reason=dg.SkipReason(tick.summary), cursor=state.cursor)

    return evaluate


@dataclass(frozen=True)
class _State:
    """What the sensor's cursor holds: `told` are the events of the next run that were told."""

    bookmark: Bookmark
    told: tuple[str, ...] = ()

    @classmethod
    def from_cursor(cls, cursor: str | None, instance: dg.DagsterInstance) -> "_State":
        """What ended before the first look is told to nobody."""
        if not cursor:
            return cls(Bookmark.now(instance))
        data = json.loads(cursor)
        return cls(Bookmark(data["read"]), tuple(data["told"]))

    @property
    def cursor(self) -> str:
        return json.dumps({"read": dict(self.bookmark.cursors), "told": self.told})


class _Tick:
    """One look of a hook's sensor."""

    def __init__(
        self,
        platform: Platform,
        hook: str,
        wanted: AlertFilter,
        context: dg.SensorEvaluationContext,
    ) -> None:
        self.platform = platform
        self.name = hook
        self.hook = platform.runner.config.alerts.hooks[hook]
        self.wanted = wanted
        self.context = context
        self.delivered = 0
        self.waiting = ""
        self._until = time.monotonic() + TICK_SECONDS

    @property
    def summary(self) -> str:
        """What the tick shows."""
        told = f"{self.delivered} events told" if self.delivered else "nothing to tell"
        return f"{told}; {self.waiting}" if self.waiting else told

    def tell_all(self, state: _State) -> _State:
        """Tells every event, in order, until there is no more, no time, or the hook fails.

        Raises:
            QualityPlatformError: the hook failed at the first event.
        """
        runs = finished_runs(self.context.instance, state.bookmark, time.time())
        for run, read in runs:
            state = self._tell_run(run, state)
            if self.waiting:
                return state
            state = _State(read)
        return state

    def _tell_run(self, run: FinishedRun, state: _State) -> _State:
        for alert in alerts_of(self.platform, run):
            if alert.id in state.told or not self.wanted.lets_pass(alert):
                continue
            if time.monotonic() > self._until:
                self.waiting = "more in the next tick"
                return state
            if not self._tell(alert, run.ended_at):
                return state
            state = replace(state, told=(*state.told, alert.id))
        return state

    def _tell(self, alert: Alert, ended_at: float) -> bool:
        """Whether the event is done with: told, or given up."""
        folder = self.platform.runner.document.path.parent
        try:
            deliver(self.hook, self.name, alert, folder)
        except QualityPlatformError as error:
            return self._failed(alert, ended_at, error)
        self.delivered += 1
        self.context.log.info(f"told {self.name} of {alert.event} {alert.id}")
        return True

    def _failed(self, alert: Alert, ended_at: float, error: QualityPlatformError) -> bool:
        if time.time() - ended_at > seconds(self.hook.keep_trying):
            self.context.log.error(f"given up telling of {alert.event} {alert.id}: {error}")
            return True
        if not self.delivered:
            raise error
        # A tick that fails would forget what it has told.
        self.waiting = f"{error.problems[0].message}; it is told again"
        return False


def alerts_of(platform: Platform, finished: FinishedRun) -> Iterator[Alert]:
    """Everything that may be told of a run: failures of checks, drift, and its own failure.

    A failure after which Dagster runs it again by itself is not told: the last one is.
    """
    run = AlertRun(
        id=finished.run.run_id,
        job=finished.run.job_name,
        url=_url(platform, finished.run.run_id),
        attempt=int(finished.run.tags.get(RERUN_ATTEMPT, "0")),
    )
    told = _Told(platform, finished, run)
    yield from told.checks()
    if not finished.succeeded and not finished.will_retry:
        yield from told.failures()


@dataclass(frozen=True)
class _Told:
    """What is told of one run."""

    platform: Platform
    finished: FinishedRun
    run: AlertRun

    def checks(self) -> Iterator[Alert]:
        tables = {table_key(table): table for table in _all_tables(self.platform)}
        for found in self.finished.evaluations:
            table = tables.get(found.asset_key)
            # A result that was carried over has been told of when it was found.
            is_new = not found.passed and CARRIED_OVER not in found.metadata
            if table is not None and is_new and not self._is_told_by_overall(table, found):
                yield self._of_check(table, found)

    def _is_told_by_overall(self, table: ContractedTable, found: dg.AssetCheckEvaluation) -> bool:
        """Whether what kept a whole drift test from running is told by its check of all columns."""
        names = {spec.name for spec in table.drift_checks} - {OVERALL}
        return found.check_name in names and any(
            other.check_name == OVERALL and other.description == found.description
            for other in self.finished.evaluations
            if other.asset_key == found.asset_key
        )

    def _of_check(self, table: ContractedTable, found: dg.AssetCheckEvaluation) -> Alert:
        check = _check(table, found)
        is_warning = found.severity is dg.AssetCheckSeverity.WARN
        ended = "could not run" if check.verdict == Verdict.ERROR else "failed"
        is_drift = check.drift is not None
        what = f"{check.name} {'has found drift' if is_drift else ended}"
        return self._alert(
            Alert(
                event="drift" if is_drift else "check_failed",
                severity="warning" if is_warning else "error",
                at="",
                message=f"{table.name}: {what}",
                run=self.run,
                check=check,
            ),
            table,
        )

    def failures(self) -> Iterator[Alert]:
        names = op_tables(self.platform)
        failed = {names.get(step, ""): text for step, text in self.finished.failures.items()}
        for name, text in sorted((failed or {"": ""}).items()):
            what = text.splitlines()[0] if text else "the run failed"
            alert = Alert(
                event="run_failed",
                severity="error",
                at="",
                message=f"{name}: {what}" if name else what,
                run=self.run,
            )
            yield self._alert(alert, self.platform.contracted(name) if name else None)

    def _alert(self, alert: Alert, table: ContractedTable | None) -> Alert:
        alert = replace(
            alert,
            at=datetime.fromtimestamp(self.finished.ended_at, UTC).isoformat(timespec="seconds"),
            tenant=self.finished.run.tags.get(TENANT, ""),
        )
        if table is None:
            return alert
        # A run that is about the tables of several has no tenant, and each of the tables may have.
        return replace(
            alert,
            table=table.name,
            identifier=table.identifier,
            tenant=table.tenant,
            contract=contract_of(table),
        )


def _check(table: ContractedTable, found: dg.AssetCheckEvaluation) -> AlertCheck:
    numbers = {
        name: value.value
        for name, value in found.metadata.items()
        if isinstance(value, dg.IntMetadataValue | dg.FloatMetadataValue)
    }
    texts = {
        name: value.text or ""
        for name, value in found.metadata.items()
        if isinstance(value, dg.TextMetadataValue)
    }
    drift = {spec.name for spec in table.drift_checks}
    counts = {name: numbers.get(name) for name in ("rows_failing", "rows_judged")}
    return AlertCheck(
        name=found.check_name,
        verdict=texts.get("verdict", ""),
        dimension=texts.get("dimension", ""),
        threshold=texts.get("threshold", ""),
        share_failing=numbers.get("share_failing"),
        # Of other checks it may be the value of a single row.
        drift=numbers.get("value") if found.check_name in drift else None,
        **{name: None if n is None else int(n) for name, n in counts.items()},
    )


def _all_tables(platform: Platform) -> list[ContractedTable]:
    return [*platform.tables.values(), *platform.feature_tables.values()]


def _url(platform: Platform, run_id: str) -> str:
    address = platform.runner.config.alerts.dagster_url
    return f"{address.rstrip('/')}/runs/{run_id}" if address else ""
