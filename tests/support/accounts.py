"""Whether a table of the lake is what its changing source says, told without the platform's help.

Tables are read with pyiceberg alone, and the source with its own client.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table
from support.changing_source import ChangingSource, Version

from quality_platform.flows.platform import Platform


def stored_rows(platform: Platform, identifier: str) -> list[dict[str, Any]]:
    """All rows of a table, also those of a quarantine that do not count."""
    rows: list[dict[str, Any]] = (
        platform.lake.catalog.load_table(identifier).scan().to_arrow().to_pylist()
    )
    return rows


def version_of(row: dict[str, Any]) -> Version:
    """The state of the source's row that a row of the lake is."""
    return row["id"], row["updated_at"], row["amount"]


def assert_appended(platform: Platform, source: ChangingSource) -> None:
    """Every row of the source is once in the table or once in the quarantine."""
    rows = source.rows()
    published = Counter(version_of(row) for row in stored_rows(platform, f"shop.{source.name}"))
    held = Counter(version_of(row) for row in stored_rows(platform, f"quarantine.{source.name}"))
    assert published == Counter(row for row in rows if row[2] >= 0)
    assert held == Counter(row for row in rows if row[2] < 0)


def assert_merged(platform: Platform, source: ChangingSource) -> None:
    """The table has each key's row as the source has it."""
    rows = stored_rows(platform, f"shop.{source.name}")
    assert_present(platform, source, [version_of(row) for row in rows])


def assert_versions_kept(platform: Platform, source: ChangingSource) -> None:
    """The present rows are the source's, and the earlier ones were; each time belongs to one."""
    rows = stored_rows(platform, f"shop.{source.name}")
    present = [version_of(row) for row in rows if row["_valid_to"] is None]
    assert_present(platform, source, present)
    stored = Counter(version_of(row) for row in rows)
    assert set(stored.values()) <= {1}
    assert set(stored) <= source.versions()
    by_key: dict[int, list[tuple[Any, Any]]] = {}
    for row in rows:
        assert row["_valid_from"] == row["updated_at"]
        by_key.setdefault(row["id"], []).append((row["_valid_from"], row["_valid_to"]))
    for periods in by_key.values():
        for (_, end), (begin, _) in pairwise(sorted(periods, key=lambda period: period[0])):
            assert end is not None
            assert end <= begin


def assert_present(platform: Platform, source: ChangingSource, found: list[Version]) -> None:
    """Each key's newest state is published, deleted, or held back."""
    rows, versions = source.rows(), source.versions()
    published = {version[0]: version for version in found}
    assert len(published) == len(found)
    held = {version_of(row) for row in stored_rows(platform, f"quarantine.{source.name}")}
    assert held <= {version for version in versions if version[2] < 0}
    for row, is_deleted in rows.items():
        if is_deleted:
            assert row[0] not in published
        elif row[2] >= 0:
            assert published[row[0]] == row
        else:
            assert row in held
            # What was published before stays.
            assert published.get(row[0], row) in versions
    assert set(published) <= {row[0] for row in rows}
    assert all(version[2] >= 0 for version in found)


def assert_history_adds_up(platform: Platform) -> None:
    """Every run that is recorded tells what became of each row that it read."""
    runs = stored_rows(platform, "history.runs")
    assert runs
    for run in runs:
        became = ("published", "quarantined", "unchanged", "superseded", "deleted")
        assert run["rows_read"] == sum(run[f"rows_{word}"] for word in became), run
    results = Counter(
        (row["run_id"], row["check"]) for row in stored_rows(platform, "history.check_results")
    )
    assert set(results.values()) <= {1}


def rows_read(platform: Platform, identifier: str) -> int:
    """The rows that all loads of a table have read, by its snapshots; none of them expired."""
    table = platform.lake.catalog.load_table(identifier)
    return sum(
        int(snapshot.summary.get("quality-platform.rows-read") or 0)
        for snapshot in table.snapshots()
        if snapshot.summary
    )


def files_on_disk(platform: Platform) -> set[str]:
    """The paths of all files in the platform's warehouse on this machine's disks."""
    warehouse = platform.home / "warehouse"
    return {str(path) for path in warehouse.rglob("*") if path.is_file()}


def needed_files(platform: Platform) -> set[str]:
    """The paths of all files that the tables' metadata needs; in S3 each begins with its bucket."""
    catalog = platform.lake.catalog
    return {
        PyArrowFileIO.parse_location(uri)[2]
        for namespace in catalog.list_namespaces()
        for identifier in catalog.list_tables(namespace)
        for uri in _needed(catalog.load_table(identifier))
    }


def _needed(table: Table) -> Iterable[str]:
    yield table.metadata_location
    for entry in table.metadata.metadata_log:
        yield entry.metadata_file
    for snapshot in table.snapshots():
        yield snapshot.manifest_list
        for manifest in snapshot.manifests(table.io):
            yield manifest.manifest_path
            for live in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
                yield live.data_file.file_path
