"""Where each staged row came from, kept beside the data files until the load is decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

_SCHEMA = pa.schema([("file", pa.int32()), ("line", pa.int64())])


@dataclass
class SourceLines:
    """A scratch file of (source file, line) in the order of the staged rows: twelve bytes a row."""

    path: Path
    files: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._writer = pa.ipc.new_file(str(self.path), _SCHEMA)
        self._is_open = True

    def add(self, file: str, lines: pa.Array[Any]) -> None:
        """Appends the lines of rows that were staged from one file."""
        if file not in self.files:
            self.files.append(file)
        index = pa.repeat(pa.scalar(self.files.index(file), pa.int32()), len(lines))
        self._writer.write_batch(pa.record_batch([index, lines], schema=_SCHEMA))

    def at(self, positions: Sequence[int]) -> tuple[list[str], list[int | None]]:
        """File names and lines of the rows at these positions, counted from the first row added.

        Nothing can be added after this.
        """
        self.close()
        with pa.memory_map(str(self.path)) as source:
            table = pa.ipc.open_file(source).read_all().take(pa.array(positions, pa.int64()))
            rows = table.to_pylist()
        return [self.files[row["file"]] for row in rows], [row["line"] for row in rows]

    def close(self) -> None:
        """Finishes the file."""
        if self._is_open:
            self._writer.close()
            self._is_open = False
