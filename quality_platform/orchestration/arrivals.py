"""Which files have arrived at a source since the last look, told by size and time alone."""

import hashlib
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from quality_platform.config.source_models import FileSourceConfig, SourceConfig
from quality_platform.sources.files import list_files
from quality_platform.sources.object_storage import storage_of


@dataclass(frozen=True)
class FileState:
    """A file as the sensor sees it; `changed_at` is the time of its last change of any kind."""

    mtime_ns: int
    size: int
    changed_at: float = field(default=0, compare=False)


@dataclass(frozen=True)
class Arrivals:
    """The files of a source at one look, by path."""

    files: Mapping[str, FileState] = field(hash=False)

    @classmethod
    def from_cursor(cls, cursor: str | None) -> Self:
        """The files that a cursor tells of; none where there is no cursor yet."""
        return cls({path: FileState(*state) for path, state in json.loads(cursor or "{}").items()})

    @property
    def cursor(self) -> str:
        """The files as JSON: path to time of the last write (ns) and size."""
        return json.dumps({p: [f.mtime_ns, f.size] for p, f in sorted(self.files.items())})

    @property
    def digest(self) -> str:
        """A short name of exactly this state."""
        return hashlib.sha256(self.cursor.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Look:
    """What a look found: `nothing_because` is "" when the source should be loaded."""

    seen: Arrivals
    nothing_because: str = ""


def look(now: Arrivals, before: Arrivals, *, settle_seconds: float, replace: bool) -> Look:
    """Compares two looks at a source.

    A load takes all files that are there. Therefore one file that may still be written to keeps
    all others waiting. Files that are gone matter only where the source replaces the table.
    """
    changed = [path for path, state in now.files.items() if before.files.get(path) != state]
    gone = replace and not set(before.files) <= set(now.files)
    if not now.files:
        return Look(now, "no file has arrived yet")
    if not changed and not gone:
        return Look(now, f"none of {len(now.files)} files is new or changed")
    moment = time.time()
    moving = [p for p in changed if moment - now.files[p].changed_at < settle_seconds]
    if moving:
        return Look(now, f"{Path(moving[0]).name} changed less than {settle_seconds:g} s ago")
    return Look(now)


def arrived_files(pattern: str, source: SourceConfig | None = None) -> Arrivals:
    """The files that a load of this path or glob would take now, without reading them.

    A folder that is missing has no files. `source` says where a URL leads to.

    Raises:
        SourceError: the object store cannot be asked.
    """
    storage = storage_of(source) if isinstance(source, FileSourceConfig) else None
    found: dict[str, FileState] = {}
    for file in list_files(pattern, storage):
        changed_at = file.mtime_ns / 1e9
        # A file may be taken away between being listed and being looked at.
        with suppress(FileNotFoundError):
            if storage is None:
                # The time of the last write can be set back by copying; that of the inode cannot.
                changed_at = Path(file.path).stat().st_ctime
            found[file.path] = FileState(file.mtime_ns, file.size, changed_at)
    return Arrivals(found)
