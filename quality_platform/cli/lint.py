"""`quality-platform lint`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from quality_platform.cli.options import ERROR, RunnerOption
from quality_platform.flows.platform import Platform, open_platform


def lint(
    runner: RunnerOption = None,
    engines: Annotated[
        bool,
        typer.Option(
            "--engines",
            help="Also ask Great Expectations and Soda about their entries (some seconds).",
        ),
    ] = False,
) -> None:
    """Check runner.yaml and every contract that it names, without touching any data."""
    platform = open_platform(runner)
    problems = _engine_problems(platform) if engines else []
    console = Console()
    for problem in problems:
        console.print(f"[red]✗[/red] {escape(problem)}", soft_wrap=True)
    tables, views = len(platform.tables), len(platform.feature_tables)
    contracted = [*platform.tables.values(), *platform.feature_tables.values()]
    checks = sum(len(table.all_checks) for table in contracted)
    if problems:
        raise typer.Exit(ERROR)
    console.print(
        f"[green]✓[/green] {platform.runner.document.path.name}: {tables} tables, "
        f"{views} feature views, {checks} checks, no problems"
    )


def _engine_problems(platform: Platform) -> list[str]:
    from quality_platform.checks.specs import Expectation, SodaCheck
    from quality_platform.validation import great_expectations_engine, soda_engine

    validators = {
        Expectation: great_expectations_engine.validate_definition,
        SodaCheck: soda_engine.validate_definition,
    }
    return [
        f"{spec.location}: {spec.name}: {problem}"
        for table in [*platform.tables.values(), *platform.feature_tables.values()]
        for spec in table.checks
        if (validate := validators.get(type(spec.claim))) and (problem := validate(spec))
    ]
