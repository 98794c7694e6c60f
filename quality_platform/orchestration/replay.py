"""Replay, release and discard of quarantined rows as jobs, and the replay of changed contracts."""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from quality_platform.config.sensor_models import ContractChangedSensorConfig
from quality_platform.errors import ConfigurationError, StorageError
from quality_platform.flows.contracted_tables import SourceTable
from quality_platform.flows.platform import Platform
from quality_platform.orchestration.keys import quarantine_key, table_key
from quality_platform.orchestration.launchpad import choice_of_table
from quality_platform.orchestration.pools import claimed, pool_of
from quality_platform.orchestration.steps import Nobody, Step
from quality_platform.orchestration.tenants import tenant_tags

if TYPE_CHECKING:
    from quality_platform.flows.replay import Replay, ReplayOutcome

REPLAY, RELEASE, DISCARD = "replay", "release", "discard"
"""The jobs; the op of each is called `JOB_rows`."""

_WHICH = {
    "run": "Only rows that this run quarantined.",
    "rule": "Only rows that break this check.",
    "since": "Only rows quarantined since this time, such as 2026-05-31.",
    "load": "Only rows that this load read.",
    "where": "Only rows for which this SQL condition is true.",
}
_WHO = {
    "reason": dg.Field(str, description="Why; it is kept in the history."),
    "by": dg.Field(
        str, is_required=False, description="Who decided it; the user of the process by default."
    ),
}
_ABOUT = {
    REPLAY: "Judges quarantined rows by the contract of today, and publishes those that pass.",
    RELEASE: "Publishes quarantined rows although they break rules.",
    DISCARD: "Drops quarantined rows for good.",
}

Flow = Callable[["Replay", Mapping[str, Any]], "ReplayOutcome"]


def replay_jobs(platform: Platform) -> list[dg.JobDefinition]:
    """The three jobs; the launchpad offers the tables there are."""
    tables = choice_of_table(platform, "Table")
    flows: dict[str, Flow] = {REPLAY: _replay, RELEASE: _release, DISCARD: _discard}
    return [_job(platform, name, flow, tables) for name, flow in flows.items()]


def _replay(asked: "Replay", _: Mapping[str, Any]) -> "ReplayOutcome":
    from quality_platform.flows.replay import replay_table

    return replay_table(asked)


def _release(asked: "Replay", config: Mapping[str, Any]) -> "ReplayOutcome":
    from quality_platform.flows.decisions import Decision
    from quality_platform.flows.replay import release_rows

    return release_rows(asked, Decision.of(config["reason"], config.get("by", "")))


def _discard(asked: "Replay", config: Mapping[str, Any]) -> "ReplayOutcome":
    from quality_platform.flows.decisions import Decision
    from quality_platform.flows.replay import discard_rows

    return discard_rows(asked, Decision.of(config["reason"], config.get("by", "")))


def _job(platform: Platform, name: str, flow: Flow, tables: dg.Enum) -> dg.JobDefinition:
    which = {
        key: dg.Field(str, is_required=False, description=text) for key, text in _WHICH.items()
    }
    dry = dg.Field(bool, default_value=False, description="Only tell what would be done.")
    who = _WHO if name != REPLAY else {}
    schema = {"table": dg.Field(tables, description="The table."), **who, **which, "dry_run": dry}
    retries = platform.runner.config.retries

    @dg.op(name=f"{name}_rows", config_schema=schema)
    def do(context: dg.OpExecutionContext) -> None:
        config = context.op_config
        known = platform.about([config["table"]])
        step = Step(context, f"{name}.{config['table']}", retries, Nobody(), known)
        held = claimed(context, pool_of(config["table"]), step.progress)
        with step.translated_errors(), held:
            outcome = flow(_asked(known, step, config), config)
        _tell(context, known.tables[config["table"]], outcome)

    @dg.job(name=name, description=_ABOUT[name])
    def job() -> None:
        do()

    return job


def _asked(platform: Platform, step: Step, config: Mapping[str, Any]) -> "Replay":
    from quality_platform.flows.replay import Replay
    from quality_platform.flows.replay_selection import Selection

    return Replay(
        platform,
        config["table"],
        step.run_id,
        Selection(**{key: config.get(key, "") for key in _WHICH}),
        config["dry_run"],
        step.progress,
    )


