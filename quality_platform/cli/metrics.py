"""`quality-platform metrics`."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from quality_platform.cli.options import RunnerOption


def metrics(
    port: Annotated[int, typer.Option(help="The port; 0 for any that is free.")] = 9464,
    address: Annotated[
        str, typer.Option(help="The address to listen on; 0.0.0.0 for all of this machine.")
    ] = "127.0.0.1",
    keep: Annotated[
        float, typer.Option(min=0, help="Seconds for which a reading of the lake is served again.")
    ] = 15,
    once: Annotated[bool, typer.Option("--once", help="Print them, and end.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="With --once: a file that is replaced at once."),
    ] = None,
    runner: RunnerOption = None,
) -> None:
    """Serve metrics for Prometheus, read from the history and the lake.

    They are the same whichever process has loaded. A change of runner.yaml needs a restart.
    """
    from quality_platform.flows.platform import open_platform
    from quality_platform.telemetry.exposition import exposition, served, write_exposition

    if output is not None and not once:
        raise typer.BadParameter("--output goes with --once")
    platform = open_platform(runner)
    if output is not None:
        write_exposition(platform, output)
    elif once:
        sys.stdout.write(exposition(platform))
    else:
        with served(platform, port, address, keep) as found, suppress(KeyboardInterrupt):
            Console(stderr=True).print(f"metrics at http://{address}:{found}/metrics")
            threading.Event().wait()
