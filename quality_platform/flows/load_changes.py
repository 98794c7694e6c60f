"""What one load is, and what it does to the rows that its table has already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from quality_platform.checks.derive import CONFORMS
from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.flows.merge_rules import MergeRules
from quality_platform.flows.merging import Batch, Merging
from quality_platform.flows.row_changes import Published, RangeReplacement, RowChanges, Settled
from quality_platform.flows.staging import Staging
from quality_platform.lake.merging import Rewritten
from quality_platform.lake.query import quote_identifier
from quality_platform.lake.versions import VALID_TO
from quality_platform.quarantine.columns import BROKEN_RULES
from quality_platform.validation.batch_checks import RowsApart

UNCONFORMED = f"list_contains({BROKEN_RULES}, '{CONFORMS}')"
"""SQL that tells the held rows that have no typed values."""


@dataclass(frozen=True)
class LoadPlan:
    """What one load is.

    Attributes:
        load_id: Derived from the sources, so that a repetition is the same load.
        versions: Its sources, by name.
        replace: Whether its rows take the place of all before.
        label: The batch in messages; "" for the only one.
        stamps: What tells versions without a source being read, by the source's name.
        merge: By which rules rows take the place of others with the same key; None where they do
            not.
        whole: Whether the source has no other rows.
        full_refresh: Whether somebody asked for all rows.
        range: A SQL condition, true for published rows that go, whatever is read; "" for none.
    """

    load_id: str
    versions: Mapping[str, str]
    replace: bool
    label: str = ""
    stamps: Mapping[str, str] = field(default_factory=dict)
    merge: MergeRules | None = None
    whole: bool = False
    full_refresh: bool = False
    range: str = ""

    @property
    def compares(self) -> bool:
        """Whether rows are gone that this load does not have: it has all that the source has."""
        return self.merge is not None and self.merge.compares


@dataclass(frozen=True)
class Changed:
    """How a load's rows were settled with the published ones, and the files that this changes."""

    settled: Settled
    rewritten: Rewritten


def found_changes(
    plan: LoadPlan, table: ContractedTable, published: Published, staging: Staging
) -> RowChanges | None:
    """What the load does to published rows; None where it only adds rows or replaces all.

    Raises:
        PublishBlockedError: more rows would be deleted than may be.
    """
    changes = _changes(plan, table, published, staging)
    if changes is not None:
        changes.find()
    return changes


def _changes(
    plan: LoadPlan, table: ContractedTable, published: Published, staging: Staging
) -> RowChanges | None:
    if plan.range:
        return RangeReplacement(published, plan.range)
    rules = plan.merge
    if rules is None:
        return None
    if rules.keeps_versions:
        published = replace(published, current=f"{quote_identifier(VALID_TO)} IS NULL")
    batch = Batch(
        good=staging.good_files,
        held=staging.held_files,
        marks=staging.marks.files if staging.marks else (),
        whole=plan.whole,
        unreadable=UNCONFORMED,
    )
    return Merging(
        rules=rules,
        schema=table.schema,
        table=published,
        batch=batch,
        dates=staging.versions,
        may_delete_all=plan.full_refresh,
        location=table.location,
    )


def rows_apart(plan: LoadPlan, changes: RowChanges | None) -> RowsApart | None:
    """What the checks on the batch leave out; None for nothing."""
    if changes is None:
        return None
    key = plan.merge.key if plan.merge else ()
    return RowsApart(changes.excluded, changes.versions, changes.published, key)
