"""`quality-platform sources`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape

from quality_platform.cli.options import FOUND_PROBLEMS, JsonOption, print_json
from quality_platform.terminal import plain_table

if TYPE_CHECKING:
    from quality_platform.sources.registry import KnownType


def sources(as_json: JsonOption = False) -> None:
    """List the types of source that a table can have, and the plugins that bring them."""
    from quality_platform.sources.registry import known_types

    found = known_types()
    if as_json:
        print_json([asdict(known) for known in found])
    else:
        _print_types(found)
    if any(known.problem for known in found):
        raise typer.Exit(FOUND_PROBLEMS)


def _print_types(found: Sequence[KnownType]) -> None:
    shown = plain_table(None, "type")
    for heading in ("what it reads", "from"):
        shown.add_column(heading, overflow="fold")
    for known in found:
        brought = f"{known.distribution} {known.version}".strip() or "the platform"
        what = f"cannot be used: {known.problem}" if known.problem else known.description
        shown.add_row(known.type, escape(what), escape(brought))
    Console().print(shown)
