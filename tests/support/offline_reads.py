"""What a read of the offline store looks at: its columns, and the data files that it opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.feature_lake import TABLE

from quality_platform.feature_store import snapshots
from quality_platform.feature_store.snapshots import FeatureRows

ROWS = FeatureRows(TABLE, ("driver",), ("trips",), "at", "loaded")
"""The rows of the statistics, with one feature."""


@contextmanager
def files_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The data files that sessions are shown meanwhile."""
    seen: list[str] = []
    shown = snapshots.files_of_tasks

    def noted(table: Any, tasks: Any) -> Any:
        seen.extend(Path(task.file.file_path).name for task in tasks)
        return shown(table, tasks)

    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "files_of_tasks", noted)
        yield seen
