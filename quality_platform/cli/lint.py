"""`quality-platform lint`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from quality_platform.cli.options import ERROR, RunnerOption
from quality_platform.errors import Problem
from quality_platform.terminal import print_broken


def lint(
    contracts: Annotated[
        list[Path] | None,
        typer.Argument(help="Contract files; all of the runner file, and itself, by default."),
    ] = None,
    runner: RunnerOption = None,
    engines: Annotated[
        bool,
        typer.Option(
            "--engines",
            help="Also ask Great Expectations and Soda about their entries (some seconds).",
        ),
    ] = False,
) -> None:
    """Check contracts, or runner.yaml and every contract that it names, without any data.

    Exit code 0: no problems (hints do not count); 2: problems.
    """
    console = Console()
    if contracts:
        found = [_lint_file(console, path, engines=engines) for path in contracts]
    else:
        found = [_lint_platform(console, runner, engines=engines)]
    if not all(found):
        raise typer.Exit(ERROR)


def _lint_file(console: Console, path: Path, *, engines: bool) -> bool:
    """Whether the contract has no problem."""
    from quality_platform.flows.lint_contract import lint_contract

    report = lint_contract(path, engines=engines)
    _print_problems(console, report.problems, report.hints)
    if not report.problems:
        noun = "object" if report.objects == 1 else "objects"
        console.print(
            f"[green]✓[/green] {escape(str(path))}: {report.objects} {noun}, "
            f"{report.checks} checks, no problems",
            soft_wrap=True,
        )
    return not report.problems


def _lint_platform(console: Console, runner: Path | None, *, engines: bool) -> bool:
    """Whether the platform has no problem."""
    from quality_platform.flows.lint_contract import engine_problems, rule_problems
    from quality_platform.flows.platform import open_platform

    platform = open_platform(runner)
    print_broken(Console(stderr=True), platform.broken)
    problems: list[Problem] = []
    hints: dict[Problem, None] = dict.fromkeys(platform.runner.hints)
    contracted = [*platform.tables.values(), *platform.feature_tables.values()]
    for table in contracted:
        problems += rule_problems(table.checks, table.object)
        problems += engine_problems(table.checks) if engines else ()
        hints |= dict.fromkeys(table.contract.hints)
    _print_problems(console, problems, list(hints))
    checks = sum(len(table.all_checks) for table in contracted)
    if problems or platform.broken:
        return False
    console.print(
        f"[green]✓[/green] {platform.runner.document.path.name}: "
        f"{len(platform.tables)} tables, {len(platform.feature_tables)} feature views, "
        f"{checks} checks, no problems"
    )
    return True


def _print_problems(
    console: Console, problems: Sequence[Problem], hints: Sequence[Problem]
) -> None:
    for problem in problems:
        console.print(f"[red]✗[/red] {escape(str(problem))}", soft_wrap=True)
    for hint in hints:
        console.print(f"[yellow]hint[/yellow] {escape(str(hint))}", soft_wrap=True)
