"""Profiles as bytes: an Arrow IPC stream, compressed, with what is not an array in its metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from quality_platform.drift.profiles import (
    FORMAT_VERSION,
    CategoryProfile,
    ColumnProfile,
    NumericProfile,
)
from quality_platform.errors import FeatureViewError

_KEY = b"quality_platform.drift_profile"


def profile_to_bytes(profile: ColumnProfile) -> bytes:
    """The profile as it is stored; equal profiles have equal bytes."""
    scalars: dict[str, Any] = {
        "version": FORMAT_VERSION,
        "kind": profile.kind,
        "column": profile.column,
        "type": profile.type,
        "family": profile.family,
        "rows": profile.rows,
        "nulls": profile.nulls,
    }
    if isinstance(profile, NumericProfile):
        # As text: the number comes back to the last bit, and NaN is none of JSON's.
        scalars |= {"nans": profile.nans, "deviation": repr(profile.deviation)}
        scalars["bins"] = profile.bins
        arrays = {"points": profile.points, "at": profile.at, "between": profile.between}
        return _written(pa.table({name: pa.array(a) for name, a in arrays.items()}), scalars)
    scalars["is_exact"] = profile.is_exact
    values = pa.array(list(profile.counts), pa.string())
    rows = pa.array(list(profile.counts.values()), pa.int64())
    return _written(pa.table({"value": values, "rows": rows}), scalars)


def profile_from_bytes(data: bytes) -> ColumnProfile:
    """The profile that was stored.

    Raises:
        FeatureViewError: the bytes are no profile, or one of another version.
    """
    table, scalars = _read(data)
    common = {key: scalars[key] for key in ("column", "type", "family", "rows", "nulls")}
    if scalars["kind"] == "categorical":
        counts = dict(zip(*(table.column(n).to_pylist() for n in ("value", "rows")), strict=True))
        return CategoryProfile(**common, counts=counts, is_exact=scalars["is_exact"])
    return NumericProfile(
        **common,
        nans=scalars["nans"],
        points=_array(table, "points"),
        at=_array(table, "at"),
        between=_array(table, "between"),
        deviation=float(scalars["deviation"]),
        bins=scalars["bins"],
    )


def _written(table: pa.Table, scalars: Mapping[str, Any]) -> bytes:
    text = json.dumps(scalars, sort_keys=True).encode()
    schema = table.schema.with_metadata({_KEY: text})
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, schema, options=options) as writer:
        writer.write_table(table.cast(schema))
    return sink.getvalue().to_pybytes()


def _read(data: bytes) -> tuple[pa.Table, dict[str, Any]]:
    try:
        table = pa.ipc.open_stream(data).read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise _unusable("these bytes are no profile") from error
    scalars = json.loads((table.schema.metadata or {}).get(_KEY, b"{}"))
    if scalars.get("version") != FORMAT_VERSION:
        raise _unusable(f"version {scalars.get('version', 'unknown')}")
    return table, scalars


def _unusable(received: str) -> FeatureViewError:
    return FeatureViewError(
        "a stored drift profile cannot be used",
        received=received,
        allowed=f"version {FORMAT_VERSION}",
        action="make the profile again",
    )


def _array(table: pa.Table, name: str) -> NDArray[Any]:
    return np.array(table.column(name))
