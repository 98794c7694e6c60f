"""What is seen of one attempt of one step of a run: told to the log, and to the traces."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from quality_platform.checks.results import CheckResult, Verdict
from quality_platform.errors import PublishBlockedError, QualityPlatformError
from quality_platform.flows.facts import Fact, told_to
from quality_platform.flows.outcomes import LoadOutcome, MaterializationOutcome, TableOutcome
from quality_platform.telemetry.log_lines import FIELDS, configure_logs
from quality_platform.telemetry.traces import NoSpan, RunIds, Span, is_traced, traces

if TYPE_CHECKING:
    from quality_platform.flows.platform import Platform

LOGGER = "quality_platform.runs"
"""The logger of what runs do."""

# Where nothing else takes what it says, it is not said on standard error: the flows' callers do.
logging.getLogger(LOGGER).addHandler(logging.NullHandler())

OPEN = "open"
"""The first phase of every step: the source is opened, and what is new there is found."""

PHASES = {
    "waiting": OPEN,
    "reading": "read",
    "computing": "compute",
    "staged": "check",
    "merging": "merge",
    "checked": "commit",
    "auditing": "audit",
    "materializing": "materialize",
    "rolling_back": "roll_back",
    "published": "finish",
    "blocked": "finish",
    "failed": "wait",
}
"""What begins when a flow tells that it comes to a step; a step that is not here keeps its name."""

_SAME_PHASE = {"quarantine_committed", "passed_over", "beside", "starting"}
"""Steps that a flow tells of within a phase."""

_OF_LOAD = ("load_id", "attempt")
"""Facts that stay true for the phases that follow, until a new load begins."""

_BEGINS_LOAD = {"reading", "computing"}


@dataclass(frozen=True)
class Subject:
    """What is observed.

    Attributes:
        run_id: The run.
        name: The step, such as `orders` or `online.totals`.
        table: The table or feature view that it is about.
        namespace: Its namespace; "" where it is not known.
        tenant: Its tenant; "" for none.
        contract_version: The version of its contract; "" where it is not known.
        job: Dagster's job; "" for none.
        retry: The number of the retry, 0 for the first attempt.
    """

    run_id: str
    name: str
    table: str
    namespace: str = ""
    tenant: str = ""
    contract_version: str = ""
    job: str = ""
    retry: int = 0

    @classmethod
    def of(
        cls, platform: Platform | None, name: str, run_id: str, job: str = "", retry: int = 0
    ) -> Subject:
        """The subject of a step; `platform` tells more of the table that is named last in it."""
        table = name.rpartition(".")[2]
        found = None
        if platform is not None:
            found = platform.tables.get(table) or platform.feature_tables.get(table)
        if found is None:
            return cls(run_id, name, table, job=job, retry=retry)
        version = found.contract.version
        return cls(run_id, name, table, found.namespace, found.tenant, version, job, retry)

    @property
    def facts(self) -> dict[str, Fact]:
        """What is told of it with every span."""
        return {
            "run_id": self.run_id,
            "job": self.job,
            "table": self.table,
            "namespace": self.namespace,
            "tenant": self.tenant,
            "contract_version": self.contract_version,
            "retry": self.retry,
        }


class Observation:
    """One attempt of one step, while the first block lasts that it is the context of.

    It never raises an error of its own, but for a wrong variable of the environment. `error` is the
    code of the error that it ended in, or the name of the exception's type; "" for none.
    """

    def __init__(self, subject: Subject) -> None:
        configure_logs()
        self._subject = subject
        self._traces = traces()
        self._logger = logging.getLogger(LOGGER)
        self._step = OPEN
        self._phase_name = OPEN
        self._load: dict[str, Fact] = {}
        self._span: Span = NoSpan()
        self._phase: Span = NoSpan()
        self._is_over = False
        self.error = ""

    def __enter__(self) -> Observation:
        if self._is_over:
            return self
        self._stack = ExitStack()
        self._stack.enter_context(told_to(self._facts))
        self._span = self._traces.step(self._subject.run_id, self._subject.name)
        self._span.set(self._subject.facts)
        self._phase = self._span.child(OPEN)
        self._log(logging.INFO, "started")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_over:
            return
        if kind is not None and not self.error:
            # A defect of the platform, or a person who stopped it: the type tells no value.
            self.error = kind.__name__
            self._log(logging.ERROR, "ended by an error", {"code": self.error})
        self._phase.end(self.error)
        self._span.end(self.error)
        self._span = self._phase = NoSpan()
        self._traces.flush()
        self._stack.close()
        self._is_over = True

    def progress(self, step: str, text: str) -> None:
        """A flow comes to a new step."""
        self._step = step
        if step in _BEGINS_LOAD:
            self._load = {}
        self._log(logging.INFO, f"{step}: {text}")
        if step in _SAME_PHASE or self.error:
            return
        name = PHASES.get(step, step)
        if name != self._phase_name or step in _BEGINS_LOAD:
            self._phase.end()
            self._phase_name, self._phase = name, self._span.child(name)
            self._phase.set({"table": self._subject.table, **self._load})

    def ended(self, outcome: TableOutcome | MaterializationOutcome) -> None:
        """The flow has come to its end."""
        facts = outcome_facts(outcome)
        self._span.set(facts)
        if isinstance(outcome, TableOutcome):
            for load in outcome.loads:
                self._span.event("load", load_facts(load))
            if outcome.state == "blocked":
                self.error = PublishBlockedError.code
        self._log(logging.INFO, f"ended: {outcome.state}", facts)

    def failed(self, error: QualityPlatformError, *, is_retried: bool = False) -> None:
        """The flow has ended in an error, and may be tried again."""
        self.error = error.code
        self._phase.end(self.error)
        self._phase = NoSpan()
        level = logging.WARNING if is_retried else logging.ERROR
        self._log(level, str(error), {"code": error.code, "retried": is_retried})

    def _facts(self, facts: Mapping[str, Fact]) -> None:
        self._load.update({name: facts[name] for name in _OF_LOAD if name in facts})
        self._phase.set(facts)

    def _log(self, level: int, message: str, facts: Mapping[str, Fact] | None = None) -> None:
        if not self._logger.isEnabledFor(level):
            return
        subject = self._subject
        fields = {
            "run": subject.run_id,
            "table": subject.table,
            "tenant": subject.tenant,
            "step": self._step,
            "load": self._load.get("load_id", ""),
            **(facts or {}),
        }
        if subject.name != subject.table:
            fields["task"] = subject.name
        if is_traced():
            fields["trace_id"] = RunIds.of(subject.run_id).trace
        self._logger.log(level, "%s: %s", subject.name, message, extra={FIELDS: fields})


def outcome_facts(outcome: TableOutcome | MaterializationOutcome) -> dict[str, Fact]:
    """Numbers of a run of a table, and of its loads together."""
    if isinstance(outcome, MaterializationOutcome):
        return {
            "state": outcome.state,
            "rows_materialized": outcome.rows,
            "snapshot_id": str(outcome.snapshot_id),
            **(_verdicts(outcome.results) if outcome.results else {}),
        }
    return {
        "state": outcome.state,
        "loads": len(outcome.loads),
        "batches": sum(load.batches for load in outcome.loads),
        "rows_read": outcome.rows_read,
        "rows_published": outcome.rows_published,
        "rows_quarantined": outcome.rows_quarantined,
        "bytes_read": outcome.bytes_read,
        "bytes_written": outcome.bytes_written,
        "total_rows": outcome.total_rows,
        "snapshot_id": str(outcome.snapshot_id or ""),
        "partition": outcome.partition,
        **_verdicts(outcome.results),
    }


def load_facts(load: LoadOutcome) -> dict[str, Fact]:
    """Numbers of one load."""
    return {
        "load_id": load.load_id,
        "attempt": load.attempt,
        "files": len(load.files),
        "batches": load.batches,
        "rows_read": load.rows_read,
        "rows_published": load.rows_published,
        "rows_quarantined": load.rows_quarantined,
        "bytes_read": load.bytes_read,
        "bytes_written": load.bytes_written,
        "snapshot_id": str(load.snapshot_id or ""),
        "branch": load.branch or "",
        "partition": load.partition,
        **_verdicts(load.results),
    }


def _verdicts(results: tuple[CheckResult, ...]) -> dict[str, Fact]:
    found = [result.verdict for result in results]
    return {f"checks_{verdict.value}": found.count(verdict) for verdict in Verdict}
