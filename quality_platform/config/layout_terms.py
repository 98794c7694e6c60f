"""The terms of a table's layout, as runner.yaml has them: `day(ordered_at)`, `id desc`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_CALL = re.compile(
    r"(?P<transform>\w+)\(\s*(?:(?P<argument>[^,()]*?)\s*,\s*)?(?P<column>[^,()]+?)\s*\)"
)
_LARGEST = 2**31 - 1


class Transform(StrEnum):
    """What makes a partition value of a column's value.

    Source: Iceberg table specification, "Partition Transforms",
    https://iceberg.apache.org/spec/#partition-transforms
    """

    IDENTITY = "identity"
    YEAR = "year"
    MONTH = "month"
    DAY = "day"
    HOUR = "hour"
    BUCKET = "bucket"
    TRUNCATE = "truncate"

    @property
    def has_argument(self) -> bool:
        """Whether it takes a number before the column."""
        return self in (Transform.BUCKET, Transform.TRUNCATE)

    @property
    def is_of_time(self) -> bool:
        """Whether it cuts time into pieces."""
        return self in (Transform.YEAR, Transform.MONTH, Transform.DAY, Transform.HOUR)


@dataclass(frozen=True)
class PartitionTerm:
    """A column, dotted within structs, and its transform.

    `argument` is the number of buckets or the width of a truncation; 0 for other transforms.
    """

    column: str
    transform: Transform = Transform.IDENTITY
    argument: int = 0

    @classmethod
    def parsed(cls, text: str) -> PartitionTerm:
        """The term that `region`, `day(ordered_at)` or `bucket(16, id)` stands for.

        Raises:
            ValueError: it is none; the message says why.
        """
        if "(" not in text and ")" not in text and text.strip():
            return cls(text.strip())
        call = _CALL.fullmatch(text.strip())
        if call is None and text.count("(") != text.count(")"):
            raise ValueError("within [ ] a comma divides terms: quote one that has a comma")
        if call is None:
            raise ValueError("a partition is a column, or a transform of one")
        try:
            transform = Transform(call["transform"].lower())
        except ValueError:
            raise ValueError(f"there is no transform {call['transform']!r}") from None
        return cls(call["column"], transform, _argument(transform, call["argument"]))

    def __str__(self) -> str:
        """The term as runner.yaml has it."""
        if self.transform is Transform.IDENTITY:
            return self.column
        argument = f"{self.argument}, " if self.transform.has_argument else ""
        return f"{self.transform}({argument}{self.column})"


def _argument(transform: Transform, text: str | None) -> int:
    if not transform.has_argument:
        if text is not None:
            raise ValueError(f"{transform} takes a column and nothing else")
        return 0
    if text is None or not re.fullmatch(r"[0-9]{1,10}", text) or not 0 < int(text) <= _LARGEST:
        raise ValueError(f"{transform} takes a number above 0, then the column")
    return int(text)


@dataclass(frozen=True)
class SortTerm:
    """A column, dotted within structs, and its direction; rows without a value come last."""

    column: str
    descending: bool = False

    @classmethod
    def parsed(cls, text: str) -> SortTerm:
        """The term that `ordered_at` or `id desc` stands for.

        Raises:
            ValueError: it is none; the message says why.
        """
        column, *rest = text.split()[:3] or [""]
        direction = " ".join(rest).lower()
        if not column or direction not in ("", "asc", "desc"):
            raise ValueError("a sort key is a column, with `desc` where it descends")
        return cls(column, direction == "desc")

    def __str__(self) -> str:
        """The term as runner.yaml has it."""
        return f"{self.column} desc" if self.descending else self.column


@dataclass(frozen=True)
class TableLayout:
    """How the rows of a table are divided into files, and sorted within each."""

    partition_by: tuple[PartitionTerm, ...] = ()
    sort_by: tuple[SortTerm, ...] = ()


NO_LAYOUT = TableLayout()
"""Neither partitions nor a sort order."""
