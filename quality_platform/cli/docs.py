"""`quality-platform docs`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quality_platform.cli.exchange import ForceOption, OutputOption, refuse_existing, write_text
from quality_platform.contracts.loading import load_contract


def docs(
    contract: Annotated[Path, typer.Argument(help="The contract's file.")],
    output: OutputOption = None,
    force: ForceOption = False,
) -> None:
    """Write a contract as a page for people, in Markdown."""
    from quality_platform.exchange.exporters.markdown import export_markdown

    refuse_existing(output, force=force)
    write_text(export_markdown(load_contract(contract)).text, output)
