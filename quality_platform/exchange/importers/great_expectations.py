"""A suite of Great Expectations (JSON, of version 1 or of 0.x) as a contract.

A suite does not tell types: they are taken from its expectations about types, then from the values
that other expectations name, and are strings where nothing tells.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quality_platform.exchange.column_types import ColumnType, from_sql
from quality_platform.exchange.entries import Entry
from quality_platform.exchange.importers.expectations import (
    Found,
    add_expectation,
    listed_columns,
)
from quality_platform.exchange.importers.sources import json_entry
from quality_platform.exchange.odcs import RuleNotes, TableDraft, document
from quality_platform.exchange.results import Imported, Loss

_SEVERITIES = {"critical": "error", "warning": "warning", "info": "info"}
_TYPE_KINDS = ("expect_column_values_to_be_of_type", "expect_column_type_to_be")
# Types as the library's engines call them, beside those that SQL has.
_TYPE_NAMES = {
    "str": "string", "object": "string", "string_": "string", "String": "string",
    "int": "bigint", "int64": "bigint", "Int64": "bigint", "int_": "bigint", "Integer": "int",
    "int32": "int", "Int32": "int", "IntegerType": "int", "LongType": "bigint",
    "float64": "double", "Float64": "double", "float": "double", "DoubleType": "double",
    "float32": "float", "FloatType": "float", "bool": "boolean", "bool_": "boolean",
    "Boolean": "boolean", "BooleanType": "boolean", "StringType": "string", "DateType": "date",
    "datetime64[ns]": "timestamp", "datetime64": "timestamp", "Timestamp": "timestamp",
    "TimestampType": "timestamptz", "datetime.date": "date", "date": "date",
}  # fmt: skip
# Written by the library itself, and about nothing but the file.
_OF_THE_FILE = ("id", "ge_cloud_id", "rendered_content", "success_on_last_run", "windows")


def import_great_expectations(path: Path, name: str = "") -> Imported:
    """A suite as a contract of one table, called `name` or as the suite is.

    Raises:
        ConfigurationError: the file is no suite.
    """
    losses: list[Loss] = []
    suite = json_entry(path, losses)
    title = suite.take_first("name", "expectation_suite_name") or path.stem
    table = TableDraft(name or str(title), "the suite", losses)
    expectations = list(suite.entries("expectations"))
    for entry in expectations:
        _set_type(table, entry)
    for entry in expectations:
        _add(table, entry)
    purpose = _suite_notes(suite)
    for key in _OF_THE_FILE:
        suite.take(key)
    suite.close()
    description = {"purpose": purpose} if purpose else None
    return document(str(title), [table], losses, description=description)


def _suite_notes(suite: Entry) -> str:
    meta = suite.entry("meta")
    meta.take("great_expectations_version")
    notes = _as_text(meta.take("notes")) or _as_text(suite.take("notes"))
    meta.close()
    return notes


def _set_type(table: TableDraft, entry: Entry) -> None:
    """Before all rules: which rules fit depends on the columns' types."""
    kind, kwargs = _kind(entry), entry.take_mapping("kwargs")
    column, written = kwargs.get("column"), kwargs.get("type_")
    if kind == "expect_table_columns_to_match_ordered_list":
        for name in listed_columns(kwargs):
            table.column(name)
    if kind in _TYPE_KINDS and isinstance(column, str) and (found := _type_of(written)):
        table.set_type(column, found, entry.where)


def _type_of(written: Any) -> ColumnType | None:
    found = from_sql(_TYPE_NAMES.get(str(written), str(written)))
    return None if found.lost else found


def _add(table: TableDraft, entry: Entry) -> None:
    kind, kwargs = _kind(entry), entry.take_mapping("kwargs")
    is_type = kind in _TYPE_KINDS and kwargs.keys() == {"column", "type_"}
    notes = _notes(entry)
    if not is_type or not notes.is_plain or _type_of(kwargs["type_"]) is None:
        add_expectation(Found(table, kind, kwargs, notes, entry.where))
    for key in _OF_THE_FILE:
        entry.take(key)
    entry.close()


def _kind(entry: Entry) -> str:
    return str(entry.take_first("type", "expectation_type") or "an expectation without a type")


def _notes(entry: Entry) -> RuleNotes:
    meta = entry.take_mapping("meta")
    described = _as_text(entry.take("description"))
    notes = _as_text(meta.get("notes")) or _as_text(entry.take("notes"))
    if _is_text_only(meta.get("notes")):
        meta.pop("notes", None)
    severity = entry.take_text("severity").casefold()
    name = str(meta.pop("rule_id", "") or meta.pop("name", ""))
    dimension = str(meta.get("dimension", "")).casefold()
    known = dimension if dimension in _DIMENSIONS else ""
    if known:
        del meta["dimension"]
    text = "\n".join(part for part in (described, notes) if part)
    return RuleNotes(name, _SEVERITIES.get(severity, ""), text, known, meta)


_DIMENSIONS = (
    "accuracy", "completeness", "conformity", "consistency", "coverage", "timeliness", "uniqueness",
)  # fmt: skip


def _is_text_only(notes: Any) -> bool:
    return not isinstance(notes, dict) or notes.keys() <= {"content", "format"}


def _as_text(notes: Any) -> str:
    """Notes are a text, a list of texts, or a mapping with its content and format."""
    if isinstance(notes, dict):
        notes = notes.get("content")
    return "\n".join(map(str, notes)) if isinstance(notes, list) else str(notes or "").strip()
