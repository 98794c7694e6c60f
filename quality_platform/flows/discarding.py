"""Dropping quarantined rows: those that stay are written anew, and the others count no more."""

from __future__ import annotations

import uuid

import pyarrow as pa
import pyarrow.compute as pc

from quality_platform.flows.load_table import load_id_of
from quality_platform.flows.platform import Platform
from quality_platform.flows.replay_load import Work
from quality_platform.flows.replay_rows import SELECTED, HeldRowsOfTable
from quality_platform.lake import commits
from quality_platform.lake.data_files import RollingWriter, StagedFile


def discarded(platform: Platform, held: HeldRowsOfTable, work: Work, run_id: str) -> int | None:
    """Drops the rows that are meant, in one commit; the snapshot, None where it is only planned.

    Raises:
        ConcurrentLoadError: another run published meanwhile; nothing was dropped.
    """
    if work.dry_run:
        return None
    table, tables = held.table, held.tables
    attempt = uuid.uuid4().hex[:16]
    prefix = f"{load_id_of(table.identifier, {work.kind: run_id})}-{attempt}"
    kept = _kept(platform, held, attempt, prefix)
    summary = {**work.summary(run_id), commits.ATTEMPT: attempt}
    summary[commits.ROWS_QUARANTINED] = str(sum(file.rows for file in kept))
    if kept:
        commits.append(platform.lake, tables.quarantine, kept, summary)
    position = tables.position.replayed(work.selected.attempts, attempt if kept else "")
    return commits.publish(platform.lake, tables.main, (), position, summary).snapshot_id


def _kept(
    platform: Platform, held: HeldRowsOfTable, attempt: str, prefix: str
) -> tuple[StagedFile, ...]:
    """The other rows of the same attempts, as rows of this one."""
    writer = RollingWriter(held.tables.quarantine, prefix, platform.target_file_bytes)
    try:
        for batch in held.batches():
            rows = batch.filter(pc.invert(batch.column(SELECTED))).drop_columns([SELECTED])
            index = rows.schema.get_field_index("_attempt")
            mine = pa.array([attempt] * rows.num_rows, pa.string())
            writer.write(rows.set_column(index, rows.schema.field(index), mine))
        return writer.close()
    except BaseException:
        writer.discard()
        raise
