"""`quality-platform maintain`, `snapshots` and `rollback`."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from quality_platform.cli.options import ERROR, JsonOption, RunnerOption, TenantOption, print_json
from quality_platform.terminal import plain_table, print_error, print_rows

if TYPE_CHECKING:
    from quality_platform.flows.maintain import Upkeep
    from quality_platform.flows.roll_back import Rollback
    from quality_platform.lake.rollback import State

_MOST_NAMES = 5
_NUMBERS = ("rows", "quarantined")


class TaskName(StrEnum):
    """The tasks of upkeep, as they are called on the command line."""

    TAGS = "tags"
    RETENTION = "retention"
    PURGE = "purge"
    COMPACT = "compact"
    EXPIRE = "expire"
    ORPHANS = "orphans"


DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only show what would be done; change nothing.")
]


def maintain(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Tables and feature views; all, and the history, by default."),
    ] = None,
    runner: RunnerOption = None,
    only: Annotated[
        list[TaskName] | None, typer.Option("--only", help="Only this task; may be repeated.")
    ] = None,
    dry_run: DryRunOption = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Spare nothing that a load under way may need: only when nothing else runs.",
        ),
    ] = False,
    as_json: JsonOption = False,
    tenant: TenantOption = "",
) -> None:
    """Delete rows past retention, put small files together, remove old snapshots and orphans."""
    from quality_platform.flows.maintain import TASKS, Wanted
    from quality_platform.flows.maintain import maintain as maintain_tables
    from quality_platform.flows.platform import open_platform
    from quality_platform.flows.tenant_names import names_of_tenant

    platform = open_platform(runner)
    targets = names_of_tenant(platform, tenant, names or ())
    chosen = {task.value for task in only or ()}
    tasks = tuple(task for task in TASKS if not chosen or task in chosen)
    wanted = Wanted(tasks, dry_run=dry_run, force=force)
    done = list(maintain_tables(platform, targets, wanted))
    if as_json:
        print_json([_as_json(upkeep) for upkeep in done])
    else:
        _print_upkeep(done, dry_run=dry_run)
    for upkeep in done:
        if upkeep.error is not None:
            print_error(Console(stderr=True), upkeep.error)
    if any(upkeep.error is not None for upkeep in done):
        raise typer.Exit(ERROR)


def _as_json(upkeep: Upkeep) -> dict[str, Any]:
    found = {**asdict(upkeep), "error": str(upkeep.error) if upkeep.error else None}
    if upkeep.orphans is not None:
        found["orphans"]["bytes"] = upkeep.orphans.bytes
    return found


def _print_upkeep(done: Sequence[Upkeep], *, dry_run: bool) -> None:
    from quality_platform.flows.upkeep_texts import told

    shown = plain_table("What would be done" if dry_run else None, "table")
    for heading in ("task", "what"):
        shown.add_column(heading, overflow="fold")
    for upkeep in done:
        for number, (task, text) in enumerate(told(upkeep)):
            shown.add_row("" if number else escape(upkeep.table), task, escape(text))
    Console().print(shown)


def snapshots(
    table: Annotated[str, typer.Argument(help="The table or feature view.")],
    runner: RunnerOption = None,
    as_json: JsonOption = False,
    tenant: TenantOption = "",
) -> None:
    """List the snapshots of a table: what `rollback` can go back to."""
    from quality_platform.flows.platform import open_platform
    from quality_platform.flows.roll_back import table_states
    from quality_platform.flows.tenant_names import name_of_tenant

    platform = open_platform(runner)
    table = name_of_tenant(platform, tenant, table)
    found = table_states(platform, table)
    if as_json:
        print_json([asdict(state) for state in found])
    else:
        _print_states(found)


def _print_states(found: Sequence[State]) -> None:
    shown = plain_table(None, "snapshot")
    for heading in ("committed (UTC)", "by", "rows", "quarantined"):
        shown.add_column(heading, no_wrap=True, justify="right" if heading in _NUMBERS else "left")
    shown.add_column("", overflow="fold")
    for state in found:
        names = [name for name in state.refs if name != "main"]
        notes = ["current"] * state.is_current + names
        notes += ["cannot be restored"] * (not state.can_be_restored)
        shown.add_row(
            str(state.snapshot_id),
            state.committed_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
            state.operation,
            f"{state.rows:,}",
            f"{state.rows_quarantined:,}",
            escape(", ".join(notes)),
        )
    print_rows(Console(), shown)


def rollback(
    table: Annotated[str, typer.Argument(help="The table or feature view.")],
    to: Annotated[
        str,
        typer.Option(
            "--to", help="A snapshot id, a tag, or a time such as 2026-05-31T12:00:00Z (UTC)."
        ),
    ],
    runner: RunnerOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: DryRunOption = False,
    tenant: TenantOption = "",
) -> None:
    """Set a table back to an earlier state; what was loaded since then counts as not loaded."""
    from quality_platform.flows.platform import open_platform
    from quality_platform.flows.roll_back import plan_rollback, roll_back
    from quality_platform.flows.tenant_names import name_of_tenant

    platform = open_platform(runner)
    table = name_of_tenant(platform, tenant, table)
    plan = plan_rollback(platform, table, to)
    console = Console()
    _print_plan(console, plan)
    if dry_run or plan.now.snapshot_id == plan.then.snapshot_id:
        return
    if not yes:
        typer.confirm("Roll back?", abort=True)
    roll_back(platform, plan, f"cli-{uuid.uuid4().hex}")
    console.print(f"{escape(plan.identifier)} is back at snapshot {plan.then.snapshot_id}.")


def _print_plan(console: Console, plan: Rollback) -> None:
    now, then = plan.now, plan.then
    if now.snapshot_id == then.snapshot_id:
        console.print(f"{escape(plan.identifier)} is at snapshot {then.snapshot_id} already.")
        return
    lines = [
        f"{plan.identifier}: snapshot {now.snapshot_id} -> {then.snapshot_id} "
        f"of {then.committed_at.isoformat(sep=' ', timespec='seconds')}",
        f"rows: {now.rows:,} -> {then.rows:,}",
        f"quarantined rows: {plan.rows_quarantined_now:,} -> {plan.rows_quarantined_then:,}",
        *(_listed("undone", plan.undone)),
        *(_listed("restored", plan.restored)),
    ]
    if plan.sources_forgotten:
        shown = ", ".join(plan.sources_forgotten[:_MOST_NAMES])
        more = len(plan.sources_forgotten) - _MOST_NAMES
        rest = f", and {more} more" if more > 0 else ""
        lines.append(f"the next run loads again: {shown}{rest}")
    for line in lines:
        console.print(escape(line), soft_wrap=True)


def _listed(heading: str, states: Sequence[State]) -> list[str]:
    return [
        f"{heading}: snapshot {state.snapshot_id}, {state.operation}"
        + (f" of load {state.load_id}" if state.load_id else "")
        for state in states
    ]
