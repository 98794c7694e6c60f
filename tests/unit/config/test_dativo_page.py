"""docs/dativo.md tells of every key, and names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from quality_platform.config.base_models import Model
from quality_platform.config.dativo import shapes

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "dativo.md").read_text(encoding="utf-8")
SHAPES = [
    shape
    for shape in vars(shapes).values()
    if isinstance(shape, type) and issubclass(shape, Model) and shape is not Model
]
NOT_OF_A_JOB = {"json_schema", "schema_name", "roles", "default_engine", "spreadsheet_id", "range"}
"""Keys of editors and of connectors that say nothing about a table."""


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_every_key_has_its_place_on_the_page(shape: type[Model]) -> None:
    words = set(re.findall(r"[a-z_]+", PAGE))

    assert set(shape.model_fields) - NOT_OF_A_JOB <= words


def test_the_page_names_tests_that_there_are() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    known = {
        name
        for path in (ROOT / "tests").rglob("test_dativo_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), flags=re.MULTILINE)
    }

    assert named
    assert named <= known


def test_the_page_names_files_that_there_are() -> None:
    for name in re.findall(r"`(test_dativo_\w+\.py)`", PAGE):
        assert list((ROOT / "tests").rglob(name))
    for link in re.findall(r"\]\((?!http)([^)#]+)", PAGE):
        assert (ROOT / "docs" / link).exists(), link
