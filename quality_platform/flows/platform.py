"""A platform: runner.yaml and its contracts, loaded and checked against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from quality_platform.checks.derive import check_specs
from quality_platform.checks.sla_rules import sla_problems
from quality_platform.config.base_models import megabytes
from quality_platform.config.environment import environment, runner_path
from quality_platform.config.loading import RunnerFile, load_runner
from quality_platform.config.models import FeatureViewConfig, TableConfig
from quality_platform.config.source_models import FileSourceConfig
from quality_platform.contracts.loading import load_contract
from quality_platform.contracts.models import Contract, SchemaObject
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import (
    ConfigurationError,
    ContractError,
    Location,
    Problem,
    QualityPlatformError,
    RunnerFileError,
)
from quality_platform.flows.contracted_tables import (
    ContractedTable,
    FeatureTable,
    SourceTable,
    reference_problems,
)
from quality_platform.flows.lake_properties import lake_properties
from quality_platform.flows.merge_rules import key_checks, load_problems
from quality_platform.flows.table_layout import layout_problems
from quality_platform.flows.table_schemas import table_schema
from quality_platform.lake.catalog import Lake
from quality_platform.lake.query import EngineSettings
from quality_platform.lake.remote_files import RemoteFiles
from quality_platform.secrets.opening import secret_store
from quality_platform.sources.object_storage import absolute_pattern


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
        return RemoteFiles()

    @cached_property
    def lake(self) -> Lake:
        """The lake; connects on first use.

        Raises:
            StorageError: a folder of a lake on this machine cannot be made.
        """
        where = self.runner.location("lake", "catalog")
        name = self.runner.config.lake.catalog.name
        return Lake(name, lake_properties(self.runner, self.home), where, self.remote_files)

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
        """
        found = self.tables.get(name) or self.feature_tables.get(name)
        if found is None:
            raise RunnerFileError(
                f"there is no table or feature view {name!r}",
                location=self.runner.location("tables"),
                allowed=", ".join([*self.tables, *self.feature_tables]),
                action=did_you_mean(name, [*self.tables, *self.feature_tables]),
            )
        return found

    @cached_property
    def load_order(self) -> tuple[str, ...]:
        """The tables, each after those that its foreign keys refer to."""
        done: dict[str, None] = {}
        for name in self.tables:
            _visit(name, self.tables, done, ())
        return tuple(done)


def open_platform(runner: Path | None = None) -> Platform:
    """Loads runner.yaml and all contracts that it names.

    `runner` defaults to the file that `QUALITY_PLATFORM_RUNNER` names, or runner.yaml in the
    working directory.

    Raises:
        ConfigurationError: something cannot be used; everything found is listed, with its lines.
    """
    variables = environment()
    file = load_runner((runner or runner_path(variables)).absolute(), variables)
    file.secrets.bind(secret_store(file.config.secrets, file.resolve))
    problems: list[Problem] = []
    contracts = _contracts(file, problems)
    objects = {obj.name: name for name, (_, obj) in contracts.items()}
    tables: dict[str, SourceTable] = {}
    views: dict[str, FeatureTable] = {}
    for name, (contract, obj) in contracts.items():
        try:
            if name in file.config.tables:
                tables[name] = _source_table(file, name, contract, obj, objects)
            else:
                views[name] = _feature_table(file, name, contract, obj, objects)
        except QualityPlatformError as error:
            problems += error.problems
    problems += reference_problems({**tables, **views})
    problems += layout_problems(file, tables)
    for contract, _ in contracts.values():
        problems += [p for p in sla_problems(contract) if p not in problems]
    if problems:
        raise ConfigurationError.of(problems)
    platform = Platform(file, tables, views, Path(variables["QUALITY_PLATFORM_HOME"]))
    _ = platform.load_order
    return platform


