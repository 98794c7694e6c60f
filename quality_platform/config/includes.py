"""The files that runner.yaml includes: parts of it that stand elsewhere."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from quality_platform.config.broken import INCLUDE, NAMED_SECTIONS, Fault
from quality_platform.config.environment import Expansion
from quality_platform.config.models import RunnerConfig
from quality_platform.config.secret_text import SecretBinding
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
    if INCLUDE not in root.data and not more:
        return root, []
    faults: list[Fault] = []
    files = _included_files(root, variables) if INCLUDE in root.data else []
    included = [*_documents(files, root, faults), *more]
    return _merged(root, included, faults), faults


def _included_files(root: YamlDocument, variables: Mapping[str, str]) -> list[Path]:
    """The files that the patterns of `include` name, each once, in their order."""
    patterns = root.data[INCLUDE]
    if not isinstance(patterns, list) or not all(isinstance(p, str) for p in patterns):
        raise RunnerFileError(
            "must be a list of paths or globs",
            location=root.location((INCLUDE,)),
            field=INCLUDE,
            allowed="[tables/*.yaml, teams/**/runner.yaml]",
        )
    expansion = Expansion(root, variables, SecretBinding())
    expanded = expansion.value(patterns, (INCLUDE,))
    if expansion.unset:
        raise EnvironmentVariableError.of(problem for _, problem in expansion.unset)
    found: dict[Path, Path] = {}
    for n, pattern in enumerate(expanded):
        for file in _matching(root, n, pattern):
            found.setdefault(file.resolve(), file)
    return list(found.values())


def _matching(root: YamlDocument, n: int, pattern: Any) -> list[Path]:
    if not isinstance(pattern, str):
        raise _refused(root, n, "a secret cannot stand here: it would be shown")
    folder = root.path.parent
    # As a shell does it: links are followed, and what begins with a dot, such as .git, is left out.
    names = glob.glob(str(folder / pattern), recursive=True)  # noqa: PTH207
    found = [Path(name) for name in sorted(names)]
    files = [file for file in found if file.is_file()]
    others = [file for file in files if not file.samefile(root.path)]
    if not files:
        raise _refused(
            root,
            n,
            "there is no such file to include",
            received=str(folder / pattern),
            action="correct the path; it is relative to the folder of this file",
        )
    if not others and not glob.has_magic(pattern):
        raise _refused(root, n, "the file includes itself")
    return others


def _refused(
    root: YamlDocument, n: int, message: str, received: str = "", action: str = "leave it out"
) -> RunnerFileError:
    return RunnerFileError(
        message,
        location=root.location((INCLUDE, n)),
        field=f"{INCLUDE}.{n}",
        received=received or str(root.data[INCLUDE][n]),
        action=action,
    )


def _documents(
    files: list[Path], root: YamlDocument, faults: list[Fault]
) -> Iterator[YamlDocument]:
    """The included files; one that cannot be read is among the faults."""
    for file in files:
        try:
            document = load_yaml(file)
        except ConfigurationError as error:
            faults += [Fault(_name(file, root), problem) for problem in error.problems]
            continue
        problems = list(_problems(document, root))
        for problem in problems:
            faults.append(Fault(_name(file, root), problem))
        if isinstance(document.data, dict):
            # Its entries are broken with it: what was meant for all of them is not understood.
            faults += [Fault(part, p) for part in _parts(document) for p in problems]
            yield document


def _name(file: Path, root: YamlDocument) -> PathInDocument:
    """The path of a file as a part of runner.yaml."""
    folder = root.path.parent
    return INCLUDE, str(file.relative_to(folder) if file.is_relative_to(folder) else file)


def _problems(document: YamlDocument, root: YamlDocument) -> Iterator[Problem]:
    """What an included file has that is none of its business."""
    if not isinstance(document.data, dict):
        yield Problem(
            "an included file must be a mapping of sections",
            document.location(),
            allowed=", ".join(NAMED_SECTIONS),
        )
        return
    for key, value in document.data.items():
        if key not in NAMED_SECTIONS:
            is_known = key in RunnerConfig.model_fields
            yield Problem(
                f"{key!r} stands in the file that includes, and only there"
                if is_known
                else f"unknown key {key!r}",
                document.location((key,)),
                key,
                allowed=", ".join(NAMED_SECTIONS),
                action=f"move it to {root.path.name}"
                if is_known
                else did_you_mean(key, NAMED_SECTIONS),
            )
        elif not isinstance(value, dict):
            yield Problem("must be a mapping of keys to values", document.location((key,)), key)


def _parts(document: YamlDocument) -> Iterator[tuple[str, str]]:
    for section, entries in document.data.items():
        if section in NAMED_SECTIONS and isinstance(entries, dict):
            yield from ((section, name) for name in entries)


def _merged(
    root: YamlDocument, included: list[YamlDocument], faults: list[Fault]
) -> MergedDocument:
    data = {key: dict(v) if isinstance(v, dict) else v for key, v in root.data.items()}
    data.setdefault("tables", {})
    parts: dict[PathInDocument, YamlDocument] = {}
    for document in included:
        for section, name in _parts(document):
            entries = data.setdefault(section, {})
            if not isinstance(entries, dict):
                # The root's own mistake, told when it is validated.
                continue
            if name in entries:
                first = parts.get((section, name), root)
                faults += _twice((section, name), first, document)
            else:
                entries[name] = document.data[section][name]
                parts[section, name] = document
    return MergedDocument.of(root, data, parts)


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
