"""Every file that is imported makes a contract, and nothing of it goes missing unnoticed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.exchanged import CASES, columns, loaded, lost, rule, specs_by_table

from quality_platform.checks.specs import ForeignKey, NotNull, When
from quality_platform.contracts.schemas import arrow_schema
from quality_platform.errors import ConfigurationError
from quality_platform.exchange.importers.dativo import import_dativo
from quality_platform.exchange.importers.dbt import import_dbt
from quality_platform.exchange.importers.great_expectations import import_great_expectations
from quality_platform.exchange.importers.soda import import_soda
from quality_platform.exchange.odcs import dumped
from quality_platform.exchange.results import Imported

Importer = Callable[[Path], Imported]

IMPORTERS: dict[str, Importer] = {
    "dbt_schema.yml": partial(import_dbt, dialect="postgres"),
    "gx_suite.json": partial(import_great_expectations, name="orders"),
    "gx_suite_old.json": import_great_expectations,
    "soda_contract.yml": import_soda,
    "dativo_asset.yaml": import_dativo,
    "dativo_flat.yaml": import_dativo,
}
STRAY = "zzz_stray"


def _import(file: str) -> Imported:
    return IMPORTERS[file](CASES / file)


@pytest.mark.parametrize("file", IMPORTERS)
def test_what_is_imported_is_a_contract_of_which_every_check_is_understood(
    file: str, tmp_path: Path
) -> None:
    contract = loaded(tmp_path, _import(file))

    assert all(specs_by_table(contract).values())
    assert [arrow_schema(table).names for table in contract.objects] == [
        list(table.column_names) for table in contract.objects
    ]
    assert contract.hints == ()


@pytest.mark.parametrize("file", IMPORTERS)
def test_the_keys_stand_in_the_order_of_the_standard(file: str) -> None:
    document = yaml.safe_load(dumped(_import(file).document))

    assert list(document)[:6] == ["apiVersion", "kind", "id", "name", "version", "status"]
    assert document == _import(file).document


def _mappings(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in items:
        if isinstance(child, dict | list):
            yield from _mappings(child, (*path, key))


def _read(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


PLACES = [(file, path) for file in IMPORTERS for path in _mappings(_read(CASES / file))]


@pytest.mark.parametrize(
    ("file", "place"), PLACES, ids=[f"{file}:{'.'.join(map(str, p))}" for file, p in PLACES]
)
def test_a_key_that_nobody_knows_is_carried_over_or_listed(
    file: str, place: tuple[Any, ...], tmp_path: Path
) -> None:
    data = deepcopy(_read(CASES / file))
    holder = data
    for step in place:
        holder = holder[step]
    holder[STRAY] = "stray"
    path = tmp_path / f"stray{Path(file).suffix}"
    path.write_text(json.dumps(data), encoding="utf-8")

    found = IMPORTERS[file](path)

    told = dumped(found.document) + "\n".join(map(str, found.losses))
    assert STRAY in told or _is_lost_as_a_whole(found, place)


_WHOLE = ("the test", "the check", "the expectation", "expect_", "unexpected_")


def _is_lost_as_a_whole(found: Imported, place: tuple[Any, ...]) -> bool:
    """Whether the mapping, or one that holds it, is listed: a key, or a test with all it says."""
    holders = {".".join(map(str, place[:n])): str(place[n - 1]) for n in range(1, len(place) + 1)}
    return any(
        loss.where.endswith(f": {path}") and (loss.what == key or loss.what.startswith(_WHOLE))
        for path, key in holders.items()
        for loss in found.losses
    )


def _nodes(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, child in items:
            yield from _nodes(child, (*path, key))


@pytest.mark.parametrize("odd", ["text", 7, ["a"], {"a": 1}, None, [[1]]], ids=repr)
@pytest.mark.parametrize("file", IMPORTERS)
def test_a_value_of_another_kind_is_refused_with_the_platforms_error_or_listed(
    file: str, odd: Any, tmp_path: Path
) -> None:
    data, path = _read(CASES / file), tmp_path / f"odd{Path(file).suffix}"
    # Every third place, another third for every file and kind: all take a minute.
    first = len(repr(odd) + file) % 3
    for place in list(_nodes(data))[first::3]:
        changed = deepcopy(data)
        holder = changed
        for step in place[:-1]:
            holder = holder[step]
        holder[place[-1]] = odd
        path.write_text(json.dumps(changed), encoding="utf-8")
        with suppress(ConfigurationError):
            dumped(IMPORTERS[file](path).document)


def test_a_dbt_file_with_several_models_is_a_contract_of_several_tables(tmp_path: Path) -> None:
    found = _import("dbt_schema.yml")

    contract = loaded(tmp_path, found)
    assert [table.name for table in contract.objects] == ["orders", "customers", "payments"]
    assert contract.objects[0].primary_key == ("order_id",)
    assert found.document["slaProperties"] == [
        {"property": "latency", "value": 12, "unit": "h", "element": "payments.paid_at"}
    ]
    one = import_dbt(CASES / "dbt_schema.yml", "postgres", "customers")
    assert [table["name"] for table in one.document["schema"]] == ["customers"]
    with pytest.raises(ConfigurationError, match="describes no table nobody"):
        import_dbt(CASES / "dbt_schema.yml", "postgres", "nobody")


def test_tests_of_dbt_become_rules_of_the_standard(tmp_path: Path) -> None:
    found = _import("dbt_schema.yml")
    entries = columns(found)
    orders = found.document["schema"][0]

    assert entries["order_id"] | {"required": True, "unique": True} == entries["order_id"]
    assert entries["region"]["required"]
    assert entries["region"]["logicalTypeOptions"] == {"maxLength": 2}
    assert entries["status"]["tags"] == ["enumeration"]
    assert rule(entries["priority"], "priority_invalidValues")["arguments"] == {
        "validValues": [1, 2, 3]
    }
    assert rule(entries["amount"], "amount_nullValues") == {
        "type": "library",
        "metric": "nullValues",
        "mustBeLessOrEqualTo": 5,
        "unit": "percent",
    }
    assert rule(entries["placed_at"], "placed_at_sql")["mustBeGreaterThan"] == 1
    assert rule(orders, "table_duplicateValues")["arguments"] == {
        "properties": ["customer_id", "placed_at"]
    }
    assert rule(orders, "table_rowCount")["mustBeGreaterOrEqualTo"] == 1
    specs = specs_by_table(loaded(tmp_path, found))["orders"]
    assert specs["customer_id_nullValues"].claim == When(
        "\"status\" <> 'draft'", ("status",), NotNull("customer_id")
    )
    assert specs["customer_id_in_customers"].claim == ForeignKey(
        ("customer_id",), "customers", ("id",)
    )
    assert specs["customer_id_in_customers"].severity == "warning"
    assert specs["customer_id_region_in_customers"].claim.to_columns == ("id", "region")
    predicates = {n: s.claim.predicate for n, s in specs.items() if hasattr(s.claim, "predicate")}
    assert predicates == {
        "table_predicate": '"priority" >= 1 AND "priority" <= 3',
        "table_predicate_2": '"amount" < 1000000',
        "table_predicate_3": "TRIM(\"note\") <> ''",
        "placed_unless_draft": 'NOT "placed_at" IS NULL OR "status" = \'draft\'',
        "amount_is_positive": '"amount" >= 0',
    }


@pytest.mark.parametrize(
    ("file", "fragment"),
    [
        ("dbt_schema.yml", "the test is_plausible"),
        ("dbt_schema.yml", "the test accepted_values: a contract has nothing like error_if"),
        ("dbt_schema.yml", "the test dbt_utils.recency"),
        ("dbt_schema.yml", "exposures"),
        ("dbt_schema.yml", "warn_after"),
        ("dbt_schema.yml", "column note: its type"),
        ("gx_suite.json", "unexpected_rows_expectation: Great Expectations runs it on SQL"),
        ("gx_suite.json", "expect_column_values_to_be_lovely"),
        ("gx_suite.json", "row_condition"),
        ("gx_suite.json", "column customer: its type"),
        ("soda_contract.yml", "filter: placed > ${var.START}"),
        ("soda_contract.yml", "the check missing: it holds a variable"),
        ("soda_contract.yml", "columns.1.optional"),
        ("dativo_asset.yaml", "asset.lineage"),
        ("dativo_asset.yaml", "asset.target"),
        ("dativo_flat.yaml", "the expectation is_sane"),
        ("dativo_flat.yaml", "that the text is JSON"),
    ],
)
def test_what_the_standard_cannot_say_is_listed_once(file: str, fragment: str) -> None:
    assert len(lost(_import(file).losses, fragment)) == 1


def test_a_loss_tells_file_and_line() -> None:
    (loss,) = lost(_import("dbt_schema.yml").losses, "the test is_plausible")

    line = (CASES / "dbt_schema.yml").read_text().splitlines().index("          - is_plausible") + 1
    assert loss.where.startswith(f"{CASES / 'dbt_schema.yml'}:{line}:")


def test_expectations_become_rules_of_the_standard_where_they_mean_the_same() -> None:
    found = _import("gx_suite.json")
    entries = columns(found)

    assert list(entries) == ["id", "customer", "status", "amount", "code", "placed"]
    assert entries["id"] == {
        "name": "id",
        "logicalType": "integer",
        "physicalType": "long",
        "required": True,
        "unique": True,
    }
    assert entries["amount"]["logicalTypeOptions"] == {"exclusiveMinimum": 0, "maximum": 1000}
    assert entries["code"]["logicalTypeOptions"] == {
        "minLength": 3,
        "maxLength": 3,
        "pattern": "^[A-Z]+$",
    }
    assert rule(entries["customer"], "customer_nullValues") == {
        "type": "library",
        "metric": "nullValues",
        "mustBeLessOrEqualTo": 5,
        "unit": "percent",
        "description": "Guests have none.",
        "dimension": "completeness",
        "severity": "warning",
    }
    assert rule(entries["status"], "status_known")["customProperties"] == [
        {"property": "ticket", "value": "Q-7"}
    ]
    assert found.document["description"] == {"purpose": "Orders of the shop."}


def test_expectations_that_mean_something_else_stay_expectations() -> None:
    entries = columns(_import("gx_suite.json"))
    table = _import("gx_suite.json").document["schema"][0]

    kept = [r["implementation"]["type"] for e in entries.values() for r in e.get("quality", [])
            if r["type"] == "custom"]  # fmt: skip
    assert kept == [
        "expect_column_values_to_be_in_set",  # a share, of rows with a value only
        "expect_column_mean_to_be_between",
        "expect_column_values_to_match_regex",  # a lookahead, which RE2 has not
    ]
    # By default Great Expectations judges rows with some NULLs.
    assert "table_expect_compound_columns_to_be_unique" in [r["name"] for r in table["quality"]]


def test_soda_checks_become_rules_of_the_standard_where_they_mean_the_same() -> None:
    found = _import("soda_contract.yml")
    entries = columns(found)
    table = found.document["schema"][0]

    assert entries["id"] | {"required": True, "unique": True} == entries["id"]
    assert entries["customer"]["logicalTypeOptions"] == {"maxLength": 20}
    assert rule(entries["customer"], "customer_missingValues") == {
        "type": "library",
        "metric": "missingValues",
        "arguments": {"missingValues": [None, "N/A", "-"]},
        "mustBeLessThan": 5,
        "unit": "percent",
    }
    assert entries["customer"]["relationships"][0]["to"] == "customers.id"
    assert rule(entries["status"], "known")["description"] == "A known status"
    assert entries["amount"]["logicalTypeOptions"] == {"minimum": 0, "maximum": 1000}
    assert rule(entries["code"], "code_duplicateValues")["mustBeLessOrEqualTo"] == 2
    assert rule(table, "table_rowCount")["mustBeBetween"] == [1, 100]
    assert rule(table, "no_debts")["implementation"] == {
        "failed_rows": {"expression": "amount < 0"}
    }


def test_a_dativo_asset_keeps_who_owns_it_and_how_long_it_is_kept() -> None:
    document = _import("dativo_asset.yaml").document

    assert document["team"] == {"members": [{"username": "data-team@example.org", "role": "owner"}]}
    # 0 is a valid retention.
    assert document["slaProperties"] == [{"property": "retention", "value": 0, "unit": "d"}]
    custom = {entry["property"]: entry["value"] for entry in document["customProperties"]}
    assert custom["compliance.regulations"] == ["GDPR"]
    assert custom["finops.cost_center"] == "FIN-3"
    assert columns(_import("dativo_asset.yaml"))["FirstName"]["classification"] == "PII"


def test_the_flat_form_of_a_dativo_asset_keeps_its_identity_and_expectations() -> None:
    found = _import("dativo_flat.yaml")

    assert (found.document["id"], found.document["status"]) == ("stripe-customers-001", "active")
    assert found.document["tenant"] == "acme"
    assert rule(columns(found)["currency"], "currency_invalidValues") == {
        "type": "library",
        "metric": "invalidValues",
        "arguments": {"validValues": ["USD", "EUR"]},
        "mustBe": 0,
        "severity": "warning",
    }


@pytest.mark.parametrize("importer", [import_dbt, import_soda, import_dativo])
def test_a_file_of_another_shape_is_refused(importer: Importer, tmp_path: Path) -> None:
    path = tmp_path / "list.yml"
    path.write_text("- a\n- b\n")

    with pytest.raises(ConfigurationError, match="must be a mapping"):
        importer(path)


def test_a_suite_that_is_no_json_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "suite.json"
    path.write_text('{\n "name": oops\n}')

    with pytest.raises(ConfigurationError) as raised:
        import_great_expectations(path)

    assert str(raised.value.problems[0].location) == f"{path}:2:10"
