"""Removing what is in a table's folder and no metadata refers to: files, and parts of such."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from pyiceberg.exceptions import NoSuchTableError

from quality_platform.errors import ConcurrentLoadError
from quality_platform.lake.catalog import Lake, Table, translated
from quality_platform.lake.maintenance.expiry import delete_files
from quality_platform.lake.maintenance.references import (
    StoredFile,
    all_referred,
    comparable,
    stored_files,
)
from quality_platform.lake.maintenance.uploads import Upload, give_up, uploads_before


@dataclass(frozen=True)
class Sweep:
    """The orphans that a sweep removed, or would remove.

    `uploads` are those that were begun and never ended; `unknown` says why they could not be looked
    at, or not be given up, "" where they could.
    """

    files: tuple[StoredFile, ...] = ()
    uploads: tuple[Upload, ...] = ()
    unknown: str = ""

    @property
    def bytes(self) -> int:
        """The bytes of the files."""
        return sum(file.bytes for file in self.files)


def sweep(lake: Lake, identifier: str, before: datetime, *, dry_run: bool = False) -> Sweep:
    """Removes files last written before this moment that no table of the lake refers to.

    Younger files may belong to a load that is under way: its data files are referred to only once
    they are committed. In an object store, uploads that were begun before it are given up.

    Raises:
        StorageError: the folder cannot be listed, or a file not deleted.
        ConcurrentLoadError: another table was renamed meanwhile; nothing was removed.
    """
    table = lake.table(identifier)
    with translated(lake):
        # Listed first: what is committed from now on is found among what is referred to.
        found = [file for file in stored_files(table) if file.modified_at < before]
        found = _without(found, all_referred(lake.table(identifier)))
        if found:
            found = _without(found, _referred_by_neighbours(lake, table))
    begun = uploads_before(table, before)
    unknown = begun.unknown
    if not dry_run:
        delete_files(lake, table, (file.uri for file in found))
        unknown = unknown or give_up(table, begun.found)
    return Sweep(tuple(found), begun.found, unknown)


def _without(files: Iterable[StoredFile], referred: Iterable[str]) -> list[StoredFile]:
    needed = {comparable(uri) for uri in referred}
    return [file for file in files if comparable(file.uri) not in needed]


def _referred_by_neighbours(lake: Lake, table: Table) -> Iterator[str]:
    """Files of all tables in the folder: one that was renamed keeps the folder that it had."""
    folder = _folder(table)
    for identifier in _identifiers(lake):
        try:
            other = lake.catalog.load_table(identifier)
        except NoSuchTableError as error:
            # Under its new name, it may need what looks like an orphan.
            raise ConcurrentLoadError(
                f"{'.'.join(identifier)} was renamed or dropped meanwhile; nothing was removed",
                action="try again later",
            ) from error
        its = _folder(other)
        if its.startswith(folder) or folder.startswith(its):
            yield from all_referred(other)


def _identifiers(lake: Lake, parent: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for namespace in lake.catalog.list_namespaces(parent):
        if len(namespace) > len(parent):
            yield from lake.catalog.list_tables(namespace)
            yield from _identifiers(lake, namespace)


def _folder(table: Table) -> str:
    return comparable(table.location()).rstrip("/") + "/"
