"""A table of a real PostgreSQL becomes a contract, and a contract a table of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError
from support.command_line import call
from support.contracts import load_text, orders
from support.exchanged import columns, loaded, lost, rule, specs_by_table
from support.postgres_server import postgres_server

from quality_platform.contracts.schemas import arrow_schema
from quality_platform.errors import ConfigurationError, SourceError, SourceNotFoundError
from quality_platform.exchange.exporters.ddl import export_ddl
from quality_platform.exchange.importers.postgres import import_postgres

DDL = """
CREATE SCHEMA shop;
CREATE TYPE shop.mood AS ENUM ('calm', 'cross');
CREATE DOMAIN shop.code AS varchar(3);
CREATE TABLE shop.customers (id int PRIMARY KEY, region char(2), UNIQUE (id, region));
CREATE TABLE shop.orders (
    id bigint GENERATED ALWAYS AS IDENTITY,
    line smallint,
    customer int NOT NULL REFERENCES shop.customers ON DELETE CASCADE,
    region char(2),
    status text DEFAULT 'placed' CHECK (status IN ('placed', 'shipped')),
    amount numeric(12, 2) NOT NULL,
    weight double precision,
    loose numeric,
    mood shop.mood,
    code shop.code UNIQUE,
    paid boolean,
    placed timestamptz,
    local_time timestamp without time zone,
    day date,
    at time,
    span interval,
    tags text[],
    more jsonb,
    raw bytea,
    key uuid,
    PRIMARY KEY (line, id),
    UNIQUE (customer, placed),
    CONSTRAINT amount_is_positive CHECK (amount > 0::numeric AND amount < 1000000),
    CONSTRAINT not_on_sundays CHECK (extract(isodow FROM day) <> 7 AND md5(code) <> 'x'),
    CONSTRAINT customer_fk FOREIGN KEY (customer, region) REFERENCES shop.customers (id, region)
);
CREATE INDEX by_day ON shop.orders (day);
CREATE UNIQUE INDEX one_key ON shop.orders (key);
COMMENT ON TABLE shop.orders IS 'Orders of the shop.';
COMMENT ON COLUMN shop.orders.amount IS 'In euros; it''s gross.';
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres_server() as address:
        engine = create_engine(address)
        with engine.begin() as connection:
            connection.execute(text(DDL))
        engine.dispose()
        yield address


def test_columns_keys_and_comments_become_the_contract(url: str, tmp_path: Path) -> None:
    found = import_postgres(url, "shop.orders")

    (table,) = loaded(tmp_path, found).objects
    assert (table.name, table.description) == ("orders", "Orders of the shop.")
    assert table.primary_key == ("line", "id")
    entries = columns(found)
    assert {n: _type(e) for n, e in entries.items()} == {
        "id": ("integer", "long"),
        "line": ("integer", "int"),
        "customer": ("integer", "int"),
        "region": ("string", ""),
        "status": ("string", ""),
        "amount": ("number", "decimal(12,2)"),
        "weight": ("number", "double"),
        "loose": ("number", "decimal(38,9)"),
        "mood": ("string", ""),
        "code": ("string", ""),
        "paid": ("boolean", ""),
        "placed": ("timestamp", "timestamptz"),
        "local_time": ("timestamp", "timestamp"),
        "day": ("date", ""),
        "at": ("time", ""),
        "span": ("string", ""),
        "tags": ("array", ""),
        "more": ("string", ""),
        "raw": ("string", "binary"),
        "key": ("string", ""),
    }
    assert entries["amount"]["required"]
    assert entries["amount"]["description"] == "In euros; it's gross."
    assert entries["region"]["logicalTypeOptions"] == {"maxLength": 2}
    assert entries["key"]["logicalTypeOptions"] == {"format": "uuid"}
    assert entries["key"]["unique"]
    assert entries["code"]["unique"]


def _type(entry: dict[str, Any]) -> tuple[str, str]:
    return entry["logicalType"], entry.get("physicalType", "")


def test_constraints_become_rules_that_the_platform_can_run(url: str, tmp_path: Path) -> None:
    found = import_postgres(url, "shop.orders")

    specs = specs_by_table(loaded(tmp_path, found))["orders"]
    assert str(specs["amount_is_positive"].claim.predicate).startswith('"amount" > ')
    assert specs["orders_status_check"].claim.predicate == "\"status\" IN ('placed', 'shipped')"
    assert specs["mood_invalidValues"].claim.values == ("calm", "cross")
    assert specs["customer_fk"].claim.columns == ("customer", "region")
    assert specs["orders_customer_fkey"].claim.to_columns == ("id",)
    table = found.document["schema"][0]
    assert rule(table, "orders_customer_placed_key")["arguments"] == {
        "properties": ["customer", "placed"]
    }


