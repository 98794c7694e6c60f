"""The check that the online store of a feature view gives what is published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from quality_platform.checks.results import CheckResult, Verdict, verdict_of
from quality_platform.checks.specs import CheckSpec
from quality_platform.config.skew_models import SkewConfig
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import QualityPlatformError, RunnerFileError
from quality_platform.flows.contracted_tables import FeatureTable
from quality_platform.flows.feature_store_objects import store_settings
from quality_platform.flows.outcomes import MaterializationOutcome, Progress, silent
from quality_platform.flows.platform import Platform
from quality_platform.flows.samples import MASK
from quality_platform.flows.skew_checks import skew_check
from quality_platform.flows.tenant_names import tenant_named
from quality_platform.history.records import RunRecord, record_run

if TYPE_CHECKING:
    from quality_platform.feature_store.skew import SkewExample, SkewFigures

RECORD = "skew."
"""What the names of comparisons begin with in the history."""

_SNAPSHOT = "published_snapshot"
"""The fact of a result that tells which rows were compared."""

_TOLD = {
    "different": "have another value of the same time",
    "stale": "are older than the published row",
    "missing": "are absent online",
    "ahead": "are newer than anything published",
}


def skew_result(platform: Platform, name: str, sample: int | None = None) -> CheckResult:
    """Compares a view's online store with what it has published; the result holds no value.

    `sample` is how many entities are compared, in the place of what runner.yaml says. A view
    without `skew` is judged by its defaults. A comparison that cannot be made is a result, too.

    Raises:
        RunnerFileError: there is no such feature view, or it is not online.
    """
    view = online_view(platform, name)
    config = view.config.skew or SkewConfig()
    if sample is not None:
        config = config.model_copy(update={"sample": sample})
    spec = skew_check(view) or _by_default(view)
    try:
        return _compared(platform, spec, view, config)
    except QualityPlatformError as error:
        message = f"could not run: {error.problems[0].message}"
        return CheckResult(spec=spec, verdict=Verdict.ERROR, rows=0, message=message)


def recorded_skew(
    platform: Platform, name: str, run_id: str, progress: Progress = silent
) -> CheckResult:
    """As `skew_result`, with a row in `history.runs` and one in `history.check_results`.

    Raises:
        RunnerFileError: there is no such feature view, or it is not online.
        LakeError: the lake cannot be used.
    """
    started = datetime.now(UTC)
    progress("comparing", "what is online with what is published")
    result = skew_result(platform, name)
    snapshot = result.facts.get(_SNAPSHOT)
    run = RunRecord(
        table=f"{RECORD}{name}",
        run_id=run_id,
        state="compared",
        started_at=started,
        ended_at=datetime.now(UTC),
        rows_read=result.rows,
        checks_passed=int(result.verdict is Verdict.PASS),
        checks_warned=int(result.verdict is Verdict.WARN),
        checks_failed=int(result.verdict is Verdict.FAIL),
        checks_in_error=int(result.verdict is Verdict.ERROR),
        snapshot_id=int(snapshot) if snapshot else None,
        tenant=tenant_named(platform, name),
    )
    record_run(platform.lake, run, [result])
    return result


def with_skew(
    platform: Platform, outcome: MaterializationOutcome, progress: Progress = silent
) -> MaterializationOutcome:
    """The outcome of a materialization with the result of the comparison, where the view has one.

    Raises:
        LakeError: the lake cannot be used.
    """
    if skew_check(platform.feature_tables[outcome.view]) is None:
        return outcome
    result = recorded_skew(platform, outcome.view, outcome.run_id, progress)
    return replace(outcome, results=(result,))


def online_view(platform: Platform, name: str) -> FeatureTable:
    """A feature view that is materialized online.

    Raises:
        RunnerFileError: there is no such feature view, or it is not online.
    """
    online = {n: v for n, v in platform.feature_tables.items() if v.config.online}
    if name not in online:
        platform.contracted(name)
        raise RunnerFileError(
            f"{name!r} is no feature view that is materialized online",
            location=platform.runner.location("feature_views"),
            allowed=", ".join(online),
            action=did_you_mean(name, list(online)),
        )
    return online[name]


def _by_default(view: FeatureTable) -> CheckSpec:
    given = replace(view, config=view.config.model_copy(update={"skew": SkewConfig()}))
    spec = skew_check(given)
    assert spec is not None
    return spec


def _compared(
    platform: Platform, spec: CheckSpec, view: FeatureTable, config: SkewConfig
) -> CheckResult:
    from quality_platform.feature_store.skew import SkewRequest, compare_online
    from quality_platform.lake.reading import published_snapshot

    snapshot = published_snapshot(platform.lake.table(view.identifier))
    settings, facts = store_settings(platform), {}
    if snapshot is not None:
        # main may move while the entities are read.
        facts[_SNAPSHOT] = str(snapshot.snapshot_id)
        settings = replace(settings, refs={view.identifier: facts[_SNAPSHOT]})
    request = SkewRequest(view.name, config.sample, config.tolerance, platform.sample_rows)
    return replace(_result(spec, view, config, compare_online(settings, request)), facts=facts)


def _result(
    spec: CheckSpec, view: FeatureTable, config: SkewConfig, found: SkewFigures
) -> CheckResult:
    limits = {
        "different": config.max_different,
        "stale": config.max_stale,
        "missing": config.max_missing,
        "ahead": config.max_ahead,
    }
    beyond = [kind for kind, limit in limits.items() if found.share(kind) > limit]
    wrong = sum(found.kinds.values())
    return CheckResult(
        spec=spec,
        verdict=verdict_of(spec, not beyond),
        rows=found.entities,
        count=wrong,
        value=Decimal(f"{wrong / found.entities if found.entities else 0:.6f}"),
        message=_message(found, limits, beyond),
        sample=tuple(_shown(view, example) for example in found.examples),
        detail=_detail(found, limits),
    )


def _message(found: SkewFigures, limits: Mapping[str, float], beyond: list[str]) -> str:
    if not found.entities:
        return "nothing is published: there is nothing to compare"
    told = [
        f"{found.kinds[kind]:,} {_TOLD[kind]} (limit {limits[kind]:.2%})"
        for kind in (beyond or limits)
        if found.kinds[kind]
    ]
    compared = f"of {found.entities:,} entities"
    return f"{compared} {', '.join(told)}" if told else f"{compared} all are as published"


def _shown(view: FeatureTable, example: SkewExample) -> dict[str, object]:
    """An entity that is wrong, its key masked where the contract classifies it."""
    hidden = view.object.restricted_columns
    key = {name: MASK if name in hidden else value for name, value in example.key.items()}
    return {
        **key,
        "what": _TOLD[example.kind],
        "features": ", ".join(example.features),
        "published_at": str(example.published_at or ""),
        "online_at": str(example.online_at or ""),
    }


def _detail(found: SkewFigures, limits: Mapping[str, float]) -> str:
    lines = ["| entities that | number | share | limit |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {_TOLD[kind]} | {found.kinds[kind]:,} | {found.share(kind):.2%} | {limit:.2%} |"
        for kind, limit in limits.items()
    ]
    if found.features:
        lines += ["", "| feature | entities that differ |", "| --- | --- |"]
        lines += [f"| {name} | {number:,} |" for name, number in found.features.most_common()]
    return "\n".join(lines)
