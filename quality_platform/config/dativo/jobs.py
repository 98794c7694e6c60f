"""A job of Dativo with the files that it names, and what its asset tells about the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from quality_platform.config.dativo.drafts import first, name_of
from quality_platform.config.dativo.files import DativoFile, Found, Project, refused
from quality_platform.config.dativo.shapes import Connector, Job
from quality_platform.documents.yaml_documents import load_yaml
from quality_platform.errors import ConfigurationError, Problem

PATHS = ("source_connector_path", "target_connector_path", "asset_path", "asset_definition")
"""The keys of a job that name other files."""

_KEYS = ("objects", "files", "sheets", "tables")
"""The keys of `source` that list what is read, each entry of which is a table."""


@dataclass(frozen=True)
class Unit:
    """What one table is read from: an entry of one of the lists of `source`.

    Attributes:
        name: What Dativo calls it; "" where the job reads only one thing, and has no name for it.
        path: The entry's keys within the job; () where there is no entry.
    """

    name: str
    path: tuple[str | int, ...] = ()


@dataclass(frozen=True)
class AssetFacts:
    """What the translation needs to know of an asset.

    Attributes:
        file: Where it is.
        name: Its name.
        types: The columns, with Dativo's types.
        key: The columns of the primary key, or else a unique column that is required.
        has_primary_key: Whether the asset itself calls the key one.
        asset: The asset's own part of the file.
    """

    file: Path
    name: str
    types: Mapping[str, str]
    key: tuple[str, ...]
    has_primary_key: bool
    asset: DativoFile

    def is_time(self, column: str) -> bool:
        """Whether a column holds times or dates."""
        return self.types.get(column, "").casefold() in ("timestamp", "datetime", "date")


@dataclass
class JobFiles:
    """One job with its connectors and asset.

    Attributes:
        project: Where paths start.
        file: The job itself.
        source: The source's connector; None where the job names none.
        target: The target's connector; None where the job names none.
        asset: What the asset tells.
    """

    project: Project
    file: DativoFile
    source: DativoFile | None
    target: DativoFile | None
    asset: AssetFacts

    @classmethod
    def open(cls, project: Project, named: Found) -> JobFiles:
        """The job in a file that a value names.

        Raises:
            ConfigurationError: one of its files cannot be used; every problem is listed.
        """
        return cls.of(project, project.open(named, Job))

    @classmethod
    def of(cls, project: Project, file: DativoFile) -> JobFiles:
        """The job that a file holds; errors as `open`."""
        for key in PATHS:
            file.find(key)
        file.raise_unset()
        problems: list[Problem] = []
        opened: dict[str, DativoFile | None] = {}
        for role in ("source", "target"):
            try:
                opened[role] = _connector(project, file, role)
            except ConfigurationError as error:
                problems += error.problems
        try:
            asset = _asset(project, file)
            if not problems:
                return cls(project, file, opened["source"], opened["target"], asset)
        except ConfigurationError as error:
            problems += error.problems
        raise ConfigurationError.of(problems)

    def again(self) -> JobFiles:
        """The same files, of which nothing has been asked yet."""
        source, target = (
            replace(file) if file is not None else None for file in (self.source, self.target)
        )
        return replace(self, file=replace(self.file), source=source, target=target)

    @property
    def tenant(self) -> str:
        """The tenant, as a name."""
        return name_of(self.file.text("tenant_id"))

    @property
    def stem(self) -> str:
        """The name of the job's file."""
        return self.file.document.path.stem

    @property
    def whole(self) -> Found:
        """The job as a whole, for messages."""
        return Found(self.file.document, (), None)

    def kind(self, role: str) -> str:
        """The kind of source or target: by its connector, or what the job itself says."""
        connector = self.source if role == "source" else self.target
        if connector is not None:
            return connector.text("type")
        return self.file.text(role, "type") or self.file.text(f"{role}_connector")

    def kind_at(self, role: str) -> Found:
        """Where the job says what kind it is."""
        keys = ((f"{role}_connector",), (f"{role}_connector_path",), (role, "type"), (role,))
        return first(self.file.find(*path) for path in keys if self._is_text(path)) or self.whole

    def _is_text(self, path: tuple[str, ...]) -> bool:
        return isinstance(self.file.written(*path), str)

    def units(self) -> list[Unit]:
        """What the job reads, one for each table."""
        found = [unit for key in _KEYS for unit in self._listed(key)]
        alone = self.file.text("source", "object")
        return found or [Unit(alone, ("source", "object") if alone else ())]

    def _listed(self, key: str) -> Iterator[Unit]:
        entries = self.file.written("source", key)
        if isinstance(entries, str):
            yield Unit(entries, ("source", key))
            return
        for n in range(len(entries or ())):
            path = ("source", key, n)
            yield Unit(self._name(path), path)

    def _name(self, path: tuple[str | int, ...]) -> str:
        if isinstance(self.file.written(*path), str):
            return self.file.text(*path)
        stated = self.file.text(*path, "object")
        named = self.file.text(*path, "name").rpartition(".")[2]
        stem = Path(self.file.text(*path, "path") or self.file.text(*path, "file")).stem
        return stated or named or stem

    def option(self, key: str) -> Found | None:
        """An option of the engine that reads: the job's, or the connector's."""
        options = ("engine", "options")
        of_job = (("source", *options, key), ("source", *options, "native", key))
        found = [self.file.find(*path) for path in of_job]
        if self.source is not None:
            default = ("default_engine", "options")
            found += [self.source.find(*default, *more, key) for more in (("native",), ())]
        return first(found)

    def incremental(self, key: str) -> Found | None:
        """A key of `incremental`: the job's, or the connector's with its `_default`."""
        found = [self.file.find("source", "incremental", key)]
        if self.source is not None:
            names = (key, f"{key}_default")
            found += [self.source.find("incremental", name) for name in names]
        return first(found)

    def connection(self, role: str, *path: str) -> Found | None:
        """A value of the connection: the job's, or else the connector's.

        As in Dativo, a mapping of the job (`s3`, `nessie`) takes the place of the connector's.
        """
        connector = self.source if role == "source" else self.target
        of_job = self.file.find(role, "connection", *path)
        if of_job is not None or connector is None:
            return of_job
        if len(path) > 1 and self.file.written(role, "connection", path[0]) is not None:
            return None
        return connector.find("connection_template", *path)

    def connection_text(self, role: str, *path: str) -> str:
        """As `connection`, as text; "" where there is none."""
        found = self.connection(role, *path)
        return found.text if found else ""

    def raise_unset(self) -> None:
        """Raises what was wrong with `${VAR}` that were met in any of its files.

        Raises:
            EnvironmentVariableError: variables have no value.
        """
        for file in (self.file, self.source, self.target, self.asset.asset):
            if file is not None:
                file.raise_unset()


