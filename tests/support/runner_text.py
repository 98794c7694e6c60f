"""runner.yaml as text, loaded from a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from quality_platform.config.loading import RunnerFile, load_runner

HOME = {"QUALITY_PLATFORM_HOME": "/srv/platform"}

ORDERS = """\
tables:
  orders:
    contract: orders.odcs.yaml
    source: {type: csv, path: orders.csv}
"""

VIEW = """\
feature_views:
  daily:
    contract: daily.odcs.yaml
    sql: daily.sql
    inputs: [orders]
    entities: [{name: customer, join_key: customer_id}]
    event_timestamp: day
"""


def load_runner_text(
    folder: Path, text: str, variables: Mapping[str, str] | None = None
) -> RunnerFile:
    """The runner file with this text; the variables beside the platform's home."""
    path = folder / "runner.yaml"
    path.write_text(text, encoding="utf-8")
    return load_runner(path, {**HOME, **(variables or {})})
