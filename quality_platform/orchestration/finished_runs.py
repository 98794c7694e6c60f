"""The runs of an instance in the order in which they end, each once, for sensors."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

import dagster as dg

_ENDS = (dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_SUCCESS)
_WILL_RETRY = "dagster/will_retry"
_UNDECIDED_SECONDS = 60
"""Dagster decides on the retry of a failed run just after it has told of the failure."""


@dataclass(frozen=True)
class FinishedRun:
    """A run that has ended by itself, with what its sensors need of its events.

    Attributes:
        run: The run.
        ended_at: Seconds since the epoch.
        succeeded: Whether it did.
        evaluations: The results of checks, the last one of each.
        failures: The steps that failed, each with what it told for people.
    """

    run: dg.DagsterRun
    ended_at: float
    succeeded: bool
    evaluations: tuple[dg.AssetCheckEvaluation, ...] = ()
    failures: Mapping[str, str] = field(default_factory=dict)

    @property
    def will_retry(self) -> bool:
        """Whether Dagster itself runs it again."""
        return self.run.tags.get(_WILL_RETRY) == "true"


@dataclass(frozen=True)
class Bookmark:
    """How far the runs of an instance have been read: Dagster's own cursor for each kind of end."""

    cursors: Mapping[str, str]

    @classmethod
    def now(cls, instance: dg.DagsterInstance) -> Self:
        """After all runs that have ended by now."""
        found = {kind.value: instance.fetch_run_status_changes(kind, limit=1) for kind in _ENDS}
        return cls({kind: changes.cursor for kind, changes in found.items()})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The bookmark that `to_json` wrote."""
        return cls(json.loads(text))

    def to_json(self) -> str:
        """As a text."""
        return json.dumps(dict(self.cursors), sort_keys=True)


def finished_runs(
    instance: dg.DagsterInstance, bookmark: Bookmark, now: float
) -> Iterator[tuple[FinishedRun, Bookmark]]:
    """The runs that ended after the bookmark, in the order of their ends, each with the next one.

    Stops before a run of which is not yet known whether Dagster retries it.
    """
    heads = {kind: _next(instance, kind, bookmark) for kind in _ENDS}
    while ends := [head for head in heads.values() if head is not None]:
        record, kind, cursor = min(ends, key=lambda end: end[0].timestamp)
        run = instance.get_run_by_id(record.run_id)
        if run is not None and _is_undecided(instance, run, record, now):
            return
        bookmark = Bookmark({**bookmark.cursors, kind.value: cursor})
        if run is not None:
            yield _finished(instance, run, record, kind), bookmark
        heads[kind] = _next(instance, kind, bookmark)


_End = tuple[dg.EventLogEntry, dg.DagsterEventType, str]


def _next(
    instance: dg.DagsterInstance, kind: dg.DagsterEventType, bookmark: Bookmark
) -> _End | None:
    cursor = bookmark.cursors.get(kind.value)
    found = instance.fetch_run_status_changes(kind, limit=1, cursor=cursor, ascending=True)
    if not found.records:
        return None
    return found.records[0].event_log_entry, kind, found.cursor


def _is_undecided(
    instance: dg.DagsterInstance, run: dg.DagsterRun, record: dg.EventLogEntry, now: float
) -> bool:
    failed = run.status is dg.DagsterRunStatus.FAILURE
    decides = failed and instance.run_retries_enabled and _WILL_RETRY not in run.tags
    return decides and now - record.timestamp < _UNDECIDED_SECONDS


def _finished(
    instance: dg.DagsterInstance,
    run: dg.DagsterRun,
    record: dg.EventLogEntry,
    kind: dg.DagsterEventType,
) -> FinishedRun:
    kinds = {dg.DagsterEventType.ASSET_CHECK_EVALUATION, dg.DagsterEventType.STEP_FAILURE}
    evaluations: dict[dg.AssetCheckKey, dg.AssetCheckEvaluation] = {}
    failures: dict[str, str] = {}
    for found in instance.get_records_for_run(run.run_id, of_type=kinds).records:
        event = found.event_log_entry.dagster_event
        if event is None:
            continue
        if event.is_step_failure:
            told = event.step_failure_data.user_failure_data
            failures[event.step_key or ""] = (told.description if told else None) or ""
        elif isinstance(event.event_specific_data, dg.AssetCheckEvaluation):
            evaluation = event.event_specific_data
            evaluations[evaluation.asset_check_key] = evaluation
    succeeded = kind is dg.DagsterEventType.RUN_SUCCESS
    return FinishedRun(run, record.timestamp, succeeded, tuple(evaluations.values()), failures)
