"""The files that runner.yaml includes: parts of it that stand elsewhere."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quality_platform.config.broken import INCLUDE, NAMED_SECTIONS, Fault
from quality_platform.config.environment import Expansion
from quality_platform.config.models import RunnerConfig
from quality_platform.config.secret_text import SecretBinding
from quality_platform.config.tenant_files import (
    SECTIONS_OF_TENANTS,
    TENANTS,
    TenantPattern,
    entry_problem,
    is_within,
    marked,
    tenant_patterns,
)
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.documents.yaml_documents import (
    MergedDocument,
    PathInDocument,
    YamlDocument,
    load_yaml,
)
from quality_platform.errors import (
    ConfigurationError,
    EnvironmentVariableError,
    Problem,
    RunnerFileError,
)


def merged_document(
    path: Path, variables: Mapping[str, str], more: Sequence[YamlDocument] = ()
) -> tuple[YamlDocument, list[Fault]]:
    """runner.yaml with what it includes, as one document, and what is wrong with included files.

    `more` are documents that are read as if they were included.

    An included file that cannot be read breaks nothing but itself. What two files define is broken:
    nobody knows which of them is meant.

    Raises:
        ConfigurationError: runner.yaml itself cannot be read.
        RunnerFileError: it is no mapping, or its `include` leads nowhere.
        EnvironmentVariableError: a `${VAR}` of `include` has neither a value nor a default.
    """
    root = load_yaml(path)
    if not isinstance(root.data, dict):
        raise RunnerFileError(
            "the file must be a mapping with the key `tables`", location=root.location()
        )
    expansion = Expansion(root, variables, SecretBinding())
    patterns = tenant_patterns(root, expansion.value)
    if INCLUDE not in root.data and not more and not patterns:
        return root, []
    named = _named_patterns(root, expansion) if INCLUDE in root.data else []
    if expansion.unset:
        raise EnvironmentVariableError.of(problem for _, problem in expansion.unset)
    faults: list[Fault] = []
    files = _files_of_tenants(patterns, root, faults)
    theirs = {file.path.resolve() for file in files}
    files += [
        _IncludedFile(found)
        for n, pattern in enumerate(named)
        for found in _matching(root, (INCLUDE, n), pattern)
        if found.resolve() not in theirs
    ]
    unique = {file.path.resolve(): file for file in reversed(files)}
    documents = _documents([*reversed(unique.values())], root, faults)
    included = [*documents, *((_IncludedFile(document.path), document) for document in more)]
    return _merged(root, included, faults), faults


@dataclass(frozen=True)
class _IncludedFile:
    """A file that is read as a part of runner.yaml; `tenant` is "" where it is no tenant's."""

    path: Path
    tenant: str = ""

    @property
    def sections(self) -> tuple[str, ...]:
        """What it may have."""
        of_others = tuple(section for section in NAMED_SECTIONS if section != TENANTS)
        return SECTIONS_OF_TENANTS if self.tenant else of_others


def _named_patterns(root: YamlDocument, expansion: Expansion) -> list[Any]:
    """The patterns of `include`."""
    patterns = root.data[INCLUDE]
    if not isinstance(patterns, list) or not all(isinstance(p, str) for p in patterns):
        raise RunnerFileError(
            "must be a list of paths or globs",
            location=root.location((INCLUDE,)),
            field=INCLUDE,
            allowed="[tables/*.yaml, teams/**/runner.yaml]",
        )
    found: list[Any] = expansion.value(patterns, (INCLUDE,))
    return found


def _files_of_tenants(
    patterns: Sequence[TenantPattern], root: YamlDocument, faults: list[Fault]
) -> list[_IncludedFile]:
    """The files of tenants. One that is a link out of its tenant's folder is among the faults."""
    found = []
    for pattern in patterns:
        try:
            matching = _matching(root, pattern.path, pattern.pattern)
        except RunnerFileError as error:
            # A tenant without files stops no other.
            faults += [Fault(pattern.path, problem) for problem in error.problems]
            continue
        for file in matching:
            if is_within(file, [pattern.folder]):
                found.append(_IncludedFile(file, pattern.tenant))
                continue
            problem = Problem(
                f"the file is a link out of the folder of the tenant {pattern.tenant}",
                root.location(pattern.path),
                ".".join(map(str, pattern.path)),
                received=str(file),
                action="put the file itself there",
            )
            faults.append(Fault(_name(file, root), problem))
    return found


