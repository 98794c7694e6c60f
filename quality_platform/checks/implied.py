"""The checks that a table's columns imply: types, `required`, `unique`, options, keys."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from quality_platform.checks.contract_values import comparable, kinds_allowed
from quality_platform.checks.naming import CONFORMS, identifier
from quality_platform.checks.nested import Place, children, places
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
    NotNull,
    PropertyCount,
    Scope,
    Unique,
    UniqueItems,
)
from quality_platform.checks.string_formats import known_format
from quality_platform.checks.wording import bounds_text
from quality_platform.contracts.column_types import integer_bounds, text_length
from quality_platform.contracts.models import SchemaObject
from quality_platform.errors import ContractError


def table_checks(table: SchemaObject) -> list[CheckSpec]:
    """That every cell converts, and that the primary key is unique."""
    specs = [
        CheckSpec(
            name=CONFORMS,
            claim=Conforms(),
            scope=Scope.ROW,
            dimension="conformity",
            description="Every cell converts to its column's type.",
            location=table.location,
        )
    ]
    if table.primary_key:
        key = table.primary_key
        specs.append(
            CheckSpec(
                name="primary_key_unique",
                claim=Unique(key),
                scope=Scope.ROW,
                dimension="uniqueness",
                description=f"No two rows share the primary key ({', '.join(key)}).",
                columns=key,
                location=table.location,
            )
        )
    return specs


def prefixed_places(table: SchemaObject) -> list[tuple[Place, str]]:
    """Every place with what its checks' names begin with; columns are told apart by number."""
    plain = {name: identifier(name) or "column" for name in table.column_names}
    counts = Counter(plain.values())
    prefixes = {
        name: f"{prefix}_{n}" if counts[prefix] > 1 else prefix
        for n, (name, prefix) in enumerate(plain.items(), 1)
    }
    return [
        (place, identifier(prefixes[place.column] + place.name.removeprefix(place.column)))
        for place in places(table)
    ]


def place_checks(place: Place, prefix: str) -> list[CheckSpec]:
    """What a column, or a part of one, says of itself.

    Raises:
        ContractError: an option that cannot be judged.
    """
    found: list[_Implied] = []
    for family in (_presence, _enum, _numbers, _texts, _collections):
        found += family(place)
    return [
        CheckSpec(
            name=f"{prefix}_{implied.suffix}",
            claim=implied.claim,
            scope=Scope.ROW,
            dimension=implied.dimension,
            description=implied.description,
            columns=(place.path,),
            location=place.definition.location,
        )
        for implied in found
    ]


@dataclass(frozen=True)
class _Implied:
    suffix: str
    claim: Claim
    description: str
    dimension: str = "conformity"


def _presence(place: Place) -> Iterator[_Implied]:
    column, path = place.definition, place.path
    if column.required:
        claim = place.claim(NotNull(path))
        yield _Implied("not_null", claim, f"{path} has a value.", "completeness")
    if not column.unique and column.primary_key_position is None:
        return
    if place.is_nested:
        raise ContractError(
            f"{path} is a part of a column: uniqueness and keys are about whole columns",
            location=column.location,
            field="unique" if column.unique else "primaryKey",
            action="make it a column of its own; for the items of an array write "
            "`logicalTypeOptions: {uniqueItems: true}`",
        )
    if column.unique:
        yield _Implied("unique", Unique((path,)), f"No two rows share {path}.", "uniqueness")


def _enum(place: Place) -> Iterator[_Implied]:
    if place.definition.enum:
        values = tuple(_value(place, "enum", value) for value in place.definition.enum)
        shown = f"{place.path} is one of the {len(values)} values of its enum."
        yield _Implied("enum", place.claim(InSet(place.path, values)), shown)


def _numbers(place: Place) -> Iterator[_Implied]:
    path, options = place.path, place.definition.options
    bounds = _bounds(place)
    if bounds is not None:
        yield _Implied("in_range", place.claim(bounds), f"{path} is within {bounds_text(bounds)}.")
    limits = integer_bounds(place.definition)
    if limits is not None:
        fitting = InRange(path, *limits)
        text = f"{path} fits its type, {bounds_text(fitting)}."
        yield _Implied("type_range", place.claim(fitting), text)
    if (factor := options.get("multipleOf")) is not None:
        claim = place.claim(MultipleOf(path, Decimal(str(factor))))
        yield _Implied("multiple_of", claim, f"{path} is a multiple of {factor}.")


