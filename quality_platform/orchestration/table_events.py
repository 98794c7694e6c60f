"""The outcome of a table's flow as Dagster's events: materializations, check results, failure."""

from collections.abc import Iterator, Sequence

import dagster as dg

from quality_platform.checks.results import CheckResult, Verdict
from quality_platform.checks.specs import Scope, Severity
from quality_platform.errors import PublishBlockedError
from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.flows.outcomes import LoadOutcome, TableOutcome
from quality_platform.flows.platform import Platform
from quality_platform.orchestration.asset_checks import asset_check_result
from quality_platform.orchestration.carry_over import latest_standing, provenance_of
from quality_platform.orchestration.keys import quarantine_key, table_key
from quality_platform.orchestration.lineage import lineage_metadata
from quality_platform.orchestration.markdown import bullets, markdown_table
from quality_platform.orchestration.partition_events import (
    add_partition_metadata,
    log_materialized,
    log_partitions,
)
from quality_platform.orchestration.steps import Step

Event = dg.MaterializeResult[None] | dg.AssetCheckResult

FILES_SHOWN = 3


def audited(
    step: Step, platform: Platform, table: ContractedTable, asked: tuple[str, str] | None = None
) -> Iterator[Event]:
    """Results of the selected checks on what is published; nothing is loaded.

    `asked` are the first and the last partition that are judged; None for the whole table.

    Raises:
        Failure: a blocking check failed, or one could not run.
    """
    names = _selected_checks(step, table)
    with step.translated_errors():
        step.progress("auditing", f"{len(names)} checks on the published rows")
        results = _audit(platform, table, names, asked)
    label = "...".join(dict.fromkeys(asked or ()))
    yield from _check_events(step, table, results, "published rows", label)
    if any(result.blocks for result in results):
        raise _failure(table, results, "an audit of the published rows failed", {})


def outcome_events(
    step: Step, platform: Platform, table: ContractedTable, outcome: TableOutcome
) -> Iterator[Event]:
    """Everything that a run of a table tells Dagster, in the order that Dagster needs.

    An output comes before its checks: checks that come first would be attached to the
    materialization before.

    Raises:
        Failure: the publish was blocked, or a check that must hold does not.
    """
    published = [load for load in outcome.loads if not load.blocked]
    if outcome.state == "blocked" and outcome.partition:
        # An output would be one of all partitions that were asked for.
        log_partitions(step, table, outcome)
    elif published or outcome.state in ("nothing_new", "partly_published"):
        yield from _materialized(step, table, outcome)
        if published:
            yield from _quarantined(step, table, outcome)
    judged = "blocked batch" if outcome.state == "blocked" else "batch"
    yield from _check_events(step, table, outcome.results, judged, outcome.partition)
    if not outcome.loads:
        known = {result.spec.name for result in outcome.results}
        yield from _standing(step, platform, table, _selected_checks(step, table) - known)
    require_good(table, outcome)


def require_good(table: ContractedTable, outcome: TableOutcome) -> None:
    """Ends the step where its table is not as it must be.

    Raises:
        Failure: the publish was blocked, or a check that must hold does not.
    """
    if outcome.state == "blocked":
        raise _blocked(table, outcome)
    if any(result.blocks for result in outcome.results):
        raise _failure(table, outcome.results, "a check on the published rows failed", {})


def _materialized(
    step: Step, table: ContractedTable, outcome: TableOutcome
) -> Iterator[dg.MaterializeResult[None]]:
    key = table_key(table)
    metadata = table_metadata(outcome) | lineage_metadata(step.platform, table)
    add_partition_metadata(step, table, outcome)
    if key in step.context.selected_asset_keys:
        version = dg.DataVersion(str(outcome.snapshot_id)) if outcome.snapshot_id else None
        yield dg.MaterializeResult(key, metadata=metadata, data_version=version)
    elif outcome.loads:
        # Only the quarantine was selected, but the load that fills it published rows as well.
        log_materialized(step, key, metadata, outcome)


def _quarantined(
    step: Step, table: ContractedTable, outcome: TableOutcome
) -> Iterator[dg.MaterializeResult[None]]:
    key, metadata = quarantine_key(table), quarantine_metadata(table, outcome)
    if key in step.context.selected_asset_keys:
        yield dg.MaterializeResult(key, metadata=metadata)
    else:
        log_materialized(step, key, metadata, outcome)


def _check_events(
    step: Step,
    table: ContractedTable,
    results: Sequence[CheckResult],
    judged: str,
    partition: str = "",
) -> Iterator[dg.AssetCheckResult]:
    provenance = provenance_of(table, judged, partition)
    names = _selected_checks(step, table)
    for result in results:
        if result.spec.name in names:
            yield asset_check_result(table_key(table), result, provenance)


def _standing(
    step: Step, platform: Platform, table: ContractedTable, names: set[str]
) -> Iterator[dg.AssetCheckResult]:
    """Results for a table that has nothing new: those that still stand, the rest by an audit.

    Dagster would show checks without a result as skipped, or even as failed when another step of
    the run fails.
    """
    standing = latest_standing(step.context.instance, table, names)
    yield from standing.values()
    if missing := names - set(standing):
        with step.translated_errors():
            results = _audit(platform, table, missing)
        yield from _check_events(step, table, results, "published rows")


