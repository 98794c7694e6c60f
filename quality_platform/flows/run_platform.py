"""A whole run: tables, feature views and materializations, each after what it depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial

from quality_platform.checks.results import Verdict
from quality_platform.errors import QualityPlatformError
from quality_platform.flows.broken_tables import error_of
from quality_platform.flows.compute_features import compute_feature_view
from quality_platform.flows.contracted_tables import FeatureTable
from quality_platform.flows.load_table import load_table
from quality_platform.flows.materialize_features import materialize_feature_view
from quality_platform.flows.outcomes import MaterializationOutcome, Progress, TableOutcome
from quality_platform.flows.platform import Platform
from quality_platform.flows.requests import NOTHING_IN_PARTICULAR, Request
from quality_platform.flows.retries import Outcome, retried
from quality_platform.flows.skew import online_view, with_skew

StepProgress = Callable[[str, str, str], None]
"""Called with the name of a table or view, a step, and a text for people."""


@dataclass(frozen=True)
class StepOutcome:
    """How one table, feature view or materialization ended: exactly one of the three is set."""

    name: str
    outcome: TableOutcome | MaterializationOutcome | None = None
    error: QualityPlatformError | None = None
    skipped: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether what depends on it may run."""
        if isinstance(self.outcome, TableOutcome):
            failed_gates = any(result.blocks for result in self.outcome.results)
            return self.outcome.state != "blocked" and not failed_gates
        return self.outcome is not None and not self.outcome.blocked


Observer = Callable[[str], AbstractContextManager[Callable[[StepOutcome], None]]]
"""Called with the name of a step: what the step runs in, which gives who is told how it ended."""


def _unobserved(_: str) -> AbstractContextManager[Callable[[StepOutcome], None]]:
    return nullcontext(lambda _: None)


def run_platform(
    platform: Platform,
    names: Sequence[str],
    run_id: str,
    progress: StepProgress,
    request: Request = NOTHING_IN_PARTICULAR,
    observer: Observer = _unobserved,
) -> Iterator[StepOutcome]:
    """Runs the tables and feature views called `names`, or all, and yields how each ended.

    `request` is what is asked of each of the tables; each step runs in what `observer` gives.

    What depends on something that failed in this run is skipped; everything else still runs. What
    fails for a while is tried again, as `retries` of runner.yaml says.

    A table or view that is broken ends with its error, and so does an included file in a run of
    everything; nothing else waits for them.

    Raises:
        RunnerFileError: a name that is neither a table nor a feature view.
    """
    for name in names:
        if name not in platform.broken_tables:
            platform.contracted(name)
    yield from _broken(platform, names)
    failed: set[str] = set()
    for name, needs, flow in _steps(platform, run_id, progress, request):
        if names and name.removeprefix("online.") not in names:
            continue
        missing = sorted(failed.intersection(needs))
        step = (
            StepOutcome(name, skipped=f"{', '.join(missing)} did not succeed")
            if missing
            else _step(name, flow, observer)
        )
        if not step.succeeded:
            failed.add(name)
        yield step


def materialize_platform(
    platform: Platform,
    names: Sequence[str],
    run_id: str,
    progress: StepProgress,
    *,
    rebuild: bool = False,
    observer: Observer = _unobserved,
) -> Iterator[StepOutcome]:
    """Brings what is published of the feature views called `names` online.

    Nothing is loaded or computed. What fails for a while is tried again, as in a run.

    Args:
        platform: the platform.
        names: feature views that are online.
        run_id: the run.
        progress: is told of every step.
        rebuild: writes all values, whatever is online, and removes what the views do not have.
        observer: what each step runs in.

    Raises:
        RunnerFileError: a name that is no feature view, or one that is not online.
    """
    for name in names:
        online_view(platform, name)
    flow = partial(_materialize, rebuild=rebuild)
    for name in names:
        bound = _bound(flow, platform, name, run_id, progress)
        yield _step(f"online.{name}", bound, observer)


