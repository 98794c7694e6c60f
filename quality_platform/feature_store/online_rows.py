"""What goes into an online store: encoded rows, and what was materialized last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from quality_platform.errors import ConcurrentLoadError
from quality_platform.feature_store.key_encoding import encoded_keys
from quality_platform.feature_store.value_encoding import encoded_values, microseconds_of
from quality_platform.feature_store.wire_format import Column, present_in

if TYPE_CHECKING:
    from feast import FeatureView
    from feast.repo_config import RepoConfig

NEVER = -(2**62)
"""The created time of a row that has none: any other is later."""


@dataclass(frozen=True)
class OnlineView:
    """A feature view as an online store knows it.

    `name` carries Feast's version of the view where Feast is told to keep versions apart. `keys`
    and `features` give the name of Feast's value type for each column.
    """

    project: str
    name: str
    keys: Mapping[str, str] = field(hash=False)
    features: Mapping[str, str] = field(hash=False)
    event_timestamp: str
    created_timestamp: str | None = None

    @property
    def table(self) -> str:
        """The view's table in SQL stores."""
        return f"{self.project}_{self.name}"

    @classmethod
    def of(cls, view: FeatureView, config: RepoConfig) -> OnlineView:
        """The view that Feast's registry holds."""
        from feast.infra.online_stores.helpers import compute_versioned_name

        source = view.batch_source
        versioned = config.registry.enable_online_feature_view_versioning
        return cls(
            config.project,
            compute_versioned_name(view, versioned),
            {key.name: key.dtype.to_value_type().name for key in view.entity_columns},
            {feature.name: feature.dtype.to_value_type().name for feature in view.features},
            "" if source is None else source.timestamp_field,
            None if source is None else source.created_timestamp_column or None,
        )


@dataclass(frozen=True)
class OnlineRows:
    """Rows of a view, each of another entity; their columns are encoded when they are asked for."""

    view: OnlineView
    batch: pa.RecordBatch

    @cached_property
    def keys(self) -> Column:
        """The entity keys."""
        columns = {name: self.batch.column(name) for name in self.view.keys}
        return encoded_keys(columns, self.view.keys)

    @cached_property
    def values(self) -> dict[str, Column]:
        """The features as serialized `Value` messages, by name."""
        return {
            name: encoded_values(self.batch.column(name), kind, name)
            for name, kind in self.view.features.items()
        }

    @cached_property
    def event(self) -> NDArray[np.int64]:
        """Event times in microseconds since 1970."""
        return microseconds_of(self.batch.column(self.view.event_timestamp))

    @cached_property
    def created(self) -> NDArray[np.int64]:
        """Created times in microseconds since 1970, or `NEVER`."""
        name = self.view.created_timestamp
        if name is None:
            return np.full(self.batch.num_rows, NEVER)
        column = self.batch.column(name)
        return np.where(present_in(column), microseconds_of(column), NEVER)


@dataclass(frozen=True)
class Materialized:
    """The last materialization that came to its end.

    `definition` tells views apart that would put other things into the store out of the same rows.
    """

    snapshot_id: int
    definition: str


@dataclass(frozen=True)
class Claimed:
    """What is known of earlier materializations when a view is claimed.

    Attributes:
        last: The last one that came to its end; None where that is not known.
        begun: The snapshots of those that have begun since: some of their rows may be there.
        rebuild: Whether a rebuild is asked for, or one has begun and not come to its end.
    """

    last: Materialized | None = None
    begun: tuple[int, ...] = ()
    rebuild: bool = False

    @property
    def snapshots(self) -> tuple[int, ...]:
        """All snapshots whose rows may be in the store."""
        return (*(() if self.last is None else (self.last.snapshot_id,)), *self.begun)


class OnlineWriter(Protocol):
    """Writes a view into one kind of online store.

    One materialization of a view writes at a time: the one that claimed the view last. Another
    that still runs meets an error with its next rows, so that none can put back what a newer one
    has replaced.
    """

    def claim(self, begun: int | None = None, *, rebuild: bool = False) -> Claimed:
        """Takes over the view; what was done before.

        Args:
            begun: the snapshot whose rows will be written; noted until `finish` notes one.
            rebuild: notes, until then, that the store is to be built anew.
        """

    def write(self, rows: OnlineRows) -> None:
        """Writes rows, except where the store has a newer one of the entity.

        Newer is by event time, then by created time. Of equal ones the later written counts.

        Raises:
            ConcurrentLoadError: another materialization has claimed the view.
        """

    def finish(self, done: Materialized | None) -> None:
        """Waits until all rows are in the store, and notes that a snapshot is; None notes nothing.

        Raises:
            ConcurrentLoadError: another materialization has claimed the view.
        """

    def close(self) -> None:
        """Lets go of the store."""


@runtime_checkable
class OnlineEraser(OnlineWriter, Protocol):
    """A writer that can also put older rows in the place of newer ones, and take entities out.

    Its methods raise ConcurrentLoadError where another materialization has claimed the view.
    """

    def overwrite(self, rows: OnlineRows, taken: OnlineRows | None = None) -> None:
        """Writes rows, also where the store has a newer one of the entity.

        Args:
            rows: the rows.
            taken: for each of them the row that it takes the place of: what the store has from
                elsewhere, and is newer than that, stays. None: whatever the store has.
        """

    def remove(self, keys: Sequence[bytes], taken: OnlineRows | None = None) -> None:
        """Removes all that the view has of the entities with these encoded keys.

        Args:
            keys: the keys.
            taken: for each of them the row that is to go: what is newer than that stays. None:
                whatever the store has.
        """

    def stored_keys(self) -> Iterator[list[bytes]]:
        """The encoded keys of all entities that the view may have something of, some at a time."""

    def erase(self, key: Mapping[str, str | int], *, dry_run: bool) -> int:
        """Removes all that the view has of the entities with these join keys; how many they were.

        Where the view has more join keys than `key`, all that share the given ones are meant.
        """


def superseded(view: OnlineView) -> ConcurrentLoadError:
    """The error of a materialization whose view another one has claimed."""
    return ConcurrentLoadError(
        f"another materialization of {view.name} has begun meanwhile; this one stops",
        field=view.name,
        action="nothing: what both of them write is written by the other one",
    )
