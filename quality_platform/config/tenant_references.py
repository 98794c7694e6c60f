"""What of one tenant another may refer to: nothing, unless it is shared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from quality_platform.config.feature_models import FeatureViewConfig
from quality_platform.config.feature_store_references import VIEW_OF_A_SERVICE
from quality_platform.config.models import RunnerConfig, TableConfig
from quality_platform.config.schedule_models import ScheduleConfig
from quality_platform.config.sensor_models import (
    CheckFailedSensorConfig,
    ContractChangedSensorConfig,
    DriftSensorConfig,
)
from quality_platform.config.sensor_references import Reference
from quality_platform.config.source_models import BUILT_IN, IcebergSourceConfig
from quality_platform.config.source_plugins import type_of
from quality_platform.config.tenant_files import SECTIONS_OF_TENANTS
from quality_platform.config.tenant_models import SEPARATOR, is_of_tenant, namespace_of_tenant
from quality_platform.config.training_set_models import TrainingSetConfig
from quality_platform.documents.yaml_documents import PathInDocument, YamlDocument
from quality_platform.errors import Problem

_OWNED = (*SECTIONS_OF_TENANTS, "connections")
_READ = {
    "connection": ("connections",),
    "table": ("tables",),
    "feature view": ("feature_views",),
    "table or feature view": ("tables", "feature_views"),
    "training set": ("training_sets",),
    VIEW_OF_A_SERVICE: ("feature_views",),
}
"""Where the things of a kind stand that are somebody's."""

_RUN_BY = ("schedules", "sensors")
"""What runs the tables that it names, for which it is not enough that they are shared."""


def tenant_references(config: RunnerConfig) -> Iterator[Reference]:
    """The names of tenants, in the form of `references`."""
    known = sorted(config.tenants)
    for section in _OWNED:
        for name, entry in getattr(config, section).items():
            if entry.tenant is not None:
                yield (section, name, "tenant"), entry.tenant, known, "tenant"


def with_targets(config: RunnerConfig, data: Mapping[str, Any]) -> RunnerConfig:
    """The models with all that is a tenant's where its schedules and sensors name no table.

    `data` is what the file says: what is broken in it is meant as well.
    """
    schedules = {
        name: entry.model_copy(update={"targets": _targets(data, entry)})
        if entry.tenant and not entry.targets
        else entry
        for name, entry in config.schedules.items()
    }
    sensors = {
        name: entry.model_copy(update={"tables": _of_tenant(data, entry.tenant)})
        if isinstance(entry, CheckFailedSensorConfig) and entry.tenant and not entry.tables
        else entry
        for name, entry in config.sensors.items()
    }
    return config.model_copy(update={"schedules": schedules, "sensors": sensors})


def _targets(data: Mapping[str, Any], schedule: ScheduleConfig) -> tuple[str, ...]:
    tenant = str(schedule.tenant)
    if schedule.job != "training_sets":
        return _of_tenant(data, tenant)
    # Of one without rows no version can be made by a schedule.
    sets = data.get("training_sets") or {}
    return tuple(n for n in _of_tenant(data, tenant, ["training_sets"]) if "entities" in sets[n])


def _of_tenant(
    data: Mapping[str, Any], tenant: str, sections: Sequence[str] = ("tables", "feature_views")
) -> tuple[str, ...]:
    return tuple(
        name
        for section in sections
        for name, entry in (data.get(section) or {}).items()
        if isinstance(entry, dict) and entry.get("tenant") == tenant
    )


def tenant_problems(
    config: RunnerConfig, document: YamlDocument, references: Iterable[Reference]
) -> Iterator[Problem]:
    """What would cross from one tenant to another; `references` are all names in the file."""
    for path, name, _, kind in references:
        yield from _crossing(config, document, path, name, kind)
    yield from _names_of_tenants(config, document)
    for name, table in config.tables.items():
        yield from _problems_of_table(config, document, name, table)
    yield from _problems_of_functions(config, document)
    yield from _problems_of_entities(config, document)
    yield from _problems_of_training_sets(config, document)
    yield from _problems_of_runners(config, document)
    yield from _beyond_quotas(config, document)


def may_read(tenant: str | None, other: Any) -> bool:
    """Whether a tenant may read a table, view or connection: its own, or one that is shared.

    What is no tenant's is of those who run the platform, who may read everything.
    """
    return not tenant or other.tenant == tenant or other.shared


