"""An asset of Dativo as a contract: the form under `asset:`, and the flat one with `apiVersion`.

Neither is ODCS, although the second says so: columns stand directly under `schema`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quality_platform.exchange.column_types import ColumnType, from_sql
from quality_platform.exchange.entries import Entry
from quality_platform.exchange.importers.sources import yaml_entry
from quality_platform.exchange.odcs import (
    RuleNotes,
    TableDraft,
    custom_properties,
    document,
    library_rule,
)
from quality_platform.exchange.results import Imported, Loss

_TYPES = {
    "string": "string", "text": "string", "integer": "bigint", "int": "bigint", "long": "bigint",
    "bigint": "bigint", "float": "float", "double": "double", "number": "double",
    "decimal": "decimal", "boolean": "boolean", "bool": "boolean", "date": "date",
    "timestamp": "timestamptz", "datetime": "timestamptz",
}  # fmt: skip
_SAME_AT_THE_TOP = ("id", "domain", "dataProduct", "tenant", "contractCreatedTs")
_STATUSES = ("proposed", "draft", "active", "deprecated", "retired")
_OF_THE_RUN = "it belongs to runner.yaml, not to the contract"


def import_dativo(path: Path, name: str = "") -> Imported:
    """The asset as a contract of one table, called `name` or as the asset's object is.

    Raises:
        ConfigurationError: the file is no asset.
    """
    losses: list[Loss] = []
    top = yaml_entry(path, losses)
    asset = top.entry("asset") if "asset" in top else top
    title = asset.take_text("name") or path.stem
    source_object = asset.take_text("object")
    table = TableDraft(name or source_object or title, asset.where, losses)
    columns = list(asset.entries("schema"))
    for column in columns:
        _add_column(table, column)
    _add_expectations(table, asset)
    more = _top_level(asset)
    for key in ("source_type", "target"):
        asset.lose(key, _OF_THE_RUN)
    for key in ("$schema", "apiVersion", "kind"):
        asset.take(key)
    asset.close()
    top.close()
    return document(title, [table], losses, **more)


def _add_column(table: TableDraft, entry: Entry) -> None:
    name, written = entry.take_text("name"), entry.take_text("type")
    column = table.column(name)
    table.set_type(name, _type_of(written), entry.place("type"))
    column.update(
        description=entry.take_text("description"),
        businessName=entry.take_text("businessName"),
        required=bool(entry.take("required")),
        unique=bool(entry.take("unique")),
        classification=entry.take_text("classification"),
        examples=entry.take_list("examples"),
        tags=entry.take_texts("tags"),
    )
    entry.lose("physicalType", "the source's type; the platform's is derived from `type`")
    entry.lose("quality", "Dativo never runs it; write it anew in the standard's words")
    entry.close()


def _type_of(written: str) -> ColumnType:
    return from_sql(_TYPES.get(written.casefold(), written or "string"))


def _add_expectations(table: TableDraft, asset: Entry) -> None:
    quality = asset.entry("data_quality")
    for entry in quality.entries("expectations"):
        kind, column = entry.take_text("type"), entry.take_text("column")
        severity = entry.take_text("severity")
        notes = RuleNotes(severity=severity, dimension=entry.take_text("dimension"))
        match kind:
            case "not_null" if column in table.columns:
                table.add_rule(library_rule("nullValues"), notes, column)
            case "unique" if column in table.columns:
                table.add_rule(library_rule("duplicateValues"), notes, column)
            case "accepted_values" if column in table.columns:
                arguments = {"validValues": entry.take_list("values")}
                table.add_rule(library_rule("invalidValues", arguments), notes, column)
            case _:
                table.lose(entry.where, f"the expectation {kind} of {column}", "not known here")
        entry.close()
    quality.close(_OF_THE_RUN)


def _top_level(asset: Entry) -> dict[str, Any]:
    governance, compliance = asset.entry("governance"), asset.entry("compliance")
    team, finops = asset.entry("team"), asset.entry("finops")
    owner = governance.take_text("owner") or team.take_text("owner")
    retention = compliance.take("retention_days", governance.take("retention_days"))
    custom = {
        f"{section}.{key}": entry.take(key)
        for section, entry, keys in (
            ("compliance", compliance, ("classification", "regulations")),
            ("governance", governance, ("classification", "cost_center")),
            ("finops", finops, ("cost_center", "business_tags", "project", "environment")),
        )
        for key in keys
        if key in entry
    }
    status = asset.take_text("status").casefold()
    more = {
        "version": asset.take_text("version"),
        "status": status if status in _STATUSES else "",
        "description": _description(asset),
        "tags": [*asset.take_texts("tags"), *governance.take_texts("tags")],
        "team": {"members": [{"username": owner, "role": "owner"}]} if owner else None,
        "slaProperties": _retention(retention),
        "customProperties": custom_properties(custom),
        **{key: asset.take(key) for key in _SAME_AT_THE_TOP},
    }
    for entry in (governance, compliance, team, finops):
        entry.close()
    return more


def _retention(days: Any) -> list[dict[str, Any]]:
    """0 is a valid retention: nothing is kept."""
    return [] if days is None else [{"property": "retention", "value": days, "unit": "d"}]


def _description(asset: Entry) -> dict[str, str]:
    written = asset.take("description", {})
    if isinstance(written, str):
        return {"purpose": written}
    entry = asset.below(written, "description")
    found = {key: entry.take_text(key) for key in ("purpose", "limitations", "usage")}
    entry.close()
    return {key: text for key, text in found.items() if text}
