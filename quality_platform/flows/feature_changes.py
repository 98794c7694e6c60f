"""What of a feature view must be computed: nothing, the time that new rows touch, or all of it.

The position of a view's table names the snapshots of its inputs, and its load id is made of them
and of the view's definition. So what the table was computed from is written in the same commit as
its rows, and the present definition is the one of then where it leads to the same load id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from quality_platform.config.feature_models import ViewIncrementalConfig
from quality_platform.config.partition_windows import Window
from quality_platform.flows.contracted_tables import FeatureTable
from quality_platform.flows.feature_windows import read_for, stretches_of, windows_of
from quality_platform.flows.judging import Pins
from quality_platform.flows.load_table import load_id_of
from quality_platform.flows.platform import Platform
from quality_platform.lake.appended import RowsSince, appended_batches, rows_since
from quality_platform.lake.catalog import Table
from quality_platform.lake.position import Position


@dataclass(frozen=True)
class Needed:
    """What must be computed.

    Attributes:
        why: Why, and what, for people.
        stretches: The stretches of event time, in order and apart from each other; () for all.
    """

    why: str
    stretches: tuple[Window, ...] = ()


class _WholeNeeded(Exception):  # noqa: N818 - it ends a search, and is no error
    """The whole view must be computed; the message says why."""


def needed(
    platform: Platform, view: FeatureTable, pins: Pins, position: Position, definition: str
) -> Needed | None:
    """What must be computed of a view whose table has this position; None for nothing.

    Raises:
        LakeError: the history of an input cannot be read.
    """
    known = {name: source.version for name, source in position.sources.items()}
    if not known:
        return Needed("Computed as a whole: nothing was computed before.")
    then = load_id_of(view.identifier, {**known, "definition": definition})
    load_ids = {source.load_id for source in position.sources.values()}
    if known.keys() != {*view.config.inputs} or load_ids != {then}:
        return Needed("Computed as a whole: the definition, its contract or its inputs changed.")
    changes = {name: _since(platform, name, known[name], pins) for name in view.config.inputs}
    if all(found.is_same for _, found in changes.values()):
        return None
    if view.config.incremental is None:
        return Needed("")
    try:
        return _grown(view.config.incremental, changes)
    except _WholeNeeded as reason:
        return Needed(f"Computed as a whole: {reason}.")


def _since(
    platform: Platform, name: str, version: str, pins: Pins
) -> tuple[Table | None, RowsSince]:
    since, head = int(version), pins.snapshots[name]
    if since == head:
        return None, RowsSince(since, head)
    table = platform.lake.table(platform.contracted(name).identifier)
    snapshot = table.snapshot_by_id(head)
    if snapshot is None:
        return table, RowsSince(since, head, broken=f"snapshot {head} is gone")
    return table, rows_since(table, snapshot, since)


def _grown(
    config: ViewIncrementalConfig,
    changes: dict[str, tuple[Table | None, RowsSince]],
) -> Needed:
    touched: set[datetime] = set()
    for name, (table, found) in changes.items():
        if found.broken:
            raise _WholeNeeded(f"of {name}, {found.broken}")
        if found.is_same:
            continue
        if name not in config.times:
            raise _WholeNeeded(f"{name} has new rows, and no time in `incremental.times`")
        assert table is not None
        touched |= _windows_of_new_rows(name, table, found, config)
    stretches = _stretches(touched, config)
    label = ", ".join(stretch.key for stretch in stretches[:3])
    more = f" and {len(stretches) - 3} more" if len(stretches) > 3 else ""
    names = ", ".join(name for name, (_, found) in changes.items() if found.added)
    return Needed(f"Computed for new rows of {names}: {label}{more}.", stretches)


def _stretches(touched: set[datetime], config: ViewIncrementalConfig) -> tuple[Window, ...]:
    try:
        stretches = stretches_of(touched, config)
        for stretch in stretches:
            # What they need to read may be before all calendars.
            read_for(stretch, config)
    except (OverflowError, ValueError):
        raise _WholeNeeded("new rows are at times beyond all calendars") from None
    return stretches


def _windows_of_new_rows(
    name: str, table: Table, found: RowsSince, config: ViewIncrementalConfig
) -> set[datetime]:
    """The first moments of the windows that the new rows are in, by the clock of the time zone."""
    column, windows = config.times[name], set[datetime]()
    for batch in appended_batches(table, found, [column]):
        values = batch.column(column)
        if values.null_count:
            raise _WholeNeeded(f"{name} has new rows without {column!r}")
        try:
            windows.update(windows_of(values, config))
        except (OverflowError, ValueError):
            raise _WholeNeeded(f"{name} has new rows at times beyond all calendars") from None
    return windows
