"""The rows that are ingested: orders of 10 columns, about 220 bytes each as CSV, made from a seed.

Every value of row `i` is a function of `i` alone, so that any size and kind can be made again. A
tenth of the notes has a comma and is quoted. In `bad`, one row in a thousand has a defect that no
reader of typed columns can take, one of `DEFECTS`.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.data import draw, one_of

VERSION = 1
"""Goes up when the rows change, so that no older file is taken for a new one."""

BAD_PER_MILLION = 1000
DEFECTS = ("quantity", "price", "created_at", "short", "long", "email")
"""A word for a number, too many decimals, no time, a field too few or too many, no value."""

COLUMNS = {
    "order_id": "BIGINT",
    "customer_id": "INTEGER",
    "email": "VARCHAR",
    "sku": "VARCHAR",
    "status": "VARCHAR",
    "quantity": "INTEGER",
    "price": "DECIMAL(12,2)",
    "discount": "DOUBLE",
    "created_at": "TIMESTAMPTZ",
    "note": "VARCHAR",
}
OPTIONAL = ("discount", "note")

_NOTE_WORDS = 18
# fmt: off
_WORDS = (
    "please", "leave", "parcel", "beside", "the", "door", "gift", "wrap", "call", "before",
    "delivery", "fragile", "second", "floor", "no", "receipt", "thanks", "between", "morning",
    "evening", "neighbour", "garage", "courtyard", "ring", "twice", "signature", "required", "box",
    "window", "office", "entrance", "left",
)
# fmt: on


def columns_sql(of: str = "i") -> dict[str, str]:
    """SQL (DuckDB) of each column for row number `of`."""
    words = " || ' ' || ".join(one_of(_WORDS, of, f"word{n}") for n in range(_NOTE_WORDS // 2))
    more = " || ' ' || ".join(one_of(_WORDS, of, f"more{n}") for n in range(_NOTE_WORDS // 2))
    comma = f"CASE WHEN {draw(of, 'comma', 10)} = 0 THEN ', ' ELSE ' ' END"
    values = {
        "order_id": of,
        "customer_id": f"1 + {draw(of, 'customer', 500_000)}",
        "email": f"'user.' || {draw(of, 'customer', 500_000)} || '@' || "
        f"{one_of(('example.com', 'mail.example.org', 'shop.test'), of, 'domain')}",
        "sku": f"'SKU-' || lpad(({draw(of, 'product', 20_000)})::VARCHAR, 6, '0')",
        "status": one_of(("cancelled", "new", "paid", "shipped"), of, "status"),
        "quantity": f"1 + {draw(of, 'quantity', 100)}",
        "price": f"(100 + {draw(of, 'price', 99_900)}) / 100",
        "discount": f"CASE WHEN {draw(of, 'none', 10)} > 0 "
        f"THEN {draw(of, 'discount', 1_000_000_007)} / 1e7 END",
        "created_at": f"TIMESTAMPTZ '2024-01-01 00:00:00+00' + "
        f"to_microseconds({of} * 12000000 + {draw(of, 'moment', 12_000_000)})",
        "note": f"CASE WHEN {draw(of, 'note', 10)} > 0 THEN {words} || {comma} || {more} END",
    }
    return {name: f"({values[name]})::{kind}" for name, kind in COLUMNS.items()}


def csv_file(folder: Path, rows: int, kind: str) -> Path:
    """The CSV file of this size and kind ("clean" or "bad"), with a header; made unless it exists.

    Times are in UTC: `2024-01-01T00:00:00.000000Z`.
    """
    path = folder / f"ingest-v{VERSION}-{rows}-{kind}.csv"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        _write(f"SELECT {_line(kind)} AS line FROM range({rows}) t(i)", unfinished)
        unfinished.rename(path)
    return path


def defect_sql(kind: str) -> str:
    """SQL of the defect of row `i`; '' for none."""
    share = BAD_PER_MILLION if kind == "bad" else 0
    which = one_of(DEFECTS, "i", "defect")
    return f"CASE WHEN {draw('i', 'bad', 1_000_000)} < {share} THEN {which} ELSE '' END"


def bad_rows(rows: int, kind: str) -> int:
    """How many rows of a file have a defect."""
    import duckdb

    counted = duckdb.sql(f"SELECT count(*) FROM range({rows}) t(i) WHERE {defect_sql(kind)} <> ''")
    return int(counted.fetchall()[0][0])


def parquet_file(path: Path, numbers: str, *, changed: bool = False) -> Path:
    """The rows of some numbers as Parquet; made unless it exists.

    `numbers` is a relation (DuckDB) with a column `i`. Rows that are `changed` have another
    quantity than they had.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        values = columns_sql() | ({"quantity": "1000::INTEGER"} if changed else {})
        columns = ", ".join(f"{sql} AS {name}" for name, sql in values.items())
        _run(f"COPY (SELECT {columns} FROM {numbers}) TO '{path}' (FORMAT parquet)")
    return path


def _line(kind: str) -> str:
    texts = {name: f"coalesce(({sql})::VARCHAR, '')" for name, sql in columns_sql().items()}
    time = columns_sql()["created_at"]
    texts["created_at"] = f"strftime({time}, '%Y-%m-%dT%H:%M:%S.%fZ')"
    note = texts["note"]
    texts["note"] = f"CASE WHEN contains({note}, ',') THEN '\"' || {note} || '\"' ELSE {note} END"
    wrong = {"quantity": "'many'", "price": "'12.345'", "created_at": "'yesterday'", "email": "''"}
    is_bad = kind == "bad"
    cells = [
        f"CASE WHEN {defect_sql(kind)} = '{name}' THEN {wrong[name]} ELSE {sql} END"
        if is_bad and name in wrong
        else sql
        for name, sql in texts.items()
    ]
    line = " || ',' || ".join(cells)
    if not is_bad:
        return line
    ends = f"WHEN 'short' THEN ('1,2,3') WHEN 'long' THEN ({line} || ',more')"
    return f"CASE {defect_sql(kind)} {ends} ELSE {line} END"


def _write(lines: str, path: Path) -> None:
    # A delimiter and a quote that no line has: each line is written as it is.
    plain = "FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01'"
    header = ",".join(COLUMNS)
    _run(f"COPY (SELECT '{header}' UNION ALL {lines}) TO '{path}' ({plain})")


def _run(statement: str) -> None:
    import duckdb

    with duckdb.connect(config={"threads": "2", "memory_limit": "1GB"}) as connection:
        connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        connection.execute(statement)
