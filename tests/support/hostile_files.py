"""Files loaded the whole way, and compared with what a naive reader finds in the same text."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.naive_csv import RFC_4180, NaiveDialect, NaiveRecord, naive_records
from support.project import Project, data_files, rows_of_table, text

from quality_platform.errors import SourceError
from quality_platform.flows.load_table import load_table
from quality_platform.flows.table_status import quarantined_rows


@dataclass(frozen=True)
class Loaded:
    """What a load left in the lake: rows in their order, and (line, raw text, reasons) held."""

    columns: tuple[str, ...]
    rows: list[tuple[str | None, ...]]
    held: list[tuple[int, str, str]]


def load_file(
    project: Project,
    content: bytes,
    columns: Sequence[str] = ("a", "b"),
    *,
    file: str = "a.csv",
    **source: Any,
) -> Loaded:
    """Delivers a file of text columns, loads it, and reads table and quarantine from the lake."""
    project.table(
        "orders", {name: text() for name in columns}, path="landing/orders/*", source=source
    )
    project.deliver(f"orders/{file}", content)
    platform = project.open()
    outcome = load_table(platform, "orders", "run-1")
    rows = [tuple(row[name] for name in columns) for row in rows_of_table(platform, "shop.orders")]
    held = list(quarantined_rows(platform, "orders"))
    assert (outcome.rows_published, outcome.rows_quarantined) == (len(rows), len(held))
    assert outcome.rows_read == len(rows) + len(held)
    return Loaded(
        tuple(columns),
        rows,
        sorted((r["_source_line"], r["_raw_record"], "; ".join(r["_reasons"])) for r in held),
    )


def require_exact(
    loaded: Loaded,
    plain: bytes,
    dialect: NaiveDialect = RFC_4180,
    *,
    header: bool = True,
    nulls: Sequence[str] = ("",),
) -> None:
    """Compares what was loaded with the records that a naive reader finds in the UTF-8 text."""
    found = naive_records(plain, dialect)
    assert not found.open_at
    names = [name.decode() for name in found.records[0].fields] if header else loaded.columns
    records = found.records[1:] if header else found.records
    good = [record for record in records if _is_good(record, len(names))]
    bad = [record for record in records if not _is_good(record, len(names))]
    places = [names.index(name) for name in loaded.columns]
    assert loaded.rows == [
        tuple(_value(record.fields[place], nulls) for place in places) for record in good
    ]
    assert [(line, raw) for line, raw, _ in loaded.held] == [
        (record.line, record.raw.decode("utf-8", "backslashreplace")) for record in bad
    ]
    assert len(loaded.rows) + len(loaded.held) == len(records)


def require_as_python_reads(plain: bytes) -> None:
    """Asserts that Python's csv module finds the records that the naive reader finds."""
    lines = io.StringIO(plain.decode("utf-8", "surrogateescape"), newline="")
    read = [fields for fields in csv.reader(lines) if fields]
    assert [[cell.encode("utf-8", "surrogateescape") for cell in fields] for fields in read] == [
        record.fields for record in naive_records(plain).records
    ]


def refusal(
    project: Project, content: bytes, error: type[SourceError], place: str = "", **source: Any
) -> str:
    """The message of a file that is refused, of which nothing is left in the lake.

    `place` is what follows the file's name in the message's place, such as `:3`.
    """
    with pytest.raises(SourceError) as caught:
        load_file(project, content, **source)
    assert type(caught.value) is error
    platform = project.open()
    for identifier in ("shop.orders", "quarantine.orders"):
        if platform.lake.find_table(identifier) is not None:
            assert rows_of_table(platform, identifier) == []
    left = data_files(platform)
    assert {file for file in left if not file.startswith("history/")} == set()
    name = source.get("file", "a.csv")
    delivered: Path = project.folder / "landing" / "orders" / name
    message = str(caught.value)
    assert f"{error.code} {delivered}{place}: " in message
    assert "to do: " in message
    return message


def _is_good(record: NaiveRecord, width: int) -> bool:
    if record.broken or len(record.fields) != width:
        return False
    return all(cell.decode("utf-8", "ignore").encode() == cell for cell in record.fields)


def _value(cell: bytes, nulls: Sequence[str]) -> str | None:
    value = cell.decode()
    return None if value in nulls else value
