"""What runner.yaml says over a contract."""

from __future__ import annotations

from pathlib import Path

from support.dativo import CASES

from quality_platform.contracts.loading import load_contract
from quality_platform.contracts.models import Contract
from quality_platform.contracts.overrides import Overrides, overridden, override_problems
from quality_platform.errors import Location

VISITS = CASES / "assets" / "visits.yaml"


def visits(**said: object) -> Contract:
    return overridden(load_contract(VISITS), Overrides(**said))  # type: ignore[arg-type]


def test_a_contract_without_overrides_is_as_it_was():
    loaded = load_contract(VISITS)

    assert visits() == loaded
    assert visits().custom == loaded.custom


def test_the_classification_of_a_column_wins_and_the_default_fills_the_rest():
    contract = visits(classification={"guest": "HIGH_PII", "default": "internal"})

    found = {p.name: p.classification for p in contract.objects[0].properties}
    assert found == {
        "visit_id": "internal",
        "guest": "HIGH_PII",
        "park": "internal",
        "fee": "internal",
        "entered_at": "internal",
    }
    assert contract.custom["classification.fields.guest"] == "high_pii"
    assert contract.custom["classification.default"] == "internal"


def test_values_stay_masked_under_a_longer_word_for_personal_data():
    table = visits(classification={"guest": "HIGH_PII", "park": "not-pii", "fee": "pilot"}).objects[
        0
    ]

    # A word that only holds the letters is none.
    assert table.restricted_columns == {"guest", "park"}


def test_a_default_that_is_personal_masks_every_column_without_its_own():
    table = visits(classification={"default": "pii", "fee": "public"}).objects[0]

    assert table.restricted_columns == {"visit_id", "guest", "park", "entered_at"}


def test_the_owner_is_another():
    contract = visits(owner="night@example.org")

    assert contract.owners == ("night@example.org",)
    assert [member.username for member in contract.team if member.is_owner] == ["night@example.org"]
    assert contract.custom["governance.owner"] == "night@example.org"


def test_a_retention_of_zero_wins_over_that_of_the_contract():
    contract = visits(retention_days=0)

    assert [(promise.value, promise.unit) for promise in contract.sla] == [(0, "d")]
    assert contract.custom["governance.retention_days"] == 0


def test_a_retention_is_added_where_the_contract_has_none(tmp_path: Path):
    path = tmp_path / "ledger.yaml"
    path.write_text((CASES / "assets" / "ledger.yaml").read_text())

    contract = overridden(load_contract(path), Overrides(retention_days=7))
    assert [(promise.property, promise.value) for promise in contract.sla] == [("retention", 7)]


def test_properties_win_over_those_of_the_contract():
    custom = visits(properties={"finops.cost_center": "PARK-9", "environment": "test"}).custom

    assert custom["finops.cost_center"] == "PARK-9"
    assert custom["environment"] == "test"
    assert custom["finops.project"] == "gates"


def test_a_column_that_is_not_there_is_a_problem_at_its_place():
    where = Location("job.yaml", 7)
    overrides = Overrides({"gest": "pii", "default": "x"}, location=where)

    (problem,) = override_problems(overrides, load_contract(VISITS).objects[0])
    assert (problem.location, problem.message) == (where, "the contract has no column 'gest'")
