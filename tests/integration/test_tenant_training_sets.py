"""Training sets of tenants: in their own namespaces, made of what they may read alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.command_line import call
from support.tenants import ACME, GLOBEX, Tenants, load, tenants_in

from quality_platform.errors import QuotaError, TrainingSetError
from quality_platform.flows.compute_features import compute_feature_view
from quality_platform.flows.maintain import Wanted, maintain
from quality_platform.flows.training_export import training_rows
from quality_platform.flows.training_sets import (
    TrainingSetOutcome,
    TrainingSetRequest,
    make_training_set,
)
from quality_platform.flows.training_upkeep import versions
from quality_platform.lake.tags import tags_of

CSV = "customer,event_timestamp\n100,2026-01-02T00:00:00Z\n"


@pytest.fixture
def tenants(home: Path, tmp_path: Path) -> Tenants:
    found = tenants_in(tmp_path)
    for tenant in (ACME, GLOBEX):
        found.files[tenant]["training_sets"] = {f"{tenant}__churn": churn(tenant)}
    return found


def churn(tenant: str) -> dict[str, Any]:
    """The totals of the tenant's customers at each of its orders."""
    return {
        "features": [f"{tenant}__totals:total"],
        "entities": {
            "table": f"{tenant}__orders",
            "event_timestamp": "placed_at",
            "labels": ["amount"],
        },
    }


def declared(tenants: Tenants) -> dict[str, Any]:
    """The training set of acme, to be changed."""
    found: dict[str, Any] = tenants.files[ACME]["training_sets"]["acme__churn"]
    return found


def filled(tenants: Tenants) -> None:
    """Loads and computes all that is of both."""
    load(tenants, *(f"{t}__{name}" for t in (ACME, GLOBEX) for name in ("customers", "orders")))
    for tenant in (ACME, GLOBEX):
        compute_feature_view(tenants.sound(), f"{tenant}__totals", "run")


def make(tenants: Tenants, tenant: str, tag: str = "v1", entities: str = "") -> TrainingSetOutcome:
    request = TrainingSetRequest(f"{tenant}__churn", tag, entities)
    return make_training_set(tenants.sound(), request, "run")


def test_each_tenant_has_its_training_set_and_the_pins_in_its_namespaces(tenants: Tenants) -> None:
    declared(tenants)["keep"] = "1s"
    filled(tenants)
    made = {tenant: make(tenants, tenant) for tenant in (ACME, GLOBEX)}
    platform = tenants.sound()
    for tenant, amount in ((ACME, 10.0), (GLOBEX, 20.0)):
        outcome = made[tenant]
        assert outcome.identifier == f"{tenant}__training_sets.{tenant}__churn"
        rows = training_rows(platform, outcome.identifier, outcome.manifest)
        assert rows["amount"].to_pylist() == [amount] * 3
        assert set(outcome.manifest.refs) == {
            f"{tenant}.{tenant}__orders",
            f"{tenant}__features.{tenant}__totals",
        }
        for identifier, pinned in outcome.manifest.refs.items():
            assert pinned.tag in tags_of(platform.lake.table(identifier))
    assert [state.manifest.name for state in versions(platform)] == ["acme__churn", "globex__churn"]
    assert make(tenants, ACME).state == "existing"
    # Upkeep finds those of tenants too: what is kept no longer goes, with its pins.
    upkeep = {one.table: one for one in maintain(platform, (), Wanted(("tags",)))}
    tags = upkeep["acme__training_sets.acme__churn"].tags
    assert tags is not None
    assert tags.versions == ("v1",)
    assert [state.manifest.name for state in versions(platform)] == ["globex__churn"]


