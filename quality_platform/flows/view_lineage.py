"""The lineage of a feature view's columns: what its SQL tells, and what runner.yaml says."""

from __future__ import annotations

from quality_platform.features.lineage import InputColumn, Lineage, lineage_of_sql
from quality_platform.flows.contracted_tables import FeatureTable
from quality_platform.flows.platform import Platform


def lineage_of(platform: Platform, view: FeatureTable) -> Lineage:
    """Which columns of the inputs each column of the view is made of.

    What `lineage` of runner.yaml says of a column counts; the SQL tells the others. Of a function
    nothing else is known.
    """
    said = {column: _columns(sources) for column, sources in view.config.lineage.items()}
    rest = [name for name in view.schema.names if name not in said]
    if view.function is not None or not rest:
        return Lineage(said, tuple(rest))
    tables = {view.config.called(name): name for name in view.config.inputs}
    inputs = {called: platform.contracted(name).schema.names for called, name in tables.items()}
    read = lineage_of_sql(view.sql, inputs, rest)
    told = {
        column: tuple(InputColumn(tables[source.table], source.column) for source in sources)
        for column, sources in read.columns.items()
    }
    return Lineage({**said, **told}, read.unknown)


def _columns(sources: tuple[str, ...]) -> tuple[InputColumn, ...]:
    parts = (source.partition(".") for source in sources)
    return tuple(InputColumn(table, column) for table, _, column in parts)
