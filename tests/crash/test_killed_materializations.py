"""Materialization into SQLite killed with SIGKILL at every step: done again, it is the same."""

from __future__ import annotations

from pathlib import Path

from support.killed_stories import require_the_same_store, stories


def test_sqlite_ends_the_same_wherever_a_materialization_dies(tmp_path: Path) -> None:
    require_the_same_store(stories(tmp_path), "_upsert")
