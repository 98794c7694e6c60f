"""The command line's commands, put together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from quality_platform.cli.check import check
from quality_platform.cli.diff import diff
from quality_platform.cli.docs import docs
from quality_platform.cli.drift import drift
from quality_platform.cli.exchange import export_contract, import_contract
from quality_platform.cli.features import feast, register_features, skew
from quality_platform.cli.forgetting import forget_entity
from quality_platform.cli.instance import instance
from quality_platform.cli.lint import lint
from quality_platform.cli.metrics import metrics
from quality_platform.cli.options import ERROR
from quality_platform.cli.quarantine import discard, release, replay
from quality_platform.cli.runs import launch, materialize, run
from quality_platform.cli.schema import schema
from quality_platform.cli.secrets import secrets
from quality_platform.cli.sources import sources
from quality_platform.cli.tables import quarantine, status
from quality_platform.cli.training_sets import training_set, training_sets
from quality_platform.cli.upkeep import maintain, rollback, snapshots
from quality_platform.errors import QualityPlatformError
from quality_platform.terminal import print_error


def _before_every_command() -> None:
    from quality_platform.telemetry.log_lines import configure_logs

    configure_logs()


app = typer.Typer(
    help="Data contracts in, a running data platform out.",
    callback=_before_every_command,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    run,
    materialize,
    launch,
    instance,
    lint,
    check,
    status,
    quarantine,
    docs,
    diff,
    maintain,
    snapshots,
    rollback,
    replay,
    release,
    discard,
    secrets,
    sources,
    schema,
    metrics,
    register_features,
    skew,
    forget_entity,
):
    app.command()(command)
app.command()(training_set)
app.add_typer(training_sets, name="training-sets")
# What follows is Feast's own.
app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,
    }
)(feast)
# Python keeps these words for itself, so that the functions have longer names.
app.command("import")(import_contract)
app.command("export")(export_contract)
app.add_typer(drift, name="drift")


def main() -> None:
    """Runs the command line; errors of the platform end it with code 2 and their message."""
    with _reported_errors():
        app()


@contextmanager
def _reported_errors() -> Iterator[None]:
    try:
        yield
    except QualityPlatformError as error:
        _report(error)
        raise SystemExit(ERROR) from None


def _report(error: QualityPlatformError) -> None:
    """Tells the error on standard error: for people, or as a line of JSON where all lines are."""
    from quality_platform.telemetry.log_lines import log_error, writes_json

    if writes_json():
        log_error(error)
    else:
        print_error(Console(stderr=True), error)
