"""Runs on a real Dagster instance, and what they leave there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from quality_platform.flows.platform import Platform
from quality_platform.orchestration.build import build_definitions
from quality_platform.orchestration.keys import EVERYTHING
from quality_platform.orchestration.steps import Watcher

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run(
    platform: Platform,
    instance: dg.DagsterInstance,
    selection: Sequence[str] = (),
    watcher: Watcher | None = None,
    config: Mapping[str, Any] | None = None,
) -> dg.ExecuteInProcessResult:
    """Runs the job of everything, or the assets of these keys (`shop/orders`) alone.

    `config` is that of ops, by their names.
    """
    job = build_definitions(platform, watcher).resolve_job_def(EVERYTHING)
    return job.execute_in_process(
        run_config={
            **QUIET,
            "ops": {op: {"config": given} for op, given in (config or {}).items()},
        },
        instance=instance,
        raise_on_error=False,
        asset_selection=[dg.AssetKey(key.split("/")) for key in selection] or None,
    )


def run_checks(
    platform: Platform, instance: dg.DagsterInstance, asset: str, *names: str
) -> dg.ExecuteInProcessResult:
    """Runs checks alone."""
    keys = [dg.AssetCheckKey(dg.AssetKey(asset.split("/")), name) for name in names]
    definitions = build_definitions(platform)
    only = dg.define_asset_job("only_checks", selection=dg.AssetSelection.checks(*keys))
    job = dg.Definitions.merge(definitions, dg.Definitions(jobs=[only])).resolve_job_def(only.name)
    return job.execute_in_process(run_config=QUIET, instance=instance, raise_on_error=False)


def materialized(result: dg.ExecuteInProcessResult) -> list[str]:
    """The assets that a run materialized, in its order."""
    events = result.get_asset_materialization_events()
    return [event.asset_key.to_user_string() for event in events if event.asset_key]


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    """The metadata of an asset's materialization in a run."""
    for event in result.get_asset_materialization_events():
        if event.asset_key and event.asset_key.to_user_string() == asset:
            found = event.materialization.metadata
            return {name: value.value for name, value in found.items()}
    raise AssertionError(f"{asset} was not materialized")


def evaluations(
    result: dg.ExecuteInProcessResult, asset: str
) -> dict[str, dg.AssetCheckEvaluation]:
    """The results of an asset's checks in a run, by name."""
    found = result.get_asset_check_evaluations()
    return {e.check_name: e for e in found if e.asset_key.to_user_string() == asset}


def failure(result: dg.ExecuteInProcessResult, op: str) -> tuple[str, dict[str, Any]]:
    """The message and the metadata of the failure of an op."""
    data = result.failure_data_for_node(op)
    assert data is not None
    assert data.user_failure_data is not None
    entries = data.user_failure_data.metadata
    return data.user_failure_data.description or "", {n: v.value for n, v in entries.items()}


def events_of(result: dg.ExecuteInProcessResult, kind: str) -> list[str]:
    """The steps that had an event of this kind."""
    return [str(e.step_key) for e in result.all_events if e.event_type_value == kind]
