"""A table's rows as JSON Schema, draft 2020-12: one document for one row.

https://json-schema.org/draft/2020-12. A schema judges one document alone, so that checks on the
batch, uniqueness and foreign keys are losses. Dates and times are texts as RFC 3339 has them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from quality_platform.checks.specs import (
    CheckSpec,
    Claim,
    Conforms,
    HasFormat,
    InRange,
    InSet,
    ItemCount,
    LengthBetween,
    Matches,
    MultipleOf,
    Nested,
    NotMissing,
    NotNull,
    Scope,
    Severity,
    UniqueItems,
)
from quality_platform.contracts.models import Contract, Property, SchemaObject
from quality_platform.contracts.schemas import arrow_schema
from quality_platform.exchange.exporters.checks import checks_of, is_number, loss_of, plain
from quality_platform.exchange.results import Exported, Loss

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TYPES: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string", "format": "time"},
}
_FORMATS = frozenset({"email", "uuid", "uri", "hostname", "ipv4", "ipv6"})
_OPTIONS = (
    "minLength", "maxLength", "pattern", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "multipleOf", "minItems", "maxItems", "uniqueItems",
)  # fmt: skip


def export_json_schema(contract: Contract, table: SchemaObject) -> Exported:
    """The schema of one row of the table.

    Raises:
        ContractError: rules of the contract that cannot be understood.
    """
    losses: list[Loss] = []
    kinds = {f.name: f.type for f in arrow_schema(table)}
    schema = {
        "$schema": _DRAFT,
        "$id": f"urn:contract:{contract.id}:{contract.version}:{table.name}".replace(" ", "-"),
        "title": table.name,
        **_described(table.description),
        **_object(table.properties, kinds, losses),
    }
    for spec in checks_of(contract, table):
        _add_check(schema["properties"], spec, table, losses)
    return Exported(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", tuple(losses))


def _object(
    properties: tuple[Property, ...], kinds: Mapping[str, pa.DataType], losses: list[Loss]
) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {p.name: _property(p, kinds[p.name], losses) for p in properties},
        "required": [p.name for p in properties if p.required],
        "additionalProperties": False,
    }


def _property(column: Property, kind: pa.DataType, losses: list[Loss]) -> dict[str, Any]:
    schema = {**_type(column, kind, losses), **_options(column, losses)}
    if column.enum:
        schema["enum"] = [*column.enum]
    if not column.required:
        schema = _or_null(schema)
    if column.business_name:
        schema = {"title": column.business_name, **schema}
    schema |= _described(column.description)
    if column.examples:
        schema["examples"] = list(column.examples)
    return schema


def _type(column: Property, kind: pa.DataType, losses: list[Loss]) -> dict[str, Any]:
    """The type of the values; `kind` is the column's type in the lake."""
    if pa.types.is_struct(kind):
        return _object(column.properties, {f.name: f.type for f in kind}, losses)
    if pa.types.is_list(kind):
        inner = column.items
        items = _property(inner, kind.value_type, losses) if inner else {"type": "number"}
        return {"type": "array", "items": items}
    if pa.types.is_map(kind) and column.map_value is not None:
        values = _property(column.map_value, kind.item_type, losses)
        return {"type": "object", "additionalProperties": values}
    if pa.types.is_timestamp(kind) and kind.tz:
        return {"type": "string", "format": "date-time"}
    if pa.types.is_timestamp(kind):
        why = "JSON Schema has no format for a time without a zone"
        losses.append(Loss(str(column.location), f"the type of {column.name}", why))
        return {"type": "string"}
    if pa.types.is_binary(kind):
        return {"type": "string", "contentEncoding": "base64"}
    return dict(_TYPES.get(column.logical_type, {"type": "string"}))


def _options(column: Property, losses: list[Loss]) -> dict[str, Any]:
    """The options that JSON Schema has by the same name; bounds of dates it cannot compare."""
    found = {key: value for key, value in column.options.items() if _is_same(key, value)}
    for key in column.options.keys() - found.keys():
        # Bounds that are no numbers are listed with their check.
        if "imum" not in key and key not in ("timezone", "defaultTimezone"):
            what = f"the option {key} of {column.name}"
            losses.append(Loss(str(column.location), what, "JSON Schema has none like it"))
    return found


