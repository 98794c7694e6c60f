"""The columns of a table or query, by name, judged against the contract."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from quality_platform.config.source_models import DatabaseSourceConfig
from quality_platform.errors import Problem
from quality_platform.sources.protocol import SourceContext


def name_problems(
    present: Sequence[str], context: SourceContext, config: DatabaseSourceConfig
) -> Iterator[Problem]:
    """What is wrong with the names of the columns that the source has.

    Columns that the contract does not have may be left out, and optional ones may be missing, as
    far as `load.schema_drift` allows it.
    """
    drift = context.load.schema_drift
    known = {*context.columns.names, *config.ignore_columns}
    unexpected = [name for name in present if name not in known]
    where, place = context.location("source"), f"tables.{context.table}.source"
    for name in sorted({name for name in present if present.count(name) > 1}):
        yield Problem(
            f"the query has several columns {name!r}",
            where,
            place,
            action="give each a name of its own with AS",
        )
    for field in context.columns:
        may_miss = drift == "quarantine" or (drift == "evolve" and field.nullable)
        if field.name in present or may_miss:
            continue
        nearest = difflib.get_close_matches(field.name, unexpected, n=1)
        yield Problem(
            f"the source has no column {field.name!r}",
            where,
            place,
            received=", ".join(present),
            action=f"{nearest[0]!r} of the source may be meant: say so with `physicalName`"
            if nearest
            else "",
        )
    if drift != "fail":
        return
    for name in unexpected:
        yield Problem(
            f"the contract has no column {name!r}",
            where,
            place,
            action="add it to the contract, or list it under `ignore_columns`",
        )
