"""The environment, read in one place: ${VAR} in runner.yaml, and the platform's home.

A `${secret:NAME}` is no variable: it stays a reference until it is needed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quality_platform.config.secret_text import (
    ConfiguredSecret,
    SecretBinding,
    SecretReference,
)
from quality_platform.documents.yaml_documents import PathInDocument, YamlDocument
from quality_platform.errors import EnvironmentVariableError, Problem, RunnerFileError

HOME_VARIABLE = "QUALITY_PLATFORM_HOME"
RUNNER_VARIABLE = "QUALITY_PLATFORM_RUNNER"

_REFERENCE = re.compile(
    r"\$\{secret:(?P<secret>[^\s{}#|-][^\s{}#|]*)(?:#(?P<key>[^\s{}|]+))?(?P<quoted>\|url)?\}"
    r"|(?P<broken>\$\{secret:(?!-)[^}]*\}?)"
    r"|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}"
)


def environment() -> dict[str, str]:
    """The process environment, with `QUALITY_PLATFORM_HOME` made absolute and given its default.

    The default is `.local` in the working directory.
    """
    home = Path(os.environ.get(HOME_VARIABLE) or ".local")
    return {**os.environ, HOME_VARIABLE: str(home.absolute())}


def runner_path(variables: Mapping[str, str]) -> Path:
    """The runner file: `QUALITY_PLATFORM_RUNNER`, or `runner.yaml` in the working directory."""
    return Path(variables.get(RUNNER_VARIABLE) or "runner.yaml").absolute()


def environment_variable(name: str) -> str | None:
    """What a variable of the process environment holds now; None where it is not set or empty."""
    return os.environ.get(name) or None


def expanded(
    document: YamlDocument, variables: Mapping[str, str], secrets: SecretBinding | None = None
) -> Any:
    """The document's data with every `${VAR}` and `${VAR:-default}` in its texts replaced.

    Works on parsed values, so that a variable's content can never add YAML, or a reference. A text
    with a `${secret:NAME}` becomes a `ConfiguredSecret` that asks `secrets`.

    Raises:
        EnvironmentVariableError: a variable has neither a value nor a default; all are listed.
        RunnerFileError: a reference to a secret is written wrongly; all are listed.
    """
    expansion = Expansion(document, variables, secrets or SecretBinding())
    data = expansion.value(document.data, ())
    if expansion.unset:
        raise EnvironmentVariableError.of(problem for _, problem in expansion.unset)
    if expansion.broken:
        raise RunnerFileError.of(problem for _, problem in expansion.broken)
    return data


@dataclass(frozen=True)
class TenantScope:
    """What the texts of a tenant's part may refer to.

    Attributes:
        tenant: The tenant, in whose scope secrets are asked for.
        variables: The names that `${VAR}` may have; None for any, where the tenant does not write
            the part itself.
    """

    tenant: str
    variables: Collection[str] | None = None


_NO_TENANT = TenantScope("")


@dataclass(frozen=True)
class Expansion:
    """One document on its way to its data, with every `${VAR}` replaced.

    Attributes:
        document: The document.
        variables: What `${VAR}` stand for.
        secrets: What takes note of the references to secrets.
        scopes: What the parts of tenants may refer to, by the path of the part.
        unset: The variables without a value that were met so far, each with its path.
        broken: The references to secrets that are written wrongly, each with its path.
    """

    document: YamlDocument
    variables: Mapping[str, str]
    secrets: SecretBinding
    scopes: Mapping[PathInDocument, TenantScope] = field(default_factory=dict)
    unset: list[tuple[PathInDocument, Problem]] = field(default_factory=list)
    broken: list[tuple[PathInDocument, Problem]] = field(default_factory=list)

    def value(self, value: Any, path: PathInDocument) -> Any:
        """A value of the document and all within it."""
        if isinstance(value, dict):
            return {key: self.value(child, (*path, key)) for key, child in value.items()}
        if isinstance(value, list):
            return [self.value(child, (*path, n)) for n, child in enumerate(value)]
        return self._text(value, path) if isinstance(value, str) else value

    def _text(self, text: str, path: PathInDocument) -> str | ConfiguredSecret:
        parts: list[str | SecretReference] = []
        end = 0
        for match in _REFERENCE.finditer(text):
            parts += [text[end : match.start()], self._part(match, path)]
            end = match.end()
        parts = [part for part in (*parts, text[end:]) if part]
        if any(isinstance(part, SecretReference) for part in parts):
            return ConfiguredSecret(parts, self.secrets)
        return "".join(str(part) for part in parts)

    def _part(self, match: re.Match[str], path: PathInDocument) -> str | SecretReference:
        place = self.document.location(path)
        keys = ".".join(str(step) for step in path)
        scope = self.scopes.get(path[:2], _NO_TENANT)
        if match["secret"]:
            is_quoted = match["quoted"] is not None
            key = match["key"] or ""
            return self.secrets.add(
                SecretReference(match["secret"], key, is_quoted, place, keys, scope.tenant)
            )
        if match["broken"]:
            problem = Problem(
                message="not a reference to a secret",
                location=place,
                field=keys,
                received=match["broken"],
                allowed="${secret:NAME}, ${secret:NAME#FIELD}, each with |url before the brace",
            )
            self.broken.append((path, problem))
            return ""
        if match["name"] and scope.variables is not None and match["name"] not in scope.variables:
            problem = Problem(
                message=f"the variable {match['name']} is not given to the tenant {scope.tenant}",
                location=place,
                field=keys,
                received=match[0],
                allowed=", ".join(scope.variables) or "no variable",
                action=f"who runs the platform can add it to tenants.{scope.tenant}.variables",
            )
            self.broken.append((path, problem))
            return ""
        found = self.variables.get(match["name"]) or match["default"]
        if found is None:
            problem = Problem(
                message=f"the environment variable {match['name']} is not set",
                location=place,
                field=keys,
                received=match[0],
                action=f"set {match['name']}, or give a default: ${{{match['name']}:-...}}",
            )
            self.unset.append((path, problem))
        return found or ""
