"""What `partitions` of runner.yaml cannot be combined with is told where it stands."""

from __future__ import annotations

from typing import Any

import pytest
from support.partitioned import by_day
from support.project import Project, key, text

from quality_platform.errors import ConfigurationError


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"load": {"mode": "replace"}}, "a table with `partitions` cannot have this `load.mode`"),
        ({"load": {"batch": "file"}}, "a table with `partitions` cannot have this `load.batch`"),
        (
            {"load": {"incremental": {"cursor": "at"}}},
            "a table with `partitions` cannot have this `load.incremental`",
        ),
        (
            {"source": {"type": "csv", "path": "landing/{partition:%Y-%m}/*.csv"}},
            "the path does not tell a day from others: %d is missing",
        ),
        (
            {"source": {"type": "iceberg", "table": "a.b"}},
            "a source of this type cannot be read by partitions",
        ),
        ({"column": "when"}, "the contract has no column 'when'"),
        ({"column": "id"}, "the column does not tell the partition of a row"),
        ({"late": {"column": "amount"}}, "the column does not tell the partition of a row"),
    ],
)
def test_a_table_that_cannot_be_loaded_by_partitions_is_refused(
    project: Project, changes: dict[str, Any], message: str
) -> None:
    by_day(project)
    table = project.tables["orders"]
    for name, value in changes.items():
        where = table if name in table else table["partitions"]
        where[name] = value
    with pytest.raises(ConfigurationError) as refused:
        project.open()
    assert message in str(refused.value)
    assert all(problem.location and problem.location.line for problem in refused.value.problems)


def test_a_path_of_partitions_needs_partitions(project: Project) -> None:
    by_day(project)
    del project.tables["orders"]["partitions"]
    with pytest.raises(ConfigurationError, match="the path is of partitions, and the table has"):
        project.open()


def test_a_view_needs_a_time_for_its_partitions(project: Project) -> None:
    by_day(project)
    columns = {"name": key(text()), "at": text()}
    entities = [{"name": "name", "join_key": "name"}]
    partitions = {"every": "day", "start": "2024-01-01"}
    settings = {"inputs": ["orders"], "entities": entities, "event_timestamp": "at"}
    project.view("names", "SELECT 1", columns, {**settings, "partitions": partitions})
    with pytest.raises(ConfigurationError, match="does not tell the partition of a row"):
        project.open()