@pytest.mark.parametrize(
    "fragment",
    [
        "constraint not_on_sundays",
        "column status: its default",
        "column id: its identity",
        "index by_day",
        "the domain code",
        "ondelete CASCADE",
        "the type INTERVAL",
        "column more: a part of its type",
        "no precision is told",
    ],
)
def test_what_a_contract_cannot_say_is_listed(url: str, fragment: str) -> None:
    assert len(lost(import_postgres(url, "shop.orders").losses, fragment)) == 1


def test_a_table_that_is_not_there_is_told(url: str) -> None:
    with pytest.raises(SourceNotFoundError) as raised:
        import_postgres(url, "shop.ordrs")

    assert raised.value.problems[0].received == "shop.ordrs"


def test_no_message_shows_the_password() -> None:
    with pytest.raises(SourceError) as unreachable:
        import_postgres("postgresql+psycopg2://me:s3cr3t-pw@127.0.0.1:1/db", "orders")
    with pytest.raises(ConfigurationError) as unusable:
        import_postgres("nonsense://me:s3cr3t-pw@host/db", "orders")

    for error in (unreachable.value, unusable.value):
        assert "s3cr3t-pw" not in str(error)
        assert error.__cause__ is None
    assert "does not answer" in str(unreachable.value)


def test_the_command_takes_the_url_from_the_environment(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUALITY_PLATFORM_IMPORT_URL", url)
    output = tmp_path / "orders.odcs.yaml"

    ended = call("import", "postgres", "shop.customers", "--output", output, "--id", "shop-7")

    assert ended.code == 0, ended.text
    assert "id: shop-7" in output.read_text()
    monkeypatch.delenv("QUALITY_PLATFORM_IMPORT_URL")
    assert "QUALITY_PLATFORM_IMPORT_URL" in call("import", "postgres", "customers").err


CONTRACT = orders(
    "{name: id, logicalType: integer, primaryKey: true, description: The number.}",
    "{name: status, logicalType: string, quality: [{name: known, metric: invalidValues, mustBe: 0, "
    "arguments: {validValues: [placed, o'hara]}}]}",
    "{name: amount, logicalType: number, physicalType: 'decimal(10,2)', "
    "logicalTypeOptions: {exclusiveMinimum: 0, maximum: 99.5}}",
    "{name: code, logicalType: string, unique: true, "
    "logicalTypeOptions: {pattern: '^[A-Z]+$', maxLength: 3}}",
    "{name: day, logicalType: date, logicalTypeOptions: {minimum: '2020-01-01'}}",
    "{name: tags, logicalType: array, items: {logicalType: string}}",
    "{name: address, logicalType: object, properties: [{name: city, logicalType: string}]}",
    quality=[
        "{name: placed_has_code, type: text, customProperties: "
        "[{property: rowPredicate, value: \"status <> 'placed' OR code IS NOT NULL\"}]}"
    ],
)


def test_the_exported_table_refuses_what_the_contract_calls_an_error(
    url: str, tmp_path: Path
) -> None:
    contract = load_text(tmp_path, CONTRACT)
    made = export_ddl(contract, contract.objects[0], "postgres")
    engine = create_engine(url)
    good = "(1, 'placed', 5, 'AB', '2021-01-01')"
    try:
        with engine.begin() as connection:
            connection.execute(text(made.text))
            for row in (good, "(2, NULL, NULL, NULL, NULL)"):
                connection.execute(text(f"INSERT INTO orders VALUES {row}"))
        for bad in (
            "(NULL, NULL, NULL, NULL, NULL)",
            "(1, NULL, NULL, NULL, NULL)",
            "(3, 'lost', NULL, NULL, NULL)",
            "(3, NULL, 0, NULL, NULL)",
            "(3, NULL, 99.6, NULL, NULL)",
            "(3, NULL, NULL, 'ab', NULL)",
            "(3, NULL, NULL, 'ABCD', NULL)",
            "(3, NULL, NULL, 'AB', NULL)",
            "(3, NULL, NULL, NULL, '2019-12-31')",
            "(3, 'placed', NULL, NULL, NULL)",
        ):
            with pytest.raises(IntegrityError), engine.begin() as connection:
                connection.execute(text(f"INSERT INTO orders VALUES {bad}"))
        again = import_postgres(url, "orders")
    finally:
        engine.dispose()
    assert lost(made.losses, "orders: address")
    assert arrow_schema(load_text(tmp_path, CONTRACT).objects[0]).names == list(columns(again))
    assert columns(again)["id"]["description"] == "The number."