def _crossing(
    config: RunnerConfig, document: YamlDocument, path: PathInDocument, name: str, kind: str
) -> Iterator[Problem]:
    section = str(path[0])
    tenant = getattr(config, section)[path[1]].tenant if section in _OWNED else None
    target = next(
        (found for s in _READ.get(kind, ()) if (found := getattr(config, s).get(name))), None
    )
    if target is None:
        return
    is_run = section in _RUN_BY
    if section == "tables" and tenant is None and target.tenant is not None and not target.shared:
        # A connection of a tenant's: its rows would be everybody's.
        yield _problem(document, path, f"the connection {name!r} is that of a tenant", name)
    elif tenant and (target.tenant != tenant if is_run else not may_read(tenant, target)):
        shown = "is not the tenant's" if is_run else "is not the tenant's, and not shared"
        yield _problem(document, path, f"the {kind} {name!r} {shown}", name)


def _problem(
    document: YamlDocument, path: PathInDocument, message: str, received: str, action: str = ""
) -> Problem:
    field = ".".join(str(step) for step in path)
    return Problem(message, document.location(path), field, received, action=action)


def _names_of_tenants(config: RunnerConfig, document: YamlDocument) -> Iterator[Problem]:
    """Tenants whose names differ in case alone, and names and namespaces that look like theirs."""
    seen: dict[str, str] = {}
    for tenant in config.tenants:
        other = seen.setdefault(tenant.lower(), tenant)
        if other != tenant:
            message = f"differs from the tenant {other!r} in case alone"
            yield _problem(document, ("tenants", tenant), message, tenant, "rename one of them")
    for section in _OWNED:
        for name, entry in getattr(config, section).items():
            owner = seen.get(name.partition(SEPARATOR)[0].lower()) if SEPARATOR in name else None
            if owner is not None and owner != entry.tenant:
                message = f"a name that begins with {owner}{SEPARATOR} is of the tenant {owner}"
                action = f"rename it, or say `tenant: {owner}`"
                yield _problem(document, (section, name), message, name, action)
    entries: list[tuple[str, str, TableConfig | TrainingSetConfig]] = [
        *(("tables", name, table) for name, table in config.tables.items()),
        *(("training_sets", name, found) for name, found in config.training_sets.items()),
    ]
    for section, name, entry in entries:
        namespace = namespace_of_tenant(entry.tenant or "", entry.namespace)
        others = [t for t in config.tenants if t.lower() != (entry.tenant or "").lower()]
        theirs = [tenant for tenant in others if is_of_tenant(tenant, namespace)]
        if theirs:
            path = (section, name, "namespace")
            message = f"the namespace is of the tenant {theirs[0]}"
            yield _problem(document, path, message, entry.namespace, "choose another")


def _problems_of_table(
    config: RunnerConfig, document: YamlDocument, name: str, table: TableConfig
) -> Iterator[Problem]:
    """Sources of a tenant's table that would read what is not the tenant's."""
    if not table.tenant:
        return
    source, path = table.source, ("tables", name, "source")
    if document.owner(path[:2]) and source.type not in {type_of(model) for model in BUILT_IN}:
        message = "a tenant's file cannot use sources of plugins, which may read anything"
        action = "who runs the platform can write the table into runner.yaml"
        yield _problem(document, (*path, "type"), message, source.type, action)
    if not isinstance(source, IcebergSourceConfig):
        return
    if source.catalog is not None:
        message = "a tenant's table cannot be read from a catalog that it names itself"
        yield _problem(document, (*path, "catalog"), message, "", "leave `catalog` out")
    elif not _may_read_iceberg(config, table.tenant, source.table):
        message = "the table is not the tenant's, and not shared"
        yield _problem(document, (*path, "table"), message, source.table)


def _problems_of_entities(config: RunnerConfig, document: YamlDocument) -> Iterator[Problem]:
    """Entities of tenants' files with names that others could have: Feast knows one of a name."""
    for name, view in config.feature_views.items():
        owner = document.owner(("feature_views", name))
        for n, entity in enumerate(view.entities):
            if owner and not entity.name.startswith(f"{owner}{SEPARATOR}"):
                path = ("feature_views", name, "entities", n, "name")
                message = f"names in a file of the tenant {owner} begin with {owner}{SEPARATOR}"
                action = f"call it {owner}{SEPARATOR}{entity.name}"
                yield _problem(document, path, message, entity.name, action)


