"""Dativo's files, each value with its place: runner.yaml, jobs, connectors, assets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from quality_platform.config.base_models import Model
from quality_platform.config.broken import Fault, error_of
from quality_platform.config.environment import Expansion
from quality_platform.config.secret_text import SecretBinding
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.documents.yaml_documents import PathInDocument, YamlDocument, load_yaml
from quality_platform.errors import (
    ConfigurationError,
    EnvironmentVariableError,
    Problem,
    RunnerFileError,
)

ROOT_VARIABLE = "QUALITY_PLATFORM_DATIVO_ROOT"
"""The environment variable that names the folder in which Dativo was started."""
_CONTAINER = "/app/"
"""Where Dativo's own image has that folder."""


@dataclass(frozen=True)
class Found:
    """A value of a file, with every `${VAR}` replaced, and where it stands."""

    document: YamlDocument
    path: PathInDocument
    value: Any

    @property
    def text(self) -> str:
        """The value as text; "" for none."""
        return "" if self.value is None else str(self.value)

    @property
    def written(self) -> Any:
        """The value as it stands in the file."""
        found = self.document.data
        for step in self.path:
            found = found[step]
        return found

    def problem(self, message: str, allowed: str = "", action: str = "") -> Problem:
        """Something that is wrong with the value."""
        written = self.written
        return Problem(
            message,
            self.document.location(self.path),
            ".".join(map(str, self.path)),
            received="" if isinstance(written, dict | list) else repr(written),
            allowed=allowed,
            action=action,
        )


@dataclass
class DativoFile:
    """One file; only what is asked for is looked at, so that other `${VAR}` need no value."""

    document: YamlDocument
    variables: Mapping[str, str]
    secrets: SecretBinding
    base: PathInDocument = ()
    _expansion: Expansion = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._expansion = Expansion(self.document, self.variables, self.secrets)

    def find(self, *path: str | int) -> Found | None:
        """The value at a path; None where there is none."""
        place = (*self.base, *path)
        value: Any = self.document.data
        for step in place:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        if value is None:
            return None
        return Found(self.document, place, self._expansion.value(value, place))

    def text(self, *path: str | int) -> str:
        """The text at a path; "" where there is none."""
        found = self.find(*path)
        return found.text if found else ""

    def written(self, *path: str | int) -> Any:
        """The value at a path as it stands in the file; None where there is none."""
        value: Any = self.document.data
        for step in (*self.base, *path):
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def raise_unset(self) -> None:
        """Raises what was wrong with the `${VAR}` that were met.

        Raises:
            EnvironmentVariableError: variables have no value.
            RunnerFileError: references to secrets are written wrongly.
        """
        if self._expansion.unset:
            raise EnvironmentVariableError.of(problem for _, problem in self._expansion.unset)
        if self._expansion.broken:
            raise RunnerFileError.of(problem for _, problem in self._expansion.broken)


@dataclass(frozen=True)
class Project:
    """The folder in which Dativo was started: relative paths start there, and `/app` is it."""

    root: Path
    variables: Mapping[str, str] = field(repr=False)
    secrets: SecretBinding = field(repr=False)
    _documents: dict[tuple[Path, type[Model]], YamlDocument] = field(
        default_factory=dict, repr=False
    )

    @classmethod
    def of(
        cls,
        runner: Path,
        named: Sequence[str],
        variables: Mapping[str, str],
        secrets: SecretBinding,
    ) -> Project:
        """The project of a runner file that names these files.

        It is the folder that `QUALITY_PLATFORM_DATIVO_ROOT` names, or the nearest one, from that of
        the file upwards, in which one of the named files is.
        """
        folder = runner.parent
        if stated := variables.get(ROOT_VARIABLE):
            return cls(folder / stated, variables, secrets)
        inner = [_inner(name) for name in named]
        for candidate in (folder, *folder.parents):
            if any((candidate / name).is_file() for name in inner if not name.startswith("/")):
                return cls(candidate, variables, secrets)
        return cls(folder, variables, secrets)

    def path(self, written: str) -> Path:
        """The absolute path that a file means."""
        if Path(written).exists() and Path(written).is_absolute():
            return Path(written)
        return self.root / _inner(written)

    def open(self, named: Found, shape: type[Model]) -> DativoFile:
        """The file that a value names.

        Raises:
            ConfigurationError: there is none, or it has not the shape; every problem is listed.
        """
        path = self.path(named.text)
        if not path.is_file():
            action = f"correct the path; relative ones start at {self.root} ({ROOT_VARIABLE})"
            raise refused(named.problem(f"there is no such file: {path}", "", action))
        document = self._documents.get((path, shape))
        if document is None:
            document = load_yaml(path)
            if problems := shape_problems(document, shape):
                raise RunnerFileError.of(problems.values())
            # Many jobs share a connector.
            self._documents[path, shape] = document
        return DativoFile(document, self.variables, self.secrets)


