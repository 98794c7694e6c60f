"""Parts of a Dativo asset, read key by key: what nobody read is found at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from quality_platform.documents.suggestions import did_you_mean
from quality_platform.documents.yaml_documents import PathInDocument, YamlDocument
from quality_platform.errors import Problem


@dataclass(frozen=True)
class LeftOut:
    """Something of an asset that its contract does not say.

    `is_hint` tells whether somebody may expect that it has an effect.
    """

    path: PathInDocument
    what: str
    why: str
    is_hint: bool = False


@dataclass
class Findings:
    """What was found while an asset was read."""

    document: YamlDocument
    left_out: list[LeftOut] = field(default_factory=list)
    unknown: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, message: str, *place: str | int) -> None:
        """Takes note of something that makes the asset useless."""
        keys = ".".join(map(str, place))
        self.problems.append(Problem(message, self.document.location(place), keys))

    def unknown_key(self, part: AssetPart, key: str) -> None:
        """Takes note of a key that no asset has."""
        place, allowed = (*part.path, key), sorted(part.read)
        self.unknown.append(
            Problem(
                f"unknown key {key!r}",
                self.document.location(place),
                ".".join(map(str, place)),
                allowed=", ".join(allowed),
                action=did_you_mean(key, allowed),
            )
        )

    def unknown_type(self, part: AssetPart, written: str, allowed: list[str]) -> None:
        """Takes note of a column's type that is none; the column is taken as text."""
        place = (*part.path, "type")
        self.unknown.append(
            Problem(
                "there is no such type",
                self.document.location(place),
                ".".join(map(str, place)),
                received=written,
                allowed=", ".join(allowed),
                action=did_you_mean(written, allowed),
            )
        )


class AssetPart:
    """A mapping of an asset. Each method reads a key; `close` tells the keys that none has read."""

    def __init__(self, findings: Findings, data: Any, path: PathInDocument) -> None:
        self._findings = findings
        self.path = path
        self.read: set[str] = set()
        if data is not None and not isinstance(data, Mapping):
            findings.problem("must be a mapping of keys to values", *path)
        self.data: dict[str, Any] = dict(data) if isinstance(data, Mapping) else {}

    def take(self, key: str) -> Any:
        """The value of a key; None where there is none."""
        self.read.add(key)
        return self.data.get(key)

    def peek(self, key: str) -> list[Any]:
        """The list under a key that another reads."""
        found = self.data.get(key)
        return found if isinstance(found, list) else []

    def text(self, key: str) -> str:
        """A text, or a number as one; "" where there is none."""
        value = self.take(key)
        if isinstance(value, Mapping | list):
            self._findings.problem("must be a text", *self.path, key)
            return ""
        return "" if value is None else str(value).strip()

    def flag(self, key: str) -> bool:
        """Whether something is so."""
        value = self.take(key)
        if value is not None and not isinstance(value, bool):
            self._findings.problem("must be true or false", *self.path, key)
        return value is True

    def days(self, key: str) -> int | None:
        """A number of days; None where there is none."""
        value = self.take(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self._findings.problem("must be a number of days", *self.path, key)
            return None
        return value

    def values(self, key: str) -> list[Any]:
        """A list of plain values; [] where there is none."""
        value = self.take(key)
        if value is None:
            return []
        if not isinstance(value, list) or any(isinstance(v, Mapping | list) for v in value):
            self._findings.problem("must be a list of values", *self.path, key)
            return []
        return list(value)

    def texts(self, key: str) -> list[str]:
        """A list of texts; one text counts as a list of one."""
        if isinstance(self.data.get(key), str):
            return [self.text(key)]
        return [str(value) for value in self.values(key) if value is not None]

    def entries(self, key: str) -> list[dict[str, Any]]:
        """The mappings of a list, as written."""
        return [dict(part.data) for part in self.parts(key)]

    def part(self, key: str) -> AssetPart:
        """The mapping under a key; an empty one where there is none."""
        return AssetPart(self._findings, self.take(key), (*self.path, key))

    def parts(self, key: str) -> list[AssetPart]:
        """The mappings of the list under a key."""
        value = self.take(key)
        if value is not None and not isinstance(value, list):
            self._findings.problem("must be a list", *self.path, key)
            return []
        return [
            AssetPart(self._findings, {} if item is None else item, (*self.path, key, n))
            for n, item in enumerate(value or ())
        ]

    def drop(self, *keys: str) -> None:
        """Passes over keys of which nothing needs to be told."""
        self.read.update(keys)

    def leave(self, key: str, why: str, *, is_hint: bool = False) -> None:
        """Leaves a key out, and tells it where it says something."""
        if self.take(key) not in (None, "", [], {}):
            self._findings.left_out.append(LeftOut((*self.path, key), key, why, is_hint))

    def leave_all(self, what: str, why: str) -> None:
        """Leaves the whole part out."""
        self._findings.left_out.append(LeftOut(self.path, what, why, is_hint=True))

    def note(self, key: str, what: str) -> None:
        """Tells that a part of a key's meaning is lost."""
        left = LeftOut((*self.path, key), what, "no type here tells it", is_hint=True)
        self._findings.left_out.append(left)

    def close(self) -> None:
        """Tells the keys that nobody has read."""
        for key in self.data:
            if key not in self.read:
                self._findings.unknown_key(self, key)
