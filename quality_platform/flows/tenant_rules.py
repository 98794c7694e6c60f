"""What the parts of a tenant may reach outside of runner.yaml: files, and other tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from quality_platform.config.broken import Part
from quality_platform.config.feature_models import FeatureViewConfig
from quality_platform.config.loading import RunnerFile
from quality_platform.config.models import TableConfig
from quality_platform.config.tenant_files import fixed_folder, is_within
from quality_platform.config.tenant_references import may_read
from quality_platform.config.tenant_warehouses import absolute, common_warehouse
from quality_platform.errors import Location, Problem, RunnerFileError
from quality_platform.flows.contracted_tables import SourceTable
from quality_platform.sources.fences import NO_FENCE, Fence
from quality_platform.sources.object_storage import absolute_pattern


def readable(file: RunnerFile, tenant: str | None) -> Mapping[str, bool]:
    """The tables and views that a tenant may refer to, and whether they are its own."""
    found = {}
    configs: dict[str, FeatureViewConfig | TableConfig] = {**file.config.feature_views}
    for name, config in {**configs, **file.config.tables}.items():
        if may_read(tenant, config):
            found[name] = config.tenant == tenant
    return found


def fence_of(file: RunnerFile, name: str) -> Fence:
    """Where the files of a table's source may be."""
    return _fence(file, ("tables", name), file.config.tables[name].tenant)


def entity_file_fence(file: RunnerFile, name: str) -> Fence:
    """Where the file with the entity rows of a training set may be."""
    return _fence(file, ("training_sets", name), file.config.training_sets[name].tenant)


def _fence(file: RunnerFile, part: Part, tenant: str | None) -> Fence:
    if not tenant:
        return NO_FENCE
    said = _paths(file, tenant)
    own = said or _folders(file, tenant)
    is_fenced = said or file.document.owner(part)
    others = [t for t in file.config.tenants if t != tenant]
    outside = [folder for t in others for folder in (*_paths(file, t), *_folders(file, t))]
    outside += _warehouses(file, others)
    return Fence(tenant, own if is_fenced else None, tuple(outside))


def fence_problem(file: RunnerFile, table: SourceTable) -> Problem | None:
    """What a source's path says that its tenant may not read; None where it says nothing such."""
    if not table.source_pattern or table.fence.allows_pattern(table.source_pattern):
        return None
    place = ("tables", table.name, "source", "path")
    return _beyond(file, table.fence, table.source_pattern, place)


def entity_file_problem(file: RunnerFile, name: str) -> Problem | None:
    """What a training set's file of rows says that its tenant may not read; None for nothing."""
    entities = file.config.training_sets[name].entities
    if entities is None or entities.file is None:
        return None
    path = str(file.resolver("training_sets", name)(entities.file))
    fence = entity_file_fence(file, name)
    if fence.allows(path):
        return None
    return _beyond(file, fence, path, ("training_sets", name, "entities", "file"))


def _beyond(file: RunnerFile, fence: Fence, received: str, place: tuple[str, ...]) -> Problem:
    return Problem(
        f"the tenant {fence.tenant} may not read this path",
        file.location(*place),
        ".".join(place),
        received=received,
        allowed=fence.told,
        action=f"who runs the platform can add it to tenants.{fence.tenant}.paths",
    )


def require_own_file(file: RunnerFile, section: str, name: str, path: Path, at: Location) -> None:
    """Looks at a file that an entry of a tenant's own file names, before it is opened.

    Raises:
        RunnerFileError: it is outside of the tenant's folder.
    """
    tenant = file.document.owner((section, name))
    if tenant and not is_within(path, [Path(folder) for folder in _folders(file, tenant)]):
        raise RunnerFileError(
            f"the file is outside of the folder of the tenant {tenant}",
            location=at,
            field=f"{section}.{name}",
            received=path,
            allowed=", ".join(_folders(file, tenant)),
            action="put it there",
        )


def _paths(file: RunnerFile, tenant: str) -> tuple[str, ...]:
    """The folders and prefixes that the platform gives to a tenant."""
    paths = file.config.tenants[tenant].paths
    return tuple(absolute_pattern(path, file.resolve) for path in paths)


def _warehouses(file: RunnerFile, tenants: Sequence[str]) -> list[str]:
    """The files of the lake's own tables, and of those of these tenants."""
    said = [file.config.tenants[tenant].warehouse for tenant in tenants]
    found = [warehouse for warehouse in (common_warehouse(file.config), *said) if warehouse]
    return [absolute(warehouse, file.document.path.parent) for warehouse in found]


def _folders(file: RunnerFile, tenant: str) -> tuple[str, ...]:
    """The folders of the files that a tenant writes."""
    patterns = file.config.tenants[tenant].include
    base = file.document.path.parent
    return tuple(dict.fromkeys(str(fixed_folder(base, pattern)) for pattern in patterns))
