"""A contract as a page for people: what the data is, who answers for it, what is checked."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from quality_platform.checks.nested import places
from quality_platform.checks.specs import CheckSpec, Note, Scope
from quality_platform.checks.wording import reason_text
from quality_platform.contracts.models import (
    Contract,
    Property,
    SchemaObject,
    SlaProperty,
)
from quality_platform.exchange.exporters.checks import checks_of
from quality_platform.exchange.results import Exported

_SPECIAL = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|#"})
_CONSEQUENCES = {
    (Scope.ROW, "error"): "the row is quarantined",
    (Scope.ROW, "warning"): "the row is counted",
    (Scope.GATE, "error"): "nothing is published",
    (Scope.GATE, "warning"): "it is reported",
}


def export_markdown(contract: Contract) -> Exported:
    """The whole contract, all its tables, as GitHub-flavoured Markdown.

    Raises:
        ContractError: rules of the contract that cannot be understood.
    """
    sections = [
        _head(contract),
        *(_object(contract, table) for table in contract.objects),
        _section("Service levels", _sla(contract.sla)),
        _section("Where it is", _servers(contract)),
        _section("Who may read and change it", _roles(contract.entry)),
        _section("Support", _support(contract.entry)),
        _section("Price", _price(contract.entry)),
    ]
    return Exported("\n\n".join(section for section in sections if section) + "\n")


def _head(contract: Contract) -> str:
    facts = [
        ("Contract", f"{contract.id}, version {contract.version}"),
        ("Status", contract.status),
        ("Domain", contract.domain),
        ("Owner", ", ".join(contract.owners)),
        ("Tags", ", ".join(contract.tags)),
    ]
    lines = [f"- **{name}:** {_inline(value)}" for name, value in facts if value]
    description = contract.entry.get("description")
    told = description if isinstance(description, Mapping) else {}
    texts = [contract.purpose or "", *(
        f"**{key.capitalize()}:** {_inline(str(told[key]))}"
        for key in ("usage", "limitations") if told.get(key)
    )]  # fmt: skip
    texts[0] = _inline(texts[0])
    parts = [f"# {_inline(contract.name)}", *(t for t in texts if t), "\n".join(lines)]
    return "\n\n".join(parts)


def _object(contract: Contract, table: SchemaObject) -> str:
    columns = _table(
        ("Column", "Type", "Required", "Class", "Description"),
        (_column_row(place.path, place.definition) for place in places(table)),
    )
    specs, stated = checks_of(contract, table), {rule.location for rule in table.quality}
    checks = _table(
        ("Check", "A row breaks it when, or the batch must be", "When broken", "Why"),
        (_check_row(spec, stated) for spec in specs if spec.scope is not Scope.NOTE),
    )
    notes = [f"- {_inline(_sentence(spec))}" for spec in specs if spec.scope is Scope.NOTE]
    key = f"Primary key: {_inline(', '.join(table.primary_key))}." if table.primary_key else ""
    parts = [f"## {_inline(table.name)}", _inline(table.description), key, columns]
    parts += ["### Checks", checks]
    if notes:
        parts += ["### Good to know", "\n".join(notes)]
    return "\n\n".join(part for part in parts if part)


def _column_row(name: str, column: Property) -> Sequence[str]:
    has_own = column.physical_type not in ("", column.logical_type)
    physical = f" ({column.physical_type})" if has_own else ""
    marks = [column.classification, "critical" if column.is_critical else ""]
    texts = [
        f"{column.business_name}." if column.business_name else "",
        column.description,
        f"One of {_some(column.enum)}." if column.enum else "",
        f"For example {_some(column.examples)}." if column.examples else "",
    ]
    return (
        f"{name} (key)" if column.primary_key_position else name,
        f"{column.logical_type}{physical}",
        "yes" if column.required else "",
        ", ".join(mark for mark in marks if mark),
        " ".join(text for text in texts if text),
    )


def _some(values: Sequence[object]) -> str:
    shown = ", ".join(str(value) for value in values[:5])
    return shown if len(values) <= 5 else f"{shown}, ..."


def _check_row(spec: CheckSpec, stated: Container[object]) -> Sequence[str]:
    """What the check says; the contract's own description where it is a rule of its own."""
    claim = reason_text(spec)
    if spec.scope is Scope.GATE:
        claim = f"{spec.threshold}: {spec.description or claim}"
    consequence = _CONSEQUENCES[spec.scope, spec.severity.value]
    is_told = spec.scope is Scope.ROW and spec.location in stated
    why = spec.description if is_told and spec.description != claim else ""
    return spec.name, claim, f"{spec.severity.value}: {consequence}", why


def _sentence(spec: CheckSpec) -> str:
    return spec.claim.text if isinstance(spec.claim, Note) and spec.claim.text else spec.name


def _sla(promises: Iterable[SlaProperty]) -> str:
    return _table(
        ("Promise", "Value", "About", "Description"),
        (
            (p.property, f"{p.value} {p.unit}".strip(), ", ".join(p.elements), p.description)
            for p in promises
        ),
    )


def _servers(contract: Contract) -> str:
    hidden = ("id", "server", "type", "description", "environment", "roles", "customProperties")
    return _table(
        ("Server", "Type", "Environment", "Place"),
        (
            (
                server.name,
                server.type,
                str(server.entry.get("environment") or ""),
                ", ".join(f"{k} {v}" for k, v in server.entry.items() if k not in hidden),
            )
            for server in contract.servers
        ),
    )


def _roles(entry: Mapping[str, Any]) -> str:
    keys = ("role", "access", "firstLevelApprovers", "description")
    return _table(("Role", "Access", "Approved by", "Description"), _listed(entry, "roles", keys))


def _support(entry: Mapping[str, Any]) -> str:
    keys = ("channel", "tool", "scope", "url")
    return _table(("Channel", "Tool", "Scope", "Address"), _listed(entry, "support", keys))


def _listed(entry: Mapping[str, Any], key: str, keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for item in entry.get(key) or ():
        yield [str(item.get(name) or "") for name in keys]


def _price(entry: Mapping[str, Any]) -> str:
    price = entry.get("price") or {}
    if price.get("priceAmount") is None:
        return ""
    unit = f" per {price['priceUnit']}" if price.get("priceUnit") else ""
    return _inline(f"{price['priceAmount']} {price.get('priceCurrency') or ''}{unit}".strip())


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}" if body else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; "" where there are no rows."""
    lines = [f"| {' | '.join(_inline(cell) for cell in row)} |" for row in rows]
    rule = "| " + " | ".join("---" for _ in head) + " |"
    return "\n".join([f"| {' | '.join(head)} |", rule, *lines]) if lines else ""


def _inline(text: str) -> str:
    """Text of a contract within one line, with nothing in it that Markdown or HTML would read."""
    return " ".join(text.split()).translate(_SPECIAL)
