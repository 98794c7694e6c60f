"""The code location of a runner.yaml of Dativo."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from support.dagster_runs import run
from support.dativo import DativoProject

from quality_platform.orchestration.build import build_definitions


@pytest.fixture
def dativo(tmp_path: Path, home: Path) -> DativoProject:
    return DativoProject.copied(tmp_path / "project")


def selected(
    dativo: DativoProject, instance: dg.DagsterInstance, name: str
) -> tuple[set[str], dict[str, str]]:
    """The tables that a tick of a schedule runs, and the tags of its run."""
    definitions = build_definitions(dativo.open())
    context = dg.build_schedule_context(
        instance,
        scheduled_execution_time=datetime(2026, 5, 1, tzinfo=UTC),
        repository_def=definitions.get_repository_def(),
    )
    (request,) = definitions.resolve_schedule_def(name).evaluate_tick(context).run_requests or ()
    keys = {key.to_user_string() for key in request.asset_selection or ()}
    return {key for key in keys if key.startswith("oak/")}, dict(request.tags)


def test_a_tick_of_each_schedule_runs_its_own_job(
    dativo: DativoProject, instance: dg.DagsterInstance
) -> None:
    visits, tags = selected(dativo, instance, "visits_hourly")
    ledger, _ = selected(dativo, instance, "ledger_nightly")

    assert (visits, ledger) == ({"oak/oak_park_visits"}, {"oak/oak_ledger"})
    assert tags.items() >= {"team": "park", "priority": "1"}.items()


def test_zone_rhythm_and_switch_reach_dagster(dativo: DativoProject) -> None:
    definitions = build_definitions(dativo.open())

    visits = definitions.resolve_schedule_def("visits_hourly")
    assert (visits.cron_schedule, visits.execution_timezone) == ("15 * * * *", "Europe/Berlin")
    assert visits.default_status is dg.DefaultScheduleStatus.RUNNING
    # Cron says 90 minutes by several lines: none of them is an hour.
    guests = definitions.resolve_schedule_def("guests_every_90_minutes")
    assert guests.cron_schedule != "0 * * * *"
    assert guests.default_status is dg.DefaultScheduleStatus.STOPPED


def test_what_is_broken_is_an_asset_or_a_schedule_that_says_so(
    dativo: DativoProject, instance: dg.DagsterInstance
) -> None:
    definitions = build_definitions(dativo.open())

    graph = definitions.resolve_asset_graph()
    tickets = next(key for key in graph.get_all_asset_keys() if key.path[-1] == "oak_tickets")
    assert "zendesk" in (graph.get(tickets).description or "")
    lost = definitions.resolve_schedule_def("lost_daily")
    assert "This schedule is broken" in (lost.description or "")
    dativo.schedule("jobs/oak/visits.yaml", "jobs/oak/tickets.yaml")
    result = run(dativo.open(), instance)
    assert not result.success
    done = {event.step_key for event in result.get_step_success_events()}
    assert "load_oak_park_visits" in done


def test_the_tags_of_asset_and_job_are_metadata_of_the_table(dativo: DativoProject) -> None:
    graph = build_definitions(dativo.open()).resolve_asset_graph()

    visits = graph.get(dg.AssetKey(["oak", "oak_park_visits"]))
    found = {key: value.value for key, value in visits.metadata.items() if "." in key}
    # The job wins over the asset, a key of the asset stays where the job says nothing.
    expected = {
        "classification.default": "internal",
        "classification.fields.guest": "high_pii",
        "governance.owner": "night@example.org",
        "governance.retention_days": "0",
        "governance.regulations": "GDPR,CCPA",
        "finops.cost_center": "PARK-9",
        "finops.business_tags": "gates,night",
        "finops.environment": "prod",
        "asset.name": "park_visits",
        "asset.version": "1.4",
    }
    assert found.items() >= expected.items()
    assert visits.owners == ["night@example.org"]
