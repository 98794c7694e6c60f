"""What every op does around its flow: tell its progress, report its end, translate its errors."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, Protocol

import dagster as dg

from quality_platform.config.models import RetryConfig
from quality_platform.errors import QualityPlatformError
from quality_platform.flows.outcomes import MaterializationOutcome, TableOutcome
from quality_platform.flows.retries import delay_of

if TYPE_CHECKING:
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
    """One attempt of one op."""

    context: dg.AssetExecutionContext | dg.OpExecutionContext
    name: str
    retries: RetryConfig
    watcher: Watcher

    @property
    def run_id(self) -> str:
        """The run that the step belongs to."""
        return self.context.run.run_id

    def progress(self, step: str, text: str) -> None:
        """Tells the run's log and the watcher that a flow comes to a new step."""
        self.context.log.info(f"{self.name}: {step}: {text}")
        self.watcher.progress(self.name, step, text)

    def ended(self, outcome: TableOutcome | MaterializationOutcome) -> None:
        """Tells the watcher how the flow ended."""
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
        """
        try:
            yield
        except QualityPlatformError as error:
            self._fail(error)

    def _fail(self, error: QualityPlatformError) -> NoReturn:
        retry = self.context.retry_number
        # A copy has neither cause nor context: texts of other libraries may hold secrets.
        told = type(error).of(error.problems)
        if error.transient and retry < self.retries.max_retries:
            seconds = delay_of(self.retries, retry, error)
            text = f"{error.problems[0].message}; it will be tried again in {seconds:.1f} s"
            self.progress("failed", text)
            raise dg.RetryRequested(self.retries.max_retries, seconds) from told
        self._tell_end(error=error)
        raise dg.Failure(
            description=str(error),
            allow_retries=False,
            metadata={
                "code": error.code,
                "transient": error.transient,
                "raised_at": dg.MetadataValue.md(_places(error)),
            },
        ) from None


def _places(error: QualityPlatformError) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return "\n".join(f"- `{f.filename}:{f.lineno}` in `{f.name}`" for f in frames)
