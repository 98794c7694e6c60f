"""Assets of Dativo as ODCS documents: the form under `asset:`, and the flat one.

Neither is ODCS, although the flat one says so by its `apiVersion`: columns stand directly under
`schema`. What becomes of each key: docs/dativo.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from quality_platform.contracts.asset_parts import AssetPart, Findings, LeftOut
from quality_platform.documents.yaml_documents import PathInDocument, YamlDocument
from quality_platform.errors import Problem

_TYPES = {
    **dict.fromkeys(("string", "text"), ("string", "")),
    **dict.fromkeys(("integer", "int", "long", "bigint"), ("integer", "long")),
    **dict.fromkeys(("float", "double", "number"), ("number", "double")),
    **dict.fromkeys(("boolean", "bool"), ("boolean", "")),
    **dict.fromkeys(("timestamp", "datetime"), ("timestamp", "timestamptz")),
    "decimal": ("number", "decimal(38,9)"),
    "date": ("date", ""),
    "time": ("time", ""),
    **dict.fromkeys(("object", "array", "json", "jsonb", "map", "struct"), ("string", "")),
}
"""Logical and physical types, by Dativo's. Its `float` is Python's, which has 64 bits."""

_JSON = ("object", "array", "json", "jsonb", "map", "struct")
_DECIMAL = re.compile(r"(?:decimal|numeric)\s*\(\s*(\d{1,2})\s*(?:,\s*(\d{1,2})\s*)?\)")
_STATUSES = ("proposed", "draft", "active", "deprecated", "retired")
_OF_THE_RUN = "it belongs to runner.yaml, not to the contract"
_NO_MEANING = "it has no meaning here"


@dataclass(frozen=True)
class AssetContract:
    """An asset as an ODCS document, whose places are those of the asset.

    Attributes:
        document: The ODCS v3.1 document.
        left_out: What of the asset the document does not say.
        unknown: Keys that no asset has.
        problems: What else is wrong: the document is of use only where there is nothing.
    """

    document: YamlDocument
    left_out: tuple[LeftOut, ...] = ()
    unknown: tuple[Problem, ...] = ()
    problems: tuple[Problem, ...] = ()


def is_dativo_asset(data: Any) -> bool:
    """Whether a document has the shape of an asset of Dativo."""
    if not isinstance(data, Mapping):
        return False
    inner = data.get("asset")
    return isinstance(inner, Mapping) or {"source_type", "object"} <= set(data)


def asset_contract(document: YamlDocument) -> AssetContract:
    """The asset as a contract of one table, called as the asset's object is."""
    findings = Findings(document)
    top = AssetPart(findings, document.data, ())
    asset = top.part("asset") if "asset" in top.data else top
    draft = _Draft(findings)
    data = draft.contract(asset, document.path.stem)
    asset.close()
    if asset is not top:
        top.close()
    return AssetContract(
        document.with_data(data, draft.moved),
        tuple(findings.left_out),
        tuple(findings.unknown),
        tuple(findings.problems),
    )


