"""The columns of a table or query, by name, judged against the contract."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

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


def type_problems(
    misfits: Iterable[tuple[pa.Field[Any], str]],
    context: SourceContext,
    drift: SchemaDrift,
    page: str,
    action: str,
) -> Iterator[Problem]:
    """What is wrong with columns of a type that never becomes the contract's.

    `misfits` are such columns of the contract, each with its type at the source; `page` of
    docs/sources lists what fits. What `load.schema_drift: quarantine` reads as text is told.
    """
    for field, written in misfits:
        if drift.policy == "quarantine" and not pa.types.is_binary(field.type):
            drift.tell_type(field.name, written, "the source")
            continue
        yield Problem(
            f"the column {field.name!r} has a type that cannot become the contract's",
            context.location("source"),
            f"tables.{context.table}.source",
            received=written,
            allowed=f"types that become {field.type}: docs/sources/{page}",
            action=action,
        )
