"""What every op does around its flow: tell its progress, report its end, translate its errors."""

import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn, Protocol

import dagster as dg

from quality_platform.config.models import RetryConfig
from quality_platform.errors import QualityPlatformError
from quality_platform.flows.outcomes import MaterializationOutcome, TableOutcome
from quality_platform.flows.retries import announcement, delay_of, may_pass
from quality_platform.flows.tenant_names import tenant_named
from quality_platform.orchestration.keys import HISTORY_UPKEEP, QUARANTINE
from quality_platform.orchestration.tenants import require_tenant
from quality_platform.telemetry.observing import Observation, Subject

if TYPE_CHECKING:
    from quality_platform.flows.platform import Platform
    from quality_platform.flows.run_platform import StepOutcome


class Watcher(Protocol):
    """Somebody in the same process who follows a run, such as the command line."""

    def progress(self, name: str, step: str, text: str) -> None:
        """A flow comes to a new step."""

    def ended(self, outcome: "StepOutcome") -> None:
        """A table, feature view or materialization has ended."""


class Nobody:
    """No watcher."""

    def progress(self, name: str, step: str, text: str) -> None:
        """Does nothing."""

    def ended(self, outcome: "StepOutcome") -> None:
        """Does nothing."""


@dataclass(frozen=True)
class Step:
    """One attempt of one op; of its `platform` the logs and traces take what they tell of it."""

    context: dg.AssetExecutionContext | dg.OpExecutionContext
    name: str
    retries: RetryConfig
    watcher: Watcher
    platform: "Platform | None" = None

    @cached_property
    def observation(self) -> Observation:
        """What the logs and traces tell of it."""
        run, retry = self.context.run, self.context.retry_number
        return Observation(Subject.of(self.platform, self.name, run.run_id, run.job_name, retry))

    @property
    def run_id(self) -> str:
        """The run that the step belongs to."""
        return self.context.run.run_id

    def progress(self, step: str, text: str) -> None:
        """Tells the run's log and the watcher that a flow comes to a new step."""
        self.context.log.info(f"{self.name}: {step}: {text}")
        self.observation.progress(step, text)
        self.watcher.progress(self.name, step, text)

    def ended(self, outcome: TableOutcome | MaterializationOutcome) -> None:
        """Tells how the flow ended, within `translated_errors`."""
        self.observation.ended(outcome)
        self._tell_end(outcome=outcome)

    def _tell_end(
        self,
        outcome: TableOutcome | MaterializationOutcome | None = None,
        error: QualityPlatformError | None = None,
    ) -> None:
        from quality_platform.flows.run_platform import StepOutcome

        self.watcher.ended(StepOutcome(self.name, outcome, error))

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Errors of the platform become failures of the step; only transient ones are retried.

        An op's retry policy is not used: it would also retry defects, and runs that a person stops.
        Meanwhile the step is observed.
        """
        with self.observation:
            try:
                self._require_tenant()
                yield
            except QualityPlatformError as error:
                self._fail(error)

    def _require_tenant(self) -> None:
        # A step is called by what it does and the table: `maintenance.orders`.
        table = self.name.rpartition(".")[2]
        if self.platform is not None:
            # The history is nobody's; to look for such a table would read the whole platform.
            tenant = "" if table == HISTORY_UPKEEP else tenant_named(self.platform, table)
            require_tenant(self.context, tenant, table)

    def _fail(self, error: QualityPlatformError) -> NoReturn:
        retry = self.context.retry_number
        passes = may_pass(error, self.retries)
        is_retried = passes and retry < self.retries.max_retries
        self.observation.failed(error, is_retried=is_retried)
        if is_retried:
            self._try_again(error, retry)
        self._tell_end(error=error)
        raise dg.Failure(
            description=str(error),
            allow_retries=False,
            metadata={
                "code": error.code,
                "transient": passes,
                "attempts": retry + 1,
                "raised_at": dg.MetadataValue.md(_places(error)),
            },
        ) from None

    def _try_again(self, error: QualityPlatformError, retry: int) -> NoReturn:
        """Tells the run's log and the asset of the attempt that failed, and asks for the next."""
        seconds = delay_of(self.retries, retry, error)
        text = announcement(self.retries, retry, error, seconds)
        self.progress("failed", text)
        for key in self._observed_keys():
            observation = dg.AssetObservation(
                key,
                description=text,
                metadata={
                    "attempt": f"{retry + 1} of {self.retries.max_retries + 1}",
                    "reason": f"{error.code} {error.problems[0].message}",
                    "next_attempt": dg.MetadataValue.timestamp(time.time() + seconds),
                    "run": dg.MetadataValue.dagster_run(self.run_id),
                },
            )
            # What a step logs before it raises is lost: this is told beside the run.
            self.context.instance.report_runless_asset_event(observation)
        # A copy has neither cause nor context: texts of other libraries may hold secrets.
        told = type(error).of(error.problems)
        raise dg.RetryRequested(self.retries.max_retries, seconds) from told

    def _observed_keys(self) -> list[dg.AssetKey]:
        """The assets of the op, without the quarantine that comes along with its table."""
        if not isinstance(self.context, dg.AssetExecutionContext):
            return []
        return [
            key for key in sorted(self.context.selected_asset_keys) if key.path[0] != QUARANTINE
        ]


def _places(error: QualityPlatformError) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return "\n".join(f"- `{f.filename}:{f.lineno}` in `{f.name}`" for f in frames)
