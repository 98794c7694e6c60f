"""runner.yaml -> RunnerConfig, with file and line in every error."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from quality_platform.config.broken import (
    NAMED_SECTIONS,
    BrokenPart,
    Fault,
    broken_parts,
    raise_first,
    raise_if_of_all,
)
from quality_platform.config.dativo.translation import is_dativo, translated
from quality_platform.config.dependents import (
    config_without,
    dependents,
    lost_names,
    part_finder,
    without,
    written,
)
from quality_platform.config.environment import Expansion, TenantScope
from quality_platform.config.includes import merged_document
from quality_platform.config.models import RunnerConfig, model_defaults
from quality_platform.config.references import received_text, reference_problems, value_at
from quality_platform.config.secret_text import ConfiguredSecret, SecretBinding
from quality_platform.config.source_models import BUILT_IN
from quality_platform.config.source_plugins import plugins, type_of
from quality_platform.config.tenant_declarations import of_each_tenant
from quality_platform.config.tenant_files import TENANTS, tenant_variables, tenants_of_entries
from quality_platform.config.tenant_references import with_targets
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.documents.yaml_documents import PathInDocument, YamlDocument
from quality_platform.errors import (
    EnvironmentVariableError,
    Location,
    Problem,
    RunnerFileError,
)


@dataclass(frozen=True)
class RunnerFile:
    """A loaded runner.yaml: the models, and where each of their values stands in the file.

    `secrets` is what its `${secret:NAME}` ask once it is bound to a reader. `broken` are the parts
    that cannot be used: they are not in `config`. `hints` tell what is written and has no effect.
    """

    config: RunnerConfig
    # As written, with what people may have written in the place of a ${VAR}.
    document: YamlDocument = field(repr=False)
    secrets: SecretBinding = field(default_factory=SecretBinding, compare=False, repr=False)
    broken: tuple[BrokenPart, ...] = ()
    hints: tuple[Problem, ...] = ()

    def location(self, *path: str | int) -> Location:
        """Where a value stands, by keys and indexes from the root."""
        return self.document.location(path)

    def resolve(self, path: str | Path) -> Path:
        """A path of the file as an absolute path: relative ones start at the file's folder."""
        return self.document.path.parent / path

    def resolver(self, section: str, name: str) -> Callable[[str | Path], Path]:
        """As `resolve`, for the paths in one entry: they start at the folder of the entry's file.

        That is another than runner.yaml's own where the entry is included.
        """
        folder = Path(self.location(section, name).file).parent
        return lambda path: folder / path


def load_runner(path: Path, variables: Mapping[str, str]) -> RunnerFile:
    """Loads runner.yaml; `variables` are what `${VAR}` refers to. No secret is asked for.

    Raises:
        RunnerFileError: it cannot be used; every problem is listed with its line.
        EnvironmentVariableError: a `${VAR}` has neither a value nor a default.
    """
    file, faults = _read(path, variables)
    raise_first(faults)
    return file


def read_runner(
    path: Path, variables: Mapping[str, str], more: Sequence[YamlDocument] = ()
) -> RunnerFile:
    """As `load_runner`, but parts that cannot be used stand in `broken`, and all others can.

    `more` are documents that are read as if they were included.

    Raises:
        RunnerFileError: something is wrong that concerns everything.
        EnvironmentVariableError: a `${VAR}` of no part has neither a value nor a default.
    """
    return _read(path, variables, more)[0]


def without_parts(file: RunnerFile, faults: Sequence[Fault]) -> RunnerFile:
    """The file without the parts that turned out to be broken, and without what needs those."""
    known = {fault.part for fault in faults}
    found = [*faults]
    config = config_without(file.config, faults)
    broken = {*known, *((part.section, part.name) for part in file.broken)}
    while more := dependents(config, file.document, broken):
        found += more
        broken |= {fault.part for fault in more}
        config = config_without(config, more)
    parts = broken_parts(found, written(file.config, found))
    return replace(file, config=config, broken=(*file.broken, *parts))


def _read(
    path: Path, variables: Mapping[str, str], beside: Sequence[YamlDocument] = ()
) -> tuple[RunnerFile, list[Fault]]:
    """The file with all that is wrong in its parts."""
    merged, faults = merged_document(path, variables, beside)
    document, unsound = of_each_tenant(merged)
    faults += unsound
    secrets = SecretBinding()
    hints: tuple[Problem, ...] = ()
    if is_dativo(document.data):
        theirs = translated(document, variables, secrets)
        document, given, hints = theirs.document, theirs.data, theirs.hints
        faults += theirs.faults
    else:
        given, unset = _expanded(document, variables, secrets)
        faults += unset
    data = _with_defaults(given, model_defaults(), variables)
    config = with_targets(_validated(data, document, faults), data)
    config = _referring(config, document, faults)
    broken = broken_parts(faults, given)
    return RunnerFile(config, document, secrets, broken, hints), faults