def _matching(root: YamlDocument, path: PathInDocument, pattern: Any) -> list[Path]:
    if not isinstance(pattern, str):
        raise _refused(root, path, pattern, "a secret cannot stand here: it would be shown")
    folder = root.path.parent
    # As a shell does it: links are followed, and what begins with a dot, such as .git, is left out.
    names = glob.glob(str(folder / pattern), recursive=True)  # noqa: PTH207
    found = [Path(name) for name in sorted(names)]
    files = [file for file in found if file.is_file()]
    others = [file for file in files if not file.samefile(root.path)]
    if not files:
        raise _refused(
            root,
            path,
            pattern,
            "there is no such file to include",
            received=str(folder / pattern),
            action="correct the path; it is relative to the folder of this file",
        )
    if not others and not glob.has_magic(pattern):
        raise _refused(root, path, pattern, "the file includes itself")
    return others


def _refused(
    root: YamlDocument,
    path: PathInDocument,
    pattern: Any,
    message: str,
    received: str = "",
    action: str = "leave it out",
) -> RunnerFileError:
    return RunnerFileError(
        message,
        location=root.location(path),
        field=".".join(map(str, path)),
        received=received or str(pattern),
        action=action,
    )


def _documents(
    files: Sequence[_IncludedFile], root: YamlDocument, faults: list[Fault]
) -> Iterator[tuple[_IncludedFile, YamlDocument]]:
    """The included files; one that cannot be read is among the faults."""
    for file in files:
        try:
            document = load_yaml(file.path)
        except ConfigurationError as error:
            faults += [Fault(_name(file.path, root), problem) for problem in error.problems]
            continue
        problems = list(_problems(file, document, root))
        for problem in problems:
            faults.append(Fault(_name(file.path, root), problem))
        if isinstance(document.data, dict):
            # Its entries are broken with it: what was meant for all of them is not understood.
            parts = [part for part in _parts(document) if _is_fit(file, part, document)]
            faults += [Fault(part, p) for part in parts for p in problems]
            yield file, document


def _is_fit(file: _IncludedFile, part: tuple[str, str], document: YamlDocument) -> bool:
    """Whether an entry can be one of its file's: no file speaks for another tenant."""
    return part[0] in file.sections and (
        not file.tenant
        or entry_problem(file.tenant, *part, document.data[part[0]][part[1]], document) is None
    )


def _name(file: Path, root: YamlDocument) -> PathInDocument:
    """The path of a file as a part of runner.yaml."""
    folder = root.path.parent
    return INCLUDE, str(file.relative_to(folder) if file.is_relative_to(folder) else file)


def _problems(file: _IncludedFile, document: YamlDocument, root: YamlDocument) -> Iterator[Problem]:
    """What an included file has that is none of its business."""
    if not isinstance(document.data, dict):
        yield Problem(
            "an included file must be a mapping of sections",
            document.location(),
            allowed=", ".join(file.sections),
        )
        return
    for key, value in document.data.items():
        if key not in file.sections:
            is_known = key in RunnerConfig.model_fields
            yield Problem(
                f"{key!r} stands in the file that includes, and only there"
                if is_known
                else f"unknown key {key!r}",
                document.location((key,)),
                key,
                allowed=", ".join(file.sections),
                action=f"move it to {root.path.name}"
                if is_known
                else did_you_mean(key, file.sections),
            )
        elif not isinstance(value, dict):
            yield Problem("must be a mapping of keys to values", document.location((key,)), key)
        elif file.tenant:
            found = (entry_problem(file.tenant, key, n, e, document) for n, e in value.items())
            yield from (problem for problem in found if problem is not None)


def _parts(document: YamlDocument) -> Iterator[tuple[str, str]]:
    for section, entries in document.data.items():
        if section in NAMED_SECTIONS and isinstance(entries, dict):
            yield from ((section, name) for name in entries)


def _merged(
    root: YamlDocument,
    included: Sequence[tuple[_IncludedFile, YamlDocument]],
    faults: list[Fault],
) -> MergedDocument:
    data = {key: dict(v) if isinstance(v, dict) else v for key, v in root.data.items()}
    data.setdefault("tables", {})
    parts: dict[PathInDocument, YamlDocument] = {}
    owners: dict[PathInDocument, str] = {}
    for file, document in included:
        for part in _parts(document):
            section, name = part
            entries = data.setdefault(section, {})
            if not isinstance(entries, dict) or not _is_fit(file, part, document):
                # The root's own mistake, told when it is validated; or the file's, told already.
                continue
            if name in entries:
                faults += _twice(part, parts.get(part, root), document)
                continue
            entry = document.data[section][name]
            entries[name] = marked(entry, file.tenant) if file.tenant else entry
            parts[part] = document
            if file.tenant:
                owners[part] = file.tenant
    return MergedDocument.of(root, data, parts, owners)


def _twice(part: PathInDocument, first: YamlDocument, again: YamlDocument) -> Iterator[Fault]:
    name = ".".join(str(step) for step in part)
    for here, there in ((first, again), (again, first)):
        yield Fault(
            part,
            Problem(
                f"{name} is defined twice, here and in {there.location(part)}",
                here.location(part),
                name,
                action="rename one of them, or take one out",
            ),
        )
