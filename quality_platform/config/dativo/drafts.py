"""Our runner.yaml in the making, where each value knows the Dativo file that it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from quality_platform.config.broken import Fault
from quality_platform.config.dativo.files import Found
from quality_platform.config.secret_text import ConfiguredSecret
from quality_platform.documents.yaml_documents import PathInDocument, YamlDocument
from quality_platform.errors import ConfigurationError, Location, Problem

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]+")


def name_of(*texts: str) -> str:
    """A name as runner.yaml has them, of texts that may hold other characters."""
    joined = "_".join(_NOT_IN_NAMES.sub("_", text).strip("_") for text in texts if text)
    return joined if joined[:1].isalpha() else f"t_{joined}".rstrip("_")


@dataclass(frozen=True)
class TranslatedDocument(YamlDocument):
    """Our runner.yaml as it would be written, with the places of Dativo's files.

    Attributes:
        origins: Where values come from, by their path here; those within them as well.
    """

    origins: Mapping[PathInDocument, Found] = field(default_factory=dict, repr=False)

    def location(self, path: Sequence[str | int] = ()) -> Location:
        """Where the value at `path` was written, or the deepest part of it that is known."""
        steps = tuple(path)
        for length in range(len(steps), -1, -1):
            if origin := self.origins.get(steps[:length]):
                return origin.document.location((*origin.path, *steps[length:]))
        return super().location(())

    def template(self, value: Any, path: PathInDocument = ()) -> Any:
        """The value at a path with its `${VAR}` as they were written, where it is as written."""
        origin = self.origins.get(path)
        if origin is not None and origin.value == value:
            return deepcopy(origin.written)
        if isinstance(value, dict):
            return {key: self.template(child, (*path, key)) for key, child in value.items()}
        return deepcopy(value) if isinstance(value, list) else value


@dataclass
class Draft:
    """What was translated so far.

    Attributes:
        data: Our runner.yaml, with every `${VAR}` replaced.
        origins: Where its values come from.
        faults: What is wrong, by the part that it breaks.
        hints: What a file says that has no effect here, and might be thought to have one.
    """

    data: dict[str, Any] = field(default_factory=dict)
    origins: dict[PathInDocument, Found] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    hints: list[Problem] = field(default_factory=list)

    def put(self, path: Sequence[str], value: Any, at: Found | None = None) -> None:
        """Sets a value, and where it comes from."""
        *holders, key = path
        node = self.data
        for step in holders:
            node = node.setdefault(step, {})
        node[key] = value
        if at is not None:
            self.origins[tuple(path)] = at

    def copy(self, path: Sequence[str], found: Found | None) -> None:
        """Sets a value as it was found; nothing where there is none."""
        if found is not None:
            self.put(path, found.value, found)

    def break_part(self, path: PathInDocument, error: ConfigurationError) -> None:
        """Takes note of what breaks the part at a path."""
        self.faults += [Fault(path, problem, type(error)) for problem in error.problems]

    def document(self, root: YamlDocument) -> TranslatedDocument:
        """The whole as a document: what is shown of it is what people wrote, no `${VAR}`'s text."""
        written = self._written(self.data, (), None)
        return TranslatedDocument(root.path, written, root._places, self.origins)

    def _written(self, value: Any, path: PathInDocument, told: Any) -> Any:
        """A value as people wrote it; `told` is what stands at its place in their file."""
        if origin := self.origins.get(path):
            told = origin.written
        if isinstance(value, dict):
            inner = told if isinstance(told, dict) else {}
            return {k: self._written(v, (*path, k), inner.get(k)) for k, v in value.items()}
        if isinstance(value, list):
            is_same = isinstance(told, list) and len(told) == len(value)
            listed = told if is_same else [None] * len(value)
            pairs = zip(value, listed, strict=True)
            return [self._written(v, (*path, n), entry) for n, (v, entry) in enumerate(pairs)]
        if told is not None and not isinstance(told, dict | list):
            return told
        return str(value) if isinstance(value, ConfiguredSecret) else value


def first(candidates: Iterable[Found | None]) -> Found | None:
    """The first of them that is there."""
    return next((found for found in candidates if found is not None), None)
