"""docs/semantics.md tells every difference between engines, and every check type of the engines."""

from __future__ import annotations

import re
from pathlib import Path

from support.engine_cases import engine_cases

from quality_platform.checks.expectation_kinds import (
    PANDAS_ONLY_TYPES,
    RUNNABLE_TYPES,
    SQL_ONLY_TYPES,
)
from quality_platform.checks.soda_kinds import CHECK_TYPES

PAGE = (Path(__file__).parents[2] / "docs" / "semantics.md").read_text(encoding="utf-8")
FILES = ("semantics.yaml", "great_expectations.yaml", "soda.yaml")


def test_every_difference_between_engines_is_explained_and_shown() -> None:
    cases = [case for file in FILES for case in engine_cases(file)]
    section = PAGE.split("## Where engines differ")[1].split("\n## ")[0]

    differing = [case for case in cases if case.differs or len({*case.passes.values()}) > 1]
    assert [case.name for case in differing if not case.why] == []
    assert {case.why for case in differing} == set(re.findall(r"^### (\S+)$", section, re.M))


def test_the_number_of_restated_fixtures_is_told() -> None:
    for file in FILES[1:]:
        assert f"({len(engine_cases(file))} cases)" in PAGE.replace("\n", " ").split(f"{file})")[1]


def test_every_expectation_of_great_expectations_is_told() -> None:
    section = PAGE.split("\n## Great Expectations")[1].split("\n## ")[0]
    written = set()
    for group in re.split(r"[;|]", section):
        names = re.findall(r"`(\w+)`", group)
        prefix = names[0] if names and names[0].endswith("_") else ""
        written |= {name if name == prefix else f"{prefix}{name}" for name in names}

    known = RUNNABLE_TYPES | SQL_ONLY_TYPES | PANDAS_ONLY_TYPES
    missing = {name for name in known if name not in written and f"`{name}`" not in section}
    assert missing == set()


def test_every_check_type_of_soda_is_told() -> None:
    section = PAGE.split("\n## Soda")[1].split("\n## ")[0]

    assert {kind for kind in CHECK_TYPES if f"`{kind}`" not in section} == set()
