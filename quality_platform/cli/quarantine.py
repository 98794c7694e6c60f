"""`quality-platform replay`, `release` and `discard`."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from quality_platform.cli.options import (
    FOUND_PROBLEMS,
    JsonOption,
    RunnerOption,
    TenantOption,
    print_json,
)
from quality_platform.cli.upkeep import DryRunOption

if TYPE_CHECKING:
    from quality_platform.flows.replay import Replay, ReplayOutcome

TableArgument = Annotated[str, typer.Argument(help="The table.")]
RunOption = Annotated[str, typer.Option("--run", help="Only rows that this run quarantined.")]
RuleOption = Annotated[str, typer.Option("--rule", help="Only rows that break this check.")]
SinceOption = Annotated[
    str, typer.Option("--since", help="Only rows quarantined since this time, such as 2026-05-31.")
]
LoadOption = Annotated[str, typer.Option("--load", help="Only rows that this load read.")]
WhereOption = Annotated[
    str, typer.Option("--where", help="Only rows for which this SQL condition is true.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it is kept in the history.")]
ByOption = Annotated[
    str, typer.Option("--by", help="Who decided it; the user of the operating system by default.")
]


def replay(
    table: TableArgument,
    run: RunOption = "",
    rule: RuleOption = "",
    since: SinceOption = "",
    load: LoadOption = "",
    where: WhereOption = "",
    runner: RunnerOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    tenant: TenantOption = "",
) -> None:
    """Judge quarantined rows by the contract of today, and publish those that pass."""
    from quality_platform.flows.replay import replay_table

    asked = _asked(_Where(table, tenant, runner), (run, rule, since, load, where), dry_run=dry_run)
    _tell(replay_table(asked), as_json=as_json)


def release(
    table: TableArgument,
    reason: ReasonOption,
    by: ByOption = "",
    run: RunOption = "",
    rule: RuleOption = "",
    since: SinceOption = "",
    load: LoadOption = "",
    where: WhereOption = "",
    runner: RunnerOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    tenant: TenantOption = "",
) -> None:
    """Publish quarantined rows although they break rules."""
    from quality_platform.flows.decisions import Decision
    from quality_platform.flows.replay import release_rows

    asked = _asked(_Where(table, tenant, runner), (run, rule, since, load, where), dry_run=dry_run)
    _tell(release_rows(asked, Decision.of(reason, by)), as_json=as_json)


def discard(
    table: TableArgument,
    reason: ReasonOption,
    by: ByOption = "",
    run: RunOption = "",
    rule: RuleOption = "",
    since: SinceOption = "",
    load: LoadOption = "",
    where: WhereOption = "",
    runner: RunnerOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    tenant: TenantOption = "",
) -> None:
    """Drop quarantined rows for good."""
    from quality_platform.flows.decisions import Decision
    from quality_platform.flows.replay import discard_rows

    asked = _asked(_Where(table, tenant, runner), (run, rule, since, load, where), dry_run=dry_run)
    _tell(discard_rows(asked, Decision.of(reason, by)), as_json=as_json)


@dataclass(frozen=True)
class _Where:
    table: str
    tenant: str
    runner: Path | None


def _asked(where: _Where, selected: tuple[str, str, str, str, str], *, dry_run: bool) -> Replay:
    from quality_platform.flows.platform import open_platform
    from quality_platform.flows.replay import Replay
    from quality_platform.flows.replay_selection import Selection
    from quality_platform.flows.tenant_names import name_of_tenant

    platform, run_id = open_platform(where.runner), f"cli-{uuid.uuid4().hex}"
    table = name_of_tenant(platform, where.tenant, where.table)
    return Replay(platform, table, run_id, Selection(*selected), dry_run)


def _tell(outcome: ReplayOutcome, *, as_json: bool) -> None:
    if as_json:
        print_json({**asdict(outcome), "broken": dict(outcome.broken)})
    else:
        _print(Console(), outcome)
    if outcome.state == "blocked":
        raise typer.Exit(FOUND_PROBLEMS)


def _print(console: Console, outcome: ReplayOutcome) -> None:
    from quality_platform.flows.replay_texts import told

    for line in told(outcome):
        console.print(escape(line), soft_wrap=True)
