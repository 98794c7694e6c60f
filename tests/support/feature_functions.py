"""Functions of on-demand feature views, as a user's distribution would have them."""

from __future__ import annotations

import math
from typing import Any


def share_of_long(inputs: dict[str, Any]) -> dict[str, Any]:
    """The delay in hours, and whether it is long for the request; uses what its module has."""
    pairs = list(zip(inputs["delay"], inputs["limit"], strict=True))
    return {
        "hours": [_hours(delay) for delay, _ in pairs],
        "is_long": [delay is not None and delay > limit for delay, limit in pairs],
    }


def frame_hours(frame: Any) -> Any:
    """As above, for a DataFrame."""
    import pandas as pd

    return pd.DataFrame({"hours": frame["delay"] / 60})


def fails(inputs: dict[str, Any]) -> dict[str, Any]:
    """Never gives anything."""
    raise LookupError(f"no {len(inputs)}")


def _hours(delay: float | None) -> float | None:
    return None if delay is None else math.floor(delay * 100 / 60) / 100


def is_above(inputs: dict[str, Any]) -> dict[str, Any]:
    """Whether a total is above the request's limit."""
    pairs = zip(inputs["total"], inputs["limit"], strict=True)
    return {"above": [total is not None and total > limit for total, limit in pairs]}
