"""What the parts of a tenant may reach outside of runner.yaml: files, and other tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from quality_platform.config.feature_models import FeatureViewConfig
from quality_platform.config.loading import RunnerFile
from quality_platform.config.models import TableConfig
from quality_platform.config.tenant_files import fixed_folder, is_within
from quality_platform.config.tenant_references import may_read
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
    config = file.config.tables[name]
    if not config.tenant:
        return NO_FENCE
    said = _paths(file, config.tenant)
    own = said or _folders(file, config.tenant)
    is_fenced = said or file.document.owner(("tables", name))
    others = [t for t in file.config.tenants if t != config.tenant]
    outside = [folder for t in others for folder in (*_paths(file, t), *_folders(file, t))]
    return Fence(config.tenant, own if is_fenced else None, tuple(outside))


def fence_problem(file: RunnerFile, table: SourceTable) -> Problem | None:
    """What a source's path says that its tenant may not read; None where it says nothing such."""
    if not table.source_pattern or table.fence.allows_pattern(table.source_pattern):
        return None
    path = ("tables", table.name, "source", "path")
    return Problem(
        f"the tenant {table.tenant} may not read this path",
        file.location(*path),
        ".".join(path),
        received=table.source_pattern,
        allowed=table.fence.told,
        action=f"who runs the platform can add it to tenants.{table.tenant}.paths",
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


def most_rows_of(file: RunnerFile, tenant: str) -> int | None:
    """How many rows a load of a tenant's may have; None for any number."""
    return file.config.tenants[tenant].max_rows_per_load if tenant else None


def _paths(file: RunnerFile, tenant: str) -> tuple[str, ...]:
    """The folders and prefixes that the platform gives to a tenant."""
    paths = file.config.tenants[tenant].paths
    return tuple(absolute_pattern(path, file.resolve) for path in paths)


def _folders(file: RunnerFile, tenant: str) -> tuple[str, ...]:
    """The folders of the files that a tenant writes."""
    patterns = file.config.tenants[tenant].include
    base = file.document.path.parent
    return tuple(dict.fromkeys(str(fixed_folder(base, pattern)) for pattern in patterns))
