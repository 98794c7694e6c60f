"""Contracts that were imported, and small ones to export."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from quality_platform.checks.derive import check_specs
from quality_platform.checks.specs import CheckSpec
from quality_platform.contracts.loading import load_contract
from quality_platform.contracts.models import Contract
from quality_platform.exchange.odcs import dumped
from quality_platform.exchange.results import Imported, Loss

CASES = Path(__file__).parents[1] / "cases" / "exchange"


def loaded(folder: Path, found: Imported) -> Contract:
    """The imported contract as the platform reads it from its file."""
    path = folder / "imported.odcs.yaml"
    path.write_text(dumped(found.document), encoding="utf-8")
    return load_contract(path)


def specs_by_table(contract: Contract) -> dict[str, dict[str, CheckSpec]]:
    """The checks of every table, by name; foreign keys refer to tables of the same names."""
    return {
        table.name: {
            spec.name: spec
            for spec in check_specs(
                table, {link.to_object: link.to_object for link in table.relationships}
            )
        }
        for table in contract.objects
    }


def columns(found: Imported, table: int = 0) -> dict[str, dict[str, Any]]:
    """The properties of a table of the document, by name."""
    return {entry["name"]: entry for entry in found.document["schema"][table]["properties"]}


def rule(entry: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The rule of this name of a table or column, without its name."""
    (found,) = [r for r in entry.get("quality", []) if r["name"] == name]
    return {key: value for key, value in found.items() if key != "name"}


def lost(losses: Iterable[Loss], fragment: str) -> list[Loss]:
    """The losses that tell of something."""
    return [loss for loss in losses if fragment in str(loss)]