def _contracts(
    file: RunnerFile, problems: list[Problem]
) -> dict[str, tuple[Contract, SchemaObject]]:
    found = {}
    for section, configs in (
        ("tables", file.config.tables),
        ("feature_views", file.config.feature_views),
    ):
        for name, config in configs.items():
            location = file.location(section, name, "contract")
            wanted = config.schema_object if isinstance(config, TableConfig) else None
            try:
                contract = _existing_contract(file.resolve(config.contract), location)
                found[name] = (contract, _object(contract, wanted, location))
            except ConfigurationError as error:
                problems += error.problems
    return found


def _existing_contract(path: Path, location: Location) -> Contract:
    if not path.is_file():
        raise RunnerFileError(
            "there is no such contract file",
            location=location,
            field="contract",
            received=path,
            action="correct the path; it is relative to the folder of runner.yaml",
        )
    return load_contract(path)


def _object(contract: Contract, wanted: str | None, location: Location) -> SchemaObject:
    names = [obj.name for obj in contract.objects]
    if wanted is None and len(names) == 1:
        return contract.objects[0]
    if wanted not in names:
        raise ContractError(
            "say which object of the contract's schema describes the table",
            location=location,
            field="schema_object",
            received=wanted or "nothing",
            allowed=", ".join(names),
        )
    return contract.objects[names.index(wanted)]


def _source_table(
    file: RunnerFile,
    name: str,
    contract: Contract,
    obj: SchemaObject,
    objects: Mapping[str, str],
) -> SourceTable:
    config = file.config.tables[name]
    schema = table_schema(obj)
    specs = check_specs(obj, objects, contract.sla)
    locate = partial(file.location, "tables", name)
    if problems := list(load_problems(name, config.load, obj, schema, locate)):
        raise RunnerFileError.of(problems)
    return SourceTable(
        name=name,
        namespace=config.namespace,
        contract=contract,
        object=obj,
        schema=schema,
        specs=(*specs, *key_checks(config.load, obj, schema, specs)),
        location=file.location("tables", name),
        config=config,
        retries=config.retries or file.config.retries,
        source_pattern=(
            absolute_pattern(config.source.path, file.resolve)
            if isinstance(config.source, FileSourceConfig)
            else ""
        ),
    )


def _feature_table(
    file: RunnerFile,
    name: str,
    contract: Contract,
    obj: SchemaObject,
    objects: Mapping[str, str],
) -> FeatureTable:
    config = file.config.feature_views[name]
    _require_columns(file, name, config, obj)
    path = file.resolve(config.sql)
    try:
        sql = path.read_text(encoding="utf-8")
    except OSError as error:
        raise RunnerFileError(
            f"the SQL file cannot be read: {error.strerror}",
            location=file.location("feature_views", name, "sql"),
            field="sql",
            received=path,
        ) from error
    return FeatureTable(
        name=name,
        namespace="features",
        contract=contract,
        object=obj,
        schema=table_schema(obj),
        specs=check_specs(obj, objects, contract.sla),
        location=file.location("feature_views", name),
        config=config,
        sql=sql,
        sql_location=Location(str(path), 1),
    )


def _require_columns(
    file: RunnerFile, name: str, config: FeatureViewConfig, obj: SchemaObject
) -> None:
    named = {
        **{entity.join_key: ("entities",) for entity in config.entities},
        config.event_timestamp: ("event_timestamp",),
        **(
            {column: ("drift", "columns") for column in config.drift.columns}
            if config.drift
            else {}
        ),
    }
    problems = [
        Problem(
            f"the contract has no column {column!r}",
            file.location("feature_views", name, *path),
            ".".join(("feature_views", name, *path)),
            allowed=", ".join(obj.column_names),
        )
        for column, path in named.items()
        if column not in obj.column_names
    ]
    if problems:
        raise RunnerFileError.of(problems)


def _visit(
    name: str, tables: Mapping[str, SourceTable], done: dict[str, None], path: tuple[str, ...]
) -> None:
    if name in done or name not in tables:
        return
    if name in path:
        raise ContractError(
            f"the foreign keys form a circle: {' -> '.join((*path, name))}",
            location=tables[name].location,
            action="drop one of the relationships, or make it a metric",
        )
    for target in tables[name].references:
        if target != name:
            _visit(target, tables, done, (*path, name))
    done[name] = None
