"""ODCS documents in the making: tables and rules as plain data, in the standard's key order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import yaml

from quality_platform.checks.naming import CONFORMS, identifier
from quality_platform.exchange.column_types import ColumnType
from quality_platform.exchange.results import Imported, Loss

API_VERSION = "v3.1.0"

_CONTRACT_KEYS = (
    "apiVersion", "kind", "id", "name", "version", "status", "tenant", "domain", "dataProduct",
    "description", "tags", "servers", "schema", "slaProperties", "team", "roles", "support",
    "price", "authoritativeDefinitions", "customProperties", "contractCreatedTs",
)  # fmt: skip
_ELEMENT_KEYS = (
    "id", "name", "physicalName", "businessName", "description", "logicalType", "physicalType",
    "logicalTypeOptions", "required", "unique", "primaryKey", "primaryKeyPosition", "partitioned",
    "partitionKeyPosition", "classification", "criticalDataElement", "tags", "examples", "enum",
    "items", "relationships", "quality", "customProperties", "properties",
)  # fmt: skip
_RULE_KEYS = (
    "name", "description", "type", "metric", "engine", "implementation", "query", "arguments",
    "mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo", "mustBeLessThan",
    "mustBeLessOrEqualTo", "mustBeBetween", "mustNotBeBetween", "unit", "dimension", "severity",
    "tags", "customProperties",
)  # fmt: skip


@dataclass(frozen=True)
class RuleNotes:
    """What the source says about a rule, beside the rule itself."""

    name: str = ""
    severity: str = ""
    description: str = ""
    dimension: str = ""
    custom: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def is_plain(self) -> bool:
        """Whether nothing is said, so that a field of the property tells the rule completely."""
        said = (self.name, self.description, self.dimension, self.custom)
        return not any(said) and self.severity in ("", "error")

    def on(self, rule: Mapping[str, Any]) -> dict[str, Any]:
        """The rule with what is said about it."""
        said = {
            "name": self.name,
            "severity": self.severity,
            "description": self.description,
            "dimension": self.dimension,
            "customProperties": custom_properties(self.custom),
        }
        added = {key: value for key, value in said.items() if value}
        if "customProperties" in rule and "customProperties" in added:
            added["customProperties"] = [*rule["customProperties"], *added["customProperties"]]
        return {**rule, **added}


def library_rule(
    metric: str,
    arguments: Mapping[str, Any] | None = None,
    operator: str = "mustBe",
    value: Any = 0,
    unit: str = "",
) -> dict[str, Any]:
    """A rule of the standard's own library; `value` is what the operator compares with."""
    rule: dict[str, Any] = {"type": "library", "metric": metric}
    if arguments:
        rule["arguments"] = dict(arguments)
    return {**rule, operator: value, **({"unit": unit} if unit else {})}


def predicate_rule(sql: str) -> dict[str, Any]:
    """A rule that every row must satisfy, as a SQL predicate (DuckDB's dialect)."""
    return {"type": "text", "customProperties": custom_properties({"rowPredicate": sql})}


def engine_rule(engine: str, implementation: Mapping[str, Any]) -> dict[str, Any]:
    """A rule in the words of a check engine, `greatExpectations` or `soda`."""
    return {"type": "custom", "engine": engine, "implementation": dict(implementation)}


