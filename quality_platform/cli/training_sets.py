"""`quality-platform training-set` and `training-sets`."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape

from quality_platform.cli.options import JsonOption, RunnerOption, TenantOption, print_json
from quality_platform.terminal import plain_table, print_rows

if TYPE_CHECKING:
    from quality_platform.flows.platform import Platform
    from quality_platform.flows.training_sets import TrainingSetOutcome
    from quality_platform.flows.training_upkeep import VersionState

SetArgument = Annotated[str, typer.Argument(help="The training set.")]
VersionArgument = Annotated[str, typer.Argument(help="The version.")]
FileOption = Annotated[
    Path | None, typer.Option("--to", help="Write the version to this Parquet file as well.")
]

training_sets = typer.Typer(
    help="The versions of training sets: list, show, remove.", no_args_is_help=True
)


def training_set(
    name: Annotated[str, typer.Argument(help="A training set of runner.yaml.")],
    entities: Annotated[
        str,
        typer.Option(
            "--entities",
            help="A .parquet or .csv file, or a table or feature view, with the entity rows; the "
            "declared one by default.",
        ),
    ] = "",
    tag: Annotated[
        str, typer.Option("--tag", help="The version; named after its inputs by default.")
    ] = "",
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Compute a version that there is once more, and compare."),
    ] = False,
    to: FileOption = None,
    mlflow: Annotated[
        str,
        typer.Option("--mlflow", help="Log the version to this MLflow experiment; needs `mlflow`."),
    ] = "",
    runner: RunnerOption = None,
    as_json: JsonOption = False,
    tenant: TenantOption = "",
) -> None:
    """Make a version of a training set, or find that it is there and unchanged."""
    from quality_platform.flows.training_logging import log_version
    from quality_platform.flows.training_sets import TrainingSetRequest, make_training_set

    platform = _platform(runner, tenant, name)
    request = TrainingSetRequest(name, tag, entities, verify)
    made = make_training_set(platform, request, f"cli-{uuid.uuid4().hex}")
    logged = log_version(platform, made, mlflow)
    if to is not None:
        _export(platform, made.identifier, made.manifest.tag, to)
    _tell(made, logged, as_json=as_json)


@training_sets.command("list")
def list_versions(
    name: Annotated[str, typer.Argument(help="The training set; all by default.")] = "",
    runner: RunnerOption = None,
    as_json: JsonOption = False,
    tenant: TenantOption = "",
) -> None:
    """List the versions that there are."""
    from quality_platform.config.tenant_models import is_of_tenant
    from quality_platform.flows.training_upkeep import versions

    found = versions(_platform(runner, tenant, name), name)
    if tenant:
        found = [s for s in found if is_of_tenant(tenant, s.identifier.partition(".")[0])]
    if as_json:
        print_json([_state(state) for state in found])
        return
    shown = plain_table(None, "training set")
    for heading in ("version", "made (UTC)", "rows", "owner", "kept until", "sha-256"):
        justify: Literal["left", "right"] = "right" if heading == "rows" else "left"
        shown.add_column(heading, justify=justify, no_wrap=True)
    for state in found:
        version = state.manifest
        until = state.expires_at.astimezone(UTC).strftime("%Y-%m-%d") if state.expires_at else ""
        shown.add_row(
            *(escape(text) for text in (version.name, version.tag)),
            version.made_at[:16].replace("T", " "),
            f"{version.rows:,}",
            escape(version.owner),
            until,
            version.digest[:12],
        )
    print_rows(Console(), shown)


@training_sets.command("show")
def show_version(
    name: SetArgument,
    tag: VersionArgument,
    to: FileOption = None,
    runner: RunnerOption = None,
    as_json: JsonOption = False,
    tenant: TenantOption = "",
) -> None:
    """Show what a version was made of."""
    from quality_platform.flows.training_upkeep import version_of

    platform = _platform(runner, tenant, name)
    state = version_of(platform, name, tag)
    if to is not None:
        _export(platform, state.identifier, tag, to)
    if as_json:
        print_json(_state(state))
        return
    shown = plain_table(None, "")
    shown.add_column("", overflow="fold")
    for heading, text in _lines(state):
        shown.add_row(heading, escape(text))
    Console().print(shown)


@training_sets.command("remove")
def remove(
    name: SetArgument,
    tag: VersionArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept in the history.")],
    by: Annotated[
        str, typer.Option("--by", help="Who; the user of the operating system by default.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    runner: RunnerOption = None,
    tenant: TenantOption = "",
) -> None:
    """Remove a version with its rows, and release what it pins."""
    from quality_platform.flows.decisions import Decision
    from quality_platform.flows.training_upkeep import remove_version, version_of

    platform = _platform(runner, tenant, name)
    state = version_of(platform, name, tag)
    console = Console()
    console.print(escape(f"{name} {tag}: {state.manifest.rows:,} rows, {state.identifier}"))
    if not yes:
        typer.confirm("Remove it?", abort=True)
    remove_version(platform, name, tag, Decision.of(reason, by))
    console.print(escape(f"{name} {tag} is removed."))


def _platform(runner: Path | None, tenant: str, name: str) -> Platform:
    """The platform, where the training set may be asked for; "" is all of them."""
    from quality_platform.flows.platform import open_platform
    from quality_platform.flows.tenant_names import require_known, require_training_set_of

    platform = open_platform(runner)
    if tenant and not name:
        require_known(platform, tenant)
    else:
        require_training_set_of(platform, tenant, name)
    return platform


def _tell(made: TrainingSetOutcome, logged: str, *, as_json: bool) -> None:
    if as_json:
        told = {"state": made.state, "verified": made.verified, "notes": made.notes}
        print_json({**told, "mlflow_run": logged, **_facts(made)})
        return
    console = Console()
    for line in _told(made, logged):
        console.print(escape(line), soft_wrap=True)


def _export(platform: Platform, identifier: str, tag: str, path: Path) -> None:
    from quality_platform.flows.training_export import export_training_set
    from quality_platform.flows.training_manifest import manifests_of

    manifest = manifests_of(platform.lake.table(identifier))[tag]
    export_training_set(platform, identifier, manifest, path)


def _facts(made: TrainingSetOutcome) -> dict[str, Any]:
    return {
        "table": made.identifier,
        "snapshot_id": made.snapshot_id,
        "manifest": asdict(made.manifest),
    }


def _state(state: VersionState) -> dict[str, Any]:
    return {
        "table": state.identifier,
        "snapshot_id": state.snapshot_id,
        "expires_at": state.expires_at,
        "lost": state.lost,
        "manifest": asdict(state.manifest),
    }


def _told(made: TrainingSetOutcome, logged: str) -> list[str]:
    version = made.manifest
    word = "made" if made.state == "made" else "there already, and unchanged"
    if made.verified:
        word += "; computed once more: the same"
    lines = [
        f"{version.name} {version.tag}: {word}",
        f"  {version.rows:,} rows in {made.identifier}, snapshot {made.snapshot_id}",
        f"  sha-256 {version.digest}",
        *(f"  {table} pinned at snapshot {ref.snapshot_id}" for table, ref in version.refs.items()),
        *(f"  {note}" for note in made.notes),
    ]
    return [*lines, f"  logged to MLflow's run {logged}"] if logged else lines


def _lines(state: VersionState) -> list[tuple[str, str]]:
    version = state.manifest
    origin = version.entities.table or version.entities.file
    pinned = [
        f"{table}: snapshot {ref.snapshot_id}{' (gone)' if table in state.lost else ''}"
        for table, ref in version.refs.items()
    ]
    return [
        ("version", f"{version.name} {version.tag}"),
        ("table", f"{state.identifier}, snapshot {state.snapshot_id}"),
        ("made", f"{version.made_at} by run {version.run_id}"),
        ("owner", version.owner),
        ("kept until", state.expires_at.isoformat() if state.expires_at else "for ever"),
        ("rows", f"{version.rows:,}"),
        ("sha-256", version.digest),
        ("definitions", version.registry_version),
        ("features", ", ".join(version.features)),
        ("entity rows", f"{origin}, sha-256 {version.entities.digest}"),
        ("pinned", "\n".join(pinned)),
        ("libraries", ", ".join(f"{name} {v}" for name, v in version.libraries.items())),
    ]
