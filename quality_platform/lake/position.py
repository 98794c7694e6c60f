"""The source position of a table: which versions of which sources its rows come from.

It stands in a property of the Iceberg table and is written in the same transaction as the data, so
that the two can never disagree.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

PROPERTY = "quality-platform.position"


@dataclass(frozen=True)
class SourceVersion:
    """One version of a source whose rows were published, and the load and attempt that did it.

    `version` is a file's checksum or a table's snapshot id. `stamp` tells the version without the
    source being read, where that can be: a file's size and time; "" where it cannot.
    """

    version: str
    load_id: str
    attempt: str
    stamp: str = ""


@dataclass(frozen=True)
class Position:
    """The sources by name, and what was ever committed.

    Attributes:
        sources: What the table's rows come from.
        attempts: The attempts that were committed and held rows back: their rows in the
            quarantine count. The property grows; others need not be known.
        loads: How many attempts were committed.
        outdated: SQL over the quarantine, true for held rows in whose place a later load read the
            source again: they count, but must never be published beside it. "" for none.
    """

    sources: Mapping[str, SourceVersion] = field(default_factory=dict, hash=False)
    attempts: tuple[str, ...] = ()
    loads: int = 0
    outdated: str = ""

    @classmethod
    def of(cls, properties: Mapping[str, str]) -> Position:
        """The position that a table's properties hold; an empty one when they hold none."""
        if PROPERTY not in properties:
            return cls()
        stored = json.loads(properties[PROPERTY])
        sources = {name: SourceVersion(**entry) for name, entry in stored["sources"].items()}
        attempts = tuple(stored["attempts"])
        # Positions of before loads were counted name every attempt.
        loads, outdated = stored.get("loads", len(attempts)), stored.get("outdated", "")
        return cls(sources, attempts, loads, outdated)

    @property
    def known_attempts(self) -> frozenset[str]:
        """The attempts that the position still names."""
        return frozenset(self.attempts) | {entry.attempt for entry in self.sources.values()}

    @property
    def is_of_a_load(self) -> bool:
        """Whether anything was ever published."""
        return bool(self.loads or self.attempts)

    def advanced(
        self,
        versions: Mapping[str, str],
        load_id: str,
        attempt: str,
        *,
        replace: bool,
        stamps: Mapping[str, str] = MappingProxyType({}),
        held: bool = True,
    ) -> Position:
        """The position after an attempt that published these versions, with their stamps.

        `replace` forgets the sources before; `held` says whether rows went into quarantine.
        """
        kept = {} if replace else dict(self.sources)
        new = {
            name: SourceVersion(version, load_id, attempt, stamps.get(name, ""))
            for name, version in versions.items()
        }
        attempts = (*self.attempts, attempt) if held else self.attempts
        return Position({**kept, **new}, attempts, self.loads + 1, self.outdated)

    def outdating(self, before: datetime, condition: str = "") -> Position:
        """The position once rows that were held before a moment were read again.

        `condition` is SQL that tells which of them, by the contract's columns; "" for all.
        """
        earlier = f"_quarantined_at < TIMESTAMPTZ '{before.isoformat()}'"
        if not condition:
            return replace(self, outdated=earlier)
        parts = [self.outdated, f"({earlier} AND ({condition}))"]
        return replace(self, outdated=" OR ".join(part for part in parts if part))

    def replayed(self, gone: Collection[str], attempt: str) -> Position:
        """The position after one attempt ("" for none) took over the held rows of others."""
        kept = tuple(known for known in self.attempts if known not in gone)
        return replace(self, attempts=(*kept, attempt) if attempt else kept)

    def as_properties(self) -> dict[str, str]:
        """The table property that stores this position."""
        sources = {
            name: {key: value for key, value in vars(entry).items() if value or key != "stamp"}
            for name, entry in sorted(self.sources.items())
        }
        stored = {"sources": sources, "attempts": list(self.attempts), "loads": self.loads}
        if self.outdated:
            stored["outdated"] = self.outdated
        return {PROPERTY: json.dumps(stored, separators=(",", ":"))}
