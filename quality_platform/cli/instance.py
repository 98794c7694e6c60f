"""`quality-platform instance`."""

from __future__ import annotations

from rich.console import Console

from quality_platform.cli.options import RunnerOption


def instance(runner: RunnerOption = None) -> None:
    """Write the file of the Dagster instance: the project's dagster.yaml, and its storage.

    QUALITY_PLATFORM_DAGSTER_POSTGRES_URL puts the storage into PostgreSQL; without it, it is SQLite
    in DAGSTER_HOME.
    """
    from quality_platform.orchestration.instance_file import instance_file

    file = instance_file(runner)
    file.write()
    Console().print(f"Dagster instance {file.home} ({file.storage})", soft_wrap=True, markup=False)
