"""A run of the command line, seen as a run of Dagster is: one trace, with a span for each step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from quality_platform.flows.platform import Platform
from quality_platform.flows.run_platform import StepOutcome, StepProgress
from quality_platform.telemetry.observing import Observation, Subject
from quality_platform.telemetry.traces import RunSpan, traces

JOB = "run"
"""What the run is called: the name of the command."""


class ObservedRun:
    """A run, while the block lasts that it is the context of."""

    def __init__(self, platform: Platform, run_id: str) -> None:
        self._platform = platform
        self._run_id = run_id
        self._current: Observation | None = None
        self._error = ""

    def __enter__(self) -> ObservedRun:
        self._began = time.time()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        error_type = kind.__name__ if kind is not None else self._error
        traces().run(RunSpan(self._run_id, JOB, self._began, time.time(), error_type))
        traces().flush()

    def telling(self, progress: StepProgress) -> StepProgress:
        """The same progress, which is seen as well."""

        def tell(name: str, step: str, text: str) -> None:
            if self._current is not None:
                self._current.progress(step, text)
            progress(name, step, text)

        return tell

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[StepOutcome], None]]:
        """What a step of the run runs in; it gives who is told how the step ended."""
        observation = Observation(Subject.of(self._platform, name, self._run_id, JOB))
        with observation:
            self._current = observation
            yield self._ended
        self._current = None

    def _ended(self, step: StepOutcome) -> None:
        assert self._current is not None
        if step.error is not None:
            self._current.failed(step.error)
        elif step.outcome is not None:
            self._current.ended(step.outcome)
        self._error = self._current.error or self._error