def _tell(context: dg.OpExecutionContext, table: SourceTable, outcome: "ReplayOutcome") -> None:
    """Tells the run's log, and the table and its quarantine where anything has changed.

    Raises:
        Failure: a check could not run.
    """
    from quality_platform.flows.replay_texts import told

    text = "\n".join(told(outcome))
    context.log.info(text)
    if outcome.state == "blocked":
        raise dg.Failure(description=text, allow_retries=False)
    if outcome.state != "done":
        return
    metadata: dict[str, Any] = {
        "replayed_loads": ", ".join(outcome.loads),
        "snapshot_id": str(outcome.snapshot_id),
        **{key: value for key, value in vars(outcome).items() if key.startswith("rows_")},
    }
    # The next load that finds nothing new tells of the same version: nothing has changed by it.
    version = {"dagster/data_version": str(outcome.snapshot_id)}
    context.log_event(dg.AssetMaterialization(table_key(table), metadata=metadata, tags=version))
    context.log_event(dg.AssetMaterialization(quarantine_key(table), metadata=metadata))


def contract_changed_sensor(
    platform: Platform, name: str, config: ContractChangedSensorConfig
) -> dg.SensorDefinition:
    """Replays a table when its contract is another than the one its rows were held back by."""
    names = (config.table,) if config.table else tuple(platform.tables)
    status = dg.DefaultSensorStatus

    @dg.sensor(
        name=name,
        description="Replays quarantined rows when the contract that held them back has changed.",
        job_name=REPLAY,
        minimum_interval_seconds=config.interval_seconds,
        default_status=status.RUNNING if config.enabled else status.STOPPED,
    )
    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        seen: dict[str, str] = json.loads(context.cursor or "{}")
        requests = []
        for table in names:
            contract = _contract_now(platform, table)
            if contract is None or seen.get(table) == contract[0]:
                continue
            digest, version = contract
            # At the first look nothing is known of the contract before: only its version tells.
            judged_by = "" if table in seen else version
            state = _held_by_another(platform, table, judged_by)
            if isinstance(state, StorageError):
                # Those of others are looked at; this one once more next time.
                context.log.warning(str(state))
                continue
            if state:
                tags = tenant_tags(platform, [table])
                requests.append(_request(name, table, digest, state, tags))
            seen[table] = digest
        reason = None if requests else dg.SkipReason("no quarantined row waits for a contract")
        cursor = json.dumps(seen, sort_keys=True)
        return dg.SensorResult(run_requests=requests, skip_reason=reason, cursor=cursor)

    return evaluate


def _contract_now(platform: Platform, name: str) -> tuple[str, str] | None:
    """A short name of what the contract's file says now, and its version; None if it is broken.

    The file is read, because this process may be older than its last change.
    """
    from quality_platform.contracts.loading import load_contract

    path = platform.tables[name].contract.path
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        return digest, load_contract(path).version
    except (OSError, ConfigurationError):
        # Somebody may be writing it; a run would fail, and a later look sees it again.
        return None


def _held_by_another(platform: Platform, name: str, version: str) -> str | StorageError:
    """A name of the state of a quarantine that waits for a replay; "" where nothing does.

    An error where the warehouse of the table's tenant cannot be read. `version` is that of the
    contract, "" where it is another in any case.
    """
    from quality_platform.flows.own_warehouses import looked_at
    from quality_platform.flows.table_status import quarantine_state

    look = partial(quarantine_state, platform, name)
    found = looked_at(platform.runner, platform.tables[name].identifier, look)
    if isinstance(found, StorageError):
        return found
    state, versions = found
    return "" if version and versions <= {version} else state


def _request(
    sensor: str, table: str, digest: str, state: str, tags: Mapping[str, str]
) -> dg.RunRequest:
    """The key is of the contract and of what is held: each such state is replayed once."""
    return dg.RunRequest(
        run_key=f"{sensor}-{table}-{digest}-{state}",
        run_config={"ops": {f"{REPLAY}_rows": {"config": {"table": table}}}},
        tags={**tags, "quality-platform/replayed-table": table},
    )
