"""What upkeep did, in words: for the terminal and for Dagster."""

from __future__ import annotations

from quality_platform.flows.maintain import Upkeep
from quality_platform.lake.maintenance.expiry import Expiry


def told(upkeep: Upkeep) -> list[tuple[str, str]]:
    """The tasks that had something to do, with what they did."""
    found = [
        ("tags", _tags_text(upkeep)),
        ("retention", _retention_text(upkeep)),
        ("purge", _purge_text(upkeep)),
        ("compact", _compaction_text(upkeep)),
        ("expire", _expiry_text(upkeep)),
        ("orphans", _orphans_text(upkeep)),
        *((task, "gave way to a load: try again later") for task in upkeep.gave_way),
    ]
    if upkeep.error is not None:
        found.append(("failed", upkeep.error.problems[0].message))
    return [(task, text) for task, text in found if text] or [("", "nothing to do")]


def _tags_text(upkeep: Upkeep) -> str:
    done = upkeep.tags
    if done is None:
        return ""
    expired = [f"versions expired: {', '.join(done.versions)}"] if done.versions else []
    orphaned = [f"{len(done.pins)} pins of attempts that died"] if done.pins else []
    return "; ".join([*expired, *orphaned])


def _retention_text(upkeep: Upkeep) -> str:
    done = upkeep.retention
    if done is None or not (done.rows or done.history.snapshots or done.waiting):
        return ""
    touched = f"{done.rows:,} rows; {done.files_dropped} files dropped, "
    text = f"{touched}{done.files_rewritten} rewritten; {_removed(done.history)}"
    if done.refs:
        text += f"; branches and tags removed: {', '.join(done.refs)}"
    if done.waiting:
        text += f"; {len(done.waiting)} snapshots in use are left for the next time"
    return text


def _purge_text(upkeep: Upkeep) -> str:
    done = upkeep.purge
    if done is None or not done.rows:
        return ""
    files = f"{done.files_dropped} files dropped, {done.files_rewritten} rewritten"
    return f"{done.rows:,} rows that count no more; {files}"


def _compaction_text(upkeep: Upkeep) -> str:
    done = upkeep.compact
    if done is None or not done.files_before:
        return ""
    before = f"{done.files_before} files ({_size(done.bytes_before)}, {done.rows:,} rows)"
    after = f" -> {done.files_after} ({_size(done.bytes_after)})" if done.snapshot_id else ""
    return before + after


def _expiry_text(upkeep: Upkeep) -> str:
    done = upkeep.expire
    return _removed(done) if done is not None and done.snapshots else ""


def _removed(expiry: Expiry) -> str:
    return f"{len(expiry.snapshots)} snapshots, {expiry.files} files ({_size(expiry.bytes)})"


def _orphans_text(upkeep: Upkeep) -> str:
    done = upkeep.orphans
    if done is None:
        return ""
    parts = [f"{len(done.files)} files ({_size(done.bytes)})"] if done.files else []
    if done.unknown:
        parts.append(f"uploads that never ended may be left: {done.unknown}")
    elif done.uploads:
        parts.append(f"{len(done.uploads)} uploads that never ended")
    return "; ".join(parts)


def _size(count: int) -> str:
    return f"{count / 10**6:,.1f} MB"
