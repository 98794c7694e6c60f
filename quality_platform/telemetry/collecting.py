"""The metrics of a platform, read from its lake: right whichever process has loaded."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quality_platform.checks.specs import Fresh
from quality_platform.errors import QualityPlatformError
from quality_platform.flows.broken_tables import namespace_of, quarantine_of, tenant_of
from quality_platform.flows.platform import Platform
from quality_platform.history.totals import (
    LOAD_STATES,
    MATERIALIZED,
    REPLAY_STATES,
    CheckTotals,
    HistoryTotals,
    StateTotals,
)
from quality_platform.telemetry import families as f
from quality_platform.telemetry.families import FAMILIES, Family
from quality_platform.telemetry.identity import platform_version
from quality_platform.telemetry.table_sizes import LOGGER, Place, TableSize, TableSizes

if TYPE_CHECKING:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    Metric = CounterMetricFamily | GaugeMetricFamily

Sample = tuple[Family, tuple[str, ...], float]
"""A metric, the values of its labels, and its value."""


@dataclass(frozen=True)
class _Watched:
    """A table or feature view: the values of its labels, its place, the ages that it limits."""

    labels: tuple[str, str, str]
    place: Place
    limits: Mapping[str, int]
    is_broken: bool = False


class PlatformCollector:
    """Gives the metrics to prometheus_client; a reading of the lake is good for `keep_seconds`.

    Several scrapes at once cause one reading. `clock` tells seconds since 1970.
    """

    def __init__(
        self, platform: Platform, keep_seconds: float = 0, clock: Callable[[], float] = time.time
    ) -> None:
        self._watched = _watched(platform)
        ages = {check for table in self._watched.values() for check in table.limits}
        places = {name: table.place for name, table in self._watched.items()}
        self._history = HistoryTotals(platform.lake, platform.engine, ages)
        self._sizes = TableSizes(platform, places)
        self._keep = keep_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._read_at: float | None = None
        self._seconds = 0.0
        self._is_up = False
        self._runs: dict[str, int] = {}

    def refresh(self) -> None:
        """Reads the lake.

        Raises:
            LakeError: the lake cannot be used.
            EngineError: the history cannot be read.
        """
        self._is_up, began = False, self._clock()
        self._read_at = began
        self._history.refresh()
        runs = {
            name: sum(totals.runs for totals in states.values())
            for name, states in self._history.runs.items()
        }
        changed = {name for name, number in runs.items() if self._runs.get(name) != number}
        self._sizes.refresh(changed)
        self._runs, self._seconds, self._is_up = runs, self._clock() - began, True

    def collect(self) -> Iterator[Metric]:
        """The metrics; where the lake cannot be read, only that it cannot."""
        with self._lock:
            if self._read_at is None or self._clock() - self._read_at >= self._keep:
                try:
                    self.refresh()
                except QualityPlatformError as error:
                    logging.getLogger(LOGGER).error("%s", error)
            found = list(as_metrics(self.samples()))
        yield from found

    def describe(self) -> Iterable[Metric]:
        """Nothing: a registry that asks must not cause a reading."""
        return ()

    def samples(self) -> Iterator[Sample]:
        """What was read last, as of now."""
        yield f.BUILD_INFO, (platform_version(),), 1
        yield f.LAKE_UP, (), float(self._is_up)
        for table in self._watched.values():
            yield f.BROKEN, table.labels, float(table.is_broken)
        if not self._is_up or self._read_at is None:
            return
        yield f.COLLECTED_AT, (), self._read_at
        yield f.COLLECT_SECONDS, (), self._seconds
        now = self._clock()
        for name, table in self._watched.items():
            yield from _counter_samples(table, self._history.runs.get(name, {}))
            yield from _latest_samples(table, self._history.runs.get(name, {}), now)
            yield from _check_samples(table, self._history.checks.get(name, CheckTotals()), now)
            if name in self._sizes.sizes:
                yield from _size_samples(table, self._sizes.sizes[name])


def _watched(platform: Platform) -> dict[str, _Watched]:
    found = {}
    for table in (*platform.tables.values(), *platform.feature_tables.values()):
        limits = {
            s.name: s.claim.max_age_seconds for s in table.specs if isinstance(s.claim, Fresh)
        }
        labels = (table.name, table.namespace, table.tenant)
        place = Place(table.identifier, table.quarantine_identifier)
        found[table.name] = _Watched(labels, place, limits)
    for part in platform.broken_tables.values():
        namespace = namespace_of(part)
        place = Place(f"{namespace}.{part.name}", quarantine_of(part))
        labels = (part.name, namespace, tenant_of(part))
        found[part.name] = _Watched(labels, place, {}, is_broken=True)
    return found


def _counter_samples(table: _Watched, states: Mapping[str, StateTotals]) -> Iterator[Sample]:
    """They begin at 0: Prometheus sees no increase in a counter that begins with another number."""
    labels = table.labels
    loads = [states[state] for state in LOAD_STATES if state in states]
    publishing = loads + [states[state] for state in REPLAY_STATES if state in states]
    yield f.ROWS_READ, labels, _sum(loads, "rows_read")
    yield f.ROWS_PUBLISHED, labels, _sum(publishing, "rows_published")
    yield f.ROWS_QUARANTINED, labels, _sum(loads, "rows_quarantined")
    yield f.BYTES_READ, labels, _sum(loads, "bytes_read")
    yield f.BYTES_WRITTEN, labels, _sum(loads, "bytes_written")
    if MATERIALIZED in states:
        yield f.ROWS_MATERIALIZED, labels, _sum([states[MATERIALIZED]], "rows_published")
    for state in sorted({*states, *LOAD_STATES}):
        yield f.RUNS, (*labels, state), states[state].runs if state in states else 0
    yield f.RUN_SECONDS, labels, sum(totals.seconds for totals in states.values())


def _latest_samples(
    table: _Watched, states: Mapping[str, StateTotals], now: float
) -> Iterator[Sample]:
    labels = table.labels
    ended = [(t.ended_at, state, t) for state, t in sorted(states.items()) if t.ended_at]
    if ended:
        at, state, latest = max(ended, key=lambda one: one[0])
        yield f.LAST_RUN_STATE, (*labels, state), 1
        yield f.LAST_RUN_AT, labels, at.timestamp()
        yield f.LAST_RUN_SECONDS, labels, latest.last_seconds
    published = [totals.published_at for totals in states.values() if totals.published_at]
    if published:
        yield f.PUBLISHED_AT, labels, max(published).timestamp()
        yield f.FRESHNESS, labels, max(now - max(published).timestamp(), 0)


def _sum(states: Iterable[StateTotals], name: str) -> float:
    return sum(totals.sums[name] for totals in states)


def _check_samples(table: _Watched, totals: CheckTotals, now: float) -> Iterator[Sample]:
    for (verdict, severity), number in sorted(totals.results.items()):
        yield f.CHECK_RESULTS, (*table.labels, verdict, severity), number
    for (verdict, severity), number in sorted(totals.latest.items()):
        yield f.CHECKS, (*table.labels, verdict, severity), number
    for check, limit in table.limits.items():
        yield f.DATA_AGE_LIMIT, (*table.labels, check), limit
        if check in totals.newest:
            yield f.DATA_AGE, (*table.labels, check), now - totals.newest[check]


def _size_samples(table: _Watched, size: TableSize) -> Iterator[Sample]:
    yield f.TABLE_ROWS, table.labels, size.rows
    yield f.TABLE_BYTES, table.labels, size.bytes
    yield f.QUARANTINE_ROWS, table.labels, size.quarantined
    yield f.BLOCKED_LOADS, table.labels, size.blocked


def as_metrics(samples: Iterable[Sample]) -> Iterator[Metric]:
    """The samples as prometheus_client's metrics, in the order of `FAMILIES`."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    kinds = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
    made = {
        family: kinds[family.kind](family.full_name, family.help, labels=family.labels)
        for family in FAMILIES
    }
    for family, labels, value in samples:
        made[family].add_metric(labels, value)
    yield from made.values()
