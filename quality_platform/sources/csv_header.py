"""The header of a CSV file against the columns that are wanted from it."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence

from quality_platform.errors import HeaderError, Location, Problem

_NAMES_SHOWN = 20
_CHARACTERS_SHOWN = 100
_HINTS = 5


def header_positions(
    cells: list[bytes], columns: Sequence[str], ignored: Sequence[str], where: Location
) -> list[int]:
    """The positions of `columns` in the header.

    Raises:
        HeaderError: With all that is wrong with the header.
    """
    _require_readable_names(cells, where)
    names = [cell.decode("utf-8") for cell in cells]
    problems = [
        *_missing_columns(names, columns, where),
        *_unexpected_columns(names, {*columns, *ignored}, where),
        *_repeated_columns(names, where),
    ]
    if problems:
        raise HeaderError.of(problems)
    places = {name: position for position, name in enumerate(names)}
    return [places[column] for column in columns]


def _require_readable_names(cells: list[bytes], where: Location) -> None:
    damaged = [
        cell
        for cell in cells
        if b"\0" in cell or cell.decode("utf-8", errors="ignore").encode() != cell
    ]
    if damaged:
        raise HeaderError(
            "the header holds NUL bytes or is not UTF-8",
            location=where,
            received=_listed(damaged),
            allowed="UTF-8 text",
            action="convert the file to UTF-8, for example with iconv: it looks like UTF-16 "
            "without a byte order mark, an 8-bit code page, or no text at all",
        )


def _missing_columns(names: list[str], columns: Sequence[str], where: Location) -> list[Problem]:
    present = set(names)
    missing = [column for column in columns if column not in present]
    if not missing:
        return []
    free = [name for name in names if name not in set(columns)]
    hints = [hint for column in missing[:_HINTS] if (hint := _nearest(column, free))]
    hints += [
        f"the header is one field: is the delimiter {character!r}?"
        for character in ",;\t|"
        if len(names) == 1 and character in names[0]
    ]
    return [
        Problem(
            f"columns of the contract are missing in the header: {_listed(missing)}",
            where,
            received=_listed(names),
            action="; ".join(hints) or "deliver the columns, or take them out of the contract",
        )
    ]


def _nearest(column: str, names: list[str]) -> str:
    """A hint that a name of the header may be a misspelling of the column, or ""."""
    plain = {name.strip().casefold(): name for name in names}
    found = difflib.get_close_matches(column.casefold(), plain, n=1, cutoff=0.75)
    return f"{plain[found[0]]!r} in the file may be meant for {column!r}" if found else ""


def _unexpected_columns(names: list[str], known: set[str], where: Location) -> list[Problem]:
    unexpected = [name for name in names if name not in known]
    if not unexpected:
        return []
    return [
        Problem(
            f"columns in the header that the contract does not have: {_listed(unexpected)}",
            where,
            action="add them to the contract, or ignore them: `ignore_columns` in runner.yaml, "
            "--ignore-column on the command line",
        )
    ]


def _repeated_columns(names: list[str], where: Location) -> list[Problem]:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if not repeated:
        return []
    return [
        Problem(
            f"column names that the header has more than once: {_listed(repeated)}",
            where,
            action="deliver the file with one name for each column",
        )
    ]


def _listed(names: Sequence[str] | Sequence[bytes]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(map(_shown, names[:_NAMES_SHOWN])) + more


def _shown(name: str | bytes) -> str:
    if len(name) <= _CHARACTERS_SHOWN:
        return repr(name)
    return f"{name[:_CHARACTERS_SHOWN]!r}... ({len(name)} characters)"