def _is_same(key: str, value: Any) -> bool:
    if key == "format":
        return value in _FORMATS
    if isinstance(value, bool):
        return key == "uniqueItems"
    return key in _OPTIONS and not ("imum" in key and isinstance(value, str))


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    if "type" in schema:
        schema = {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    return schema


def _described(text: str) -> dict[str, str]:
    return {"description": text} if text else {}


def _add_check(
    properties: dict[str, Any], spec: CheckSpec, table: SchemaObject, losses: list[Loss]
) -> None:
    claim = spec.claim.claim if isinstance(spec.claim, Nested) else spec.claim
    if isinstance(claim, Conforms) or _is_said_by_property(spec, claim, table):
        return
    subschema = _subschema(claim) if spec.scope is Scope.ROW else None
    target = _target(properties, getattr(claim, "column", ""))
    if subschema is None or target is None:
        losses.append(loss_of(spec, "a schema judges the values of one row, each for itself"))
    elif spec.severity is not Severity.ERROR:
        losses.append(loss_of(spec, "a warning: a row that breaks it is valid all the same"))
    else:
        target.setdefault("allOf", []).append(subschema)


def _target(properties: dict[str, Any], column: str) -> dict[str, Any] | None:
    """The schema of a column, or of a part of it: `address.city`, `tags[]`, `lines[].sku`."""
    found: dict[str, Any] | None = {"properties": properties}
    for step in column.split("."):
        name = step.rstrip("[]")
        found = (found or {}).get("properties", {}).get(name)
        for _ in range(step.count("[]")):
            found = (found or {}).get("items")
    return found


def _is_said_by_property(spec: CheckSpec, claim: Claim, table: SchemaObject) -> bool:
    """Whether the check comes from a field of a property, which the schema says already."""
    found = [p for p in _all_properties(table.properties) if p.location == spec.location]
    if not found:
        return False
    if isinstance(claim, InRange):
        # What the type itself implies has no option.
        given = {value for value in (claim.minimum, claim.maximum) if value is not None}
        return given <= {v for k, v in found[0].options.items() if _is_same(k, v) and "imum" in k}
    said = NotNull | Matches | InSet | MultipleOf | ItemCount | UniqueItems
    if isinstance(claim, HasFormat):
        return claim.format in _FORMATS
    if isinstance(claim, LengthBetween):
        return {"minLength", "maxLength"} & found[0].options.keys() != set()
    return isinstance(claim, said)


def _all_properties(properties: Iterable[Property]) -> Iterator[Property]:
    for column in properties:
        yield column
        yield from _all_properties(column.parts)


def _subschema(claim: Claim) -> dict[str, Any] | None:
    match claim:
        case NotNull():
            return {"not": {"type": "null"}}
        case InSet(_, values):
            return {"enum": [*(plain(v) for v in values if v is not None), None]}
        case NotMissing(_, values):
            return {"not": {"enum": [plain(v) for v in values]}}
        case Matches(_, pattern):
            return {"pattern": pattern}
        case InRange(_, minimum, maximum, is_above, is_below):
            return _bounds((minimum, is_above), (maximum, is_below))
        case LengthBetween(_, minimum, maximum):
            lengths = {"minLength": minimum, "maxLength": maximum}
            return {key: value for key, value in lengths.items() if value is not None}
        case _:
            return None


def _bounds(low: tuple[object, bool], high: tuple[object, bool]) -> dict[str, Any] | None:
    """Bounds of numbers; JSON Schema cannot compare dates."""
    found = {
        f"exclusiveM{name}" if is_exclusive else f"m{name}": plain(bound)
        for name, (bound, is_exclusive) in (("inimum", low), ("aximum", high))
        if bound is not None
    }
    return found if all(is_number(bound) for bound in found.values()) else None
