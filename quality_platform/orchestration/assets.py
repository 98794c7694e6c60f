"""The factories of assets: sources, tables, feature views."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg

from quality_platform.config.models import RetryConfig
from quality_platform.errors import ConfigurationError
from quality_platform.flows.contracted_tables import ContractedTable, FeatureTable, SourceTable
from quality_platform.flows.outcomes import Progress, TableOutcome
from quality_platform.flows.platform import Platform
from quality_platform.orchestration.arrivals import Arrivals, arrived_files
from quality_platform.orchestration.asset_checks import asset_check_specs
from quality_platform.orchestration.asset_specs import (
    feature_table_specs,
    landing_spec,
    source_table_specs,
)
from quality_platform.orchestration.due import due_events, due_spec
from quality_platform.orchestration.keys import (
    LANDING_OP,
    compute_op,
    due_key,
    due_op,
    landing_key,
    load_op,
)
from quality_platform.orchestration.partitions import (
    asked_partitions,
    backfill_policy_of,
    partitions_of,
)
from quality_platform.orchestration.pools import op_pool, table_held
from quality_platform.orchestration.steps import Step, Watcher
from quality_platform.orchestration.table_events import Event, audited, outcome_events
from quality_platform.orchestration.tenants import require_tenant

TableFlow = Callable[[Platform, str, str, Progress, Mapping[str, Any]], TableOutcome]

LOAD_CONFIG = {
    "full_refresh": dg.Field(
        bool, default_value=False, description="Read everything again, in place of all rows."
    ),
    "from": dg.Field(
        str, default_value="", description="Read again from this value of the cursor, inclusive."
    ),
    "to": dg.Field(
        str, default_value="", description="Read again up to this value of the cursor, exclusive."
    ),
}
"""What a run can be asked of a table beside what is new: as the options of the command line."""

COMPUTE_CONFIG = {
    "full_refresh": dg.Field(
        bool, default_value=False, description="Compute everything again, changed or not."
    ),
}
"""The same of a feature view without partitions."""


_RETRY = "retry"
"""What a flow is told beside its configuration: the number of the op's retry."""

_PARTITIONS = "partitions"
"""What it is told as well: the first and the last partition that the run is asked for."""


def landing_assets(known: Iterable[SourceTable], name: str = LANDING_OP) -> dg.AssetsDefinition:
    """The files of tables: one op looks at them, without reading them, before tables load."""
    tables = {landing_key(table.name): table for table in known}

    def look_at(context: dg.AssetExecutionContext) -> Iterator[dg.ObserveResult]:
        for key in sorted(context.selected_asset_keys):
            table = tables[key]
            require_tenant(context, table.tenant, table.name)
            if pattern := table.source_pattern:
                found = arrived_files(pattern, table.config.source, table.fence)
                yield _observed(key, found)
            else:
                # To look at a database would be to read it.
                yield dg.ObserveResult(asset_key=key)

    specs = [landing_spec(table) for table in tables.values()]
    with warnings.catch_warnings():
        # Not settled for ever, but in the versions of Dagster that the lock allows.
        warnings.simplefilter("ignore", dg.BetaWarning)
        decorate = dg.multi_observable_source_asset(name=name, specs=specs, can_subset=True)
    assets: dg.AssetsDefinition = decorate(look_at)
    return assets


def _observed(key: dg.AssetKey, arrived: Arrivals) -> dg.ObserveResult:
    files = arrived.files.values()
    return dg.ObserveResult(
        asset_key=key,
        metadata={"files": len(files), "bytes": sum(file.size for file in files)},
        data_version=dg.DataVersion(arrived.digest),
    )


def table_assets(platform: Platform, table: SourceTable, watcher: Watcher) -> dg.AssetsDefinition:
    """A table, its quarantine and its checks: one op, of which any part can be selected."""
    specs = source_table_specs(platform, table)
    if table.config.partitions is not None:
        body = _Body(platform, table, _load_partitions, table.retries, watcher)
        return _contracted_assets(load_op(table.name), specs, body, {})
    body = _Body(platform, table, _load, table.retries, watcher)
    return _contracted_assets(load_op(table.name), specs, body, LOAD_CONFIG)


