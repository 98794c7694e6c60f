"""`quality-platform forget-entity`."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from quality_platform.cli.options import JsonOption, RunnerOption, TenantOption, print_json
from quality_platform.cli.quarantine import ByOption, ReasonOption
from quality_platform.cli.upkeep import DryRunOption

if TYPE_CHECKING:
    from quality_platform.feature_store.erasure import ErasedEntity
    from quality_platform.flows.forget_entity import ForgetOutcome

EntityArgument = Annotated[str, typer.Argument(help="The entity's name in Feast.")]
KeysArgument = Annotated[list[str], typer.Argument(help="The join keys of those to forget.")]


def forget_entity(
    entity: EntityArgument,
    keys: KeysArgument,
    reason: ReasonOption,
    by: ByOption = "",
    runner: RunnerOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    tenant: TenantOption = "",
) -> None:
    """Remove entities from the online store and from the tables of the feature views.

    With --tenant from the tenant's views alone.
    """
    from quality_platform.flows.decisions import Decision
    from quality_platform.flows.forget_entity import Forgotten, forget_entities
    from quality_platform.flows.platform import open_platform
    from quality_platform.flows.tenant_names import names_of_tenant

    platform, run_id = open_platform(runner), f"cli-{uuid.uuid4().hex}"
    wanted = Forgotten(entity, keys, names_of_tenant(platform, tenant))
    outcome = forget_entities(platform, wanted, Decision.of(reason, by), run_id, dry_run=dry_run)
    if as_json:
        print_json(asdict(outcome))
    else:
        _print(Console(), outcome)


def _print(console: Console, outcome: ForgetOutcome) -> None:
    if outcome.state == "nothing_found":
        console.print(f"nothing is known of such a {escape(outcome.entity)}")
        return
    word = "would be removed" if outcome.state == "planned" else "removed"
    for view in outcome.erased:
        text = f"{view.view}: {view.offline.rows:,} rows and {view.online:,} online {word}"
        console.print(escape(text), soft_wrap=True)
        for line in _still_held(view):
            console.print(f"    [yellow]{escape(line)}[/yellow]", soft_wrap=True)


def _still_held(view: ErasedEntity) -> list[str]:
    """What still shows the entity to whoever reads it."""
    tagged = [held for held in view.offline.held_by if held.refs]
    waiting = len(view.offline.held_by) - len(tagged)
    lines = [
        f"snapshot {held.snapshot_id} of {view.table} still has it, and does not expire: "
        f"{', '.join(held.refs)}"
        for held in tagged
    ]
    if waiting:
        lines.append(f"{waiting} older snapshots of {view.table} have it until they expire")
    return lines
