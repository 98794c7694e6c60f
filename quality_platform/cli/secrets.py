"""`quality-platform secrets`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from quality_platform.cli.options import FOUND_PROBLEMS, JsonOption, RunnerOption, print_json

if TYPE_CHECKING:
    from quality_platform.flows.secret_states import SecretState


def secrets(runner: RunnerOption = None, as_json: JsonOption = False) -> None:
    """Ask for every secret that runner.yaml refers to, and show which cannot be had; no values."""
    from quality_platform.flows.platform import open_platform
    from quality_platform.flows.secret_states import secret_states

    found = secret_states(open_platform(runner))
    if as_json:
        print_json([{**vars(state), "error": _error(state) or None} for state in found])
    else:
        _print(found)
    if any(state.error for state in found):
        raise typer.Exit(FOUND_PROBLEMS)


def _print(states: Sequence[SecretState]) -> None:
    console = Console()
    if not states:
        console.print("runner.yaml refers to no secret.")
        return
    table = Table()
    for heading in ("line", "field", "secret", ""):
        # A long name is broken, so that nothing is cut off.
        table.add_column(heading, overflow="fold")
    for state in states:
        shown = f"[red]{escape(_error(state))}[/red]" if state.error else "[green]found[/green]"
        table.add_row(str(state.line), escape(state.field), escape(state.reference), shown)
    console.print(table)


def _error(state: SecretState) -> str:
    """Code and message of the error; the place stands beside it."""
    if state.error is None:
        return ""
    (problem,) = state.error.problems
    return f"{state.error.code} {problem.message}"