def _expanded(
    document: YamlDocument, variables: Mapping[str, str], secrets: SecretBinding
) -> tuple[Any, list[Fault]]:
    expansion = Expansion(document, variables, secrets, _scopes(document))
    data = expansion.value(document.data, ())
    faults = [Fault(path, problem, EnvironmentVariableError) for path, problem in expansion.unset]
    faults += [Fault(path, problem) for path, problem in expansion.broken]
    raise_if_of_all(faults)
    return data, faults


def _scopes(document: YamlDocument) -> dict[PathInDocument, TenantScope]:
    """What the texts of each part of a tenant, and of the tenants themselves, may refer to."""
    data = document.data
    given = tenant_variables(data)
    parts = {
        part: TenantScope(tenant, given.get(tenant, ()) if document.owner(part) else None)
        for part, tenant in tenants_of_entries(data, NAMED_SECTIONS).items()
    }
    return parts | {(TENANTS, tenant): TenantScope(tenant) for tenant in given}


def _validated(data: dict[str, Any], document: YamlDocument, faults: list[Fault]) -> RunnerConfig:
    """The models of all parts that can be used; what is wrong with the others joins `faults`."""
    if data.get("tables") == {} and not any(fault.part for fault in faults):
        problem = Problem(
            _MESSAGES["too_short"], location=document.location(("tables",)), field="tables"
        )
        raise RunnerFileError.of([problem])
    while True:
        try:
            return RunnerConfig.model_validate(without(data, faults))
        except ValidationError as error:
            entries = _causes(error.errors())
            found = [Fault(_place(entry), _problem(entry, document)) for entry in entries]
        raise_if_of_all(found)
        faults += found


def _referring(config: RunnerConfig, document: YamlDocument, faults: list[Fault]) -> RunnerConfig:
    """The models without the parts whose names lead nowhere, or to a part that is broken."""
    while True:
        broken = {fault.part for fault in faults if fault.part is not None}
        lost = lost_names(config, document, broken)
        faults += lost
        broken |= {fault.part for fault in lost if fault.part is not None}
        problems = reference_problems(config, document, broken)
        parts = part_finder(config, document)
        found = [Fault(parts(problem), problem) for problem in problems]
        raise_if_of_all(found)
        found += dependents(config, document, broken)
        if not found:
            return config
        faults += found
        config = config_without(config, found)


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


def _place(entry: Any) -> tuple[str | int, ...]:
    # pydantic adds to the path what is no key of the file: the branch of a union, a mark for a key.
    path = _path(entry["loc"])
    lacks_a_type = entry["type"].startswith("union_tag_")
    return (*path, "type") if lacks_a_type and isinstance(entry["input"], dict) else path


def _problem(entry: Any, document: YamlDocument) -> Problem:
    path = _place(entry)
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


_BRANCHES = {"alerts": 3, "feature_store": 2, "secrets": 1, "sensors": 2, "tables": 3}
"""How deep the branch of a union stands in pydantic's paths, by section."""


def _path(steps: Sequence[str | int]) -> tuple[str | int, ...]:
    """The keys of the file that lead to a place in the models."""
    depth = _BRANCHES.get(str(steps[0]), len(steps)) if steps else 0
    if steps[:1] == ("tables",) and steps[2:3] != ("source",):
        depth = len(steps)
    keys = (*steps[:depth], *steps[depth + 1 :])
    unwanted = r"literal\[|function-after\[|constrained-|branch:|\[key\]$"
    return tuple(step for step in keys if not re.match(unwanted, str(step)))


def _keys_at(path: tuple[str | int, ...], data: Any) -> list[str]:
    """The keys that the models allow at a place of the file, which holds this data."""
    schema = RunnerConfig.model_json_schema()
    node: Any = schema
    for step in path:
        data = data[step]
        node = _child(_resolved(node, schema), step)
        # Where a text may stand in the place of a mapping, the choice is one of the options.
        for option in (node, *node.get("anyOf", ())):
            if mapping := option.get("discriminator", {}).get("mapping"):
                node = {"$ref": mapping[data["type"]]}
        if "oneOf" in node and isinstance(data, dict):
            node = _nearest_form(node["oneOf"], data, schema)
    return sorted(_resolved(node, schema).get("properties", {}))


def _nearest_form(forms: Sequence[Any], data: Mapping[str, Any], schema: Any) -> Any:
    """The form that has most of the keys that were written; the first of several."""
    return max(forms, key=lambda f: len(_resolved(f, schema).get("properties", {}).keys() & data))


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
