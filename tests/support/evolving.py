"""Contracts that change, and tables that were loaded before."""

from __future__ import annotations

from support.project import Project, integer, key, number, predicate, text

from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform

AT = {"logicalType": "timestamp", "required": True}
SHOP_SETTINGS = {
    "inputs": ["shops"],
    "entities": [{"name": "shop", "join_key": "shop"}],
    "event_timestamp": "at",
    "online": False,
}
SHOP_SIZES = {"shop": key(text()), "at": AT, "size": integer()}


def shops_1_0(project: Project) -> Project:
    """Shops with a number, as they are first described."""
    columns = {
        "code": key(text(id="shop-code")),
        "size": integer(physicalType="int", id="shop-size"),
        "rent": number("decimal(6,2)", id="shop-rent"),
        "city": text(required=True, id="shop-city"),
    }
    sql = (
        "SELECT code AS shop, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS at, "
        "size::BIGINT AS size FROM shops"
    )
    project.view("sizes", sql, SHOP_SIZES, SHOP_SETTINGS)
    return project.table("shops", columns, quality=[predicate("size_is_positive", "size > 0")])


def shops_1_1(project: Project) -> Project:
    """The same: a column renamed, two widened, one relaxed, one new, and all in another order."""
    columns = {
        "city": text(id="shop-city", description="Where it stands."),
        "shop_code": key(text(id="shop-code")),
        "size": integer(id="shop-size"),
        "rent": number("decimal(12,2)", id="shop-rent"),
        "floor": integer(physicalType="int", id="shop-floor"),
    }
    sql = "SELECT shop_code AS shop, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS at, size FROM shops"
    project.view("sizes", sql, SHOP_SIZES, SHOP_SETTINGS, version="1.1.0")
    quality = [predicate("size_is_positive", "size > 0")]
    return project.table("shops", columns, quality=quality, version="1.1.0")


ORDERS = {
    "id": key(integer()),
    "customer": text(),
    "amount": number("decimal(8,2)"),
    "note": text(required=True),
}
NEW_TABLE = {"mode": "append", "batch": "file", "on_breaking": "new_table"}


def orders_1_0(project: Project, csv: str = "1,x,1.50,\n2,,3,n\n3,y,3,n\n") -> Platform:
    """Orders of version 1.0.0, loaded: one is held, one has no customer."""
    project.table("orders", ORDERS).deliver("orders/a.csv", f"id,customer,amount,note\n{csv}")
    platform = project.open()
    load_table(platform, "orders", "run-1")
    return platform


def orders_2_0(project: Project, load: dict[str, str]) -> Platform:
    """A contract of a new major version, whose changes break readers."""
    columns = {"id": key(integer()), "customer": integer()}
    project.table("orders", columns, load=load, version="2.0.0")
    project.deliver("orders/a.csv", "id,customer\n1,10\n2,x\n")
    return project.open()