def _problems_of_functions(config: RunnerConfig, document: YamlDocument) -> Iterator[Problem]:
    """Python functions that tenants' files name."""
    for name, view in config.feature_views.items():
        path = ("feature_views", name, "python")
        if view.python is not None and document.owner(path[:2]):
            message = "a tenant's file cannot name Python functions, which may read anything"
            action = "who runs the platform can write the view into runner.yaml"
            yield _problem(document, path, message, view.python, action)


def _problems_of_training_sets(config: RunnerConfig, document: YamlDocument) -> Iterator[Problem]:
    """Services that would give a tenant the features of others, and experiments of all."""
    for name, found in config.training_sets.items():
        path = ("training_sets", name)
        service = config.feature_services.get(found.feature_service or "")
        chosen = service.features if service is not None else ()
        for choice in (*found.features, *chosen) if found.tenant else ():
            if choice.view in config.on_demand_feature_views:
                where = "features" if found.features else "feature_service"
                message = "functions run with the rights of the platform, and are no tenant's"
                yield _problem(document, (*path, where), message, choice.view, "leave it out")
        for choice in chosen:
            view = config.feature_views.get(choice.view)
            if view is not None and not may_read(found.tenant, view):
                message = f"the feature view {choice.view!r} is not the tenant's, and not shared"
                yield _problem(document, (*path, "feature_service"), message, choice.view)
        if found.mlflow is not None and document.owner(path):
            message = "a tenant's file cannot name an experiment, which may be another's"
            action = "who runs the platform can write the training set into runner.yaml"
            yield _problem(document, (*path, "mlflow"), message, found.mlflow, action)


def _may_read_iceberg(config: RunnerConfig, tenant: str, identifier: str) -> bool:
    if is_of_tenant(tenant, identifier.partition(".")[0]):
        return True
    shared: list[tuple[str, TableConfig | FeatureViewConfig, str]] = [
        (n, t, t.namespace) for n, t in config.tables.items()
    ]
    shared += [(n, v, "features") for n, v in config.feature_views.items()]
    return any(
        entry.shared
        and f"{namespace_of_tenant(entry.tenant or '', namespace)}.{name}" == identifier
        for name, entry, namespace in shared
    )


def _problems_of_runners(config: RunnerConfig, document: YamlDocument) -> Iterator[Problem]:
    """Schedules and sensors of tenants that would run, watch or tell all there is."""
    for name, schedule in config.schedules.items():
        if schedule.tenant and not schedule.targets:
            kind = "training set" if schedule.job == "training_sets" else "table"
            message = f"the tenant {schedule.tenant} has no {kind} that it could run"
            yield _problem(document, ("schedules", name), message, name)
    for name, sensor in config.sensors.items():
        path: PathInDocument = ("sensors", name)
        if not sensor.tenant:
            continue
        if isinstance(sensor, CheckFailedSensorConfig) and not sensor.tables:
            message = f"the tenant {sensor.tenant} has no table that it could watch"
            yield _problem(document, path, message, name)
        if isinstance(sensor, ContractChangedSensorConfig) and sensor.table is None:
            yield _problem(document, path, "a tenant's sensor names its table", name, "say `table`")
        if isinstance(sensor, DriftSensorConfig) and sensor.hook and document.owner(path):
            message = "a tenant's file cannot tell a hook, which may be another's"
            action = "who runs the platform can write the sensor into runner.yaml"
            yield _problem(document, (*path, "hook"), message, sensor.hook, action)


def _beyond_quotas(config: RunnerConfig, document: YamlDocument) -> Iterator[Problem]:
    """What tenants have beyond the number of tables that each may have, in the file's order."""
    seen: Counter[str] = Counter()
    for section in ("tables", "feature_views", "training_sets"):
        for name, entry in getattr(config, section).items():
            tenant = config.tenants.get(entry.tenant or "")
            if tenant is None or tenant.max_tables is None:
                continue
            seen[entry.tenant] += 1
            if seen[entry.tenant] > tenant.max_tables:
                most = f"{tenant.max_tables} tables, feature views and training sets"
                message = f"the tenant {entry.tenant} may have {most}"
                action = f"who runs the platform can raise tenants.{entry.tenant}.max_tables"
                yield _problem(document, (section, name), message, name, action)
