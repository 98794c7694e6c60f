"""All that a source of another distribution imports: docs/plugins.md.

These names keep their meaning from one minor version to the next.
"""

from __future__ import annotations

from quality_platform.config.base_models import Duration, Name
from quality_platform.config.load_models import LoadConfig
from quality_platform.config.source_models import (
    ConnectionConfig,
    DatabaseSourceConfig,
    FileSourceConfig,
    SourceConfig,
)
from quality_platform.errors import (
    EmptySourceError,
    HeaderError,
    Location,
    MalformedSourceError,
    Problem,
    SourceAccessError,
    SourceChangedError,
    SourceError,
    SourceNotFoundError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from quality_platform.lake.position import Position
from quality_platform.sources.incremental import (
    CursorRange,
    cursor_field,
    cursor_name,
    cursor_range,
    parsed,
    written,
)
from quality_platform.sources.protocol import (
    Backfill,
    Part,
    RejectedRecord,
    Source,
    SourceBatch,
    SourceContext,
    Wanted,
)
from quality_platform.sources.raw_rows import json_rows

__all__ = [
    "Backfill",
    "ConnectionConfig",
    "CursorRange",
    "DatabaseSourceConfig",
    "Duration",
    "EmptySourceError",
    "FileSourceConfig",
    "HeaderError",
    "LoadConfig",
    "Location",
    "MalformedSourceError",
    "Name",
    "Part",
    "Position",
    "Problem",
    "RejectedRecord",
    "Source",
    "SourceAccessError",
    "SourceBatch",
    "SourceChangedError",
    "SourceConfig",
    "SourceContext",
    "SourceError",
    "SourceNotFoundError",
    "SourceTimeoutError",
    "SourceUnreachableError",
    "Wanted",
    "cursor_field",
    "cursor_name",
    "cursor_range",
    "json_rows",
    "parsed",
    "written",
]
