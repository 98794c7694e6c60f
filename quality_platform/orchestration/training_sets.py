"""Training sets as assets: one for each that says where its entity rows are."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from quality_platform.config.tenant_models import namespace_of_tenant
from quality_platform.flows.platform import Platform
from quality_platform.flows.training_definitions import TrainingSet, training_set
from quality_platform.orchestration.asset_specs import owners_of
from quality_platform.orchestration.keys import (
    TRAINING_SETS,
    table_key,
    training_set_key,
    training_set_keys,
    training_set_op,
    training_sets_of,
)
from quality_platform.orchestration.markdown import markdown_table
from quality_platform.orchestration.run_queue import TENANT
from quality_platform.orchestration.steps import Step, Watcher

if TYPE_CHECKING:
    from quality_platform.flows.training_sets import TrainingSetOutcome

CONFIG = {
    "tag": dg.Field(
        str, default_value="", description="The version; named after its inputs where empty."
    ),
    "verify": dg.Field(
        bool, default_value=False, description="Compute a version that there is once more."
    ),
}
"""What a run can be asked of a training set: as the options of the command line."""


def training_set_assets(platform: Platform, watcher: Watcher) -> list[dg.AssetsDefinition]:
    """The training sets of which runner.yaml says where the entity rows are."""
    declared = platform.runner.config.training_sets
    names = [name for name, config in declared.items() if config.entities is not None]
    return [_asset(platform, training_set(platform, name), watcher) for name in names]


def training_set_jobs(platform: Platform) -> list[dg.JobDefinition | Any]:
    """The job of all training sets, where there are any."""
    if not training_set_keys(platform):
        return []
    text = "A version of each training set whose inputs have changed; named after its inputs."
    return [dg.define_asset_job(TRAINING_SETS, training_sets_of(platform), description=text)]


def _asset(platform: Platform, wanted: TrainingSet, watcher: Watcher) -> dg.AssetsDefinition:
    retries = platform.runner.config.retries
    key = training_set_key(platform, wanted.name)

    @dg.multi_asset(
        name=training_set_op(wanted.name),
        specs=[_spec(platform, wanted, key)],
        pool=f"training-set-{wanted.name}",
        config_schema=CONFIG,
    )
    def run(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        step = Step(context, f"training_set.{wanted.name}", retries, watcher, platform)
        with step.translated_errors():
            asked = dict(context.op_execution_context.op_config)
            made, logged = _made(platform, wanted.name, step, asked)
        return _result(key, made, logged)

    return run


# The flow is imported when it runs: it brings DuckDB along.
def _made(
    platform: Platform, name: str, step: Step, asked: Mapping[str, Any]
) -> tuple["TrainingSetOutcome", str]:
    from quality_platform.flows.training_logging import log_version
    from quality_platform.flows.training_sets import TrainingSetRequest, make_training_set

    request = TrainingSetRequest(name, asked["tag"], verify=asked["verify"])
    made = make_training_set(platform, request, step.run_id, step.progress)
    return made, log_version(platform, made)


def _spec(platform: Platform, wanted: TrainingSet, key: dg.AssetKey) -> dg.AssetSpec:
    config = wanted.config
    read = [one.view.name for one in wanted.chosen]
    if config.entities is not None and config.entities.table is not None:
        read.append(config.entities.table)
    text = "Entity rows with features as they were known at each row's moment; a version a tag."
    return dg.AssetSpec(
        key,
        deps=[table_key(platform.contracted(name)) for name in dict.fromkeys(read)],
        description=f"{config.description}\n\n{text}".strip(),
        group_name=namespace_of_tenant(config.tenant or "", TRAINING_SETS),
        tags={TENANT: config.tenant} if config.tenant else {},
        kinds={"iceberg"},
        owners=owners_of([config.owner]),
        metadata={
            "dagster/table_name": dg.MetadataValue.text(wanted.identifier),
            "features": dg.MetadataValue.text(", ".join(wanted.features)),
            "keep": dg.MetadataValue.text(config.keep or "for ever"),
        },
    )


def _result(
    key: dg.AssetKey, made: "TrainingSetOutcome", logged: str
) -> dg.MaterializeResult[None]:
    version = made.manifest
    pins = [(table, ref.snapshot_id, ref.tag) for table, ref in version.refs.items()]
    metadata: dict[str, dg.MetadataValue] = {
        "dagster/row_count": dg.MetadataValue.int(version.rows),
        "tag": dg.MetadataValue.text(version.tag),
        "sha256": dg.MetadataValue.text(version.digest),
        "snapshot_id": dg.MetadataValue.text(str(made.snapshot_id)),
        "definitions": dg.MetadataValue.text(version.registry_version),
        "entity_rows": dg.MetadataValue.text(version.entities.table or version.entities.file),
        "pins": dg.MetadataValue.md(markdown_table(("table", "snapshot", "tag"), pins)),
    }
    if made.state == "existing":
        metadata["nothing_new"] = dg.MetadataValue.bool(True)
        metadata["verified"] = dg.MetadataValue.bool(made.verified)
    if made.notes:
        metadata["notes"] = dg.MetadataValue.text(" ".join(made.notes))
    if logged:
        metadata["mlflow_run"] = dg.MetadataValue.text(logged)
    return dg.MaterializeResult(key, metadata=metadata, data_version=dg.DataVersion(version.digest))
