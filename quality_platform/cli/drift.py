"""`quality-platform drift`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup

from quality_platform.cli.options import (
    ERROR,
    FOUND_PROBLEMS,
    JsonOption,
    RunnerOption,
    TenantOption,
    print_json,
)

if TYPE_CHECKING:
    from quality_platform.checks.results import CheckResult
    from quality_platform.flows.platform import Platform

_STYLES = {"pass": "green", "warn": "yellow", "fail": "red", "error": "red"}

_ROWS = "2013-01-01..2013-02-01 (the last day exclusive), tag:NAME, snapshot:ID"
_CURRENT = f"{_ROWS}, latest_month, latest_week, latest_day, or snapshot for all"

TableArgument = Annotated[str, typer.Argument(help="The table or feature view.")]
ColumnsOption = Annotated[
    str, typer.Option("--columns", help="Columns, with commas between; those of the drift test.")
]


class _TestByDefault(TyperGroup):
    """`drift VIEW` is short for `drift test VIEW`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Puts the command's name before what is none."""
        if args and args[0] not in (*self.commands, "--help"):
            args = ["test", *args]
        return super().parse_args(ctx, args)


drift = typer.Typer(
    cls=_TestByDefault,
    no_args_is_help=True,
    help="Compare the published rows of a table or feature view with reference rows. "
    "`drift TABLE` is short for `drift test TABLE`.",
)


@drift.command("test")
def judge(
    table: TableArgument,
    reference: Annotated[
        str,
        typer.Option(
            "--reference",
            help=f"Compare with these rows: {_ROWS}; also profile:NAME, previous_month, "
            "previous_week, days:28, same_weekday:4.",
        ),
    ] = "",
    current: Annotated[str, typer.Option("--current", help=f"Judge these rows: {_CURRENT}.")] = "",
    columns: ColumnsOption = "",
    runner: RunnerOption = None,
    as_json: JsonOption = False,
    tenant: TenantOption = "",
) -> None:
    """Run the drift test on what is published: the configured one, or one of other rows.

    Exits with 1 where something has drifted, and with 2 where it cannot be told.
    """
    from quality_platform.flows.drift_asked import Asked, asked_test
    from quality_platform.flows.drift_test import results_of

    asked = Asked(reference, current, _listed(columns))
    results = results_of(asked_test(*_asked_for(runner, tenant, table), asked))
    if as_json:
        print_json([_as_json(result) for result in results])
    else:
        _print(Console(), results)
    verdicts = {result.verdict.value for result in results}
    if verdicts != {"pass"}:
        raise typer.Exit(ERROR if "error" in verdicts else FOUND_PROBLEMS)


@drift.command("freeze")
def freeze_profile(
    table: TableArgument,
    name: Annotated[str, typer.Option("--name", help="The profile's name, for the reference.")],
    rows: Annotated[str, typer.Option("--rows", help=f"Keep these rows: {_CURRENT}.")] = "snapshot",
    columns: ColumnsOption = "",
    runner: RunnerOption = None,
    tenant: TenantOption = "",
) -> None:
    """Keep how rows are distributed, under a name that a drift test can compare with for ever.

    Columns whose values are restricted by the contract's classification are left out.
    """
    from quality_platform.flows.drift_asked import freeze

    platform, table = _asked_for(runner, tenant, table)
    kept = freeze(platform, table, name, rows, _listed(columns))
    names = ", ".join(kept.profiles)
    told = f"{table}: froze {kept.rows:,} rows ({kept.text}) as {name}: {names}"
    Console().print(escape(told), soft_wrap=True)


@drift.command("forget")
def forget_profile(
    table: TableArgument,
    name: Annotated[str, typer.Option("--name", help="The profile's name.")],
    runner: RunnerOption = None,
    tenant: TenantOption = "",
) -> None:
    """Remove what was kept under a name; the name is free again.

    Older snapshots of the profiles keep it until upkeep removes them.
    """
    from quality_platform.flows.drift_asked import forget

    platform, table = _asked_for(runner, tenant, table)
    columns = forget(platform, table, name)
    told = f"{table}: forgot {name}, the profiles of {columns} columns"
    Console().print(escape(told), soft_wrap=True)


def _asked_for(runner: Path | None, tenant: str, table: str) -> tuple[Platform, str]:
    """The platform, and the name of the table that is meant."""
    from quality_platform.flows.platform import open_platform
    from quality_platform.flows.tenant_names import name_of_tenant

    platform = open_platform(runner)
    return platform, name_of_tenant(platform, tenant, table)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _as_json(result: CheckResult) -> dict[str, Any]:
    return {
        "check": result.spec.name,
        "columns": result.spec.columns,
        "verdict": result.verdict.value,
        "severity": result.spec.severity.value,
        "message": result.message,
        **result.facts,
    }


def _print(console: Console, results: tuple[CheckResult, ...]) -> None:
    # What keeps the whole test from running is told once.
    is_one = len({(result.verdict, result.message) for result in results}) == 1 < len(results)
    for result in results[:1] if is_one else results:
        word = result.verdict.value
        name = f"all {len(results)} checks" if is_one else result.spec.name
        console.print(
            f"[{_STYLES[word]}]{word:<5}[/] {name}  {escape(result.message)}", soft_wrap=True
        )
    facts = results[-1].facts
    for side in ("reference", "current"):
        if side in facts:
            told = f"{side}: {facts[side]}, {facts[f'{side}_rows']:,} rows"
            console.print(f"[dim]{escape(told)}[/dim]", soft_wrap=True)
