"""What the exporters share: the checks of a table, and the losses among them."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa

from quality_platform.checks.derive import check_specs
from quality_platform.checks.specs import CheckSpec, InRange
from quality_platform.contracts.models import Contract, SchemaObject
from quality_platform.contracts.schemas import arrow_schema
from quality_platform.exchange.results import Loss


def checks_of(contract: Contract, table: SchemaObject) -> tuple[CheckSpec, ...]:
    """All checks of the table, service levels among them.

    A foreign key refers to the contract's object by its own name.

    Raises:
        ContractError: rules that cannot be understood.
    """
    objects = {link.to_object: link.to_object for link in table.relationships}
    return check_specs(table, objects, contract.sla)


def is_nested(spec: CheckSpec, table: SchemaObject) -> bool:
    """Whether the check judges what lies within a column: a part of an object, an item."""
    return not set(spec.columns) <= set(table.column_names)


def loss_of(spec: CheckSpec, why: str) -> Loss:
    """The check as a loss, with its place in the contract."""
    return Loss(str(spec.location or "the contract"), f"the check {spec.name}", why)


def plain(value: object) -> object:
    """A value of a contract as JSON and YAML have it; a number keeps its value, or stays a text."""
    if not isinstance(value, Decimal):
        return value
    number = int(value) if value == value.to_integral_value() else float(value)
    return number if Decimal(str(number)) == value else str(value)


def is_number(value: object) -> bool:
    """Whether the value is a number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def lets_nan_pass(spec: CheckSpec, table: SchemaObject) -> bool:
    """Whether the check is a lower bound of a column that can hold NaN.

    To SQL, NaN is the greatest number; the platform's own range holds it back.
    """
    claim = spec.claim
    if not isinstance(claim, InRange) or claim.maximum is not None:
        return False
    kind = arrow_schema(table).field(claim.column).type
    return bool(pa.types.is_floating(kind))
