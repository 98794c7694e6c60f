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
from quality_platform.sources.fences import NO_FENCE, Fence
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
    """The files of a source at one look, by path.

    `changes` names all states up to this one, in their order: one that comes again, because a file
    was taken away, is another.
    """

    files: Mapping[str, FileState] = field(hash=False)
    changes: str = field(default="", compare=False)

    @classmethod
    def from_cursor(cls, cursor: str | None) -> Self:
        """The files that a cursor tells of; none where there is no cursor yet."""
        data = json.loads(cursor or "{}")
        # Earlier cursors are the files alone.
        files = data["files"] if isinstance(data.get("files"), dict) else data
        changes = data["changes"] if files is not data else ""
        return cls({path: FileState(*state) for path, state in files.items()}, changes)

    @property
    def cursor(self) -> str:
        """The files as JSON: path to time of the last write (ns) and size."""
        return json.dumps({"files": self._states, "changes": self.changes})

    @property
    def digest(self) -> str:
        """A short name of exactly these files."""
        return _digest(json.dumps(self._states))

    @property
    def _states(self) -> dict[str, list[int]]:
        return {path: [file.mtime_ns, file.size] for path, file in sorted(self.files.items())}

    def after(self, before: "Arrivals") -> "Arrivals":
        """These files as the state that follows another."""
        return Arrivals(self.files, _digest(before.changes + self.digest))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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
    return Look(now.after(before))


def arrived_files(
    pattern: str, source: SourceConfig | None = None, fence: Fence = NO_FENCE
) -> Arrivals:
    """The files that a load of this path or glob would take now, without reading them.

    A folder that is missing has no files. `source` says where a URL leads to; of what is not
    within the `fence` nothing is told.

    Raises:
        SourceError: the object store cannot be asked.
    """
    storage = storage_of(source) if isinstance(source, FileSourceConfig) else None
    found: dict[str, FileState] = {}
    for file in list_files(pattern, storage):
        if not fence.allows(file.path):
            continue
        changed_at = file.mtime_ns / 1e9
        # A file may be taken away between being listed and being looked at.
        with suppress(FileNotFoundError):
            if storage is None:
                # The time of the last write can be set back by copying; that of the inode cannot.
                changed_at = Path(file.path).stat().st_ctime
            found[file.path] = FileState(file.mtime_ns, file.size, changed_at)
    return Arrivals(found)
