"""How large tables and their quarantines are, by the metadata of the lake."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial

from quality_platform.flows.own_warehouses import looked_at
from quality_platform.flows.platform import Platform
from quality_platform.flows.publishing import audit_branches
from quality_platform.lake import commits
from quality_platform.lake.catalog import Table
from quality_platform.lake.position import Position
from quality_platform.lake.reading import (
    batches_of,
    published_snapshot,
    rows_of,
    snapshot_of,
    summary_of,
)

LOGGER = "quality_platform.metrics"
"""The logger that is told what could not be read."""

SHARE = 20
"""Each look goes at least to one of so many tables: upkeep changes them too, and tells nobody."""


@dataclass(frozen=True)
class TableSize:
    """What is published of a table and what is held back.

    `held` names the state of the quarantine that `quarantined` was counted in.
    """

    rows: int = 0
    bytes: int = 0
    quarantined: int = 0
    blocked: int = 0
    held: tuple[int | None, int] = (None, 0)


@dataclass(frozen=True)
class Place:
    """Where a table is in the lake, and its quarantine."""

    identifier: str
    quarantine_identifier: str


class TableSizes:
    """The sizes of tables by their names, looked at again where something happened.

    To look at a table is to ask the catalog for it and for its quarantine (milliseconds each), so
    that a look at all of a thousand would take seconds. Of the tables to which nothing happened,
    one in `SHARE` is looked at each time, in turn.
    """

    def __init__(self, platform: Platform, places: Mapping[str, Place]) -> None:
        self._platform = platform
        self._places = places
        self._waiting = list(places)
        self.sizes: dict[str, TableSize] = {}

    def refresh(self, changed: Collection[str]) -> None:
        """Looks at the tables that have changed, at those never looked at, and at some others.

        Raises:
            LakeError: the lake cannot be used.
        """
        turn = math.ceil(len(self._waiting) / SHARE)
        wanted = [name for name in self._places if name in changed or name not in self.sizes]
        wanted += self._waiting[:turn]
        for name in dict.fromkeys(wanted):
            self._look_at(name, self._places[name])
        self._waiting = self._waiting[turn:] + self._waiting[:turn]

    def _look_at(self, name: str, place: Place) -> None:
        """Of a table whose tenant's warehouse cannot be read, no size is known."""
        before = self.sizes.pop(name, TableSize())
        look = partial(self._size, place, before)
        found = looked_at(self._platform.runner, place.identifier, look)
        if isinstance(found, TableSize):
            self.sizes[name] = found
        else:
            logging.getLogger(LOGGER).error("%s", found)

    def _size(self, place: Place, before: TableSize) -> TableSize:
        main = self._platform.lake.find_table(place.identifier)
        if main is None:
            return TableSize()
        snapshot = published_snapshot(main)
        summary = summary_of(snapshot) if snapshot else {}
        held = self._platform.lake.find_table(place.quarantine_identifier)
        state, quarantined = _quarantined(main, held, before)
        return TableSize(
            rows=rows_of(snapshot),
            bytes=int(summary.get("total-files-size", 0)),
            quarantined=quarantined,
            blocked=len(audit_branches(main)),
            held=state,
        )


def _quarantined(
    main: Table, held: Table | None, before: TableSize
) -> tuple[tuple[int | None, int], int]:
    """The rows of attempts that were committed; counted only where one of the two has changed."""
    if held is None:
        return (None, 0), 0
    snapshot = snapshot_of(held)
    attempts = Position.of(main.properties).attempts
    state = (snapshot.snapshot_id if snapshot else None, hash(tuple(attempts)))
    if state == before.held:
        return state, before.quarantined
    batches = batches_of(held, state[0], columns=("_attempt",))
    return state, sum(commits.of_attempts(batch, attempts).num_rows for batch in batches)
