"""A source type `weather_log`: binary logs of weather stations, read by Rust into Arrow.

The compiled reader hands each batch over through Arrow's C stream interface: nothing is copied, and
nothing of a row becomes an object of Python. src/lib.rs tells the format of the logs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from quality_platform.sources.plugin import (
    HeaderError,
    Location,
    MalformedSourceError,
    Part,
    RejectedRecord,
    SourceBatch,
    SourceChangedError,
    SourceConfig,
    SourceContext,
    SourceNotFoundError,
    Wanted,
    json_rows,
)

from weather_log.reader import DAMAGED, opened


class WeatherLogConfig(SourceConfig):
    """Binary logs of weather stations."""

    type: Literal["weather_log"]
    """`weather_log`."""
    path: str
    """A file or a glob, relative to the folder of runner.yaml."""


@dataclass(frozen=True)
class WeatherLogSource:
    """The logs that a glob finds; each is a part, and its digest is its version."""

    config: WeatherLogConfig
    context: SourceContext

    def parts(self, wanted: Wanted) -> Sequence[Part]:
        """The logs that were not loaded yet, oldest name first."""
        pattern = self.context.resolve(self.config.path)
        paths = sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))
        if not paths:
            raise SourceNotFoundError("there is no such log", location=self._location)
        return tuple(part for path in paths for part in self._part(path, wanted))

    def _part(self, path: Path, wanted: Wanted) -> Iterator[Part]:
        name, digest = str(path), _digest(path)
        known = wanted.position.sources.get(name)
        if known and not wanted.full_refresh:
            if known.version == digest:
                return
            if self.context.load.mode == "append":
                raise SourceChangedError(
                    "the log has changed since it was loaded, and its rows would be there twice",
                    location=Location(name),
                    action="deliver changes as another file, or use load.mode: merge",
                )
        yield Part(name, digest, partial(self._batches, path, digest))

    def _batches(self, path: Path, digest: str) -> Iterator[SourceBatch]:
        try:
            with opened(path) as reader:
                self._require_columns(reader.schema.names)
                for batch in reader:
                    yield self._batch(batch)
        except (OSError, pa.ArrowException) as error:
            raise MalformedSourceError(
                "the file is no whole weather log",
                location=Location(str(path)),
                received=str(error),
            ) from None
        if _digest(path) != digest:
            raise SourceChangedError("the log has changed", location=Location(str(path)))

    def _batch(self, batch: pa.RecordBatch) -> SourceBatch:
        """The batch's whole records as columns, the damaged ones as rejects."""
        damaged = batch.column(DAMAGED)
        rows = batch.filter(pc.is_null(damaged)).select(self.context.columns.names)
        rejects = tuple(
            RejectedRecord(None, raw, "the checksum is wrong, or the note is no UTF-8")
            for raw in damaged.drop_null().to_pylist()
        )
        return SourceBatch(
            columns=rows,
            lines=pa.nulls(rows.num_rows, pa.int64()),
            raw=json_rows(rows),
            rejects=rejects,
            text=False,
        )

    def _require_columns(self, present: Sequence[str]) -> None:
        known = {*self.context.columns.names, *self.config.ignore_columns, DAMAGED}
        different = {*present} ^ known
        if different - {*self.config.ignore_columns}:
            raise HeaderError(
                "the contract has other columns than the logs",
                location=self._location,
                received=", ".join(sorted(different)),
                allowed=", ".join(name for name in present if name != DAMAGED),
                action="correct the contract, or list what it does not have in `ignore_columns`",
            )

    @property
    def _location(self) -> Location:
        return self.context.location("source")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class WeatherLogType:
    """What the entry point leads to: the model of the configuration, and how it is opened."""

    config = WeatherLogConfig

    @staticmethod
    def open_source(config: Any, context: SourceContext) -> WeatherLogSource:
        """The source; opens nothing yet."""
        return WeatherLogSource(config, context)
