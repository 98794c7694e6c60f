"""The columns with which a table keeps the versions of its rows, in `mode: snapshot`."""

from __future__ import annotations

VALID_FROM, VALID_TO = "_valid_from", "_valid_to"
"""From when, and until when (exclusive; NULL for the present version) a version is valid."""

VERSION_COLUMNS = {
    VALID_FROM: "From when this version of the row is valid.",
    VALID_TO: "Until when, exclusive; NULL for the present version.",
}
"""What each column holds, by its name, in their order."""