def _connector(project: Project, file: DativoFile, role: str) -> DativoFile | None:
    named = file.find(f"{role}_connector_path")
    opened = project.open(named, Connector) if named is not None else None
    roles = opened.written("roles") if opened is not None else None
    if named is not None and roles is not None and role not in roles:
        raise refused(named.problem(f"this connector is no {role}", ", ".join(roles)))
    return opened


def _asset(project: Project, file: DativoFile) -> AssetFacts:
    named = first((file.find("asset_path"), file.find("asset_definition")))
    if named is None:
        where = Found(file.document, (), None)
        raise refused(where.problem("the job names no asset", action="asset_path"))
    path = project.path(named.text)
    if not path.is_file():
        action = f"correct the path; relative ones start at {project.root}"
        raise refused(named.problem(f"there is no such file: {path}", "", action))
    document = load_yaml(path)
    base = ("asset",) if isinstance(document.data, dict) and "asset" in document.data else ()
    asset = DativoFile(document, project.variables, project.secrets, base)
    columns = [entry for entry in _columns(asset) if isinstance(entry, dict) and "name" in entry]
    keyed = tuple(str(entry["name"]) for entry in columns if entry.get("primaryKey"))
    unique = [str(e["name"]) for e in columns if e.get("unique") and e.get("required")]
    return AssetFacts(
        file=path,
        name=str(asset.written("name") or path.stem),
        types={
            str(entry["name"]): str(entry.get("type") or entry.get("logicalType") or "")
            for entry in columns
        },
        key=keyed or tuple(unique[:1]),
        has_primary_key=bool(keyed),
        asset=asset,
    )


def _columns(asset: DativoFile) -> list[Any]:
    """The columns of an asset, or of a contract that follows the standard."""
    schema = asset.written("schema")
    if not isinstance(schema, list):
        return []
    inner = schema[0].get("properties") if schema and isinstance(schema[0], dict) else None
    return inner if isinstance(inner, list) else schema
