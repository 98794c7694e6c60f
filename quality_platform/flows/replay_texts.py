"""What became of quarantined rows, in words."""

from __future__ import annotations

from collections.abc import Iterator

from quality_platform.flows.replay import ReplayOutcome

_COUNTS = {
    "rows_published": "published",
    "rows_updated": "of these took the place of another row",
    "rows_unchanged": "the table had already",
    "rows_superseded": "superseded by a newer row",
    "rows_deleted": "rows of the table deleted",
    "rows_discarded": "discarded",
    "rows_held": "stay in quarantine",
}


def told(outcome: ReplayOutcome) -> Iterator[str]:
    """The outcome in lines."""
    if outcome.state == "blocked":
        yield f"{outcome.table}: nothing was changed, because checks could not run"
        yield from (f"  {error}" for error in outcome.errors)
        return
    if outcome.state == "nothing_selected":
        yield f"{outcome.table}: no quarantined row was selected"
    else:
        tried = " (dry run: nothing was changed)" if outcome.state == "planned" else ""
        yield f"{outcome.table}: {outcome.rows_selected:,} quarantined rows{tried}"
        for name, words in _COUNTS.items():
            if number := getattr(outcome, name):
                yield f"  {number:,} {words}"
        for check, rows in outcome.broken:
            yield f"    {check}: {rows:,}"
    if outcome.rows_outdated:
        yield f"  {outcome.rows_outdated:,} more were read again by a later load: discard them"
