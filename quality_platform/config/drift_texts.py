"""The two sides of a drift test as texts: for people, and as options of the command line have them.

2013-01-01..2013-03-01        a period: the first day, and the first day after
tag:NAME  snapshot:ID  profile:NAME  days:28  same_weekday:4
previous_month  latest_month  new_rows  ...
"""

from __future__ import annotations

from datetime import date
from typing import Any

from quality_platform.config.drift_models import (
    CurrentName,
    ProfileReference,
    Reference,
    ReferencePeriod,
    SnapshotReference,
    TagReference,
    TrailingReference,
    WeekdayReference,
    WindowName,
)

_BEFORE: dict[WindowName, str] = {
    "previous_month": "in the month before",
    "previous_week": "in the week before",
}
_KEYS = ("tag", "snapshot", "profile", "days", "same_weekday")


def reference_text(reference: Reference) -> str:
    """Where the reference rows are, as the end of a sentence about the current ones."""
    match reference:
        case ReferencePeriod():
            return f"from {period_text(reference.start, reference.end)}"
        case TrailingReference():
            return f"in the {reference.days} days before"
        case WeekdayReference():
            return f"on the same weekday of the {reference.same_weekday} weeks before"
        case TagReference() | SnapshotReference() | ProfileReference():
            return f"in {named_text(reference)}"
        case _:
            return _BEFORE[reference]


def named_text(reference: TagReference | SnapshotReference | ProfileReference) -> str:
    """What a reference names."""
    match reference:
        case TagReference():
            return f"the tag {reference.tag!r}"
        case SnapshotReference():
            return f"snapshot {reference.snapshot}"
        case ProfileReference():
            return f"the profile {reference.profile!r}"


def period_text(start: date, end: date) -> str:
    """The days from the first to the one before `end`."""
    return f"{start} to {end} (exclusive)"


def side_of_text(text: str) -> dict[str, Any] | WindowName | CurrentName | str:
    """What runner.yaml would have for an option's text; the models judge it.

    `snapshot:7` and the like become `{snapshot: 7}`, `2013-01-01..2013-02-01` becomes a period,
    anything else stays a word.
    """
    key, colon, value = text.partition(":")
    if colon and key in _KEYS:
        return {key: value}
    start, dots, end = text.partition("..")
    return {"start": start, "end": end} if dots else text