def _audit(
    platform: Platform,
    table: ContractedTable,
    names: set[str],
    asked: tuple[str, str] | None = None,
) -> tuple[CheckResult, ...]:
    from quality_platform.flows.audit_table import audit_table

    return audit_table(platform, table.name, names, asked)


def _selected_checks(step: Step, table: ContractedTable) -> set[str]:
    keys = step.context.selected_asset_check_keys
    return {key.name for key in keys if key.asset_key == table_key(table)}


def table_metadata(outcome: TableOutcome) -> dict[str, dg.MetadataValue]:
    """What the UI shows of a materialization of a table."""
    metadata: dict[str, dg.MetadataValue] = {
        "dagster/row_count": dg.MetadataValue.int(outcome.total_rows),
        "dagster/table_name": dg.MetadataValue.text(outcome.identifier),
        "snapshot_id": dg.MetadataValue.text(str(outcome.snapshot_id or "none")),
    }
    if outcome.state == "nothing_new":
        return {**metadata, "nothing_new": dg.MetadataValue.bool(True)}
    metadata |= {
        "rows_read": dg.MetadataValue.int(outcome.rows_read),
        "rows_published": dg.MetadataValue.int(outcome.rows_published),
        "rows_quarantined": dg.MetadataValue.int(outcome.rows_quarantined),
        "loads": dg.MetadataValue.md(_loads(outcome.loads)),
    }
    if outcome.failed:
        failed = [(file.name, f"{file.code} {file.message}") for file in outcome.failed]
        metadata["files_failed"] = dg.MetadataValue.md(markdown_table(("file", "error"), failed))
    if outcome.drift:
        metadata["schema_drift"] = dg.MetadataValue.md(bullets(outcome.drift))
    for word, number in outcome.row_counts.items():
        if number:
            metadata[f"rows_{word}"] = dg.MetadataValue.int(number)
    if outcome.notes:
        metadata["notes"] = dg.MetadataValue.text(" ".join(outcome.notes))
    if outcome.pins:
        pins = markdown_table(("table", "snapshot"), sorted(outcome.pins.items()))
        metadata["read_with"] = dg.MetadataValue.md(pins)
    return metadata


def quarantine_metadata(
    table: ContractedTable, outcome: TableOutcome
) -> dict[str, dg.MetadataValue]:
    """What the UI shows of a materialization of a quarantine."""
    metadata: dict[str, dg.MetadataValue] = {
        "rows_quarantined": dg.MetadataValue.int(outcome.rows_quarantined),
        "how_to_look": dg.MetadataValue.md(f"`quality-platform quarantine {table.name}`"),
    }
    reasons = [
        (result.spec.name, result.count)
        for result in outcome.results
        if result.count
        and result.spec.scope is Scope.ROW
        and result.spec.severity is Severity.ERROR
    ]
    if reasons:
        metadata["reasons"] = dg.MetadataValue.md(markdown_table(("rule", "rows"), reasons))
    return metadata


def _loads(loads: Sequence[LoadOutcome]) -> str:
    header = ("load", "files", "read", "published", "quarantined", "checks", "snapshot")
    return markdown_table(header, [_load(load) for load in loads])


def _load(load: LoadOutcome) -> tuple[object, ...]:
    counts = (sum(r.verdict is verdict for r in load.results) for verdict in Verdict)
    words = ("passed", "warned", "failed", "could not run")
    checks = ", ".join(f"{n} {word}" for n, word in zip(counts, words, strict=True) if n)
    ended = f"blocked: {load.branch}" if load.blocked else str(load.snapshot_id)
    rows = (load.rows_read, load.rows_published, load.rows_quarantined)
    return (load.load_id, _files(load.files), *rows, checks, ended)


def _files(names: Sequence[str]) -> str:
    rest = len(names) - FILES_SHOWN
    return ", ".join(names[:FILES_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _blocked(table: ContractedTable, outcome: TableOutcome) -> dg.Failure:
    load = next(load for load in outcome.loads if load.blocked)
    headline = f"{_files(load.files)}: nothing of this load was published to {outcome.identifier}"
    metadata: dict[str, dg.MetadataValue] = {
        "load_id": dg.MetadataValue.text(load.load_id),
        "branch": dg.MetadataValue.text(load.branch or ""),
        "what_to_do": dg.MetadataValue.md(
            f"The batch waits on the branch `{load.branch}` of `{table.identifier}` and "
            f"`{table.quarantine_identifier}`. Look at the failed checks; correct the file at the "
            "source, or the contract; then run the table again. Running it without a change "
            "blocks again."
        ),
    }
    return _failure(table, load.results, headline, metadata)


def _failure(
    table: ContractedTable,
    results: Sequence[CheckResult],
    headline: str,
    metadata: dict[str, dg.MetadataValue],
) -> dg.Failure:
    broken = [r for r in results if r.blocks]
    told = "; ".join(f"{r.spec.name}: {r.message or r.verdict.value}" for r in broken)
    error = PublishBlockedError(
        headline, location=table.location, received=told, action="see the failed checks"
    )
    return dg.Failure(description=str(error), allow_retries=False, metadata=metadata)
