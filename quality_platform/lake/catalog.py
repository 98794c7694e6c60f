"""The Iceberg catalog: opening it, and finding and making tables in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchNamespaceError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.table import Table
from sqlalchemy.exc import DBAPIError, IntegrityError

from quality_platform.errors import (
    ConcurrentLoadError,
    Location,
    TableNotFoundError,
    TableSchemaError,
)
from quality_platform.lake.catalog_errors import ERRORS as CATALOG_ERRORS
from quality_platform.lake.catalog_errors import catalog_error
from quality_platform.lake.open_catalog import open_catalog
from quality_platform.lake.remote_files import RemoteFiles
from quality_platform.lake.storage_errors import storage_error

__all__ = ["TABLE_PROPERTIES", "Lake", "Table", "translated"]

TABLE_PROPERTIES = {
    # Two loads from the same position must not both commit: the second has to start over.
    "commit.retry.num-retries": "0",
    "write.parquet.compression-codec": "zstd",
    "write.metadata.previous-versions-max": "20",
    "write.metadata.delete-after-commit.enabled": "true",
}
"""Properties of every table that the platform makes."""


def _the_warehouses(namespace: str) -> str:  # noqa: ARG001 - that of every namespace
    return ""


@dataclass(frozen=True)
class Lake:
    """One Iceberg catalog. Connects on first use; a value that can be passed around before.

    `properties` are pyiceberg's catalog properties (`type`, `uri`, `warehouse`, ...); they can hold
    credentials and never appear in a message. `location` is where they were configured. `files`
    reads data files that DuckDB does not open itself, for sessions that are given it. `folders`
    says where the tables of a namespace are; in the catalog's warehouse where it says nothing.
    """

    name: str
    properties: Mapping[str, str] = field(repr=False, hash=False)
    location: Location | None = None
    files: RemoteFiles = field(default_factory=RemoteFiles, repr=False, compare=False)
    folders: Callable[[str], str] = field(default=_the_warehouses, repr=False, compare=False)

    @cached_property
    def catalog(self) -> Catalog:
        """The opened catalog.

        Raises:
            CatalogUnreachableError: it does not answer.
            CatalogAccessError: it refuses the user, or has no such warehouse.
            RunnerFileError: its URL cannot be used.
        """
        with translated(self):
            try:
                return open_catalog(self.name, self.properties)
            except DBAPIError:
                # Two processes that meet a new database both make its tables: the slower one fails,
                # and finds them made when it looks again.
                return open_catalog(self.name, self.properties)

    def table(self, identifier: str) -> Table:
        """The table called `namespace.name`, as it is now.

        Raises:
            TableNotFoundError: there is none.
            CatalogUnreachableError: the catalog does not answer.
        """
        found = self.find_table(identifier)
        if found is None:
            raise TableNotFoundError(
                f"the lake has no table {identifier}",
                action="run the table's load first: quality-platform run",
            )
        return found

    def find_table(self, identifier: str) -> Table | None:
        """The table called `namespace.name`, or None where there is none."""
        with translated(self):
            try:
                return self._known(self.catalog.load_table(identifier))
            except NoSuchTableError:
                return None

    def namespaces(self) -> list[str]:
        """The names of all namespaces."""
        with translated(self):
            return [".".join(name) for name in self.catalog.list_namespaces()]

    def identifiers_in(self, namespace: str) -> list[str]:
        """The names of all tables of a namespace, `namespace.name`; none where it is not there."""
        with translated(self):
            try:
                return [".".join(name) for name in self.catalog.list_tables(namespace)]
            except NoSuchNamespaceError:
                return []

    def _known(self, table: Table) -> Table:
        self.files.add(table)
        return table

    def ensure_table(
        self, identifier: str, schema: pa.Schema, properties: Mapping[str, str] | None = None
    ) -> Table:
        """The table with this schema; made when there is none.

        Field metadata `doc` becomes the column's documentation, a field that is not nullable
        becomes a required column. A table that is older than the last columns gets them.

        Raises:
            TableSchemaError: there is one, and its columns differ from the schema.
        """
        table = self.find_table(identifier) or self.create_table(
            identifier, schema, properties or {}
        )
        known = table.schema().column_names
        if known == schema.names[: len(known)] and len(known) < len(schema):
            with translated(self), table.update_schema() as update:
                update.union_by_name(schema)
        _require_same_columns(identifier, schema, table.schema().as_arrow())
        return table

    def create_table(
        self,
        identifier: str,
        schema: pa.Schema,
        properties: Mapping[str, str],
        location: str | None = None,
    ) -> Table:
        """Makes the table, in a folder named after it where no `location` is given.

        Where another process was faster, the table is the one that it made.
        """
        namespace, _, name = identifier.rpartition(".")
        folder = self.folders(namespace)
        if folder and location is None:
            # The namespace may be older than its folder: then it is somewhere else.
            location = f"{folder}/{name}"
        with translated(self):
            # The second error is the database's, when another process was faster just now.
            with suppress(NamespaceAlreadyExistsError, IntegrityError):
                self.catalog.create_namespace(namespace, {"location": folder} if folder else {})
            try:
                made = self.catalog.create_table(
                    identifier, schema, location, properties={**TABLE_PROPERTIES, **properties}
                )
            except TableAlreadyExistsError:
                made = self.catalog.load_table(identifier)
            return self._known(made)


@contextmanager
def translated(lake: Lake) -> Iterator[None]:
    """Turns what pyiceberg and its drivers raise into the platform's errors, without secrets."""
    try:
        yield
    except CommitFailedException as error:
        raise _concurrent() from error
    except CATALOG_ERRORS as error:
        kind = lake.properties.get("type", "unknown")
        raise catalog_error(error, lake.name, kind, lake.location) from None
    except ValueError as error:
        # What a commit to another branch of the table does to one that is under way.
        if "sequence number" not in str(error):
            raise
        raise _concurrent() from error
    except OSError as error:
        place = lake.location
        raise storage_error(
            error, "the warehouse cannot be read or written", location=place
        ) from None


def _concurrent() -> ConcurrentLoadError:
    return ConcurrentLoadError(
        "another run committed to the same table meanwhile; nothing of this one was published",
        action="run it again: it starts from the new position",
    )


def _types(schema: pa.Schema) -> dict[str, str]:
    # Iceberg gives back large_string and large_binary for string and binary.
    return {f.name: str(f.type).replace("large_", "") for f in schema}


def _require_same_columns(identifier: str, wanted: pa.Schema, actual: pa.Schema) -> None:
    differences = _differences(wanted, actual)
    if not differences and wanted.names != actual.names:
        differences = ["the same columns in another order"]
    if differences:
        raise TableSchemaError(
            f"the columns of {identifier} differ from its contract",
            received="; ".join(differences),
            action="give the changed contract a table of its own, "
            "or restore the contract's columns",
        )


def _differences(wanted: pa.Schema, actual: pa.Schema) -> list[str]:
    want, have = _types(wanted), _types(actual)
    missing = "has no such column"
    types = [
        f"{name}: contract {want.get(name, missing)}, table {have.get(name, missing)}"
        for name in {**want, **have}
        if want.get(name) != have.get(name)
    ]
    # The other way round is no obstacle: rows without a value are held back before the writing.
    optional = {field.name for field in wanted if field.nullable}
    return types + [
        f"{field.name}: contract optional, table required"
        for field in actual
        if not field.nullable and field.name in optional
    ]