def custom_properties(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Names and values as the standard lists them."""
    return [{"property": name, "value": value} for name, value in values.items()]


@dataclass
class TableDraft:
    """An object of a contract while an importer fills it; `losses` is shared by the whole import.

    `where` is the table's place in the input.
    """

    name: str
    where: str
    losses: list[Loss]
    entry: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, dict[str, Any]] = field(default_factory=dict)
    quality: list[dict[str, Any]] = field(default_factory=list)

    def column(self, name: str) -> dict[str, Any]:
        """The column of this name, made where it is not there yet."""
        return self.columns.setdefault(name, {"name": name})

    def set_type(self, column: str, kind: ColumnType, where: str) -> None:
        """Gives the column a type; what of it is lost is listed."""
        options = self.column(column).get("logicalTypeOptions", {})
        self.column(column).update(deepcopy(kind.keys))
        if options:
            self.options(column).update(options)
        if kind.lost:
            self.lose(where, "a part of its type", kind.lost)

    def guess_type(self, column: str, logical: str) -> str:
        """The column's logical type; where it has none, the one that a rule suggests."""
        entry = self.column(column)
        if "logicalType" not in entry:
            entry["logicalType"] = logical
            why = f"a rule suggests {logical}; correct it by hand where that is wrong"
            self.lose(f"{self.where}: column {column}", "its type", why)
        return str(entry["logicalType"])

    def options(self, column: str) -> dict[str, Any]:
        """The column's `logicalTypeOptions`, to be filled."""
        options: dict[str, Any] = self.column(column).setdefault("logicalTypeOptions", {})
        return options

    def add_rule(self, rule: Mapping[str, Any], notes: RuleNotes, column: str = "") -> None:
        """Adds a rule to a column, or to the object where none is named."""
        holder = self.column(column).setdefault("quality", []) if column else self.quality
        holder.append(notes.on(rule))

    def lose(self, where: str, what: str, why: str) -> None:
        """Lists a loss."""
        self.losses.append(Loss(where, what, why))

    def finished(self) -> dict[str, Any]:
        """The object: every column has a type, every rule a name of its own."""
        taken = {CONFORMS, *self._stated_names()}
        for column in self.columns.values():
            if "logicalType" not in column:
                column["logicalType"] = "string"
                self.lose(
                    f"{self.where}: column {column['name']}",
                    "its type",
                    "the input does not tell one; taken as string, correct it by hand",
                )
            _name_rules(column.get("quality", []), column["name"], taken)
        _name_rules(self.quality, "table", taken)
        table = {
            "name": self.name,
            "physicalType": "table",
            **self.entry,
            "quality": self.quality,
            "properties": [_element(column) for column in self.columns.values()],
        }
        return _element(table)

    def _stated_names(self) -> set[str]:
        """Names that relationships bear; derived names keep clear of all stated ones."""
        links = [*self.entry.get("relationships", ())]
        for column in self.columns.values():
            links += column.get("relationships", ())
        return {
            identifier(str(custom["value"]))
            for link in links
            for custom in link.get("customProperties", ())
            if custom["property"] == "name"
        }


def document(name: str, tables: Sequence[TableDraft], losses: list[Loss], **more: Any) -> Imported:
    """The contract with these tables; `more` holds further keys of the standard's top level."""
    contract = {
        "apiVersion": API_VERSION,
        "kind": "DataContract",
        "id": name,
        "name": name,
        "version": "1.0.0",
        "status": "draft",
        "schema": [table.finished() for table in tables],
        **{key: value for key, value in more.items() if value not in (None, "", [], {})},
    }
    return Imported(_ordered(contract, _CONTRACT_KEYS), tuple(losses))


def in_order(contract: Mapping[str, Any]) -> dict[str, Any]:
    """A contract's document in the key order of the standard, without what is empty."""
    tables = [_element(table) for table in contract["schema"]]
    return _ordered({**contract, "schema": tables}, _CONTRACT_KEYS)


def dumped(contract: Mapping[str, Any]) -> str:
    """The document as YAML in block style."""
    return yaml.dump(dict(contract), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Dumper(yaml.SafeDumper):
    """Indents lists under their key, writes texts of several lines as blocks, and no aliases."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:  # noqa: ARG002
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    )


_Dumper.add_representer(str, _text)


def _name_rules(rules: list[dict[str, Any]], prefix: str, taken: set[str]) -> None:
    """Gives every rule a name that no other check of the table has."""
    for rule in rules:
        default = rule.get("metric") or _kind(rule)
        wanted = identifier(str(rule.get("name") or f"{prefix}_{default}")) or "rule"
        name, number = wanted, 2
        while name in taken:
            name, number = f"{wanted}_{number}", number + 1
        taken.add(name)
        rule["name"] = name


def _kind(rule: Mapping[str, Any]) -> str:
    implementation = rule.get("implementation")
    if not isinstance(implementation, Mapping):
        return "predicate" if rule["type"] == "text" else str(rule["type"])
    return str(implementation.get("type") or next(iter(implementation)))


def _element(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A table or column in the standard's order, without what is empty."""
    kept = {key: value for key, value in entry.items() if value not in (None, "", [], {}, False)}
    if "quality" in kept:
        kept["quality"] = [_ordered(rule, _RULE_KEYS) for rule in kept["quality"]]
    if "items" in kept:
        kept["items"] = _element(kept["items"])
    if "properties" in kept:
        kept["properties"] = [_element(part) for part in kept["properties"]]
    return _ordered(kept, _ELEMENT_KEYS)


def _ordered(entry: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """The entry in the order of the keys; others come last."""
    known = [key for key in keys if key in entry]
    others = [key for key in entry if key not in keys]
    return {key: entry[key] for key in (*known, *others)}
