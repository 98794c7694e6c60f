"""What the load modes must do, in dictionaries: slow, plain and independent of the platform."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

Row = tuple[int | None, int | None, str | None, bool]
"""Key, order, name (None is a quality failure), and whether the row only deletes."""


@dataclass
class NaiveTable:
    """A table that is merged by key: the row of each, and the versions that have ended.

    `versions` has (key, order, name, ended by the order) of all rows that were ever published.
    """

    ordered: bool
    rows: dict[int, tuple[int | None, str]] = field(default_factory=dict)
    versions: list[list[object]] = field(default_factory=list)
    held: int = 0

    def load(self, batch: Sequence[Row], *, whole: bool = False) -> dict[str, int]:
        """Loads rows in their order; what became of them."""
        counts = dict.fromkeys(
            ("published", "updated", "unchanged", "superseded", "deleted", "quarantined"), 0
        )
        winners: dict[int, Row] = {}
        present: set[int] = set()
        for row in batch:
            key, order, name, deletes = row
            if key is not None:
                present.add(key)
            if key is None or (name is None and not deletes):
                counts["quarantined"] += 1
                continue
            before = winners.get(key)
            if before is not None:
                counts["superseded"] += 1
            if before is None or not self._is_older(order, before[1]):
                winners[key] = row
        for key, (_, order, name, deletes) in winners.items():
            self._settle(key, order, name, deletes, counts)
        if whole:
            for key in [key for key in self.rows if key not in present]:
                self._end(key)
                counts["deleted"] += 1
        return counts

    def _is_older(self, order: int | None, other: int | None) -> bool:
        if not self.ordered or other is None:
            return False
        return order is None or order < other

    def _settle(
        self, key: int, order: int | None, name: str | None, deletes: bool, counts: dict[str, int]
    ) -> None:
        there = self.rows.get(key)
        is_late = there is not None and self._is_older(order, there[0])
        if is_late or (deletes and there is None):
            counts["superseded"] += 1
        elif deletes:
            self._end(key)
            counts["deleted"] += 1
        elif there == (order, name):
            counts["unchanged"] += 1
        else:
            assert name is not None
            counts["updated"] += there is not None
            counts["published"] += 1
            if there is not None:
                self._end(key)
            self.rows[key] = (order, name)
            self.versions.append([key, order, name, False])

    def _end(self, key: int) -> None:
        for version in self.versions:
            if version[0] == key and not version[3]:
                version[3] = True
        del self.rows[key]
