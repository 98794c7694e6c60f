"""`quality-platform diff`."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from quality_platform.cli.exchange import write_text
from quality_platform.cli.options import FOUND_PROBLEMS
from quality_platform.contracts.changes import Compatibility, ContractDiff
from quality_platform.contracts.loading import load_contract
from quality_platform.contracts.models import Contract
from quality_platform.errors import ConfigurationError, Location, Problem


class Format(StrEnum):
    """How the changes are written."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JUNIT = "junit"
    JSON = "json"


class FailOn(StrEnum):
    """What ends the command with exit code 1."""

    BREAKING = "breaking"
    FORWARD_ONLY = "forward-only"
    ANY = "any"
    VERSION = "version"


_LEVELS = {
    FailOn.BREAKING: Compatibility.BREAKING,
    FailOn.FORWARD_ONLY: Compatibility.FORWARD_ONLY,
    FailOn.ANY: Compatibility.COMPATIBLE,
    FailOn.VERSION: None,
}


def diff(
    old: Annotated[
        str, typer.Argument(help="The contract as it was: a file, or git:REVISION:PATH.")
    ],
    new: Annotated[str, typer.Argument(help="The contract as it will be.")],
    output_format: Annotated[
        Format, typer.Option("--format", help="How the changes are written.")
    ] = Format.TEXT,
    output: Annotated[
        Path | None, typer.Option(help="Write to this file, not to standard output.")
    ] = None,
    fail_on: Annotated[
        FailOn,
        typer.Option(
            help="What ends with exit code 1: changes of this level or worse, or a version number "
            "that rose less than the changes need."
        ),
    ] = FailOn.BREAKING,
) -> None:
    """List what changed between two versions of a contract, and whom it hurts.

    Exit code 0: nothing that `--fail-on` names; 1: something; 2: a contract cannot be read.
    """
    # It needs Arrow, which takes longer to import than most commands need in all.
    from quality_platform.contracts.diff import diff_contracts

    found = diff_contracts(_contract(old), _contract(new))
    level = _LEVELS[fail_on]
    write_text(_formatted(found, output_format, level), output)
    failed = not found.version_is_high_enough if level is None else bool(found.at_least(level))
    if failed:
        raise typer.Exit(FOUND_PROBLEMS)


def _contract(text: str) -> Contract:
    """The contract in a file, or in a file as git has it: `git:main:contracts/orders.odcs.yaml`."""
    if not text.startswith("git:"):
        return load_contract(Path(text))
    with tempfile.TemporaryDirectory(prefix="quality-platform-") as folder:
        path = Path(folder) / "contract.odcs.yaml"
        path.write_bytes(_from_git(text))
        try:
            return load_contract(path)
        except ConfigurationError as error:
            # The file is gone when the message is read.
            raise ConfigurationError.of(_renamed(p, text) for p in error.problems) from None


def _renamed(problem: Problem, text: str) -> Problem:
    place = problem.location
    return replace(problem, location=replace(place, file=text) if place else Location(text))


def _from_git(text: str) -> bytes:
    command = ["git", "cat-file", "blob", "--end-of-options", text.removeprefix("git:")]
    try:
        found = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - no shell
    except OSError as error:
        raise _not_shown(text, str(error)) from error
    if found.returncode:
        raise _not_shown(text, found.stderr.decode(errors="replace").strip())
    return found.stdout


def _not_shown(text: str, told: str) -> ConfigurationError:
    return ConfigurationError(
        f"git cannot show this contract: {told}",
        received=text,
        allowed="git:REVISION:PATH, where PATH begins at the top of the repository",
    )


def _formatted(found: ContractDiff, output_format: Format, level: Compatibility | None) -> str:
    from quality_platform.reports import contract_changes

    match output_format:
        case Format.TEXT:
            return contract_changes.as_text(found)
        case Format.MARKDOWN:
            return contract_changes.as_markdown(found)
        case Format.JSON:
            return contract_changes.as_json(found)
        case Format.JUNIT:
            return contract_changes.as_junit(found, level)
