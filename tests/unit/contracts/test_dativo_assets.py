"""Assets of Dativo, loaded as contracts."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.dativo import CASES
from support.problems import only_problem, place, problems_of

from quality_platform.contracts.dativo_asset import is_dativo_asset
from quality_platform.contracts.loading import load_contract
from quality_platform.contracts.models import Contract
from quality_platform.contracts.schemas import arrow_schema
from quality_platform.errors import ContractError

ASSETS = CASES / "assets"


def changed(tmp_path: Path, file: str, old: str, new: str) -> Path:
    text = (ASSETS / file).read_text()
    assert old in text
    path = tmp_path / file
    path.write_text(text.replace(old, new, 1))
    return path


def types(contract: Contract) -> dict[str, str]:
    return {field.name: str(field.type) for field in arrow_schema(contract.objects[0])}


def test_the_older_form_is_a_contract_of_one_table():
    contract = load_contract(ASSETS / "visits.yaml")

    (table,) = contract.objects
    assert (contract.name, contract.version, table.name) == ("park_visits", "1.4", "visits")
    assert (contract.owners, contract.tags) == (("parks@example.org",), ("parks", "visits"))
    assert types(contract) == {
        "visit_id": "int64",
        "guest": "string",
        "park": "string",
        "fee": "decimal128(38, 9)",
        "entered_at": "timestamp[us, tz=UTC]",
    }
    assert [p.name for p in table.properties if p.required] == ["visit_id", "guest", "entered_at"]
    assert table.restricted_columns == {"guest"}


def test_the_flat_form_is_one_as_well_although_it_calls_itself_odcs():
    contract = load_contract(ASSETS / "guests.yaml")

    assert (contract.id, contract.status, contract.domain) == ("guests-001", "active", "parks")
    assert (contract.purpose, contract.owners) == (
        "Who has a season ticket.",
        ("guests@example.org",),
    )
    assert types(contract) == {
        "id": "int64",
        "email": "string",
        "vip": "bool",
        "born": "date32[day]",
        "notes": "string",
    }


@pytest.mark.parametrize(("file", "days"), [("visits.yaml", 90), ("guests.yaml", 0)])
def test_retention_is_a_service_level_also_where_it_is_none(file: str, days: int):
    (promise,) = load_contract(ASSETS / file).sla

    assert (promise.property, promise.value, promise.unit) == ("retention", days, "d")
    # It names no column: nothing is deleted before somebody says by which one.
    assert promise.elements == ()


def test_tags_have_the_names_under_which_dativo_writes_them():
    custom = load_contract(ASSETS / "visits.yaml").custom

    assert custom == {
        "asset.name": "park_visits",
        "asset.version": "1.4",
        "asset.source_type": "csv",
        "asset.object": "visits",
        "compliance.classification": ["PII", "INTERNAL"],
        "compliance.regulations": ["GDPR", "CCPA"],
        "classification.default": "pii",
        "classification.fields.guest": "pii",
        "governance.owner": "parks@example.org",
        "governance.retention_days": 90,
        "governance.regulations": "GDPR,CCPA",
        "finops.cost_center": "PARK-7",
        "finops.business_tags": "parks,fees",
        "finops.project": "gates",
        "finops.environment": "prod",
    }


def test_a_retention_of_zero_is_a_tag_too():
    custom = load_contract(ASSETS / "guests.yaml").custom

    assert custom["governance.retention_days"] == 0
    assert custom["governance.data_product"] == "visitors"
    assert custom["finops.cost_center"] == "PARK-2"


def test_allowed_values_and_expectations_become_rules():
    visits, guests = (load_contract(ASSETS / name) for name in ("visits.yaml", "guests.yaml"))

    (allowed,) = visits.objects[0].quality
    assert allowed.column == "park"
    assert allowed.entry["arguments"] == {"validValues": ["north", "south"]}
    (unique,) = guests.objects[0].quality
    assert (unique.column, unique.entry["metric"]) == ("email", "duplicateValues")
    assert unique.entry["severity"] == "warning"


def test_a_key_is_a_key_and_digits_are_kept():
    (table,) = load_contract(ASSETS / "ledger.yaml").objects

    assert table.primary_key == ("entry",)
    assert table.properties[1].physical_type == "decimal(12,2)"


def test_what_has_no_effect_and_may_be_expected_to_is_a_hint_with_its_line():
    visits, guests = (load_contract(ASSETS / name) for name in ("visits.yaml", "guests.yaml"))

    (digits,) = visits.hints
    assert (place(digits), "decimal(38,9)" in digits.message) == (("visits.yaml", 10), True)
    lines = {place(hint)[1]: hint.message for hint in guests.hints}
    assert "that the text is JSON" in lines[25]
    assert "the expectation relationships of id" in lines[29]


@pytest.mark.parametrize(
    ("file", "old", "new", "line", "message"),
    [
        ("visits.yaml", "type: integer", "type: whole", 7, "there is no such type"),
        ("visits.yaml", "required: true}", "requird: true}", 7, "unknown key 'requird'"),
        (
            "visits.yaml",
            "retention_days: 90",
            "retention_days: long",
            18,
            "must be a number of days",
        ),
        ("visits.yaml", "  governance:", "  governence:", 12, "unknown key 'governence'"),
        ("guests.yaml", "name: id, ", "", 21, "a column needs a name"),
        ("guests.yaml", "tags: [guests]", "tags: {a: b}", 14, "must be a list of values"),
    ],
)
def test_an_asset_that_is_written_wrongly_is_told_with_its_line(
    tmp_path: Path, file: str, old: str, new: str, line: int, message: str
):
    path = changed(tmp_path, file, old, new)

    problem = problems_of(ContractError, lambda: load_contract(path))[0]
    assert (place(problem), problem.message) == ((file, line), message)


def test_an_asset_without_columns_is_refused(tmp_path: Path):
    path = tmp_path / "empty.yaml"
    path.write_text("asset:\n  name: a\n  source_type: csv\n  object: b\n  schema: []\n")

    problem = only_problem(ContractError, lambda: load_contract(path))
    assert (problem.message, place(problem)) == ("the asset has no columns", ("empty.yaml", 5))


def test_an_asset_is_told_by_its_shape():
    assert is_dativo_asset({"asset": {"name": "a"}})
    assert is_dativo_asset({"source_type": "csv", "object": "a", "apiVersion": "v3.0.2"})
    assert not is_dativo_asset({"apiVersion": "v3.1.0", "kind": "DataContract", "schema": []})
    assert not is_dativo_asset({"asset": "orders"})
    assert not is_dativo_asset(["asset"])
