"""Every kind of rule has a page whose example is run, and every page is in the index."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "rules").glob("*.md"))


def _examples() -> ModuleType:
    path = ROOT / "scripts" / "doc_examples.py"
    spec = importlib.util.spec_from_file_location("doc_examples", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_example_of_the_page_prints_what_the_page_says(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    assert _examples().page_with_output(text) == text, "run `make docs`"


@pytest.mark.parametrize("page", [p for p in PAGES if p.stem != "README"], ids=lambda p: p.stem)
def test_the_page_has_an_example_with_a_broken_row_and_is_in_the_index(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    assert "$ quality-platform check" in text
    assert any(word in text for word in ("fail", "warn", "error"))
    index = (ROOT / "docs" / "rules" / "README.md").read_text(encoding="utf-8")
    assert f"({page.name})" in index
