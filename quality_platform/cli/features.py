"""`quality-platform register-features`, `skew` and `feast`."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.console import Console

from quality_platform.checks.results import Verdict
from quality_platform.cli.options import (
    ERROR,
    FOUND_PROBLEMS,
    JsonOption,
    RunnerOption,
    TenantOption,
    print_json,
)


def register_features(runner: RunnerOption = None, as_json: JsonOption = False) -> None:
    """Make Feast's registry what runner.yaml declares: entities, views, services.

    A run that materializes a feature view does the same. Exit code 0: all is registered; 1: some of
    it cannot be, for the reasons that are told.
    """
    from quality_platform.flows.feature_store_objects import broken_definitions, register_all
    from quality_platform.flows.platform import open_platform

    platform = open_platform(runner)
    applied = register_all(platform)
    found = {**broken_definitions(platform), **applied.errors}
    errors = {name: str(error) for name, error in found.items()}
    if as_json:
        print_json({"names": applied.names, "removed": applied.removed, "errors": errors})
    else:
        console = Console()
        console.print(f"registered: {', '.join(applied.names) or 'nothing'}", markup=False)
        if applied.removed:
            console.print(f"removed: {', '.join(applied.removed)}", markup=False)
        for name, error in errors.items():
            console.print(f"not registered as it is declared: {name}: {error}", markup=False)
    if errors:
        raise typer.Exit(FOUND_PROBLEMS)


def skew(
    view: Annotated[str, typer.Argument(help="The feature view.")],
    runner: RunnerOption = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Entities compared; what runner.yaml says by default.")
    ] = None,
    as_json: JsonOption = False,
    tenant: TenantOption = "",
) -> None:
    """Compare a view's online store with what it has published, for a sample of entities.

    Exit code 0: they agree, or only warn; 1: they differ; 2: they could not be compared.
    """
    from quality_platform.flows.platform import open_platform
    from quality_platform.flows.skew import skew_result
    from quality_platform.flows.tenant_names import name_of_tenant

    platform = open_platform(runner)
    view = name_of_tenant(platform, tenant, view)
    result = skew_result(platform, view, sample)
    if as_json:
        print_json(
            {
                "view": view,
                "verdict": result.verdict.value,
                "entities": result.rows,
                "wrong": result.count,
                "message": result.message,
                "examples": result.sample,
            }
        )
    else:
        console = Console()
        console.print(f"{result.verdict.value}: {result.message}", markup=False)
        for example in result.sample:
            told = ", ".join(f"{name} {value}" for name, value in example.items() if value != "")
            console.print(f"  {told}", markup=False)
    if result.verdict is Verdict.ERROR:
        raise typer.Exit(ERROR)
    if result.verdict is Verdict.FAIL:
        raise typer.Exit(FOUND_PROBLEMS)


def feast(context: typer.Context, runner: RunnerOption = None) -> None:
    """Run Feast's own command line on the platform's registry: `feast feature-views list`.

    What runner.yaml keeps secret is given to it in environment variables.
    """
    from quality_platform.flows.feast_command import feast_command
    from quality_platform.flows.platform import open_platform

    command = feast_command(open_platform(runner), context.args)
    # In the place of this process: signals and exit codes are then Feast's.
    os.execve(command.arguments[0], command.arguments, command.variables)  # noqa: S606 - no shell