def due_assets(
    platform: Platform, table: SourceTable | FeatureTable, watcher: Watcher
) -> dg.AssetsDefinition:
    """What makes the partitions that are due, in runs that are asked for none."""
    is_view = isinstance(table, FeatureTable)
    flow = _compute if is_view else _load
    retries = platform.runner.config.retries if isinstance(table, FeatureTable) else table.retries

    @dg.multi_asset(
        name=due_op(table.name),
        specs=[due_spec(platform, table)],
        pool=op_pool(platform, table),
        config_schema=None if is_view else LOAD_CONFIG,
    )
    def run(context: dg.AssetExecutionContext) -> Iterator[Event | dg.AssetObservation]:
        step = Step(context, table.name, retries, watcher, platform)
        held = table_held(context, platform, table, step.progress)
        with step.translated_errors(), held:
            asked = dict(context.op_execution_context.op_config or {})
            asked[_RETRY] = context.retry_number
            outcome = flow(platform, table.name, step.run_id, step.progress, asked)
            step.ended(outcome)
        yield from due_events(step, table, outcome)

    return run


def feature_assets(platform: Platform, view: FeatureTable, watcher: Watcher) -> dg.AssetsDefinition:
    """The table of a feature view, its quarantine and its checks."""
    specs = feature_table_specs(platform, view)
    retries = platform.runner.config.retries
    flow = _compute if view.partitions is None else _compute_partitions
    body = _Body(platform, view, flow, retries, watcher)
    config = COMPUTE_CONFIG if view.partitions is None else {}
    return _contracted_assets(compute_op(view.name), specs, body, config)


# The flows are imported when they run: they bring pandas along, which a code location that is only
# looked at does not need (2 s).
def _load(
    platform: Platform, name: str, run_id: str, progress: Progress, asked: Mapping[str, Any]
) -> TableOutcome:
    from quality_platform.flows.load_table import load_table
    from quality_platform.flows.requests import Request

    request = Request.of(full_refresh=asked["full_refresh"], start=asked["from"], end=asked["to"])
    request = replace(request, retry=asked[_RETRY])
    return load_table(platform, name, run_id, progress, request)


def _load_partitions(
    platform: Platform, name: str, run_id: str, progress: Progress, asked: Mapping[str, Any]
) -> TableOutcome:
    from quality_platform.flows.load_table import load_table
    from quality_platform.flows.requests import Request

    request = Request(retry=asked[_RETRY], partitions=_partitions(name, asked))
    return load_table(platform, name, run_id, progress, request)


def _partitions(name: str, asked: Mapping[str, Any]) -> tuple[str, str]:
    found: tuple[str, str] | None = asked[_PARTITIONS]
    if found is None:
        raise ConfigurationError(
            f"{name} has partitions, and this run was asked for none",
            action=f"choose partitions, or materialize {due_key(name).to_user_string()}",
        )
    return found


def _compute_partitions(
    platform: Platform, name: str, run_id: str, progress: Progress, asked: Mapping[str, Any]
) -> TableOutcome:
    from quality_platform.flows.compute_features import compute_feature_view

    return compute_feature_view(platform, name, run_id, progress, _partitions(name, asked))


def _compute(
    platform: Platform,
    name: str,
    run_id: str,
    progress: Progress,
    asked: Mapping[str, Any],
) -> TableOutcome:
    from quality_platform.flows.compute_features import compute_feature_view

    full = bool(asked.get("full_refresh"))
    return compute_feature_view(platform, name, run_id, progress, full_refresh=full)


class _Body:
    """What the op of a table or feature view does."""

    def __init__(
        self,
        platform: Platform,
        table: ContractedTable,
        flow: TableFlow,
        retries: RetryConfig,
        watcher: Watcher,
    ) -> None:
        self.platform = platform
        self.table = table
        self.flow = flow
        self.retries = retries
        self.watcher = watcher

    def events(self, context: dg.AssetExecutionContext) -> Iterator[Event]:
        step = Step(context, self.table.name, self.retries, self.watcher, self.platform)
        if not context.selected_asset_keys:
            yield from audited(step, self.platform, self.table, asked_partitions(context))
            return
        held = table_held(context, self.platform, self.table, step.progress)
        with step.translated_errors(), held:
            asked = dict(context.op_execution_context.op_config or {})
            asked[_RETRY] = context.retry_number
            asked[_PARTITIONS] = asked_partitions(context)
            outcome = self.flow(self.platform, self.table.name, step.run_id, step.progress, asked)
            step.ended(outcome)
        yield from outcome_events(step, self.platform, self.table, outcome)


def _contracted_assets(
    op: str, specs: Sequence[dg.AssetSpec], body: _Body, config: Mapping[str, dg.Field]
) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=op,
        specs=specs,
        check_specs=asset_check_specs(body.table),
        can_subset=True,
        pool=op_pool(body.platform, body.table),
        config_schema=dict(config) or None,
        partitions_def=partitions_of(body.table),
        backfill_policy=backfill_policy_of(body.table),
    )
    def run(context: dg.AssetExecutionContext) -> Iterator[Event]:
        yield from body.events(context)

    return run
