"""Values of other kinds in Dativo's files: told by the platform's errors, and by no other."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.dativo import CASES, DativoProject

from quality_platform.errors import ConfigurationError, Problem

FILES = sorted(str(path.relative_to(CASES)) for path in CASES.rglob("*.yaml"))
STEP = 16
ODD = ["text", 7, ["a"], {"a": 1}, None, [[1]], True]


def nodes(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, child in items:
            yield from nodes(child, (*path, key))


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("file", FILES)
def test_a_value_of_another_kind_is_told_by_the_platforms_errors(
    file: str, odd: Any, tmp_path: Path
) -> None:
    dativo = DativoProject.copied(tmp_path / "project")
    data = yaml.safe_load((CASES / file).read_text())
    # Every sixteenth place, others for every file and kind: all take some minutes.
    places = list(nodes(data))[(ODD.index(odd) + FILES.index(file)) % STEP :: STEP]
    for place in places:
        changed = deepcopy(data)
        holder = changed
        for step in place[:-1]:
            holder = holder[step]
        holder[place[-1]] = odd
        (dativo.folder / file).write_text(yaml.safe_dump(changed, sort_keys=False))
        assert all(problem.location for problem in told(dativo, file_of(file)))


def told(dativo: DativoProject, file: str) -> list[Problem]:
    """Everything that is wrong with a file, or with parts of it."""
    try:
        found = dativo.read(file)
    except ConfigurationError as error:
        return list(error.problems)
    return [problem for part in found.broken for problem in part.error.problems]


def file_of(file: str) -> str:
    """The runner file that leads to a file."""
    return file if file.startswith(("configs/", "jobs/")) else "configs/runner.yaml"
