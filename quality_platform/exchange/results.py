"""What an importer or an exporter gives back: the output, and what it could not carry over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Loss:
    """Something of the input that the output does not say, or says only in part."""

    where: str
    """Its place in the input: `file:line:column`, a path of keys, or a column's name."""
    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}: {self.why}"


@dataclass(frozen=True)
class Imported:
    """An ODCS v3.1.0 document as plain data, in the key order of the standard."""

    document: dict[str, Any]
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True)
class Exported:
    """The text of a file in another tool's format."""

    text: str
    losses: tuple[Loss, ...] = ()
