"""Doing the steps of a plan to a table, within one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from pyiceberg.table import Transaction
from pyiceberg.table.update.schema import UpdateSchema

from quality_platform.lake.schema_plan import Change, Step


def apply_steps(transaction: Transaction, steps: Sequence[Step]) -> None:
    """Adds the steps to the transaction; none of them may be one that cannot be done."""
    # Each group is an update of its own: pyiceberg looks names up in the schema before the update.
    for group in (_renames(steps), _changes(steps), _orders(steps)):
        if group:
            with transaction.update_schema(allow_incompatible_changes=True) as update:
                for step in group:
                    _apply(update, step)


def _renames(steps: Sequence[Step]) -> list[Step]:
    return [step for step in steps if step.change is Change.RENAME]


def _orders(steps: Sequence[Step]) -> list[Step]:
    return [step for step in steps if step.change is Change.REORDER]


def _changes(steps: Sequence[Step]) -> list[Step]:
    return [step for step in steps if step.change not in (Change.RENAME, Change.REORDER)]


def _apply(update: UpdateSchema, step: Step) -> None:
    column = step.field
    match step.change:
        case Change.RENAME:
            update.rename_column(step.path, step.new)
        case Change.RELAX:
            update.make_column_optional(step.path)
        case Change.REORDER:
            first, *_ = names = [(*step.path, name) for name in step.order]
            update.move_first(first)
            for before, after in pairwise(names):
                update.move_after(after, before)
        case Change.WIDEN if column is not None:
            update.update_column(step.path, field_type=column.field_type)
        case Change.DOCUMENT if column is not None:
            update.update_column(step.path, doc=column.doc or "")
        case Change.ADD | Change.REPLACE if column is not None:
            update.add_column(step.path, column.field_type, column.doc, column.required)
        case Change.REPLACE if column is None:
            update.delete_column(step.path)
        case _:
            raise AssertionError(f"no step that can be done: {step}")
