"""runner.yaml -> RunnerConfig, with file and line in every error."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from quality_platform.config.environment import expanded
from quality_platform.config.models import RunnerConfig, model_defaults
from quality_platform.config.references import received_text, reference_problems, value_at
from quality_platform.config.secret_text import ConfiguredSecret, SecretBinding
from quality_platform.config.source_models import BUILT_IN
from quality_platform.config.source_plugins import plugins, type_of
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.documents.yaml_documents import YamlDocument, load_yaml
from quality_platform.errors import Location, Problem, RunnerFileError


@dataclass(frozen=True)
class RunnerFile:
    """A loaded runner.yaml: the models, and where each of their values stands in the file.

    `secrets` is what its `${secret:NAME}` ask once it is bound to a reader.
    """

    config: RunnerConfig
    # As written, with what people may have written in the place of a ${VAR}.
    document: YamlDocument = field(repr=False)
    secrets: SecretBinding = field(default_factory=SecretBinding, compare=False, repr=False)

    def location(self, *path: str | int) -> Location:
        """Where a value stands, by keys and indexes from the root."""
        return self.document.location(path)

    def resolve(self, path: str | Path) -> Path:
        """A path of the file as an absolute path: relative ones start at the file's folder."""
        return self.document.path.parent / path


def load_runner(path: Path, variables: Mapping[str, str]) -> RunnerFile:
    """Loads runner.yaml; `variables` are what `${VAR}` refers to. No secret is asked for.

    Raises:
        RunnerFileError: it cannot be used; every problem is listed with its line.
        EnvironmentVariableError: a `${VAR}` has neither a value nor a default.
    """
    document = load_yaml(path)
    if not isinstance(document.data, dict):
        raise RunnerFileError(
            "the file must be a mapping with the key `tables`", location=document.location()
        )
    secrets = SecretBinding()
    given = expanded(document, variables, secrets)
    data = _with_defaults(given, model_defaults(), variables)
    try:
        config = RunnerConfig.model_validate(data)
    except ValidationError as error:
        problems = [_problem(entry, document) for entry in _causes(error.errors())]
        raise RunnerFileError.of(problems) from None
    if problems := reference_problems(config, document):
        raise RunnerFileError.of(problems)
    return RunnerFile(config, document, secrets)


def _with_defaults(data: Any, defaults: Mapping[str, Any], variables: Mapping[str, str]) -> Any:
    if not isinstance(data, dict):
        return data
    result = dict(data)
    for key, value in defaults.items():
        if isinstance(value, dict):
            result[key] = _with_defaults(result.get(key, {}), value, variables)
        else:
            home = variables["QUALITY_PLATFORM_HOME"]
            result.setdefault(key, value.replace("${QUALITY_PLATFORM_HOME}", home))
    return result


_MESSAGES = {
    "missing": "the key is missing",
    "union_tag_not_found": "the key `type` is missing",
    "union_tag_invalid": "there is no such type",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "tuple_type": "must be a list",
    "too_short": "must have at least one entry",
}
"""Messages of pydantic that speak of Python's types, in the terms of the file."""


def _causes(entries: Sequence[Any]) -> list[Any]:
    """The errors without those of lists that are too short because an entry of them is wrong."""
    paths = [entry["loc"] for entry in entries]
    return [
        entry
        for entry in entries
        if entry["type"] != "too_short"
        or not any(path[:-1][: len(entry["loc"])] == entry["loc"] for path in paths)
    ]


def _problem(entry: Any, document: YamlDocument) -> Problem:
    # pydantic adds to the path what is no key of the file: the branch of a union, a mark for a key.
    path = _path(entry["loc"])
    if entry["type"].startswith("union_tag_"):
        path = (*path, "type")
    name = ".".join(str(step) for step in path)
    context = entry.get("ctx", {})
    if entry["type"] == "extra_forbidden":
        allowed = _keys_at(path[:-1], document.data)
        return Problem(
            message=f"unknown key {str(path[-1])!r}",
            location=document.location(path),
            field=name,
            allowed=", ".join(allowed),
            action=did_you_mean(str(path[-1]), allowed),
        )
    if isinstance(entry["input"], ConfiguredSecret) and entry["type"] != "value_error":
        return Problem(
            message="a secret cannot stand here: it would be shown, or is needed too early",
            location=document.location(path),
            field=name,
            received=received_text(document.data, path),
            action="write it as text or as ${VAR}",
        )
    if entry["type"] == "union_tag_invalid" and path[0] == "tables":
        return _unknown_source_type(path, document)
    return Problem(
        message=_MESSAGES.get(entry["type"], entry["msg"].removeprefix("Value error, ")),
        location=document.location(path),
        field=name,
        received=repr(path[-1]) if "[key]" in entry["loc"] else received_text(document.data, path),
        allowed=str(context.get("expected", context.get("expected_tags", ""))),
    )


def _unknown_source_type(found: tuple[str | int, ...], document: YamlDocument) -> Problem:
    received = str(value_at(document.data, found))
    known, plugin = sorted(_source_types()), plugins().get(received)
    return Problem(
        message=f"the plugin of this source type cannot be used: {plugin.problem} "
        f"({plugin.distribution} {plugin.version})"
        if plugin
        else "there is no such source type",
        location=document.location(found),
        field=".".join(map(str, found)),
        received=repr(received),
        allowed=", ".join(known),
        action=did_you_mean(received, known) or "install the distribution that brings it",
    )


def _source_types() -> list[str]:
    usable = [plugin.name for plugin in plugins().values() if not plugin.problem]
    return [*(type_of(model) for model in BUILT_IN), *usable]


_BRANCHES = {"secrets": 1, "sensors": 2, "tables": 3}
"""How deep the branch of a union stands in pydantic's paths, by section."""


def _path(steps: Sequence[str | int]) -> tuple[str | int, ...]:
    """The keys of the file that lead to a place in the models."""
    depth = _BRANCHES.get(str(steps[0]), len(steps)) if steps else 0
    if steps[:1] == ("tables",) and steps[2:3] != ("source",):
        depth = len(steps)
    keys = (*steps[:depth], *steps[depth + 1 :])
    unwanted = r"literal\[|function-after\[|constrained-|\[key\]$"
    return tuple(step for step in keys if not re.match(unwanted, str(step)))


def _keys_at(path: tuple[str | int, ...], data: Any) -> list[str]:
    """The keys that the models allow at a place of the file, which holds this data."""
    schema = RunnerConfig.model_json_schema()
    node: Any = schema
    for step in path:
        data = data[step]
        node = _child(_resolved(node, schema), step)
        if mapping := node.get("discriminator", {}).get("mapping"):
            node = {"$ref": mapping[data["type"]]}
    return sorted(_resolved(node, schema).get("properties", {}))


def _child(node: Any, step: str | int) -> Any:
    if isinstance(step, int):
        return node.get("items", {})
    if found := node.get("properties", {}).get(step) or node.get("additionalProperties"):
        return found
    # A mapping whose keys are names.
    return next(iter(node.get("patternProperties", {}).values()), {})


def _resolved(node: Any, schema: Any) -> Any:
    for option in (node, *node.get("anyOf", ()), *node.get("allOf", ())):
        if "$ref" in option:
            return _resolved(schema["$defs"][option["$ref"].rpartition("/")[2]], schema)
    return node