def test_a_training_set_in_runner_yaml_can_be_a_tenants(tenants: Tenants) -> None:
    tenants.root["training_sets"] = {"acme__late": {**churn(ACME), "tenant": ACME}}
    platform = tenants.sound()
    found = call("training-sets", "list", "acme__late", "-r", tenants.runner)
    assert (found.code, platform.runner.config.training_sets["acme__late"].tenant) == (0, ACME)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "features of another": (
        {"features": ["globex__totals:total"]},
        "the feature view or on-demand feature view 'globex__totals' is not the tenant's, "
        "and not shared",
    ),
    "features that a function computes": (
        {"features": ["twice"]},
        "functions run with the rights of the platform, and are no tenant's",
    ),
    "features that a function computes, by a service": (
        {"features": [], "feature_service": "twice_of"},
        "functions run with the rights of the platform, and are no tenant's",
    ),
    "rows of another": (
        {"entities": {"table": "globex__orders", "event_timestamp": "placed_at"}},
        "the table or feature view 'globex__orders' is not the tenant's, and not shared",
    ),
    "rows of nobody": (
        {"entities": {"table": "prices", "event_timestamp": "name"}},
        "the table or feature view 'prices' is not the tenant's, and not shared",
    ),
    "features of another by a service": (
        {"features": [], "feature_service": "both"},
        "the feature view 'globex__totals' is not the tenant's, and not shared",
    ),
    "an experiment": (
        {"mlflow": "churn"},
        "a tenant's file cannot name an experiment, which may be another's",
    ),
    "a file elsewhere": (
        {"entities": {"file": "../globex/rows.csv"}},
        "the tenant acme may not read this path",
    ),
    "a file by its whole path": (
        {"entities": {"file": "/etc/rows.csv"}},
        "the tenant acme may not read this path",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_another_s_comes_into_no_training_set(tenants: Tenants, case: str) -> None:
    settings, message = REFUSED[case]
    views = ["acme__totals", "globex__totals"]
    services = {"both": {"features": views}, "twice_of": {"features": ["twice"]}}
    tenants.root["feature_services"] = services
    twice = {"inputs": views[:1], "python": "functions:twice", "features": {"twice": "double"}}
    tenants.root["on_demand_feature_views"] = {"twice": twice}
    declared(tenants).update(settings)
    assert tenants.refusal("acme__churn").message == message


def test_a_name_of_a_tenants_is_no_other_s(tenants: Tenants) -> None:
    tenants.root["training_sets"] = {"acme__late": churn(ACME)}
    message = "a name that begins with acme__ is of the tenant acme"
    assert tenants.refusal("acme__late").message == message


def test_a_namespace_of_a_tenants_is_no_other_s(tenants: Tenants) -> None:
    tenants.root["training_sets"] = {"late": {**churn(ACME), "namespace": "acme__sales"}}
    assert tenants.refusal("late").message == "the namespace is of the tenant acme"


def test_a_tenants_file_of_rows_is_looked_at_again_when_it_is_read(tenants: Tenants) -> None:
    entities = {"file": "rows.csv"}
    declared(tenants)["entities"] = entities
    file = tenants.home(ACME) / "rows.csv"
    file.write_text(CSV)
    filled(tenants)
    platform = tenants.sound()
    request = TrainingSetRequest("acme__churn", "v1")
    assert make_training_set(platform, request, "run").manifest.rows == 1
    stolen = tenants.home(GLOBEX) / "rows.csv"
    stolen.write_text(CSV)
    file.unlink()
    file.symlink_to(stolen)
    with pytest.raises(TrainingSetError, match="may not read this path"):
        make_training_set(platform, TrainingSetRequest("acme__churn", "v2"), "run")


def test_rows_of_another_cannot_be_asked_for_either(tenants: Tenants) -> None:
    with pytest.raises(TrainingSetError, match="globex__orders is not the tenant's") as refused:
        make(tenants, ACME, entities="globex__orders")
    assert refused.value.problems[0].field == "--entities"


def test_training_sets_count_among_a_tenants_tables(tenants: Tenants) -> None:
    tenants.root["tenants"][ACME]["max_tables"] = 3
    message = "the tenant acme may have 3 tables, feature views and training sets"
    assert tenants.refusal("acme__churn").message == message


def test_a_version_has_no_more_rows_than_a_load_of_the_tenants_may_have(tenants: Tenants) -> None:
    filled(tenants)
    tenants.root["tenants"][ACME]["max_rows_per_load"] = 2
    with pytest.raises(QuotaError, match="more rows than one of this tenant's"):
        make(tenants, ACME)
    platform = tenants.sound()
    assert versions(platform) == []
    assert tags_of(platform.lake.table("acme.acme__orders")) == {}
    assert make(tenants, GLOBEX).state == "made"


def test_a_schedule_of_a_tenant_makes_its_training_sets_and_no_others(tenants: Tenants) -> None:
    schedule = {"cron": "@daily", "job": "training_sets"}
    tenants.files[ACME]["schedules"] = {"acme__monthly": schedule}
    found = tenants.sound().runner.config.schedules["acme__monthly"]
    assert found.targets == ("acme__churn",)
    schedule["targets"] = ["globex__churn"]  # type: ignore[assignment]
    message = "the training set 'globex__churn' is not the tenant's"
    assert tenants.refusal("acme__monthly").message == message
    del schedule["targets"], tenants.files[ACME]["training_sets"]
    message = "the tenant acme has no training set that it could run"
    assert tenants.refusal("acme__monthly").message == message
