"""From runner.yaml to Feast's registry: what is declared, what is broken, and what runs do."""

from __future__ import annotations

from typing import Any

from support.command_line import call
from support.online_shop import online_shop, run_all
from support.project import Project

from quality_platform.errors import RunnerFileError
from quality_platform.feature_store.store import open_store
from quality_platform.flows.feature_store_objects import (
    is_registered,
    register_all,
    store_definitions,
    store_settings,
)
from quality_platform.flows.platform import Platform, open_platform
from quality_platform.flows.run_platform import run_platform

ABOVE = {
    "inputs": ["totals"],
    "request": {"limit": "double"},
    "python": "support.feature_functions:is_above",
    "features": {"above": "boolean"},
}
OFFERS = {"features": ["totals:total", "above"], "owner": "team:shop", "tags": {"a": "b"}}


def declaring(project: Project, services: Any = None, views: Any = None) -> Project:
    """The shop online, with these services and on-demand views."""
    project = online_shop(project, tags={"tier": "gold"}, ttl="36h")
    project.settings["feature_services"] = services or {}
    project.settings["on_demand_feature_views"] = views or {}
    project.write_runner()
    return project


def services(platform: Platform) -> set[str]:
    store = open_store(store_settings(platform))
    return {service.name for service in store.list_feature_services()}


def test_a_view_is_registered_as_runner_yaml_and_its_contract_say(project: Project) -> None:
    platform = declaring(project).open()
    register_all(platform)
    view = open_store(store_settings(platform)).get_feature_view("totals")
    assert view.tags == {"tier": "gold", "odcs": "contract-of-totals@1.0.0"}
    assert view.ttl.total_seconds() == 36 * 3600
    assert [field.name for field in view.features] == ["total"]
    assert view.join_keys == ["customer"]


def test_a_service_of_an_unknown_feature_is_broken_alone_and_told_with_its_line(
    project: Project,
) -> None:
    broken = {"features": ["totals:totl"]}
    project = declaring(project, {"good": OFFERS, "bad": broken}, {"above": ABOVE})
    platform = open_platform(project.runner)
    [part] = platform.broken
    [problem] = part.error.problems
    assert isinstance(part.error, RunnerFileError)
    assert (part.section, part.name) == ("feature_services", "bad")
    assert problem.field == "feature_services.bad.features.0"
    assert problem.location is not None
    line = project.runner.read_text().splitlines()[problem.location.line - 1]
    assert "totals:totl" in line
    assert (problem.allowed, problem.action) == ("total", "did you mean 'total'?")
    assert [service.name for service in store_definitions(platform).services] == ["good"]
    assert set(platform.feature_tables) == {"totals"}


def test_a_name_that_an_input_has_already_breaks_an_on_demand_view(project: Project) -> None:
    project = declaring(project, {}, {"above": {**ABOVE, "request": {"total": "double"}}})
    [part] = open_platform(project.runner).broken
    assert "a feature of an input already" in str(part.error)


def test_what_depends_on_a_broken_view_stays_registered_with_it(project: Project) -> None:
    project = declaring(project, {"offers": OFFERS}, {"above": ABOVE})
    register_all(project.open())
    (project.folder / "contracts" / "totals.odcs.yaml").write_text("nonsense")
    platform = open_platform(project.runner)
    assert {part.name for part in platform.broken} >= {"totals", "above", "offers"}
    applied = register_all(platform)
    assert applied.removed == ()
    assert services(platform) == {"offers"}
    assert not is_registered(platform)
    declaring(project, {"offers": OFFERS}, {"above": ABOVE})
    assert not is_registered(project.open())


def test_what_is_declared_anew_is_registered_by_a_run_with_nothing_new(project: Project) -> None:
    project = declaring(project)
    platform = project.open()
    assert not is_registered(platform)
    run_all(platform)
    assert is_registered(platform)
    project = declaring(project, {"offers": OFFERS}, {"above": ABOVE})
    platform = project.open()
    assert not is_registered(platform)
    outcome = run_all(platform)["online.totals"]
    assert outcome.state == "nothing_new"
    assert services(platform) == {"offers"}
    assert is_registered(platform)


def test_registering_tells_what_is_broken(project: Project) -> None:
    declaring(project, {"offers": {"features": ["totals:nothing"]}})
    ended = call("register-features", "-r", project.write_runner())
    assert ended.code == 1
    assert "registered: customer, totals" in ended.out
    assert "not registered as it is declared: offers: QP101" in ended.out
    assert "has no feature 'nothing'" in " ".join(ended.out.split())


def test_a_function_that_fails_stops_no_materialization_and_is_told(project: Project) -> None:
    failing = {**ABOVE, "python": "support.feature_functions:fails"}
    platform = declaring(project, {}, {"above": failing}).open()
    told: list[str] = []
    steps = run_platform(platform, (), "run-1", lambda name, step, text: told.append(text))
    assert all(step.succeeded for step in steps)
    assert any("above is not registered as it is declared" in text for text in told)
    ended = call("register-features", "-r", project.runner)
    assert ended.code == 1
    assert "LookupError" in ended.out