def _inner(path: str) -> str:
    return path.removeprefix(_CONTAINER)


def shape_problems(document: YamlDocument, shape: type[Model]) -> dict[PathInDocument, Problem]:
    """Everything in which a document has not a shape, by its place."""
    if not isinstance(document.data, dict):
        return {(): Problem("must be a mapping of keys to values", document.location())}
    try:
        shape.model_validate(document.data)
    except ValidationError as error:
        found: dict[PathInDocument, Problem] = {}
        for entry in error.errors():
            path = _in_file(entry, document.data)
            found.setdefault(path, _problem(entry, path, document, shape))
        return found
    return {}


def _in_file(entry: Any, data: Any) -> PathInDocument:
    """The keys of an error's path, without what pydantic adds for the branches of a union."""
    path: list[str | int] = []
    for step in entry["loc"]:
        is_key = _has(data, step)
        if not is_key and entry["type"] != "missing":
            break
        data = data[step] if is_key else None
        path.append(step)
    return tuple(path)


def _has(data: Any, step: str | int) -> bool:
    if isinstance(data, Mapping):
        return step in data
    return isinstance(data, list) and isinstance(step, int)


def _problem(entry: Any, path: PathInDocument, document: YamlDocument, shape: Any) -> Problem:
    name = ".".join(map(str, path))
    if entry["type"] == "extra_forbidden":
        allowed = _keys_at(path[:-1], shape)
        return Problem(
            f"unknown key {str(path[-1])!r}",
            document.location(path),
            name,
            allowed=", ".join(allowed),
            action=did_you_mean(str(path[-1]), allowed),
        )
    message = "the key is missing" if entry["type"] == "missing" else _message(entry)
    written = Found(document, path, None).written if entry["type"] != "missing" else None
    return Problem(
        message,
        document.location(path),
        name,
        received="" if written is None or isinstance(written, dict | list) else repr(written),
        allowed=str(entry.get("ctx", {}).get("expected", "")),
    )


_MESSAGES = {
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "tuple_type": "must be a list",
}


def _message(entry: Any) -> str:
    return _MESSAGES.get(entry["type"], str(entry["msg"]))


def _keys_at(path: PathInDocument, shape: type[Model]) -> list[str]:
    """The keys that a shape allows at a path."""
    schema = shape.model_json_schema(mode="validation")
    node: Any = schema
    for step in path:
        node = _resolved(node, schema)
        node = node.get("items", {}) if isinstance(step, int) else node["properties"].get(step, {})
    return sorted(_resolved(node, schema).get("properties", {}))


def _resolved(node: Any, schema: Any) -> Any:
    for option in (node, *node.get("anyOf", ())):
        if "$ref" in option:
            return schema["$defs"][option["$ref"].rpartition("/")[2]]
        if "items" in option:
            return option
    return node


def refused(problem: Problem) -> ConfigurationError:
    """The error of one problem in a file of Dativo's."""
    return error_of([Fault((), problem)])
