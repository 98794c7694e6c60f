"""Tables and feature views, put together from runner.yaml and their contracts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from quality_platform.checks.derive import check_specs
from quality_platform.checks.sla_rules import sla_problems
from quality_platform.config.broken import BrokenPart, Fault, Part
from quality_platform.config.feature_models import FeatureViewConfig
from quality_platform.config.loading import RunnerFile, without_parts
from quality_platform.config.models import TableConfig
from quality_platform.config.partition_models import path_of_all
from quality_platform.config.source_models import FileSourceConfig
from quality_platform.config.tenant_models import namespace_of_tenant
from quality_platform.contracts.loading import load_contract
from quality_platform.contracts.models import Contract, SchemaObject
from quality_platform.errors import (
    ConfigurationError,
    ContractError,
    Location,
    Problem,
    QualityPlatformError,
    RunnerFileError,
)
from quality_platform.flows.broken_tables import tenant_of
from quality_platform.flows.contract_overrides import with_overrides
from quality_platform.flows.contracted_tables import (
    ContractedTable,
    FeatureTable,
    SourceTable,
    reference_problems,
)
from quality_platform.flows.drift_rules import drift_problems
from quality_platform.flows.feature_rules import feature_view_problems
from quality_platform.flows.feature_store_rules import feature_store_faults
from quality_platform.flows.merge_rules import key_checks, load_problems
from quality_platform.flows.partition_rules import partition_problems, view_partition_problems
from quality_platform.flows.sensor_rules import query_faults
from quality_platform.flows.table_layout import layout_problems
from quality_platform.flows.table_schemas import table_schema
from quality_platform.flows.tenant_rules import (
    fence_of,
    fence_problem,
    readable,
    require_own_file,
)
from quality_platform.flows.training_definitions import training_set_faults
from quality_platform.flows.written_code import written_code
from quality_platform.sources.object_storage import absolute_pattern

TABLES, VIEWS = "tables", "feature_views"
"""The sections of what has a contract."""

Contracts = Mapping[str, tuple[Contract, SchemaObject]]


@dataclass(frozen=True)
class Built:
    """What could be built of a runner file.

    Attributes:
        file: The file; the parts that turned out to be broken are in its `broken`.
        tables: The tables that can be used.
        views: The feature views that can be used.
        faults: What is wrong with the others.
    """

    file: RunnerFile
    tables: Mapping[str, SourceTable]
    views: Mapping[str, FeatureTable]
    faults: Sequence[Fault]


def built(file: RunnerFile) -> Built:
    """Builds every table and feature view that can be used, and tells what is wrong with others.

    What needs one that cannot be used, by a foreign key or as an input, cannot be used either.
    """
    faults: list[Fault] = []
    contracts = _contracts(file, faults)
    objects: dict[str, dict[str, str]] = {}
    found: dict[str, ContractedTable] = {}
    for name, (contract, obj) in contracts.items():
        build = _source_table if name in file.config.tables else _feature_table
        tenant = _tenant(file, name)
        if tenant not in objects:
            objects[tenant] = _objects(file, contracts, tenant)
        try:
            found[name] = build(file, name, contract, obj, objects[tenant])
        except QualityPlatformError as error:
            faults += _faults(_part(file, name), error)
    for name, (contract, _) in contracts.items():
        problems = [*_problems_beside_others(file, found, name), *sla_problems(contract)]
        faults += [Fault(_part(file, name), problem) for problem in problems]
    faults += query_faults(file)
    faults += feature_store_faults(file, found)
    faults += training_set_faults(file, found)
    file = _settled(file, found, faults)
    return Built(
        file,
        {n: t for n, t in found.items() if isinstance(t, SourceTable) and n in file.config.tables},
        {
            n: t
            for n, t in found.items()
            if isinstance(t, FeatureTable) and n in file.config.feature_views
        },
        faults,
    )


def _faults(part: Part, error: QualityPlatformError) -> list[Fault]:
    kind = type(error) if isinstance(error, ConfigurationError) else ConfigurationError
    return [Fault(part, problem, kind) for problem in error.problems]


def _part(file: RunnerFile, name: str) -> Part:
    return (TABLES if name in file.config.tables else VIEWS), name


def _tenant(file: RunnerFile, name: str) -> str:
    config = file.config.tables.get(name) or file.config.feature_views[name]
    return config.tenant or ""


def _objects(file: RunnerFile, contracts: Contracts, tenant: str) -> dict[str, str]:
    """The table for every contract object that a foreign key of a tenant's table can name.

    Where several tables have an object of one name, the tenant's own is meant.
    """
    visible = readable(file, tenant or None)
    others = [name for name, is_own in visible.items() if not is_own]
    names = [*others, *(name for name, is_own in visible.items() if is_own)]
    objects = {contracts[name][1].name: name for name in names if name in contracts}
    configs = {**file.config.feature_views, **file.config.tables}
    for name in reversed(names):
        # Of a contract that cannot be read nobody knows what its object is called.
        objects.setdefault(getattr(configs[name], "schema_object", None) or name, name)
    for part in file.broken:
        if part.section in (TABLES, VIEWS) and tenant in ("", tenant_of(part)):
            objects.setdefault(str(part.written.get("schema_object") or part.name), part.name)
    return objects


def _problems_beside_others(
    file: RunnerFile, found: Mapping[str, ContractedTable], name: str
) -> Iterator[Problem]:
    table = found.get(name)
    if table is not None:
        yield from reference_problems(table, found)
        section, _ = _part(file, name)
        at = partial(file.location, section, name)
        yield from drift_problems(f"{section}.{name}.drift", table.drift, table.drift_tested, at)
    if isinstance(table, FeatureTable):
        locate = partial(file.location, VIEWS, name)
        yield from feature_view_problems(table, found, locate)
    if isinstance(table, SourceTable):
        yield from layout_problems(file, {name: table})
        if problem := fence_problem(file, table):
            yield problem


def _settled(
    file: RunnerFile, found: Mapping[str, ContractedTable], faults: list[Fault]
) -> RunnerFile:
    """The file without what is broken, and what needs that; what is found joins `faults`."""
    more = faults
    while True:
        if more:
            file = without_parts(file, more)
        known = {**file.config.tables, **file.config.feature_views}
        usable = {name: table for name, table in found.items() if name in known}
        more = list(_of_foreign_keys(file, usable))
        if not more:
            return file
        faults += more


def _of_foreign_keys(file: RunnerFile, tables: Mapping[str, ContractedTable]) -> Iterator[Fault]:
    """Tables that refer to one that cannot be used, and those that refer to each other."""
    broken = {part.name: part for part in file.broken if part.section in (TABLES, VIEWS)}
    for table in tables.values():
        for target in table.references:
            if target in broken:
                yield _needs(file, table, broken[target])
    circle = _circle(tables)
    for name in circle:
        problem = Problem(
            f"the foreign keys form a circle: {' -> '.join((*circle, circle[0]))}",
            tables[name].location,
            action="drop one of the relationships, or make it a metric",
        )
        yield Fault(_part(file, name), problem, ContractError)


def _needs(file: RunnerFile, table: ContractedTable, part: BrokenPart) -> Fault:
    spec = next(s for s in table.specs if getattr(s.claim, "to_table", "") == part.name)
    problem = Problem(
        f"depends on the {part.noun} {part.name!r}, which is broken",
        spec.location,
        spec.name,
        action="mend that first",
    )
    return Fault(_part(file, table.name), problem, needs=part.name)


def _circle(tables: Mapping[str, ContractedTable]) -> tuple[str, ...]:
    """Tables of which each refers to the next, and the last to the first; () where none do."""
    graph = {
        name: [target for target in table.references if target != name and target in tables]
        for name, table in tables.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return tuple(reversed(error.args[1]))[:-1]
    return ()


def _contracts(file: RunnerFile, faults: list[Fault]) -> Contracts:
    found = {}
    for section, configs in ((TABLES, file.config.tables), (VIEWS, file.config.feature_views)):
        for name, config in configs.items():
            try:
                found[name] = _described(file, section, name, config)
            except ConfigurationError as error:
                faults += _faults((section, name), error)
    return found


def contract_of(file: RunnerFile, name: str) -> tuple[Contract, SchemaObject]:
    """The contract of a table or feature view, and the object of it that describes the table.

    Raises:
        ConfigurationError: there is no such contract, it cannot be used, or has no such object.
    """
    section, _ = _part(file, name)
    return _described(file, section, name, getattr(file.config, section)[name])


def _described(
    file: RunnerFile, section: str, name: str, config: TableConfig | FeatureViewConfig
) -> tuple[Contract, SchemaObject]:
    location = file.location(section, name, "contract")
    wanted = config.schema_object if isinstance(config, TableConfig) else None
    path = file.resolver(section, name)(config.contract)
    require_own_file(file, section, name, path, location)
    contract = _existing_contract(path, location)
    if isinstance(config, TableConfig) and config.overrides is not None:
        place = file.location(section, name, "overrides", "classification")
        contract = with_overrides(contract, config.overrides, place, wanted)
    return contract, _object(contract, wanted, location)


def _existing_contract(path: Path, location: Location) -> Contract:
    if not path.is_file():
        raise RunnerFileError(
            "there is no such contract file",
            location=location,
            field="contract",
            received=path,
            action="correct the path; it is relative to the folder of the file that names it",
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
    if problems := [
        *load_problems(name, config.load, obj, schema, locate),
        *partition_problems(name, config, schema, locate),
    ]:
        raise RunnerFileError.of(problems)
    return SourceTable(
        name=name,
        namespace=namespace_of_tenant(config.tenant or "", config.namespace),
        contract=contract,
        object=obj,
        schema=schema,
        specs=(*specs, *key_checks(config.load, obj, schema, specs)),
        location=file.location("tables", name),
        config=config,
        retries=config.retries or file.config.retries,
        source_pattern=(
            absolute_pattern(path_of_all(config.source.path), file.resolver(TABLES, name))
            if isinstance(config.source, FileSourceConfig)
            else ""
        ),
        fence=fence_of(file, name),
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
    locate = partial(file.location, "feature_views", name)
    if problems := list(view_partition_problems(name, config, table_schema(obj), locate)):
        raise RunnerFileError.of(problems)
    code = written_code(file, name, config)
    return FeatureTable(
        name=name,
        namespace=namespace_of_tenant(config.tenant or "", "features"),
        contract=contract,
        object=obj,
        schema=table_schema(obj),
        specs=check_specs(obj, objects, contract.sla),
        location=file.location("feature_views", name),
        config=config,
        sql=code.sql,
        sql_location=code.location,
        function=code.function,
    )


def _require_columns(
    file: RunnerFile, name: str, config: FeatureViewConfig, obj: SchemaObject
) -> None:
    named = {
        **{entity.join_key: ("entities",) for entity in config.entities},
        config.event_timestamp: ("event_timestamp",),
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
