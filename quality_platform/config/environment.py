"""The environment, read in one place: ${VAR} in runner.yaml, and the platform's home."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quality_platform.documents.yaml_documents import PathInDocument, YamlDocument
from quality_platform.errors import EnvironmentVariableError, Problem

HOME_VARIABLE = "QUALITY_PLATFORM_HOME"
RUNNER_VARIABLE = "QUALITY_PLATFORM_RUNNER"

_REFERENCE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")


def environment() -> dict[str, str]:
    """The process environment, with `QUALITY_PLATFORM_HOME` made absolute and given its default.

    The default is `.local` in the working directory.
    """
    home = Path(os.environ.get(HOME_VARIABLE) or ".local")
    return {**os.environ, HOME_VARIABLE: str(home.absolute())}


def runner_path(variables: Mapping[str, str]) -> Path:
    """The runner file: `QUALITY_PLATFORM_RUNNER`, or `runner.yaml` in the working directory."""
    return Path(variables.get(RUNNER_VARIABLE) or "runner.yaml").absolute()


def expanded(document: YamlDocument, variables: Mapping[str, str]) -> Any:
    """The document's data with every `${VAR}` and `${VAR:-default}` in its texts replaced.

    Works on parsed values, so that a variable's content can never add YAML.

    Raises:
        EnvironmentVariableError: a variable has neither a value nor a default; all are listed.
    """
    problems: list[Problem] = []
    data = _expand(document.data, (), document, variables, problems)
    if problems:
        raise EnvironmentVariableError.of(problems)
    return data


def _expand(
    value: Any,
    path: PathInDocument,
    document: YamlDocument,
    variables: Mapping[str, str],
    problems: list[Problem],
) -> Any:
    if isinstance(value, dict):
        return {k: _expand(v, (*path, k), document, variables, problems) for k, v in value.items()}
    if isinstance(value, list):
        return [_expand(v, (*path, n), document, variables, problems) for n, v in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        found = variables.get(match["name"]) or match["default"]
        if found is None:
            problems.append(
                Problem(
                    message=f"the environment variable {match['name']} is not set",
                    location=document.location(path),
                    field=".".join(str(step) for step in path),
                    received=match[0],
                    action=f"set {match['name']}, or give a default: ${{{match['name']}:-...}}",
                )
            )
            return ""
        return found

    return _REFERENCE.sub(replace, value)
