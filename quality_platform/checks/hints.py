"""What a table's contract says that is allowed, and that no check follows from."""

from __future__ import annotations

from quality_platform.checks.nested import places
from quality_platform.checks.string_formats import FORMATS, UNCHECKED, known_format
from quality_platform.contracts.models import SchemaObject
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import Problem


def format_hints(table: SchemaObject) -> list[Problem]:
    """String formats that are not checked, because nobody knows what they mean."""
    found = []
    for place in places(table):
        column = place.definition
        written = str(column.options.get("format") or "")
        if column.logical_type != "string" or not written or written in UNCHECKED:
            continue
        if known_format(written) is None:
            found.append(
                Problem(
                    f"the format of {place.path!r} is not known, and not checked",
                    column.location,
                    "logicalTypeOptions.format",
                    received=written,
                    allowed=", ".join((*FORMATS, *sorted(UNCHECKED))),
                    action=did_you_mean(written, FORMATS) or "say it with a `pattern`",
                )
            )
    return found
