"""A home of its own for every test, and a builder of small projects in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.project import Project


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty platform home, named by QUALITY_PLATFORM_HOME."""
    folder = tmp_path / "home"
    monkeypatch.setenv("QUALITY_PLATFORM_HOME", str(folder))
    monkeypatch.delenv("QUALITY_PLATFORM_RUNNER", raising=False)
    return folder


@pytest.fixture
def project(home: Path, tmp_path: Path) -> Project:
    """An empty project whose platform lives in `home`."""
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder)
