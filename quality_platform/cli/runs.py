"""`quality-platform run`, `materialize` and `launch`."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from quality_platform.cli.options import (
    ERROR,
    FOUND_PROBLEMS,
    RunnerOption,
    StrictOption,
    TenantOption,
)
from quality_platform.terminal import print_step, print_summary


def run(
    names: Annotated[
        list[str] | None, typer.Argument(help="Tables and feature views; all by default.")
    ] = None,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Make everything again, in place of all rows.")
    ] = False,
    start: Annotated[
        str, typer.Option("--from", help="Read again from this value of the cursor, inclusive.")
    ] = "",
    end: Annotated[
        str, typer.Option("--to", help="Read again up to this value of the cursor, exclusive.")
    ] = "",
    runner: RunnerOption = None,
    strict: StrictOption = False,
    tenant: TenantOption = "",
) -> None:
    """Load tables, compute and materialize feature views, without Dagster.

    A full refresh is for the tables and feature views that are named, a range for tables alone.
    """
    from quality_platform.flows.platform import open_platform
    from quality_platform.flows.requests import Request
    from quality_platform.flows.run_platform import run_platform
    from quality_platform.flows.tenant_names import names_of_tenant
    from quality_platform.telemetry.command_runs import ObservedRun

    platform = open_platform(runner)
    request = Request.of(full_refresh=full_refresh, start=start, end=end)
    if not names and request != Request():
        raise typer.BadParameter("name the tables that are to be read again")
    wanted = names_of_tenant(platform, tenant, names or ())
    console = Console()
    steps = []
    run_id = f"cli-{uuid.uuid4().hex}"
    with ObservedRun(platform, run_id) as seen:
        progress = seen.telling(_progress(console))
        for step in run_platform(platform, wanted, run_id, progress, request, seen.step):
            print_step(console, step)
            steps.append(step)
    _finish(console, steps, strict=strict)


def materialize(
    names: Annotated[
        list[str] | None, typer.Argument(help="Feature views; all that are online by default.")
    ] = None,
    rebuild: Annotated[
        bool,
        typer.Option("--rebuild", help="Write all of it again, and remove what is not published."),
    ] = False,
    runner: RunnerOption = None,
    tenant: TenantOption = "",
) -> None:
    """Bring what is published of feature views into the online store, and compute nothing.

    A rebuild is for a store that was lost or damaged.
    """
    from quality_platform.flows.platform import open_platform
    from quality_platform.flows.run_platform import materialize_platform, online_names
    from quality_platform.flows.tenant_names import names_of_tenant
    from quality_platform.telemetry.command_runs import ObservedRun

    platform, console, run_id = open_platform(runner), Console(), f"cli-{uuid.uuid4().hex}"
    named = names_of_tenant(platform, tenant, names or ())
    wanted = named if names else online_names(platform, tenant)
    steps = []
    with ObservedRun(platform, run_id) as seen:
        progress = seen.telling(_progress(console))
        for step in materialize_platform(
            platform, wanted, run_id, progress, rebuild=rebuild, observer=seen.step
        ):
            print_step(console, step)
            steps.append(step)
    _finish(console, steps, strict=False)


def launch(
    runner: RunnerOption = None, strict: StrictOption = False, tenant: TenantOption = ""
) -> None:
    """Run everything through Dagster, as a launch of the job `everything` in its UI does.

    With --tenant all that is the tenant's.
    """
    from quality_platform.flows.platform import open_platform
    from quality_platform.flows.tenant_names import names_of_tenant
    from quality_platform.orchestration.launch import launch as launch_everything
    from quality_platform.orchestration.launch import terminal_stream

    platform = open_platform(runner)
    names = names_of_tenant(platform, tenant)
    console = Console(file=terminal_stream())
    ended = partial(print_step, console)
    steps = launch_everything(platform, _progress(console), ended, names)
    _finish(console, steps, strict=strict)


def _progress(console: Console) -> Callable[[str, str, str], None]:
    def show(name: str, step: str, text: str) -> None:
        line = f"  [dim]{name}[/dim]  {step.replace('_', ' ')}  [dim]{escape(text)}[/dim]"
        console.print(line, soft_wrap=True)

    return show


def _finish(console: Console, steps: Any, *, strict: bool) -> None:
    from quality_platform.flows.run_platform import has_failed_checks, has_failed_files

    print_summary(console, steps)
    if not all(step.succeeded for step in steps):
        raise typer.Exit(ERROR if any(step.error for step in steps) else FOUND_PROBLEMS)
    if any(has_failed_files(step) for step in steps) or (strict and has_failed_checks(steps)):
        raise typer.Exit(FOUND_PROBLEMS)
