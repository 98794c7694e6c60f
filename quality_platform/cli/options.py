"""What the commands share: options, exit codes, JSON."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

OK, FOUND_PROBLEMS, ERROR = 0, 1, 2
"""Exit codes: done; done, and something is wrong with the data; could not be done."""

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
TenantOption = Annotated[
    str,
    typer.Option(
        "--tenant", help="Only what is this tenant's: a name of anything else is refused."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def print_json(value: object) -> None:
    """Prints a value as JSON; dates in ISO 8601, anything unknown as text."""
    sys.stdout.write(json.dumps(value, default=as_text, indent=2, ensure_ascii=False) + "\n")


def as_text(value: object) -> str:
    """The text that stands for a value that JSON has no word for."""
    return value.isoformat() if isinstance(value, datetime) else str(value)
