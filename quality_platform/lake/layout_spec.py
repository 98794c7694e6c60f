"""A table's layout in Iceberg's terms: its partition spec and its sort order."""

from __future__ import annotations

from collections.abc import Collection

from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Transaction
from pyiceberg.table.sorting import NullOrder, SortDirection, SortField
from pyiceberg.transforms import IdentityTransform, parse_transform

from quality_platform.config.layout_terms import PartitionTerm, SortTerm, TableLayout, Transform


def apply_layout(transaction: Transaction, layout: TableLayout) -> None:
    """Gives the table this layout where it has another one.

    Files that were written before keep theirs: Iceberg reads each with its own.
    """
    metadata = transaction.table_metadata
    schema = metadata.schema()
    _apply_partitions(transaction, layout.partition_by, metadata.spec(), schema)
    if [_sort_field(term, schema) for term in layout.sort_by] != metadata.sort_order().fields:
        _apply_sort_order(transaction, layout.sort_by)


def _apply_partitions(
    transaction: Transaction,
    terms: Collection[PartitionTerm],
    spec: PartitionSpec,
    schema: Schema,
) -> None:
    wanted = {_key(term, schema): term for term in terms}
    # By column and transform, not by name: a partition keeps its name when its column is renamed.
    there = {(field.source_id, str(field.transform)): field for field in spec.fields}
    if wanted.keys() == there.keys():
        return
    kept = {field.name for key, field in there.items() if key in wanted}
    with transaction.update_spec() as update:
        for key, field in there.items():
            if key not in wanted:
                update.remove_field(field.name)
        for key, term in wanted.items():
            if key not in there:
                name = _partition_name(term, {*schema.column_names, *kept})
                kept.add(name)
                update.add_field(term.column, parse_transform(key[1]), name)


def _key(term: PartitionTerm, schema: Schema) -> tuple[int, str]:
    argument = f"[{term.argument}]" if term.transform.has_argument else ""
    return schema.find_field(term.column).field_id, f"{term.transform}{argument}"


def _partition_name(term: PartitionTerm, taken: Collection[str]) -> str:
    """A name that no column has, and that none is likely to get: pyiceberg refuses such columns.

    That is so for partitions of the past as well, and for those of columns that have been renamed.
    """
    argument = f"_{term.argument}" if term.transform.has_argument else ""
    kind = "" if term.transform is Transform.IDENTITY else f"_{term.transform}{argument}"
    name = f"{term.column.replace('.', '_')}{kind}_partition"
    while name in taken:
        name += "_"
    return name


def _sort_field(term: SortTerm, schema: Schema) -> SortField:
    return SortField(
        source_id=schema.find_field(term.column).field_id,
        transform=IdentityTransform(),
        direction=SortDirection.DESC if term.descending else SortDirection.ASC,
        null_order=NullOrder.NULLS_LAST,
    )


def _apply_sort_order(transaction: Transaction, terms: Collection[SortTerm]) -> None:
    with transaction.update_sort_order() as update:
        for term in terms:
            add = update.desc if term.descending else update.asc
            add(term.column, IdentityTransform(), NullOrder.NULLS_LAST)