@dataclass
class _Draft:
    """The document in the making; `moved` tells where values of new paths were written."""

    findings: Findings
    moved: dict[PathInDocument, PathInDocument] = field(default_factory=dict)

    def contract(self, asset: AssetPart, default_name: str) -> dict[str, Any]:
        """The whole document."""
        title = asset.text("name") or default_name
        described = _description(asset)
        owners = _Owners.of(asset)
        custom = _custom(asset, owners)
        table = self._table(asset, title)
        kept = [*asset.entries("slaProperties")]
        status = asset.text("status").casefold()
        data = {
            "apiVersion": "v3.1.0",
            "kind": "DataContract",
            "id": asset.text("id") or title,
            "name": title,
            "version": asset.text("version") or "1.0.0",
            "status": status if status in _STATUSES else "draft",
            "description": described,
            "tags": [*asset.texts("tags"), *owners.tags],
            "schema": [table],
            "slaProperties": [*kept, *self._retention(owners)],
            "team": owners.team,
            "customProperties": custom,
            **{key: asset.text(key) for key in ("domain", "dataProduct", "tenant")},
            "contractCreatedTs": asset.text("contractCreatedTs"),
        }
        for key in ("name", "version", "team", "id"):
            self.moved[(key,)] = (*asset.path, key)
        for n in range(len(kept)):
            self.moved["slaProperties", n] = (*asset.path, "slaProperties", n)
        asset.leave("target", _OF_THE_RUN)
        asset.leave("lineage", "Dagster shows where a table comes from")
        asset.leave("audit", "Git tells who changed a contract")
        asset.leave("change_management", _NO_MEANING)
        asset.drop("$schema", "apiVersion", "kind")
        return {key: value for key, value in data.items() if value not in ("", [], {}, None)}

    def _table(self, asset: AssetPart, title: str) -> dict[str, Any]:
        name = asset.text("object") or title
        columns: dict[str, dict[str, Any]] = {}
        for n, part in enumerate(asset.parts("schema")):
            column = self._column(part)
            columns[column["name"]] = column
            self.moved["schema", 0, "properties", n] = part.path
        if not columns:
            self.findings.problem("the asset has no columns", *asset.path, "schema")
        self.moved["schema", 0] = (*asset.path, "schema")
        self.moved["schema", 0, "name"] = (*asset.path, "object")
        _add_expectations(asset, columns)
        return {
            "name": name,
            "physicalType": "table",
            "properties": [_filled(column) for column in columns.values()],
        }

    def _column(self, part: AssetPart) -> dict[str, Any]:
        name = part.text("name")
        if not name:
            self.findings.problem("a column needs a name", *part.path, "name")
        part.leave("physicalType", "the source's type; the platform's is derived from `type`")
        never = "Dativo never runs it; write it anew in the standard's words"
        part.leave("quality", never, is_hint=True)
        for key in ("encryptedName", "transformSourceObjects", "transformLogic"):
            part.leave(key, _NO_MEANING)
        allowed = part.values("enum")
        rules = [_rule(f"{name}_is_one_of_its_values", "invalidValues", allowed)] if allowed else []
        position = part.take("primaryKeyPosition")
        part.drop("partitioned", "partitionKeyPosition")
        column = {
            "name": name,
            "physicalName": part.text("physicalName"),
            "businessName": part.text("businessName"),
            "description": part.text("description"),
            **self._type(part),
            "required": part.flag("required"),
            "unique": part.flag("unique"),
            **({"primaryKey": True} if part.flag("primaryKey") else {}),
            **({"primaryKeyPosition": position} if isinstance(position, int) else {}),
            "classification": part.text("classification"),
            "criticalDataElement": part.flag("criticalDataElement"),
            "tags": part.texts("tags"),
            "examples": part.values("examples"),
            "quality": rules,
        }
        part.close()
        return column

    def _type(self, part: AssetPart) -> dict[str, Any]:
        """The keys that tell a column's type."""
        written = part.text("type") or "string"
        kind = written.casefold()
        if digits := _DECIMAL.fullmatch(kind):
            return {"logicalType": "number", "physicalType": _decimal(digits)}
        if kind not in _TYPES:
            self.findings.unknown_type(part, written, sorted(_TYPES))
            return {"logicalType": "string"}
        if kind == "decimal":
            part.note("type", "how many digits it has: it is taken as decimal(38,9)")
        if kind in _JSON:
            part.note("type", "that the text is JSON")
        logical, physical = _TYPES[kind]
        zone = {"logicalTypeOptions": {"defaultTimezone": "UTC"}} if logical == "timestamp" else {}
        return {"logicalType": logical, "physicalType": physical, **zone}

    def _retention(self, owners: _Owners) -> list[dict[str, Any]]:
        """0 is a valid retention."""
        if owners.retention is None:
            return []
        return [{"property": "retention", "value": owners.retention, "unit": "d"}]


def _decimal(digits: re.Match[str]) -> str:
    return f"decimal({digits[1]},{digits[2] or 0})"


