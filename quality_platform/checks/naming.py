"""Names of checks: what may stand in one, and how derived ones keep clear of the others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from quality_platform.checks.specs import CheckSpec
from quality_platform.errors import Problem

CONFORMS = "conforms_to_schema"
"""The name of the check that every table has: all cells convert to their columns' types."""


@dataclass(frozen=True)
class Named:
    """A check, and whether its name was written by a person."""

    spec: CheckSpec
    is_stated: bool = False


def identifier(text: str) -> str:
    """The text as (part of) a name that Dagster takes: anything else than A-Z a-z 0-9 _ is a _."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")


def told_apart(found: Sequence[Named]) -> tuple[list[CheckSpec], list[Problem]]:
    """The checks under names of their own, and the names that people gave twice.

    A derived name that is taken gets the first free number, `_2`, `_3`, ..., in the order of the
    contract; a stated one always stays as it is.
    """
    stated = Counter(named.spec.name for named in found if named.is_stated)
    problems = [
        Problem(
            f"two checks of this table are called {named.spec.name!r}",
            named.spec.location,
            action="give one of them another `name`",
        )
        for named in found
        if named.is_stated and (stated[named.spec.name] > 1 or named.spec.name == CONFORMS)
    ]
    taken, specs = set(stated), []
    for named in found:
        spec = named.spec
        if not named.is_stated:
            name = _free_name(spec.name, taken)
            spec = spec if name == spec.name else replace(spec, name=name)
            taken.add(name)
        specs.append(spec)
    return specs, problems


def _free_name(name: str, taken: Collection[str]) -> str:
    free, n = name, 2
    while free in taken:
        free, n = f"{name}_{n}", n + 1
    return free
