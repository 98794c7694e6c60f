"""The source position of a table: which versions of which sources its rows come from.

It stands in a property of the Iceberg table and is written in the same transaction as the data, so
that the two can never disagree.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

PROPERTY = "quality-platform.position"


@dataclass(frozen=True)
class SourceVersion:
    """One version of a source whose rows were published, and the load and attempt that did it.

    `version` is a file's SHA-256 or a table's snapshot id.
    """

    version: str
    load_id: str
    attempt: str


@dataclass(frozen=True)
class Position:
    """The sources by name, and every attempt that was ever committed."""

    sources: Mapping[str, SourceVersion] = field(default_factory=dict, hash=False)
    attempts: tuple[str, ...] = ()

    @classmethod
    def of(cls, properties: Mapping[str, str]) -> Position:
        """The position that a table's properties hold; an empty one when they hold none."""
        if PROPERTY not in properties:
            return cls()
        stored = json.loads(properties[PROPERTY])
        sources = {name: SourceVersion(**entry) for name, entry in stored["sources"].items()}
        return cls(sources, tuple(stored["attempts"]))

    def advanced(
        self, versions: Mapping[str, str], load_id: str, attempt: str, *, replace: bool
    ) -> Position:
        """The position after a load of these versions; `replace` forgets the sources before."""
        kept = {} if replace else dict(self.sources)
        new = {name: SourceVersion(v, load_id, attempt) for name, v in versions.items()}
        return Position({**kept, **new}, (*self.attempts, attempt))

    def as_properties(self) -> dict[str, str]:
        """The table property that stores this position."""
        sources = {name: vars(entry) for name, entry in sorted(self.sources.items())}
        stored = {"sources": sources, "attempts": list(self.attempts)}
        return {PROPERTY: json.dumps(stored, separators=(",", ":"))}
