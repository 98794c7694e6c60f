"""Results of a benchmark as a JSON document."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self


class RunDocument:
    """Of a dataclass with the field `results`: its fields as a JSON object.

    Attributes:
        RESULT: The dataclass of one of the results.
    """

    RESULT: ClassVar[type[Any]]

    def save(self, path: Path) -> None:
        """Writes the document."""
        path.parent.mkdir(parents=True, exist_ok=True)
        written: Any = self
        path.write_text(json.dumps(asdict(written), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads the document."""
        written = json.loads(path.read_text(encoding="utf-8"))
        written["results"] = tuple(cls.RESULT(**result) for result in written["results"])
        return cls(**written)
