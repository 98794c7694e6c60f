"""A table of orders some of which are held back, and what is done with those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from support.project import Columns, Project, column_of, csv_text, integer, key

from quality_platform.flows.decisions import Decision
from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform
from quality_platform.flows.replay import (
    Replay,
    ReplayOutcome,
    discard_rows,
    release_rows,
    replay_table,
)
from quality_platform.flows.replay_selection import Selection
from quality_platform.flows.table_status import quarantined_rows

BECAUSE = Decision("Grace", "the shop has confirmed them")


def orders(maximum: int = 10, **more: Any) -> dict[str, Mapping[str, Any]]:
    """The columns of a table of orders, whose amounts have a maximum."""
    return {
        "id": key(integer()),
        "amount": integer(logicalTypeOptions={"maximum": maximum}),
        **more,
    }


def deliver(project: Project, file: str, *rows: Sequence[object], header: str = "") -> None:
    """Puts a file of orders into the landing folder."""
    project.deliver(f"orders/{file}.csv", csv_text(header or "id,amount", rows))


def loaded(project: Project, columns: Columns | None = None, **more: Any) -> Platform:
    """The platform after a load of the orders that were delivered."""
    platform = project.table("orders", columns or orders(), **more).open()
    load_table(platform, "orders", "first run")
    return platform


def changed(project: Project, columns: Columns, **more: Any) -> Platform:
    """The platform once the contract of the orders has changed."""
    return project.table("orders", columns, version="1.1.0", **more).open()


def replayed(platform: Platform, run_id: str = "replay", **selected: str) -> ReplayOutcome:
    """What a replay of the orders does."""
    return replay_table(Replay(platform, "orders", run_id, Selection(**selected)))


def released(platform: Platform, run_id: str = "release", **selected: str) -> ReplayOutcome:
    """What a release of the orders does."""
    return release_rows(Replay(platform, "orders", run_id, Selection(**selected)), BECAUSE)


def discarded(platform: Platform, run_id: str = "discard", **selected: str) -> ReplayOutcome:
    """What a discard of the orders does."""
    return discard_rows(Replay(platform, "orders", run_id, Selection(**selected)), BECAUSE)


def held(platform: Platform, column: str = "id") -> list[Any]:
    """A column of the quarantined orders that count, sorted."""
    return sorted(row[column] for row in quarantined_rows(platform, "orders"))


def ids(platform: Platform) -> list[int]:
    """The published orders."""
    return column_of(platform, "shop.orders", "id")
