"""Parts of runner.yaml that cannot be used, while all others can.

A part is an entry of one of the sections that map names to settings (a table, a schedule), or an
included file. What is wrong outside of them concerns everything, and is an error of the whole file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast, get_origin

from quality_platform.config.models import RunnerConfig
from quality_platform.documents.yaml_documents import PathInDocument
from quality_platform.errors import (
    ConfigurationError,
    EnvironmentVariableError,
    Problem,
    RunnerFileError,
)

Part = tuple[str, str]
"""A section of runner.yaml and the name of an entry in it; `("include", PATH)` for a file."""

INCLUDE = "include"
NAMED_SECTIONS = tuple(
    name
    for name, declared in RunnerConfig.model_fields.items()
    if get_origin(declared.annotation) is dict
)
"""The sections that map names to settings."""

HOOKS = "alerts.hooks"
"""The hooks of `alerts`: they map names to settings as well, one level deeper."""

PART_SECTIONS = (*NAMED_SECTIONS, HOOKS)
"""Where entries stand that can be broken by themselves."""

_NOUNS = {
    INCLUDE: "included file",
    "feature_views": "feature view",
    "feature_services": "feature service",
    "on_demand_feature_views": "on-demand feature view",
    "training_sets": "training set",
    HOOKS: "hook",
}


def path_of(section: str) -> PathInDocument:
    """The keys that lead to a section."""
    return tuple(section.split("."))


@dataclass(frozen=True)
class Fault:
    """Something that is wrong at a place of runner.yaml.

    Attributes:
        path: The keys and indexes that lead there from the root.
        problem: What is wrong.
        kind: The error that it is.
        needs: The broken part that is the true cause, where the fault only follows from it.
    """

    path: PathInDocument
    problem: Problem
    kind: type[ConfigurationError] = RunnerFileError
    needs: str = ""

    @property
    def part(self) -> Part | None:
        """The part that it breaks; None where it concerns everything."""
        for section in (*PART_SECTIONS, INCLUDE):
            keys = path_of(section)
            if self.path[: len(keys)] == keys and len(self.path) > len(keys):
                name = self.path[len(keys)]
                return (section, name) if isinstance(name, str) else None
        return None


@dataclass(frozen=True)
class BrokenPart:
    """A part that cannot be used.

    Attributes:
        section: The section of runner.yaml, such as `tables`; `include` for an included file.
        name: Its name there; the path of an included file.
        error: Everything that is wrong with it.
        needs: Names of the broken parts that it needs: the true causes stand there.
        written: Its settings as far as they can be told, with `${VAR}` replaced.
    """

    section: str
    name: str
    error: ConfigurationError
    needs: tuple[str, ...] = ()
    written: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def noun(self) -> str:
        """What it is, for people: `table`, `feature view`, `included file`."""
        return _NOUNS.get(self.section, self.section.removesuffix("s"))

    @property
    def only_follows(self) -> bool:
        """Whether nothing is wrong with it but that it needs what is broken."""
        return 0 < len(self.needs) == len(self.error.problems)


def broken_parts(faults: Iterable[Fault], data: Mapping[str, Any]) -> tuple[BrokenPart, ...]:
    """The parts that these faults break, in the order of the file; `data` is what it says."""
    by_part: dict[Part, list[Fault]] = {}
    for fault in faults:
        if fault.part is not None:
            by_part.setdefault(fault.part, []).append(fault)
    return tuple(_broken(part, found, data) for part, found in by_part.items())


def _broken(part: Part, faults: Sequence[Fault], data: Mapping[str, Any]) -> BrokenPart:
    section, name = part
    written: Any = data
    for key in (*path_of(section), name):
        written = written.get(key) if isinstance(written, dict) else None
    return BrokenPart(
        section,
        name,
        error_of(faults),
        tuple(dict.fromkeys(fault.needs for fault in faults if fault.needs)),
        written if isinstance(written, dict) else {},
    )


def error_of(faults: Iterable[Fault]) -> ConfigurationError:
    """One error that tells all the faults, of their class where they share one."""
    found = list(faults)
    kinds = {fault.kind for fault in found}
    kind = kinds.pop() if len(kinds) == 1 else ConfigurationError
    problems = dict.fromkeys(fault.problem for fault in found)
    # `of` makes an error of the class that it is called on.
    return cast(ConfigurationError, kind.of(problems))


def raise_first(faults: Sequence[Fault]) -> None:
    """Raises what is wrong, if anything is: variables that are not set come before all else.

    What only follows from something else is left out.

    Raises:
        EnvironmentVariableError: variables are not set; all are listed.
        ConfigurationError: something else is wrong; all of it is listed.
    """
    unset = [fault for fault in faults if fault.kind is EnvironmentVariableError]
    causes = [fault for fault in faults if not fault.needs]
    if unset or causes:
        raise error_of(unset or causes)


def raise_if_of_all(faults: Sequence[Fault]) -> None:
    """Raises what is wrong where any of it concerns the whole file.

    Raises:
        EnvironmentVariableError, ConfigurationError: as `raise_first`.
    """
    if any(fault.part is None for fault in faults):
        raise_first(faults)
