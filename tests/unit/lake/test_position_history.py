"""The position before a load, told by what the load left in its snapshot."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyiceberg.table.snapshots import Operation, Snapshot, Summary

from quality_platform.errors import RollbackError
from quality_platform.lake.position import Position, SourceVersion
from quality_platform.lake.position_history import before, undo_summary

_NAMES = st.text("abc", min_size=1, max_size=2)
_VERSIONS = st.builds(SourceVersion, _NAMES, st.just("load"), st.sampled_from("pqrs"), _NAMES)
_POSITIONS = st.builds(
    Position,
    st.dictionaries(_NAMES, _VERSIONS, max_size=5),
    st.lists(st.sampled_from("pqrs"), unique=True).map(tuple),
    st.integers(0, 9),
)


def snapshot(summary: Mapping[str, str]) -> Snapshot:
    told = Summary(Operation.APPEND, **summary)
    return Snapshot(snapshot_id=1, manifest_list="m", summary=told)


@given(_POSITIONS, _POSITIONS)
def test_any_position_can_be_had_from_any_that_follows(old: Position, new: Position) -> None:
    assert before(snapshot(undo_summary(old, new)), new) == old


def test_a_load_of_many_files_adds_little_to_the_metadata() -> None:
    files = {f"landing/a-file-with-a-long-name-{n:05d}.csv": "0" * 64 for n in range(5000)}
    new = Position().advanced(files, "load", "attempt", replace=False)
    assert len(undo_summary(Position(), new)["quality-platform.position-undo"]) < 200


def test_a_snapshot_that_changes_no_position_tells_nothing() -> None:
    position = Position().advanced({"a": "1"}, "load", "attempt", replace=False)
    assert undo_summary(position, position) == {}
    assert before(snapshot({}), position) == position


def test_a_load_of_an_older_version_of_the_platform_cannot_be_undone() -> None:
    with pytest.raises(RollbackError):
        before(snapshot({"quality-platform.attempt": "x"}), Position())