@dataclass(frozen=True)
class _Owners:
    """What the older form says under `governance`, and the newer one under `team` and others."""

    owner: str
    tags: list[str]
    retention: int | None
    cost_center: str
    governance: AssetPart
    compliance: AssetPart

    @classmethod
    def of(cls, asset: AssetPart) -> _Owners:
        governance, compliance, team = map(asset.part, ("governance", "compliance", "team"))
        team.leave("roles", _NO_MEANING)
        for key in ("security", "user_consent_required"):
            compliance.leave(key, _NO_MEANING)
        newer, older = compliance.days("retention_days"), governance.days("retention_days")
        costs = [part.text("cost_center") for part in (governance, team)]
        owners = [part.text("owner") for part in (team, governance)]
        team.close()
        return cls(
            owner=next(filter(None, owners), ""),
            tags=governance.texts("tags"),
            retention=older if newer is None else newer,
            cost_center=next(filter(None, costs), ""),
            governance=governance,
            compliance=compliance,
        )

    @property
    def team(self) -> dict[str, Any]:
        """The standard's team."""
        return {"members": [{"username": self.owner, "role": "owner"}]} if self.owner else {}


def _custom(asset: AssetPart, owners: _Owners) -> list[dict[str, Any]]:
    """Custom properties, by the names under which Dativo writes them to tables."""
    compliance, governance, finops = owners.compliance, owners.governance, asset.part("finops")
    old_classes = governance.texts("classification")
    classes = compliance.texts("classification") or old_classes
    regulations = compliance.texts("regulations")
    custom: dict[str, Any] = {
        "asset.name": asset.text("name"),
        "asset.version": asset.text("version"),
        "asset.source_type": asset.text("source_type"),
        "asset.object": asset.text("object"),
        "compliance.classification": classes,
        "compliance.regulations": regulations,
        "classification.default": classes[0].lower() if classes else "",
        "governance.owner": owners.owner,
        "governance.retention_days": owners.retention,
        "governance.domain": asset.text("domain"),
        "governance.data_product": asset.text("dataProduct"),
        "governance.regulations": ",".join(regulations),
        "finops.cost_center": finops.text("cost_center") or owners.cost_center,
        "finops.business_tags": ",".join(finops.texts("business_tags")),
        "finops.project": finops.text("project"),
        "finops.environment": finops.text("environment"),
    }
    for part in asset.peek("schema"):
        if isinstance(part, Mapping) and isinstance(part.get("classification"), str):
            found = part["classification"].lower()
            custom[f"classification.fields.{part.get('name')}"] = found
    for section in (compliance, governance, finops):
        section.close()
    return [
        {"property": name, "value": value}
        for name, value in custom.items()
        if value not in ("", [], None)
    ]


def _description(asset: AssetPart) -> dict[str, str]:
    if isinstance(asset.data.get("description"), str):
        return {"purpose": asset.text("description")}
    part = asset.part("description")
    found = {key: part.text(key) for key in ("purpose", "limitations", "usage")}
    part.close()
    return {key: text for key, text in found.items() if text}


def _add_expectations(asset: AssetPart, columns: Mapping[str, dict[str, Any]]) -> None:
    quality = asset.part("data_quality")
    for entry in quality.parts("expectations"):
        column, kind = entry.text("column"), entry.text("type")
        metric = _METRICS.get(kind)
        if metric is None or column not in columns:
            entry.leave_all(f"the expectation {kind} of {column}", "it is not known here")
            continue
        rule = _rule(f"{column}_{metric}", metric, entry.values("values"))
        said = {key: entry.text(key) for key in ("severity", "dimension", "description")}
        rules = columns[column]["quality"]
        if any(known["name"] == rule["name"] for known in rules):
            rule["name"] = f"{rule['name']}_{len(rules) + 1}"
        rules.append({**rule, **{key: text for key, text in said.items() if text}})
        entry.close()
    for key in ("monitoring", "alerts"):
        quality.leave(key, _OF_THE_RUN)
    quality.close()


_METRICS = {
    "not_null": "nullValues",
    "unique": "duplicateValues",
    "accepted_values": "invalidValues",
}
"""The standard's metrics, by Dativo's expectations."""


def _rule(name: str, metric: str, allowed: list[Any]) -> dict[str, Any]:
    rule: dict[str, Any] = {"name": name, "type": "library", "metric": metric}
    if metric == "invalidValues":
        rule["arguments"] = {"validValues": allowed}
    return {**rule, "mustBe": 0}


def _filled(column: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in column.items() if value not in ("", [], {}, None, False)}
