"""The source position of a table: which files, in which version, its rows come from.

It stands in a property of the Iceberg table and is written in the same transaction as the data, so
that the two can never disagree.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

PROPERTY = "quality-platform.position"


@dataclass(frozen=True)
class IngestedFile:
    """One version of a file whose rows were published; `load_id` and `attempt` tell by which load."""

    size: int
    sha256: str
    load_id: str
    attempt: str


@dataclass(frozen=True)
class Position:
    """Files by their name below the source's folder, and every attempt that was ever committed."""

    files: Mapping[str, IngestedFile] = field(default_factory=dict, hash=False)
    attempts: tuple[str, ...] = ()

    @classmethod
    def of(cls, properties: Mapping[str, str]) -> Position:
        """The position that a table's properties hold; an empty one when they hold none."""
        if PROPERTY not in properties:
            return cls()
        stored = json.loads(properties[PROPERTY])
        files = {name: IngestedFile(**entry) for name, entry in stored["files"].items()}
        return cls(files, tuple(stored["attempts"]))

    def advanced(
        self, files: Mapping[str, IngestedFile], attempt: str, *, replace: bool
    ) -> Position:
        """The position after a load of these files; `replace` forgets the files before them."""
        kept = {} if replace else dict(self.files)
        return Position({**kept, **files}, (*self.attempts, attempt))

    def as_properties(self) -> dict[str, str]:
        """The table property that stores this position."""
        files = {name: vars(entry) for name, entry in sorted(self.files.items())}
        stored = {"files": files, "attempts": list(self.attempts)}
        return {PROPERTY: json.dumps(stored, separators=(",", ":"))}
