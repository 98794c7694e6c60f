"""The files that tenants write: whose they are, and what may stand in them."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from quality_platform.config.tenant_models import SEPARATOR
from quality_platform.documents.yaml_documents import PathInDocument, YamlDocument
from quality_platform.errors import Problem, RunnerFileError

TENANTS = "tenants"
SECTIONS_OF_TENANTS = ("tables", "feature_views", "training_sets", "schedules", "sensors")
"""What a tenant's file may have. Connections can lead anywhere: runner.yaml itself gives them."""


@dataclass(frozen=True)
class TenantPattern:
    """A pattern of `tenants.NAME.include`.

    Attributes:
        tenant: The tenant's name.
        path: Where the pattern stands in runner.yaml.
        pattern: It, with `${VAR}` replaced.
        folder: The folder in which all that it matches is, absolute, with links followed.
    """

    tenant: str
    path: PathInDocument
    pattern: Any
    folder: Path


def tenant_patterns(root: YamlDocument, expand: Any) -> list[TenantPattern]:
    """The patterns of all tenants; `expand` replaces the `${VAR}` of a value at a path.

    What has not the form is left to the models to tell.

    Raises:
        RunnerFileError: a folder is not a tenant's alone.
    """
    written = root.data.get(TENANTS)
    found = []
    for tenant, config in (written if isinstance(written, dict) else {}).items():
        patterns = config.get("include") if isinstance(config, dict) else None
        for n, pattern in enumerate(patterns if isinstance(patterns, list) else ()):
            path = (TENANTS, tenant, "include", n)
            text = expand(pattern, path)
            if isinstance(text, str):
                folder = fixed_folder(root.path.parent, text)
                found.append(TenantPattern(tenant, path, text, folder))
    if problems := list(_problems_of_folders(found, root)):
        raise RunnerFileError.of(problems)
    return found


def fixed_folder(base: Path, pattern: str) -> Path:
    """The folder that a path or glob cannot leave, absolute, with links followed."""
    parts: list[str] = []
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part):
            break
        parts.append(part)
    return base.joinpath(*parts).resolve()


def is_within(path: Path, folders: Sequence[Path]) -> bool:
    """Whether a path, with its links followed, is in one of these folders."""
    real = path.resolve()
    return any(real.is_relative_to(folder) for folder in folders)


def _problems_of_folders(
    patterns: Sequence[TenantPattern], root: YamlDocument
) -> Iterator[Problem]:
    for pattern in patterns:
        if root.path.resolve().is_relative_to(pattern.folder):
            yield _folder_problem(pattern, root, "the folder of runner.yaml is no tenant's")
        if ".." in Path(pattern.pattern).parts:
            yield _folder_problem(pattern, root, "a tenant's files are named without ..")
    for one, other in combinations(patterns, 2):
        if one.tenant != other.tenant and (
            one.folder.is_relative_to(other.folder) or other.folder.is_relative_to(one.folder)
        ):
            yield _folder_problem(other, root, f"the folder is also that of {one.tenant}")


def _folder_problem(pattern: TenantPattern, root: YamlDocument, message: str) -> Problem:
    return Problem(
        message,
        root.location(pattern.path),
        ".".join(map(str, pattern.path)),
        received=str(pattern.pattern),
        action="give each tenant a folder of its own, such as tenants/acme/*.yaml",
    )


def entry_problem(
    tenant: str, section: str, name: str, entry: Any, document: YamlDocument
) -> Problem | None:
    """Why an entry of a tenant's file cannot be the tenant's; None where it can."""
    said = entry.get("tenant", tenant) if isinstance(entry, dict) else tenant
    start = f"{tenant}{SEPARATOR}"
    if said != tenant:
        message, path = f"the file is that of the tenant {tenant}", (section, name, "tenant")
        return Problem(message, document.location(path), ".".join(path), repr(said), tenant)
    if not name.startswith(start):
        return Problem(
            f"names in a file of the tenant {tenant} begin with {start}",
            document.location((section, name)),
            f"{section}.{name}",
            action=f"call it {start}{name}",
        )
    return None


def marked(entry: Any, tenant: str) -> Any:
    """An entry of a tenant's file, with the tenant."""
    return {**entry, "tenant": tenant} if isinstance(entry, dict) else entry


def tenants_of_entries(data: Mapping[str, Any], sections: Sequence[str]) -> dict[Any, str]:
    """The tenant of every entry that says one, by section and name."""
    found: dict[Any, str] = {}
    for section in sections:
        entries = data.get(section)
        for name, entry in (entries if isinstance(entries, dict) else {}).items():
            tenant = entry.get("tenant") if isinstance(entry, dict) else None
            if isinstance(tenant, str):
                found[section, name] = tenant
    return found


def tenant_variables(data: Mapping[str, Any]) -> dict[str, list[str]]:
    """The environment variables that the files of each tenant may refer to."""
    tenants = data.get(TENANTS)
    found = {}
    for tenant, config in (tenants if isinstance(tenants, dict) else {}).items():
        names = config.get("variables") if isinstance(config, dict) else None
        found[tenant] = [n for n in names if isinstance(n, str)] if isinstance(names, list) else []
    return found
