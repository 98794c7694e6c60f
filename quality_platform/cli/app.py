"""The command line's commands, put together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from quality_platform.cli.lint import lint
from quality_platform.cli.options import ERROR
from quality_platform.cli.runs import launch, run
from quality_platform.cli.tables import quarantine, status
from quality_platform.errors import QualityPlatformError
from quality_platform.terminal import print_error

app = typer.Typer(
    help="Data contracts in, a running data platform out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (run, launch, lint, status, quarantine):
    app.command()(command)


def main() -> None:
    """Runs the command line; errors of the platform end it with code 2 and their message."""
    with _reported_errors():
        app()


@contextmanager
def _reported_errors() -> Iterator[None]:
    try:
        yield
    except QualityPlatformError as error:
        print_error(Console(stderr=True), error)
        raise SystemExit(ERROR) from None
