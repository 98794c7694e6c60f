"""The columns of a table or query, by name, judged against the contract."""

from __future__ import annotations

from collections.abc import Sequence

from quality_platform.config.source_models import SourceConfig
from quality_platform.errors import Problem
from quality_platform.sources.protocol import SourceContext
from quality_platform.sources.schema_drift import SchemaDrift


def name_problems(
    present: Sequence[str], context: SourceContext, config: SourceConfig
) -> list[Problem]:
    """What is wrong with the names of the columns that the source has.

    Columns that the contract does not have may be left out, and optional ones may be missing, as
    far as `load.schema_drift` allows it; what is taken so is told.
    """
    drift = SchemaDrift.of(context, config)
    drift.tell_names(present, "the source")
    place = f"tables.{context.table}.source"
    return drift.name_problems(present, context.location("source"), place)
