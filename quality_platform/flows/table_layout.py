"""The layout of a table: what runner.yaml and the contract say, checked against the columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import pyarrow as pa

from quality_platform.config.layout_terms import PartitionTerm, SortTerm, TableLayout, Transform
from quality_platform.config.loading import RunnerFile
from quality_platform.contracts.models import SchemaObject
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import Location, Problem
from quality_platform.flows.contracted_tables import SourceTable

_FORMS = (
    "COLUMN, year(COLUMN), month(COLUMN), day(COLUMN), hour(COLUMN), bucket(16, COLUMN), "
    "truncate(4, COLUMN)"
)

_BY_CONTRACT = "partitioned"

Term = TypeVar("Term", PartitionTerm, SortTerm)


@dataclass(frozen=True)
class _Wanted:
    """A term, or None where it could not be parsed, with its place for people."""

    term: PartitionTerm | SortTerm | None
    location: Location
    field: str
    text: str
    problem: str = ""


def layout_of(table: SourceTable) -> TableLayout:
    """The layout of a table without problems; the contract's partition keys where it has none."""
    config = table.config
    if config.partition_by is None:
        partitions = tuple(PartitionTerm(column) for column in partition_keys(table.object))
    else:
        partitions = tuple(map(PartitionTerm.parsed, config.partition_by))
    return TableLayout(partitions, tuple(map(SortTerm.parsed, config.sort_by)))


def partition_keys(obj: SchemaObject) -> tuple[str, ...]:
    """The columns that the contract calls partitioned, by their positions."""
    found = [column for column in obj.properties if column.entry.get("partitioned") is True]
    last = len(obj.properties)
    # A key without a position is ODCS's -1, and comes after those that have one.
    positions = {
        column.name: place if (place := column.entry.get("partitionKeyPosition", -1)) > 0 else last
        for column in found
    }
    return tuple(sorted(positions, key=lambda name: positions[name]))


def layout_problems(file: RunnerFile, tables: Mapping[str, SourceTable]) -> Iterator[Problem]:
    """Why tables cannot be laid out as runner.yaml, or their contracts, say."""
    for table in tables.values():
        partitions = _partitions(file, table)
        for wanted in (*partitions, *_sort_keys(file, table)):
            yield from _problems(wanted, table.schema)
        yield from _repetitions(partitions)


def _partitions(file: RunnerFile, table: SourceTable) -> list[_Wanted]:
    if table.config.partition_by is not None:
        texts = table.config.partition_by
        return _parsed(file, table, "partition_by", texts, PartitionTerm.parsed)
    columns = {column.name: column for column in table.object.properties}
    return [
        _Wanted(PartitionTerm(name), columns[name].location, _BY_CONTRACT, name)
        for name in partition_keys(table.object)
    ]


def _sort_keys(file: RunnerFile, table: SourceTable) -> list[_Wanted]:
    return _parsed(file, table, "sort_by", table.config.sort_by, SortTerm.parsed)


def _parsed(
    file: RunnerFile,
    table: SourceTable,
    key: str,
    texts: Sequence[str],
    parse: Callable[[str], Term],
) -> list[_Wanted]:
    found = []
    for n, text in enumerate(texts):
        location = file.location("tables", table.name, key, n)
        field = f"tables.{table.name}.{key}.{n}"
        try:
            found.append(_Wanted(parse(text), location, field, text))
        except ValueError as error:
            found.append(_Wanted(None, location, field, text, str(error)))
    return found


