"""Contracts as text, one entry a line, so that a test can tell the line of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from quality_platform.checks.derive import check_specs
from quality_platform.checks.specs import CheckSpec
from quality_platform.contracts.loading import load_contract
from quality_platform.contracts.models import Contract

TABLES = {"orders": "orders", "customers": "customers"}
"""The tables of the platform, by contract object, where a test does not say otherwise."""


def contract_text(schema: str, api_version: str = "v3.1.0", more: str = "") -> str:
    """A contract with this `schema` section and further top-level lines."""
    head = f"apiVersion: {api_version}\nkind: DataContract\nid: shop-orders\nversion: 1.2.0\n"
    return f"{head}status: active\n{more}{schema}"


def orders(
    *properties: str,
    quality: Sequence[str] = (),
    relationships: Sequence[str] = (),
    api_version: str = "v3.1.0",
) -> str:
    """A contract of one object, `orders`; every argument is an entry in flow style."""
    lines = ["schema:", "- name: orders"]
    for key, entries in (
        ("relationships", relationships),
        ("quality", quality),
        ("properties", properties),
    ):
        lines += [f"  {key}:", *(f"  - {entry}" for entry in entries)] if entries else []
    return contract_text("\n".join(lines) + "\n", api_version)


def line_of(text: str, fragment: str) -> int:
    """The 1-based line in which a fragment stands; it must stand once."""
    assert text.count(fragment) == 1, f"{fragment!r} stands {text.count(fragment)} times"
    return text[: text.index(fragment)].count("\n") + 1


def load_text(folder: Path, text: str) -> Contract:
    """The contract in this text, by way of a file."""
    path = folder / "contract.odcs.yaml"
    path.write_text(text, encoding="utf-8")
    return load_contract(path)


def specs_of(folder: Path, text: str) -> dict[str, CheckSpec]:
    """The checks of the only object of a contract, by name."""
    (table,) = load_text(folder, text).objects
    return {spec.name: spec for spec in check_specs(table, TABLES)}
