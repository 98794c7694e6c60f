"""The lineage of a feature view's columns as Dagster shows it."""

import dagster as dg

from quality_platform.flows.contracted_tables import ContractedTable, FeatureTable
from quality_platform.flows.platform import Platform
from quality_platform.orchestration.keys import table_key

COLUMN_LINEAGE = "dagster/column_lineage"
UNKNOWN = "columns_of_unknown_origin"


def lineage_metadata(
    platform: Platform | None, table: ContractedTable
) -> dict[str, dg.MetadataValue]:
    """What a materialization tells of where its columns come from; {} for what is no view.

    A column that cannot be told is named, and has no lineage.
    """
    if platform is None or not isinstance(table, FeatureTable):
        return {}
    # It brings sqlglot along, which a location that is only looked at does not need.
    from quality_platform.flows.view_lineage import lineage_of

    found = lineage_of(platform, table)
    keys = {name: table_key(platform.contracted(name)) for name in table.config.inputs}
    deps = {
        column: [dg.TableColumnDep(keys[one.table], one.column) for one in sources]
        for column, sources in found.columns.items()
    }
    metadata: dict[str, dg.MetadataValue] = {}
    if deps:
        lineage = dg.TableColumnLineage(deps)
        metadata[COLUMN_LINEAGE] = dg.MetadataValue.column_lineage(lineage)
    if found.unknown:
        metadata[UNKNOWN] = dg.MetadataValue.text(", ".join(found.unknown))
    return metadata
