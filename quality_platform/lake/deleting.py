"""Deleting rows by their values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression, EqualTo
from pyiceberg.table import Table

from quality_platform.lake.catalog import Lake, translated

_EQUAL: Any = EqualTo
"""Its type leaves out that a column and a value are enough."""


def delete_rows(lake: Lake, table: Table, values: Mapping[str, str]) -> None:
    """Deletes the rows that have all of these values, of which there must be some.

    Files that hold other rows too are written anew. Older snapshots keep the rows until upkeep
    removes them.

    Raises:
        ConcurrentLoadError: another run committed to the table meanwhile.
        LakeError: the lake cannot be used.
    """
    conditions = (_EQUAL(column, value) for column, value in values.items())
    everything: BooleanExpression = AlwaysTrue()
    with translated(lake):
        table.delete(reduce(And, conditions, everything))
