"""The rows that every engine reads: orders and their customers, as Parquet, made from a seed.

    python -m benchmarks.data --rows 1M --kind bad --folder .local/bench/data

Every value of row `i` is a function of `i` alone, so that any size and either kind can be made
again. `clean` breaks no rule of `benchmarks.rules`. In `bad`, 1.5% of the rows carry one defect
each, spread evenly over the kinds of `DEFECTS`; some defects break two rules, a repeated key makes
two rows bad, and a repeated order breaks a gate alone.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

VERSION = 1
"""Goes up when the rows change, so that no older file is taken for a new one."""

FILES = 4
ROW_GROUP = 122_880
BAD_PER_MILLION = 15_000

COLUMNS = {
    "order_id": "BIGINT",
    "customer_id": "BIGINT",
    "email": "VARCHAR",
    "sku": "VARCHAR",
    "country": "VARCHAR",
    "currency": "VARCHAR",
    "status": "VARCHAR",
    "quantity": "INTEGER",
    "price": "DECIMAL(12,2)",
    "discount": "DOUBLE",
    "created_at": "TIMESTAMPTZ",
    "note": "VARCHAR",
}

# fmt: off
COUNTRIES = (
    "AT", "AU", "BE", "BR", "CA", "CH", "CN", "CZ", "DE", "DK", "ES", "FI", "FR", "GB", "GR",
    "HU", "IE", "IN", "IT", "JP", "KR", "MX", "NL", "NO", "NZ", "PL", "PT", "SE", "US", "ZA",
)
CURRENCIES = ("CHF", "EUR", "GBP", "JPY", "USD")
STATUSES = ("cancelled", "new", "paid", "shipped")
_WORDS = (
    "please", "leave", "at", "the", "door", "gift", "wrap", "call", "before", "delivery",
    "fragile", "second", "floor", "no", "receipt", "thanks",
)
DEFECTS = (
    "order_id_null", "order_id_repeated", "customer_id_null", "customer_unknown", "email_null",
    "email_broken", "sku_lower_case", "sku_too_short", "country_unknown", "currency_unknown",
    "status_unknown", "quantity_outside", "price_outside", "discount_negative", "created_long_ago",
    "note_too_long", "discount_above_total", "cancelled_with_discount", "order_repeated",
)
# fmt: on


@dataclass(frozen=True)
class Dataset:
    """One set of rows on disk: the orders in several files, and the table that they refer to."""

    folder: Path
    rows: int
    kind: str

    @property
    def orders(self) -> tuple[Path, ...]:
        """The orders' files, in the rows' order."""
        return tuple(self.folder / f"orders-{n}.parquet" for n in range(FILES))

    @property
    def customers(self) -> Path:
        """The customers' file: one row for ten orders."""
        return self.folder / "customers.parquet"


def dataset(folder: Path, rows: int, kind: str) -> Dataset:
    """The data set of this size and kind below `folder`; made there unless it exists.

    Raises:
        ValueError: `kind` is neither "clean" nor "bad", or there are too few rows.
    """
    if kind not in ("clean", "bad") or rows < 1000:
        raise ValueError(f"there is no data set of {rows} rows of the kind {kind!r}")
    made = Dataset(folder / f"v{VERSION}-{rows}-{kind}", rows, kind)
    done = made.folder / "done"
    if not done.exists():
        made.folder.mkdir(parents=True, exist_ok=True)
        _write(made)
        done.touch()
    return made


def size(text: str) -> int:
    """A number of rows as people write it: 500000, 500k or 10M.

    Raises:
        ValueError: the text is no such number.
    """
    factor = {"k": 1000, "M": 1_000_000}.get(text[-1:], 1)
    return int(text[:-1] if factor > 1 else text) * factor


