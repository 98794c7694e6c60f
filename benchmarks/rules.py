"""The rules that every engine runs: 20 of them, the first 5, and 100 with many more patterns.

A rule is plain data here, so that each engine can state it in its own words. `broken_sql` says in
plain SQL what each rule means; the counts of all engines are compared with its answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from benchmarks.data import COUNTRIES, CURRENCIES, STATUSES

SIZES = (5, 20, 100)


class Kind(Enum):
    """What a rule asks of its columns; the last two judge the batch, not single rows."""

    NOT_NULL = "not null"
    UNIQUE = "unique"
    FOREIGN_KEY = "foreign key"
    PATTERN = "regex"
    LENGTH = "length"
    IN_SET = "set"
    IN_RANGE = "range"
    WITHIN_TOTAL = "discount against price"
    CANCELLED = "discount of the cancelled"
    NULL_SHARE = "share of nulls"
    REPEATED_SHARE = "share of repeated rows"


GATES = (Kind.NULL_SHARE, Kind.REPEATED_SHARE)


@dataclass(frozen=True)
class Rule:
    """One rule. Bounds are inclusive, None is open; NULL breaks nothing but NOT_NULL.

    `minimum` and `maximum` bound the value, or its length in characters for LENGTH; `maximum` is
    the percentage that a gate allows. WITHIN_TOTAL: discount <= price * quantity + maximum.
    CANCELLED: discount <= maximum where the status is "cancelled".
    """

    name: str
    kind: Kind
    columns: tuple[str, ...]
    pattern: str = ""
    values: tuple[str, ...] = ()
    minimum: float | str | None = None
    maximum: float | None = None

    @property
    def column(self) -> str:
        """The first column that the rule reads."""
        return self.columns[0]

    @property
    def is_gate(self) -> bool:
        """Whether the rule judges the batch as a whole and labels no row."""
        return self.kind in GATES


EMAIL = r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$"
SKU = r"^[A-Z]{3}-[0-9]{4}-[A-Z0-9]{2}$"
_DISCOUNT = ("discount", "price", "quantity")

# fmt: off
TWENTY = (
    Rule("order_id_not_null", Kind.NOT_NULL, ("order_id",)),
    Rule("order_id_unique", Kind.UNIQUE, ("order_id",)),
    Rule("email_pattern", Kind.PATTERN, ("email",), pattern=EMAIL),
    Rule("country_valid", Kind.IN_SET, ("country",), values=COUNTRIES),
    Rule("quantity_in_range", Kind.IN_RANGE, ("quantity",), minimum=1, maximum=100),
    Rule("customer_id_not_null", Kind.NOT_NULL, ("customer_id",)),
    Rule("customer_id_in_customers", Kind.FOREIGN_KEY, ("customer_id",)),
    Rule("email_not_null", Kind.NOT_NULL, ("email",)),
    Rule("sku_pattern", Kind.PATTERN, ("sku",), pattern=SKU),
    Rule("sku_length", Kind.LENGTH, ("sku",), minimum=11, maximum=11),
    Rule("currency_valid", Kind.IN_SET, ("currency",), values=CURRENCIES),
    Rule("status_valid", Kind.IN_SET, ("status",), values=STATUSES),
    Rule("price_in_range", Kind.IN_RANGE, ("price",), minimum=0, maximum=10_000),
    Rule("discount_in_range", Kind.IN_RANGE, ("discount",), minimum=0),
    Rule("created_at_in_range", Kind.IN_RANGE, ("created_at",), minimum="2024-01-01T00:00:00Z"),
    Rule("note_length", Kind.LENGTH, ("note",), maximum=200),
    Rule("discount_within_total", Kind.WITHIN_TOTAL, _DISCOUNT, maximum=0),
    Rule("cancelled_without_discount", Kind.CANCELLED, ("discount", "status"), maximum=0),
    Rule("discount_mostly_given", Kind.NULL_SHARE, ("discount",), maximum=15),
    Rule("orders_not_repeated", Kind.REPEATED_SHARE, ("customer_id", "sku", "created_at"),
         maximum=0.05),
)
# fmt: on


def rules_of(number: int) -> tuple[Rule, ...]:
    """The set of 5, 20 or 100 rules; a greater set contains the smaller ones.

    Raises:
        ValueError: there is no set of that number.
    """
    if number not in SIZES:
        raise ValueError(f"there is no set of {number} rules, only of {SIZES}")
    return (*TWENTY, *_eighty())[:number]


def _eighty() -> tuple[Rule, ...]:
    """More rules of the kinds that large contracts have most of; clean rows break none."""
    required = ("sku", "country", "currency", "status", "quantity", "price", "created_at")
    prefixes = ("AB", "CD", "EF", "GH", "IJ", "KL", "MN", "OP", "QR", "ST")
    texts = ("email", "sku", "country", "currency", "status", "note")
    return (
        *(Rule(f"{column}_not_null", Kind.NOT_NULL, (column,)) for column in required),
        *(
            Rule(f"sku_pattern_{n}", Kind.PATTERN, ("sku",), pattern=_sku_like(letters))
            for n, letters in enumerate(prefixes, 1)
        ),
        *(
            Rule(f"{column}_length_{most}", Kind.LENGTH, (column,), minimum=1, maximum=most)
            for column in texts
            for most in (100, 200)
        ),
        *(
            Rule(f"quantity_at_most_{most}", Kind.IN_RANGE, ("quantity",), maximum=most)
            for most in range(100, 196, 8)
        ),
        *(
            Rule(f"price_at_most_{most}", Kind.IN_RANGE, ("price",), minimum=0, maximum=most)
            for most in range(1000, 13_000, 1000)
        ),
        *(
            Rule(f"country_valid_{n}", Kind.IN_SET, ("country",), values=(*COUNTRIES, f"X{n}"))
            for n in range(12)
        ),
        *(
            Rule(f"discount_within_total_{slack}", Kind.WITHIN_TOTAL, _DISCOUNT, maximum=slack)
            for slack in range(1, 16)
        ),
    )


def _sku_like(letters: str) -> str:
    """What skus look like, and a third letter that the two before it allow."""
    return rf"^([^{letters}]|[{letters}])[A-Z]{{2}}-\d+-[A-Z0-9]+$"


def broken_sql(rule: Rule) -> str:
    """SQL true for a row of `orders` that breaks the rule; of a gate, for a row that it counts.

    Raises:
        ValueError: the rule is about keys that are repeated, which one row cannot tell.
    """
    column = rule.column
    match rule.kind:
        case Kind.NOT_NULL | Kind.NULL_SHARE:
            return f"{column} IS NULL"
        case Kind.FOREIGN_KEY:
            return f"{column} NOT IN (SELECT customer_id FROM customers)"
        case Kind.PATTERN:
            return f"NOT regexp_matches({column}, '{rule.pattern}')"
        case Kind.IN_SET:
            return f"{column} NOT IN {rule.values}"
        case Kind.LENGTH:
            return _outside(f"length({column})", rule)
        case Kind.IN_RANGE:
            return _outside(column, rule)
        case Kind.WITHIN_TOTAL | Kind.CANCELLED:
            return f"NOT ({predicate_sql(rule)})"
        case _:
            raise ValueError(f"{rule.name} is about groups of rows, not about single ones")


def predicate_sql(rule: Rule) -> str:
    """The condition across columns that a row must keep."""
    if rule.kind is Kind.WITHIN_TOTAL:
        return f"discount <= price * quantity + {rule.maximum}"
    return f"status <> 'cancelled' OR discount <= {rule.maximum}"


def range_sql(rule: Rule) -> str:
    """The condition on one column, or on its length, that a row must keep."""
    operand = f"length({rule.column})" if rule.kind is Kind.LENGTH else rule.column
    return f"NOT ({_outside(operand, rule)})"


def _outside(operand: str, rule: Rule) -> str:
    low = f"'{rule.minimum}'" if isinstance(rule.minimum, str) else rule.minimum
    parts = [f"{operand} < {low}"] if low is not None else []
    parts += [f"{operand} > {rule.maximum}"] if rule.maximum is not None else []
    return " OR ".join(parts)
