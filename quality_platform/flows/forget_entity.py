"""Taking an entity out of all feature views, because somebody decided it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Literal

from quality_platform.feature_store.erasure import ErasedEntity, erase_entity
from quality_platform.flows.decisions import Decision
from quality_platform.flows.feature_store_objects import store_settings
from quality_platform.flows.platform import Platform
from quality_platform.flows.recording import starting_over
from quality_platform.flows.tenant_names import tenant_named
from quality_platform.history.records import DecisionRecord, record_decision
from quality_platform.lake.maintenance.removal import Writing


@dataclass(frozen=True)
class ForgetOutcome:
    """What was removed of entities, or would be; one `ErasedEntity` for each entity and view.

    The entities' keys are not told: they may name persons.
    """

    entity: str
    run_id: str
    state: Literal["done", "planned", "nothing_found"]
    erased: tuple[ErasedEntity, ...]


@dataclass(frozen=True)
class Forgotten:
    """Who is to be forgotten: values of an entity's join key; in all views, or `only` in these."""

    entity: str
    keys: Sequence[str]
    only: Collection[str] = ()


def forget_entities(
    platform: Platform,
    wanted: Forgotten,
    decision: Decision,
    run_id: str,
    *,
    dry_run: bool = False,
) -> ForgetOutcome:
    """Removes entities from the online store and from the tables of the feature views.

    Who decided it, and why, is added to `history.decisions`, without the keys. See
    `feature_store.erasure.erase_entity` for what stays: older snapshots, and what the views are
    computed from.

    Args:
        platform: the platform.
        wanted: who is to be forgotten, and where.
        decision: who wants it, and why.
        run_id: the run that does it.
        dry_run: only tells what would be removed.

    Raises:
        ConfigurationError: nobody said why.
        MaterializationError: there is no such entity, or a key is not of its type.
        FeatureStoreUnreachableError: the registry or the online store does not answer.
        LakeError: the lake cannot be used.
    """
    decision.require_reason()
    erased: list[ErasedEntity] = []
    for key in wanted.keys:
        found = starting_over(partial(_erased, platform, wanted, key, dry_run=dry_run))
        erased += found
        for view in found if not dry_run else ():
            _record(platform, view, decision, run_id)
    state: Literal["done", "planned", "nothing_found"] = "planned" if dry_run else "done"
    if not any(_is_found(view) for view in erased):
        state = "nothing_found"
    return ForgetOutcome(wanted.entity, run_id, state, tuple(erased))


def _erased(
    platform: Platform, wanted: Forgotten, key: str, *, dry_run: bool
) -> tuple[ErasedEntity, ...]:
    settings, entity = store_settings(platform), wanted.entity
    writing = Writing(platform.target_file_bytes, platform.engine)
    return erase_entity(settings, entity, key, writing, dry_run=dry_run, only=wanted.only)


def _is_found(view: ErasedEntity) -> bool:
    return bool(view.online or view.offline.rows or view.offline.held_by)


def _record(platform: Platform, view: ErasedEntity, decision: Decision, run_id: str) -> None:
    if not (view.online or view.offline.rows):
        return
    record = DecisionRecord(
        decided_at=datetime.now(UTC),
        table=view.view,
        kind="forget",
        decided_by=decision.by,
        reason=decision.reason,
        rows=view.offline.rows,
        run_id=run_id,
        snapshot_id=view.offline.snapshot_id,
        tenant=tenant_named(platform, view.view),
    )
    record_decision(platform.lake, record)
