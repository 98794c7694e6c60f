"""What becomes of the rest of runner.yaml when a part of it is broken."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from quality_platform.config.broken import (
    HOOKS,
    INCLUDE,
    NAMED_SECTIONS,
    PART_SECTIONS,
    Fault,
    Part,
    path_of,
)
from quality_platform.config.models import RunnerConfig
from quality_platform.config.references import SECTIONS, is_broken, references
from quality_platform.documents.yaml_documents import PathInDocument, YamlDocument
from quality_platform.errors import Problem


def without(data: Mapping[str, Any], faults: Iterable[Fault]) -> dict[str, Any]:
    """The data of runner.yaml without the parts that faults break."""
    left = dict(data)
    for section, names in _by_section(faults).items():
        left = _without(left, path_of(section), names)
    return left


def _without(data: Any, path: PathInDocument, names: Collection[str]) -> Any:
    """Plain data without the entries of these names in the mapping that a path leads to."""
    if not isinstance(data, dict):
        return data
    if not path:
        return {name: entry for name, entry in data.items() if name not in names}
    return data | {key: _without(data[key], path[1:], names) for key in path[:1] if key in data}


def config_without(config: RunnerConfig, faults: Iterable[Fault]) -> RunnerConfig:
    """The models without the parts that faults break."""
    broken = _by_section(faults)
    left: dict[str, Any] = {
        section: {n: e for n, e in entries_of(config, section).items() if n not in names}
        for section, names in broken.items()
        if section in PART_SECTIONS
    }
    if HOOKS in left:
        left["alerts"] = config.alerts.model_copy(update={"hooks": left.pop(HOOKS)})
    return config.model_copy(update=left)


def _by_section(faults: Iterable[Fault]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for section, name in (fault.part for fault in faults if fault.part is not None):
        found.setdefault(section, set()).add(name)
    return found


def entries_of(config: RunnerConfig, section: str) -> Mapping[str, Any]:
    """The entries of a section, by name."""
    return config.alerts.hooks if section == HOOKS else getattr(config, section, {})


def written(config: RunnerConfig, faults: Iterable[Fault]) -> dict[str, Any]:
    """The settings of the parts that faults break, as they would stand in runner.yaml."""
    found: dict[str, Any] = {}
    for section, names in _by_section(faults).items():
        entries = entries_of(config, section)
        place = found
        for key in path_of(section):
            place = place.setdefault(str(key), {})
        place |= {name: entries[name].model_dump() for name in names if name in entries}
    return found


def part_finder(
    config: RunnerConfig, document: YamlDocument
) -> Callable[[Problem], PathInDocument]:
    """Tells which part a problem is of, by its field or else by its place; () where of none."""
    parts = {
        (*path_of(section), name)
        for section in PART_SECTIONS
        for name in entries_of(config, section)
    }
    by_place = {document.location(part): part for part in parts}

    def find(problem: Problem) -> PathInDocument:
        # No name has a dot.
        keys = tuple(problem.field.split("."))
        for length in (2, 3):
            if keys[:length] in parts:
                return keys[:length]
        return by_place.get(problem.location, ()) if problem.location else ()

    return find


def dependents(
    config: RunnerConfig, document: YamlDocument, broken: Collection[Part | None]
) -> list[Fault]:
    """The parts that cannot do without a broken one, each with a fault that says so.

    A schedule is none: it runs its other targets, and the broken one fails in its run. Neither is a
    sensor of several tables: it watches the others.
    """
    return [
        Fault(path, _problem(document, path, kind, name), needs=name)
        for path, name, _, kind in references(config)
        if path[2] not in ("targets", "tables")
        and path[0] in NAMED_SECTIONS
        and is_broken(name, kind, broken)
    ]


def _problem(document: YamlDocument, path: PathInDocument, kind: str, name: str) -> Problem:
    return Problem(
        f"depends on the {kind} {name!r}, which is broken",
        document.location(path),
        ".".join(str(step) for step in path),
        action="mend that first",
    )


def lost_names(
    config: RunnerConfig, document: YamlDocument, broken: Collection[Part | None]
) -> list[Fault]:
    """Names that lead nowhere while an included file cannot be read: they may stand in it.

    Each is taken for a part that is broken, so that what names it beside others goes on with those.
    """
    files = sorted(part[1] for part in broken if part is not None and part[0] == INCLUDE)
    if not files:
        return []
    return [
        Fault((*path_of(SECTIONS[kind][0]), name), _lost(document, path, files), needs=files[0])
        for path, name, allowed, kind in references(config)
        if kind in SECTIONS and name not in allowed and not is_broken(name, kind, broken)
    ]


def _lost(document: YamlDocument, path: PathInDocument, files: list[str]) -> Problem:
    return Problem(
        f"may stand in {', '.join(files)}, which cannot be used",
        document.location(path),
        ".".join(str(step) for step in path),
        action="mend that first",
    )