def online_names(platform: Platform, tenant: str = "") -> tuple[str, ...]:
    """The feature views that are materialized online: those of a tenant, or all."""
    views = platform.feature_tables.values()
    return tuple(v.name for v in views if v.config.online and (not tenant or v.tenant == tenant))


def _broken(platform: Platform, names: Sequence[str]) -> Iterator[StepOutcome]:
    """What cannot run, of that which is asked for. Schedules and sensors are no part of a run."""
    of_run = ("tables", "feature_views", "include")
    for part in platform.broken:
        if part.section in of_run and (not names or part.name in names):
            yield StepOutcome(part.name, error=error_of(part))


def _step(
    name: str, flow: Callable[[], TableOutcome | MaterializationOutcome], observer: Observer
) -> StepOutcome:
    with observer(name) as ended:
        try:
            step = StepOutcome(name, outcome=flow())
        except QualityPlatformError as error:
            step = StepOutcome(name, error=error)
        ended(step)
    return step


def _steps(
    platform: Platform, run_id: str, progress: StepProgress, request: Request
) -> Iterator[tuple[str, tuple[str, ...], Callable[[], TableOutcome | MaterializationOutcome]]]:
    """Every step in order: its name, the steps that it depends on, and what it does."""
    for name in platform.load_order:
        table = platform.tables[name]
        load = partial(_load, request=request)
        yield name, table.references, _bound(load, platform, name, run_id, progress)
    for view in platform.feature_tables.values():
        needs = (*view.config.inputs, *view.references)
        flow = partial(compute_feature_view, full_refresh=request.full_refresh)
        compute = partial(_retried, flow)
        yield view.name, needs, _bound(compute, platform, view.name, run_id, progress)
        if view.config.online:
            yield _online(platform, view, run_id, progress)


def _online(
    platform: Platform, view: FeatureTable, run_id: str, progress: StepProgress
) -> tuple[str, tuple[str, ...], Callable[[], MaterializationOutcome]]:
    flow = _bound(_materialize, platform, view.name, run_id, progress)
    return f"online.{view.name}", (view.name,), flow  # type: ignore[return-value]


def _materialize(
    platform: Platform, name: str, run_id: str, progress: Progress, *, rebuild: bool = False
) -> MaterializationOutcome:
    """Materializes a view, and compares what is online then with what is published."""
    flow = partial(materialize_feature_view, rebuild=rebuild)
    outcome = _retried(flow, platform, name, run_id, progress)
    return with_skew(platform, outcome, progress)


def _load(
    platform: Platform, name: str, run_id: str, progress: Progress, request: Request
) -> TableOutcome:
    return retried(
        lambda n: load_table(platform, name, run_id, progress, replace(request, retry=n)),
        platform.tables[name].retries,
        partial(progress, "failed"),
    )


def _retried(
    flow: Callable[[Platform, str, str, Progress], Outcome],
    platform: Platform,
    name: str,
    run_id: str,
    progress: Progress,
) -> Outcome:
    retries = platform.runner.config.retries
    attempt = partial(flow, platform, name, run_id, progress)
    return retried(lambda _: attempt(), retries, partial(progress, "failed"))


def _bound(
    flow: Callable[..., TableOutcome | MaterializationOutcome],
    platform: Platform,
    name: str,
    run_id: str,
    progress: StepProgress,
) -> Callable[[], TableOutcome | MaterializationOutcome]:
    return lambda: flow(platform, name, run_id, lambda step, text: progress(name, step, text))


def has_failed_checks(steps: Sequence[StepOutcome]) -> bool:
    """Whether a check failed, could not run, or rows were quarantined."""
    return any(
        step.outcome.rows_quarantined
        or step.outcome.count(Verdict.FAIL)
        or step.outcome.count(Verdict.ERROR)
        for step in steps
        if isinstance(step.outcome, TableOutcome)
    )


def has_failed_files(step: StepOutcome) -> bool:
    """Whether files of the source were passed over."""
    return isinstance(step.outcome, TableOutcome) and bool(step.outcome.failed)