def _bounds(place: Place) -> InRange | None:
    """The range that the options leave; of an inclusive and an exclusive bound the narrower."""
    low, above = _bound(place, "minimum", "exclusiveMinimum", operator.gt)
    high, below = _bound(place, "maximum", "exclusiveMaximum", operator.lt)
    if low is None and high is None:
        return None
    return InRange(place.path, low, high, above, below)


def _bound(
    place: Place, inclusive: str, exclusive: str, is_narrower: Callable[[Any, Any], bool]
) -> tuple[object | None, bool]:
    """A bound and whether it is exclusive."""
    end, strict = place.definition.options.get(inclusive), place.definition.options.get(exclusive)
    end = _value(place, inclusive, end)
    if strict is None:
        return end, False
    strict = _value(place, exclusive, strict)
    return (end, False) if end is not None and is_narrower(end, strict) else (strict, True)


def _value(place: Place, option: str, value: object) -> object:
    """A value of the contract, in the column's type."""
    kind = place.definition.logical_type
    try:
        return comparable(value, kind)
    except ValueError:
        raise ContractError(
            f"a column of logical type {kind} cannot have this value",
            location=place.definition.location,
            field=option,
            received=repr(value),
            allowed=kinds_allowed(kind),
        ) from None


def _texts(place: Place) -> Iterator[_Implied]:
    path, options = place.path, place.definition.options
    if (pattern := options.get("pattern")) is not None:
        claim = place.claim(Matches(path, pattern))
        yield _Implied("pattern", claim, f"{path} matches {pattern}.")
    if place.definition.logical_type == "string" and (form := known_format(options.get("format"))):
        yield _Implied("format", place.claim(HasFormat(path, form)), f"{path} has the form {form}.")
    lengths = (options.get("minLength"), options.get("maxLength"))
    if _has_bound(lengths):
        claim = place.claim(LengthBetween(path, *lengths))
        yield _Implied("length", claim, f"{path} has a valid length.")
    longest = text_length(place.definition)
    if longest is not None and (lengths[1] is None or lengths[1] > longest):
        claim = place.claim(LengthBetween(path, None, longest))
        yield _Implied("type_length", claim, f"{path} fits {place.definition.physical_type}.")


def _collections(place: Place) -> Iterator[_Implied]:
    path, options = place.path, place.definition.options
    counts = (options.get("minItems"), options.get("maxItems"))
    if place.definition.logical_type == "vector" and (size := options.get("dimensions")):
        counts = (size, size)
    if _has_bound(counts):
        claim = place.claim(ItemCount(path, *counts))
        yield _Implied("item_count", claim, f"{path} has a valid number of items.")
    if options.get("uniqueItems"):
        claim = place.claim(UniqueItems(path))
        yield _Implied("unique_items", claim, f"No two items of {path} are equal.", "uniqueness")
    yield from _of_objects(place, options)


def _of_objects(place: Place, options: Mapping[str, Any]) -> Iterator[_Implied]:
    """What the options of an object say: how many of its properties have values, and which."""
    names = tuple(child.name for child in place.definition.properties)
    counts = (options.get("minProperties"), options.get("maxProperties"))
    if names and _has_bound(counts):
        claim = place.claim(PropertyCount(place.path, names, *counts))
        yield _Implied("property_count", claim, f"{place.path} has enough and not too many values.")
    needed = options.get("required")
    for child in children(place):
        if isinstance(needed, list) and child.steps[-1] in needed and not child.definition.required:
            suffix = f"{child.steps[-1]}_not_null"
            text = f"{child.path} has a value."
            yield _Implied(suffix, child.claim(NotNull(child.path)), text, "completeness")


def _has_bound(bounds: tuple[object, object]) -> bool:
    """Whether one of two bounds on a count can be broken."""
    return bool(bounds[0]) or bounds[1] is not None
