"""A platform: runner.yaml and its contracts, loaded and checked against each other."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from quality_platform.config.base_models import megabytes
from quality_platform.config.broken import BrokenPart
from quality_platform.config.environment import environment, runner_path
from quality_platform.config.loading import RunnerFile, load_runner, read_runner
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.documents.yaml_documents import YamlDocument
from quality_platform.errors import ConfigurationError, RunnerFileError
from quality_platform.flows.broken_tables import error_of
from quality_platform.flows.building import built
from quality_platform.flows.contracted_tables import (
    ContractedTable,
    FeatureTable,
    SourceTable,
)
from quality_platform.flows.lake_properties import folder_of_namespace, lake_properties
from quality_platform.lake.query import EngineSettings
from quality_platform.secrets.opening import secret_store

# They bring pyiceberg and pandas along, which a code location that is only looked at does not need.
if TYPE_CHECKING:
    from quality_platform.lake.catalog import Lake
    from quality_platform.lake.remote_files import RemoteFiles


@dataclass(frozen=True)
class Platform:
    """Everything that runner.yaml says, ready to be used. Connects to nothing by itself."""

    runner: RunnerFile
    tables: Mapping[str, SourceTable]
    feature_tables: Mapping[str, FeatureTable]
    home: Path

    @cached_property
    def remote_files(self) -> RemoteFiles:
        """The files of the lake that are in an object store."""
        from quality_platform.lake.remote_files import RemoteFiles

        return RemoteFiles()

    @cached_property
    def lake(self) -> Lake:
        """The lake; connects on first use.

        Raises:
            StorageError: a folder of a lake on this machine cannot be made.
        """
        from quality_platform.lake.catalog import Lake

        where = self.runner.location("lake", "catalog")
        name = self.runner.config.lake.catalog.name
        properties = lake_properties(self.runner, self.home)
        folders = partial(folder_of_namespace, self.runner)
        return Lake(name, properties, where, self.remote_files, folders)

    @property
    def engine(self) -> EngineSettings:
        """Limits of the query engine."""
        cfg = self.runner.config.engine
        return EngineSettings(
            megabytes(cfg.memory_limit), cfg.threads, cfg.check_timeout_seconds, self.remote_files
        )

    @property
    def target_file_bytes(self) -> int:
        """Size at which a data file is finished."""
        return megabytes(self.runner.config.lake.target_file_size) * 10**6

    @property
    def sample_rows(self) -> int:
        """Failing rows that are shown with each check."""
        return self.runner.config.engine.sample_rows

    def contracted(self, name: str) -> ContractedTable:
        """The table or feature view of this name.

        Raises:
            RunnerFileError: there is none.
            ConfigurationError: there is one, but it is broken.
        """
        found = self.tables.get(name) or self.feature_tables.get(name)
        if found is not None:
            return found
        if name in self.broken_tables:
            raise error_of(self.broken_tables[name])
        names = [*self.tables, *self.feature_tables, *self.broken_tables]
        raise RunnerFileError(
            f"there is no table or feature view {name!r}",
            location=self.runner.location("tables"),
            allowed=", ".join(names),
            action=did_you_mean(name, names),
        )

    @property
    def table_names(self) -> Collection[str]:
        """The names of all tables."""
        return self.tables.keys()

    def about(self, names: Collection[str]) -> Platform:  # noqa: ARG002 - for parts of a platform
        """The platform where these tables and views are at hand, if there are such."""
        return self

    @property
    def broken(self) -> tuple[BrokenPart, ...]:
        """The parts of runner.yaml that cannot be used; everything else goes on without them."""
        return self.runner.broken

    @cached_property
    def broken_tables(self) -> Mapping[str, BrokenPart]:
        """The tables and feature views that cannot be used, by name."""
        sections = ("tables", "feature_views")
        return {part.name: part for part in self.broken if part.section in sections}

    @cached_property
    def load_order(self) -> tuple[str, ...]:
        """The tables, each after those that its foreign keys refer to."""
        done: dict[str, None] = {}
        for name in self.tables:
            _visit(name, self.tables, done)
        return tuple(done)


def open_platform(
    runner: Path | None = None, *, strict: bool = False, more: Sequence[YamlDocument] = ()
) -> Platform:
    """Loads runner.yaml and all contracts that it names.

    `runner` defaults to the file that `QUALITY_PLATFORM_RUNNER` names, or runner.yaml in the
    working directory. A part of it that cannot be used, such as a table without a contract, stands
    in the platform's `broken`, and all others can be used; `strict` makes an error of it. `more`
    are documents that are read as if the file included them.

    Raises:
        ConfigurationError: something cannot be used that concerns everything, or, where `strict`,
            anything; everything found is listed, with its lines.
    """
    variables = environment()
    path = (runner or runner_path(variables)).absolute()
    file = load_runner(path, variables) if strict else read_runner(path, variables, more)
    file.secrets.bind(secret_store(file.config.secrets, file.resolve))
    found = built(file)
    if strict and (causes := [fault.problem for fault in found.faults if not fault.needs]):
        raise ConfigurationError.of(dict.fromkeys(causes))
    home = Path(variables["QUALITY_PLATFORM_HOME"])
    return Platform(found.file, found.tables, found.views, home)


def _visit(name: str, tables: Mapping[str, SourceTable], done: dict[str, None]) -> None:
    """Notes a table after those that it refers to; no circle of them is among the tables."""
    if name in done or name not in tables:
        return
    for target in tables[name].references:
        if target != name:
            _visit(target, tables, done)
    done[name] = None
