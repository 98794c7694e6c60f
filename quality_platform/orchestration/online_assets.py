"""The assets of the online store, and the check that it gives what is published."""

from collections.abc import Iterator

import dagster as dg

from quality_platform.checks.results import CheckResult
from quality_platform.flows.contracted_tables import FeatureTable
from quality_platform.flows.outcomes import MaterializationOutcome
from quality_platform.flows.platform import Platform
from quality_platform.orchestration.asset_checks import asset_check_result, online_check_specs
from quality_platform.orchestration.asset_specs import online_spec
from quality_platform.orchestration.carry_over import provenance_of
from quality_platform.orchestration.keys import online_key, online_op
from quality_platform.orchestration.steps import Step, Watcher


class OnlineConfig(dg.Config):
    """How a view is brought online: as a rebuild of what the store has of it, or as ever."""

    rebuild: bool = False


Event = dg.MaterializeResult[None] | dg.AssetCheckResult


def online_assets(platform: Platform, view: FeatureTable, watcher: Watcher) -> dg.AssetsDefinition:
    """A feature view in Feast's online store, and its check where it has one."""
    retries = platform.runner.config.retries

    @dg.multi_asset(
        name=online_op(view.name),
        specs=[online_spec(platform, view)],
        check_specs=online_check_specs(view),
        can_subset=True,
        # Feast's registry is one for all views.
        pool="feast",
    )
    def run(context: dg.AssetExecutionContext, config: OnlineConfig) -> Iterator[Event]:
        step = Step(context, f"online.{view.name}", retries, watcher, platform)
        is_compared = bool(context.selected_asset_check_keys)
        if context.selected_asset_keys:
            with step.translated_errors():
                outcome = _materialize(platform, view.name, step, rebuild=config.rebuild)
                if is_compared:
                    outcome = _with_skew(platform, outcome, step)
                step.ended(outcome)
            yield _online_result(view, outcome)
            yield from _checked(view, outcome.results)
        elif is_compared:
            with step.translated_errors():
                results = (_compare(platform, view.name, step),)
            yield from _checked(view, results)

    return run


# The flows are imported when they run: see `assets`.
def _materialize(
    platform: Platform, name: str, step: Step, *, rebuild: bool
) -> MaterializationOutcome:
    from quality_platform.flows.materialize_features import materialize_feature_view

    return materialize_feature_view(platform, name, step.run_id, step.progress, rebuild=rebuild)


def _with_skew(
    platform: Platform, outcome: MaterializationOutcome, step: Step
) -> MaterializationOutcome:
    from quality_platform.flows.skew import with_skew

    return with_skew(platform, outcome, step.progress)


def _compare(platform: Platform, name: str, step: Step) -> CheckResult:
    from quality_platform.flows.skew import recorded_skew

    return recorded_skew(platform, name, step.run_id, step.progress)


def _online_result(
    view: FeatureTable, outcome: MaterializationOutcome
) -> dg.MaterializeResult[None]:
    metadata: dict[str, dg.MetadataValue] = {
        "snapshot_id": dg.MetadataValue.text(str(outcome.snapshot_id))
    }
    if outcome.state == "nothing_new":
        metadata["nothing_new"] = dg.MetadataValue.bool(True)
    else:
        metadata["entity_rows"] = dg.MetadataValue.int(outcome.rows)
        metadata["extent"] = dg.MetadataValue.text(outcome.extent)
    if outcome.taken_back:
        metadata["entities_taken_back"] = dg.MetadataValue.int(outcome.taken_back)
    if outcome.notes:
        metadata["notes"] = dg.MetadataValue.text("; ".join(outcome.notes))
    version = dg.DataVersion(str(outcome.snapshot_id))
    return dg.MaterializeResult(online_key(view.name), metadata=metadata, data_version=version)


def _checked(view: FeatureTable, results: tuple[CheckResult, ...]) -> Iterator[dg.AssetCheckResult]:
    provenance = provenance_of(view, "sampled entities", "")
    for result in results:
        yield asset_check_result(online_key(view.name), result, provenance)
        if result.blocks:
            raise _failure(view, result)


def _failure(view: FeatureTable, result: CheckResult) -> dg.Failure:
    told = f"{result.spec.name}: {result.message}"
    return dg.Failure(
        description=f"the online store of {view.name} is not as published: {told}",
        allow_retries=False,
    )