def _write(made: Dataset) -> None:
    import duckdb

    connection = duckdb.connect(config={"threads": "2", "memory_limit": "1GB"})
    connection.execute("SET TimeZone = 'UTC'")
    options = f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
    bounds = [made.rows * n // FILES for n in range(FILES + 1)]
    for path, start, stop in zip(made.orders, bounds, bounds[1:], strict=False):
        connection.execute(f"COPY ({_orders(made, start, stop)}) TO '{path}' {options}")
    connection.execute(f"COPY ({_customers(made.rows)}) TO '{made.customers}' {options}")
    connection.close()


def _customers(rows: int) -> str:
    return (
        "SELECT i + 1 AS customer_id, 'customer ' || (i + 1) AS name, "
        f"{one_of(COUNTRIES, 'i', 'country')} AS country FROM range({rows // 10}) t(i)"
    )


def _orders(made: Dataset, start: int, stop: int) -> str:
    share = BAD_PER_MILLION if made.kind == "bad" else 0
    return f"""
        WITH numbered AS (
            -- The first row has none before it that it could repeat.
            SELECT i, CASE WHEN {draw("i", "bad", 1_000_000)} < {share} AND i > 0
                THEN {one_of(DEFECTS, "i", "defect")} ELSE '' END AS defect
            FROM range({start}, {stop}) t(i)
        ),
        sourced AS (
            SELECT *, CASE WHEN defect = 'order_repeated' THEN i - 1 ELSE i END AS j FROM numbered
        ),
        orders AS (SELECT i, defect, {_clean_columns(made.rows)} FROM sourced)
        SELECT {_defective_columns(made.rows)} FROM orders ORDER BY i"""


def _clean_columns(rows: int) -> str:
    """Each column as it is without a defect; `j` is the row that an order repeats, or itself."""
    step = 2 * 365 * 86_400 * 1_000_000 // rows
    product = draw("j", "product", 20_000)
    letters = "".join(
        f"chr(65 + ((product // {26**n}) % 26)::INTEGER) || " for n in range(3)
    ).replace("product", product)
    total = "(quantity * price)::DOUBLE"
    return f"""
        i AS order_id,
        1 + {draw("j", "customer", rows // 10)} AS customer_id,
        'user.' || customer_id || '@' ||
            {one_of(("example.com", "mail.example.org", "shop.test"), "customer_id", "domain")}
            AS email,
        {letters} '-' || lpad(({product} % 10000)::VARCHAR, 4, '0') || '-X' || ({product} % 10)
            AS sku,
        {one_of(COUNTRIES, "i", "country")} AS country,
        {one_of(CURRENCIES, "i", "currency")} AS currency,
        {one_of(STATUSES, "i", "status")} AS status,
        (1 + {draw("i", "quantity", 100)})::INTEGER AS quantity,
        ((100 + {draw("i", "price", 99_900)}) / 100)::DECIMAL(12, 2) AS price,
        CASE WHEN {draw("i", "no discount", 10)} = 0 THEN NULL WHEN status = 'cancelled' THEN 0
            ELSE {total} * {draw("i", "discount", 30)} / 100 END::DOUBLE AS discount,
        TIMESTAMPTZ '2024-01-01 00:00:00+00' +
            to_microseconds(j * {step} + {draw("j", "moment", step)}) AS created_at,
        CASE WHEN {draw("i", "note", 10)} < 3 THEN NULL ELSE
            {" || ' ' || ".join(one_of(_WORDS, "i", f"word{n}") for n in range(5))} END AS note"""


def _defective_columns(rows: int) -> str:
    """Each column with the defects that concern it."""
    defects = {
        "order_id": {"order_id_null": "NULL", "order_id_repeated": "i - 1"},
        "customer_id": {
            "customer_id_null": "NULL",
            "customer_unknown": f"customer_id + {rows // 10}",
        },
        "email": {"email_null": "NULL", "email_broken": "replace(email, '@', ' at ')"},
        "sku": {"sku_lower_case": "lower(sku)", "sku_too_short": "left(sku, 7)"},
        "country": {"country_unknown": "'XX'"},
        "currency": {"currency_unknown": "'BTC'"},
        "status": {"status_unknown": "'lost'", "cancelled_with_discount": "'cancelled'"},
        "quantity": {"quantity_outside": "101 + (i % 100)::INTEGER"},
        "price": {"price_outside": "price + 20000"},
        "discount": {
            "discount_negative": "-1.5",
            "discount_above_total": "(quantity * price)::DOUBLE + 8.5",
            "cancelled_with_discount": "0.5",
        },
        "created_at": {"created_long_ago": "TIMESTAMPTZ '1999-12-31 23:59:59+00'"},
        "note": {"note_too_long": "repeat('too long ', 30)"},
    }
    return ", ".join(
        _with_defects(column, type_, defects[column]) for column, type_ in COLUMNS.items()
    )


def _with_defects(column: str, type_: str, defects: dict[str, str]) -> str:
    cases = " ".join(f"WHEN '{defect}' THEN {value}" for defect, value in defects.items())
    return f"(CASE defect {cases} ELSE {column} END)::{type_} AS {column}"


def draw(of: str, salt: str, n: int) -> str:
    """SQL for a number from 0 to n - 1 that looks random and depends on `of` and the salt alone."""
    # Hashes of several arguments are combined by XOR: two salts would give the same low bits.
    shift = crc32(salt.encode()) * 1_000_000_007
    return f"(hash({of} + {shift}) % {n})::BIGINT"


def one_of(values: tuple[str, ...], of: str, salt: str) -> str:
    """SQL for one of the values, drawn like a number."""
    listed = ", ".join(f"'{value}'" for value in values)
    return f"[{listed}][1 + {draw(of, salt, len(values))}]"


def main() -> None:
    """Makes one data set, from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=size, default=1_000_000)
    parser.add_argument("--kind", choices=("clean", "bad"), default="clean")
    parser.add_argument("--folder", type=Path, default=Path(".local/bench/data"))
    arguments = parser.parse_args()
    made = dataset(arguments.folder, arguments.rows, arguments.kind)
    for path in (*made.orders, made.customers):
        print(path)


if __name__ == "__main__":
    main()
