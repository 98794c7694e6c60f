"""What a version of a training set was made of: enough to make it again, and to tell whether it is.

It stands in a property of the training set's table, and in `history.training_sets`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from quality_platform.config.base_models import seconds
from quality_platform.lake.catalog import Table

PROPERTY = "quality-platform.training-set"
"""Table property: the name of the training set that the table is of."""

_MANIFEST = f"{PROPERTY}."
_DECIDING = ("quality-platform", "duckdb", "pyarrow", "pyiceberg")
_LONGEST = 100 * 366 * 86_400


@dataclass(frozen=True)
class PinnedTable:
    """A table that was read: its UUID, the snapshot, and the tag that keeps this."""

    tag: str
    snapshot_id: int
    uuid: str


@dataclass(frozen=True)
class EntityOrigin:
    """Where the entity rows came from.

    `table` is an identifier of the lake, "" for a file; `file` a file's name, "" for a table.
    `columns` are those of the entity rows, each with the source's column. `digest` is
    that of the rows' canonical bytes, `rows` their number.
    """

    table: str
    file: str
    columns: tuple[tuple[str, str], ...]
    rows: int
    digest: str


@dataclass(frozen=True)
class Manifest:
    """One version of a training set.

    Attributes:
        name: The training set.
        tag: The version.
        made_at: When, ISO 8601 in UTC.
        run_id: The run that made it.
        owner: Who owns it; "" for nobody.
        labels: The set's tags in runner.yaml.
        keep: How long it is kept, such as `365d`; "" for ever.
        registry_version: The digest of `definitions`.
        definitions: What decides the features' values, by view.
        features: The features, `view:feature`.
        columns: The names and types of all columns, in their order.
        refs: The tables that were read, by identifier.
        entities: Where the entity rows came from.
        rows: The number of rows.
        digest: SHA-256 of the rows' canonical bytes.
        libraries: The versions of the libraries that could decide a value.
    """

    name: str
    tag: str
    made_at: str
    run_id: str
    owner: str
    labels: Mapping[str, str]
    keep: str
    registry_version: str
    definitions: Mapping[str, Any]
    features: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    refs: Mapping[str, PinnedTable]
    entities: EntityOrigin
    rows: int
    digest: str
    libraries: Mapping[str, str] = field(default_factory=dict)

    @property
    def property_name(self) -> str:
        """The table property that it stands in."""
        return manifest_property(self.tag)

    @property
    def entity_columns(self) -> tuple[str, ...]:
        """The columns of the entity rows: they come first."""
        return tuple(name for name, _ in self.entities.columns)

    def as_json(self) -> str:
        """The manifest as JSON, keys sorted."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def of_json(cls, text: str) -> Manifest:
        """The manifest that `as_json` wrote."""
        data = json.loads(text)
        data["refs"] = {name: PinnedTable(**ref) for name, ref in data["refs"].items()}
        pairs = tuple((name, source) for name, source in data["entities"]["columns"])
        data["entities"] = EntityOrigin(**{**data["entities"], "columns": pairs})
        data["features"] = tuple(data["features"])
        data["columns"] = tuple((name, kind) for name, kind in data["columns"])
        return cls(**data)

    def expires_at(self, keep: str | None) -> datetime | None:
        """When it may be removed, by a time to keep; None for never."""
        if not keep:
            return None
        age = timedelta(seconds=min(seconds(keep), _LONGEST))
        return datetime.fromisoformat(self.made_at) + age

    def differences(self, definitions: Mapping[str, Any], columns: Mapping[str, str]) -> list[str]:
        """How definitions and entity columns of today differ from those it was made with."""
        then = {"definitions": self.definitions, "entities": dict(self.entities.columns)}
        now = {"definitions": definitions, "entities": columns}
        return list(_differences("", then, json.loads(json.dumps(now))))


def manifest_property(tag: str) -> str:
    """The table property with the manifest of a version."""
    return f"{_MANIFEST}{tag}"


def manifests_of(table: Table | None) -> dict[str, Manifest]:
    """The manifests of a training set's table, by tag, the oldest first; those of no table are {}.

    A version without its tag does not count: it was never made.
    """
    if table is None:
        return {}
    texts = {k: v for k, v in table.properties.items() if k.startswith(_MANIFEST)}
    found = [Manifest.of_json(text) for text in texts.values()]
    there = set(table.refs())
    return {m.tag: m for m in sorted(found, key=lambda m: (m.made_at, m.tag)) if m.tag in there}


def now_text() -> str:
    """This moment, as manifests tell it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def deciding_libraries() -> dict[str, str]:
    """The versions of the libraries that could decide a value."""
    return {name: _version(name) for name in _DECIDING}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _differences(path: str, then: Any, now: Any) -> Iterator[str]:
    if isinstance(then, dict) and isinstance(now, dict):
        for key in sorted({*then, *now}):
            place = f"{path}.{key}" if path else str(key)
            yield from _differences(place, then.get(key), now.get(key))
    elif then != now:
        yield f"{path}: {_told(then)} then, {_told(now)} now"


def _told(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)