def _problems(wanted: _Wanted, schema: pa.Schema) -> Iterator[Problem]:
    term = wanted.term
    if term is None:
        allowed = _FORMS if "partition" in wanted.field else "COLUMN, COLUMN desc"
        yield Problem(
            wanted.problem, wanted.location, wanted.field, received=wanted.text, allowed=allowed
        )
        return
    kind = _type_of(term.column, schema)
    if kind is None:
        yield Problem(
            f"the contract has no column {term.column!r}",
            wanted.location,
            wanted.field,
            received=wanted.text,
            allowed=", ".join(schema.names),
            action=did_you_mean(term.column, schema.names),
        )
    elif wanted.field == _BY_CONTRACT and pa.types.is_timestamp(kind):
        yield Problem(
            "every instant would be a partition: a contract does not say how time is cut",
            wanted.location,
            wanted.field,
            received=wanted.text,
            action=f"set partition_by of the table in runner.yaml, such as [day({term.column})]; "
            "[] for no partitions",
        )
    elif not _takes(term, kind):
        yield Problem(
            f"{_use(term)} takes no column of type {kind}",
            wanted.location,
            wanted.field,
            received=wanted.text,
            allowed=_types_of(term),
            action=_way_out(wanted),
        )


def _type_of(column: str, schema: pa.Schema) -> pa.DataType | None:
    """The type of a column, or of a field within structs; None where there is none."""
    first, *path = [column] if column in schema.names else column.split(".")
    kind: Any = schema.field(first).type if first in schema.names else None
    for name in path:
        if kind is None or not pa.types.is_struct(kind) or kind.get_field_index(name) < 0:
            return None
        kind = kind.field(name).type
    return None if kind is None else cast(pa.DataType, kind)


def _is_time(kind: pa.DataType) -> bool:
    return pa.types.is_date(kind) or pa.types.is_timestamp(kind)


def _is_cut(kind: pa.DataType) -> bool:
    """Whether truncation takes it; bytes are cut by Iceberg, but not by pyiceberg-core (0.10)."""
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
    )


def _is_plain(kind: pa.DataType) -> bool:
    return not pa.types.is_nested(kind)


def _takes(term: PartitionTerm | SortTerm, kind: pa.DataType) -> bool:
    """Whether a term takes a column of the type.

    Iceberg would divide by floats; -0 and 0, or two NaN, would then be different partitions.
    """
    if isinstance(term, SortTerm):
        return _is_plain(kind)
    match term.transform:
        case Transform.YEAR | Transform.MONTH | Transform.DAY:
            return _is_time(kind)
        case Transform.HOUR:
            return pa.types.is_timestamp(kind)
        case Transform.TRUNCATE:
            return _is_cut(kind)
        case Transform.BUCKET:
            return _is_plain(kind) and not (pa.types.is_floating(kind) or pa.types.is_boolean(kind))
        case _:
            return _is_plain(kind) and not pa.types.is_floating(kind)


def _use(term: PartitionTerm | SortTerm) -> str:
    if isinstance(term, SortTerm):
        return "a sort order"
    is_identity = term.transform is Transform.IDENTITY
    return "a partition" if is_identity else f"{term.transform}()"


def _types_of(term: PartitionTerm | SortTerm) -> str:
    if isinstance(term, SortTerm):
        return "all types but structs, arrays and maps"
    match term.transform:
        case Transform.YEAR | Transform.MONTH | Transform.DAY:
            return "date, timestamp"
        case Transform.HOUR:
            return "timestamp"
        case Transform.TRUNCATE:
            return "integer, decimal, string"
        case Transform.BUCKET:
            return "integer, decimal, date, time, timestamp, string, binary"
        case _:
            return "integer, decimal, boolean, date, time, timestamp, string, binary"


def _way_out(wanted: _Wanted) -> str:
    if wanted.field != _BY_CONTRACT:
        return "choose another column or transform"
    return "set partition_by of the table in runner.yaml; [] for no partitions"


def _repetitions(partitions: Sequence[_Wanted]) -> Iterator[Problem]:
    """Iceberg takes no transform of a column twice, and one cut of time of a column only."""
    seen: dict[tuple[str, str], str] = {}
    for wanted in partitions:
        term = wanted.term
        if not isinstance(term, PartitionTerm):
            continue
        use = "time" if term.transform.is_of_time else str(term)
        if (term.column, use) in seen:
            yield Problem(
                f"the partition repeats {seen[term.column, use]}",
                wanted.location,
                wanted.field,
                received=wanted.text,
                action="leave one of them out",
            )
        seen[term.column, use] = wanted.text
