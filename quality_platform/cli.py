"""The command line: `quality-platform`."""

from __future__ import annotations

import csv
import json
import math
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from quality_platform.errors import QualityPlatformError
from quality_platform.flows.platform import Platform, open_platform
from quality_platform.terminal import (
    print_error,
    print_quarantine,
    print_statuses,
    print_step,
    print_summary,
)

OK, FOUND_PROBLEMS, ERROR = 0, 1, 2

app = typer.Typer(
    help="Data contracts in, a running data platform out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

RunnerOption = Annotated[
    Path | None,
    typer.Option(
        "--runner",
        "-r",
        help="The runner file; QUALITY_PLATFORM_RUNNER or ./runner.yaml by default.",
    ),
]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Exit with 1 on failed checks or quarantined rows.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main() -> None:
    """Runs the command line; errors of the platform end it with code 2 and their message."""
    with _reported_errors():
        app()


@contextmanager
def _reported_errors() -> Any:
    try:
        yield
    except QualityPlatformError as error:
        print_error(Console(stderr=True), error)
        raise SystemExit(ERROR) from None


@app.command()
def run(
    names: Annotated[
        list[str] | None, typer.Argument(help="Tables and feature views; all by default.")
    ] = None,
    runner: RunnerOption = None,
    strict: StrictOption = False,
) -> None:
    """Load tables, compute and materialize feature views, without Dagster."""
    from quality_platform.flows.run_platform import run_platform

    platform = open_platform(runner)
    console = Console()
    steps = []
    for step in run_platform(platform, names or (), f"cli-{uuid.uuid4().hex}", _progress(console)):
        print_step(console, step)
        steps.append(step)
    _finish(console, steps, strict=strict)


@app.command()
def launch(runner: RunnerOption = None, strict: StrictOption = False) -> None:
    """Run everything through Dagster, as a launch of the job `everything` in its UI does."""
    from quality_platform.orchestration.launch import launch as launch_everything
    from quality_platform.orchestration.launch import terminal_stream

    platform = open_platform(runner)
    console = Console(file=terminal_stream())
    steps = launch_everything(platform, _progress(console), lambda step: print_step(console, step))
    _finish(console, steps, strict=strict)


def _progress(console: Console) -> Callable[[str, str, str], None]:
    def show(name: str, step: str, text: str) -> None:
        line = f"  [dim]{name}[/dim]  {step.replace('_', ' ')}  [dim]{escape(text)}[/dim]"
        console.print(line, soft_wrap=True)

    return show


def _finish(console: Console, steps: Any, *, strict: bool) -> None:
    from quality_platform.flows.run_platform import has_failed_checks

    print_summary(console, steps)
    if not all(step.succeeded for step in steps):
        raise typer.Exit(ERROR if any(step.error for step in steps) else FOUND_PROBLEMS)
    if strict and has_failed_checks(steps):
        raise typer.Exit(FOUND_PROBLEMS)


@app.command()
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


@app.command()
def status(runner: RunnerOption = None, as_json: JsonOption = False) -> None:
    """Show where every table stands: rows, quarantine, snapshot, and its latest run."""
    from quality_platform.flows.table_status import table_statuses

    statuses = table_statuses(open_platform(runner))
    if as_json:
        _print_json([vars(status) for status in statuses])
    else:
        print_statuses(Console(), statuses)


@app.command()
def quarantine(
    table: Annotated[str, typer.Argument(help="The table or feature view.")],
    runner: RunnerOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a row.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    limit: Annotated[
        int, typer.Option(min=0, help="Rows shown in the table; 0 for all. JSON and CSV give all.")
    ] = 20,
) -> None:
    """Show the rows in a table's quarantine, each with its reasons."""
    from quality_platform.flows.table_status import quarantined_rows
    from quality_platform.quarantine.records import META_COLUMNS

    if as_json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv")
    platform = open_platform(runner)
    rows = quarantined_rows(platform, table)
    if as_json:
        for row in rows:
            sys.stdout.write(json.dumps(_plain(row), default=_as_text, ensure_ascii=False) + "\n")
    elif as_csv:
        _print_csv(rows, (*platform.contracted(table).object.column_names, *META_COLUMNS))
    else:
        print_quarantine(Console(), platform.contracted(table), rows, limit)


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, default=_as_text, indent=2, ensure_ascii=False) + "\n")


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row without what JSON has no number for: these become texts."""
    return {
        key: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in row.items()
    }


def _print_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    writer = csv.DictWriter(sys.stdout, fieldnames=columns)
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _csv_cell(value) for key, value in row.items()})


def _csv_cell(value: object) -> object:
    if isinstance(value, list):
        return "; ".join(str(item) for item in value)
    return _as_text(value) if isinstance(value, datetime) else value


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


if __name__ == "__main__":
    main()
