"""runner.yaml -> RunnerConfig, with file and line in every error."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from croniter import CroniterBadDateError, croniter
from pydantic import ValidationError

from quality_platform.config.environment import expanded
from quality_platform.config.models import RunnerConfig, model_defaults
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.documents.yaml_documents import YamlDocument, load_yaml
from quality_platform.errors import Location, Problem, RunnerFileError


@dataclass(frozen=True)
class RunnerFile:
    """A loaded runner.yaml: the models, and where each of their values stands in the file."""

    config: RunnerConfig
    document: YamlDocument

    def location(self, *path: str | int) -> Location:
        """Where a value stands, by keys and indexes from the root."""
        return self.document.location(path)

    def resolve(self, path: str | Path) -> Path:
        """A path of the file as an absolute path: relative ones start at the file's folder."""
        return self.document.path.parent / path


def load_runner(path: Path, variables: Mapping[str, str]) -> RunnerFile:
    """Loads runner.yaml; `variables` are what `${VAR}` refers to.

    Raises:
        RunnerFileError: it cannot be used; every problem is listed with its line.
        EnvironmentVariableError: a `${VAR}` has neither a value nor a default.
    """
    document = load_yaml(path)
    if not isinstance(document.data, dict):
        raise RunnerFileError(
            "the file must be a mapping with the key `tables`", location=document.location()
        )
    data = _with_defaults(expanded(document, variables), model_defaults(), variables)
    try:
        config = RunnerConfig.model_validate(data)
    except ValidationError as error:
        problems = [_problem(entry, document) for entry in _causes(error.errors())]
        raise RunnerFileError.of(problems) from None
    if problems := _unknown_references(config, document):
        raise RunnerFileError.of(problems)
    return RunnerFile(config, document)


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
    path = tuple(
        step
        for step in entry["loc"]
        if not re.match(r"literal\[|function-after\[|\[key\]$", str(step))
    )
    name = ".".join(str(step) for step in path)
    context = entry.get("ctx", {})
    if entry["type"] == "extra_forbidden":
        allowed = _keys_at(path[:-1])
        return Problem(
            message=f"unknown key {str(path[-1])!r}",
            location=document.location(path),
            field=name,
            allowed=", ".join(allowed),
            action=did_you_mean(str(path[-1]), allowed),
        )
    return Problem(
        message=_MESSAGES.get(entry["type"], entry["msg"].removeprefix("Value error, ")),
        location=document.location(path),
        field=name,
        received=repr(path[-1]) if "[key]" in entry["loc"] else _received(document.data, path),
        allowed=str(context.get("expected", "")),
    )


def _received(data: Any, path: Sequence[str | int]) -> str:
    """The value as it stands in the file: a `${VAR}` is shown, never its content."""
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return ""
    return "" if data is None or isinstance(data, dict | list) else repr(data)


def _keys_at(path: tuple[str | int, ...]) -> list[str]:
    """The keys that the models allow at a place of the file."""
    schema = RunnerConfig.model_json_schema()
    node: Any = schema
    for step in path:
        node = _child(_resolved(node, schema), step)
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


def _unknown_references(config: RunnerConfig, document: YamlDocument) -> list[Problem]:
    tables, views = sorted(config.tables), sorted(config.feature_views)
    problems: list[Problem] = []

    def check(path: tuple[str | int, ...], name: str, allowed: list[str], kind: str) -> None:
        if name not in allowed:
            problems.append(
                Problem(
                    message=f"there is no such {kind} in this file",
                    location=document.location(path),
                    field=".".join(str(step) for step in path),
                    received=_received(document.data, path),
                    allowed=", ".join(allowed),
                    action=did_you_mean(name, allowed),
                )
            )

    for view, settings in config.feature_views.items():
        if view in tables:
            problems.append(
                Problem(
                    message=f"{view!r} is the name of a table and of a feature view",
                    location=document.location(("feature_views", view)),
                    action="rename one of them",
                )
            )
        for n, name in enumerate(settings.inputs):
            check(("feature_views", view, "inputs", n), name, tables, "table")
    for schedule, cron in config.schedules.items():
        for n, name in enumerate(cron.targets):
            check(
                ("schedules", schedule, "targets", n), name, tables + views, "table or feature view"
            )
        problems += _cron_problems(schedule, cron.cron, document)
    for sensor, watch in config.sensors.items():
        check(("sensors", sensor, "table"), watch.table, tables, "table")
    return problems


def _cron_problems(schedule: str, cron: str, document: YamlDocument) -> list[Problem]:
    if _is_cron(cron):
        return []
    path = ("schedules", schedule, "cron")
    return [
        Problem(
            message="not a cron expression",
            location=document.location(path),
            field=".".join(path),
            received=_received(document.data, path),
            allowed="five fields (minute hour day month weekday) of a time that comes, @hourly, "
            "@daily, @weekly, @monthly",
        )
    ]


def _is_cron(text: str) -> bool:
    # Dagster takes five fields; croniter alone would also take six.
    if not croniter.is_valid(text) or not (text.startswith("@") or len(text.split()) == 5):
        return False
    try:
        croniter(text, datetime(2024, 1, 1)).get_next()
    except CroniterBadDateError:
        # Such as a 31st of February.
        return False
    return True
