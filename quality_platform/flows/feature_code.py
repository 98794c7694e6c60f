"""What computes a feature view: its SQL or its Python function, told from what it was before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from quality_platform.checks.specs import CheckSpec
from quality_platform.config.partition_windows import Window
from quality_platform.errors import FeatureViewError
from quality_platform.features.functions import FeatureFunction, load_function
from quality_platform.features.python_view import FeatureContext, TimeRange
from quality_platform.features.python_view import computed as computed_by_function
from quality_platform.features.sql_view import FeatureInput, FeatureQuery, compute, validated
from quality_platform.flows.contracted_tables import FeatureTable
from quality_platform.flows.judging import Pins
from quality_platform.flows.partitions import PartitionColumn
from quality_platform.lake.query import EngineSettings, quote_identifier


@dataclass(frozen=True)
class FeatureCode:
    """What computes a view, ready to be run: exactly one of `query` and `function` is there."""

    view: FeatureTable
    query: FeatureQuery | None = None
    function: FeatureFunction | None = None

    @classmethod
    def of(cls, view: FeatureTable) -> FeatureCode:
        """Checks the SQL, or loads the function.

        Raises:
            FeatureViewError: the SQL may not run, or the function cannot be loaded.
        """
        if view.function is not None:
            return cls(view, function=load_function(view.function))
        inputs = [view.config.called(name) for name in view.config.inputs]
        return cls(view, validated(view.sql, inputs, location=view.sql_location))

    @property
    def definition(self) -> str:
        """The hash of all that the rows depend on, beside the inputs: the same for the same rows.

        That is the code, what the contract says of columns and checks, and its version.
        """
        view, config = self.view, self.view.config
        code = self.function.source if self.function else view.sql
        meant = {
            "code": code,
            "version": view.contract.version,
            "columns": [f"{f.name}: {f.type} {f.nullable}" for f in view.schema],
            "checks": sorted(_meaning(spec) for spec in view.checks),
            "event_timestamp": config.event_timestamp,
            "incremental": config.incremental.model_dump() if config.incremental else None,
        }
        return hashlib.sha256(json.dumps(meant, sort_keys=True).encode()).hexdigest()

    def rows(
        self,
        inputs: Mapping[str, FeatureInput],
        pins: Pins,
        engine: EngineSettings,
        stretches: Sequence[Window] = (),
    ) -> Iterator[pa.RecordBatch]:
        """The rows with the contract's types.

        Of `stretches` of event time at least the rows that are within them, and those that have no
        time; all where there are none.

        Raises:
            FeatureViewError: the code fails, or its columns are not those of the contract.
        """
        schema = self.view.schema
        for batch in self._computed(inputs, pins, engine, stretches):
            if set(batch.schema.names) != set(schema.names) or batch.num_columns != len(schema):
                raise FeatureViewError(
                    f"the columns of the {self._noun} are not those of the contract",
                    location=self.view.sql_location,
                    received=", ".join(batch.schema.names),
                    allowed=", ".join(schema.names),
                )
            yield self._typed(batch.select(schema.names))

    @property
    def _noun(self) -> str:
        return "SQL" if self.function is None else "function"

    def _computed(
        self,
        inputs: Mapping[str, FeatureInput],
        pins: Pins,
        engine: EngineSettings,
        stretches: Sequence[Window],
    ) -> Iterator[pa.RecordBatch]:
        called = {self.view.config.called(name): rows for name, rows in inputs.items()}
        if self.function is not None:
            snapshots = {self.view.config.called(name): pins.snapshots[name] for name in inputs}
            windows = tuple(TimeRange(stretch.start, stretch.end) for stretch in stretches)
            context = FeatureContext(self.view.name, self.view.schema, snapshots, windows)
            yield from computed_by_function(self.function, called, context, engine)
            return
        assert self.query is not None
        column = event_column(self.view)
        time = quote_identifier(column.name)
        where = f"{within(column, stretches)} OR {time} IS NULL" if stretches else ""
        yield from compute(self.query, called, engine, where=where)

    def _typed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with the contract's types; a conversion that would lose anything is refused."""
        nullable = pa.schema([f.with_nullable(True).remove_metadata() for f in self.view.schema])
        try:
            return batch.cast(nullable)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            # Arrow's message has the value that does not fit.
            raise self._misfit(batch, nullable) from None

    def _misfit(self, batch: pa.RecordBatch, wanted: pa.Schema) -> FeatureViewError:
        name = next(f.name for f in wanted if not _fits(batch.column(f.name), f.type))
        found, kind = batch.schema.field(name).type, wanted.field(name).type
        return FeatureViewError(
            f"the column {name!r} of the {self._noun} does not fit the contract's type",
            location=self.view.sql_location,
            received=f"{found}, with values that {kind} cannot hold as they are",
            allowed=str(kind),
            action="CAST it in the SQL" if self.function is None else "cast it in the function",
        )


def _fits(values: pa.Array[Any], kind: pa.DataType) -> bool:
    try:
        values.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True


def _meaning(spec: CheckSpec) -> str:
    """What decides which rows pass a check; not its place, nor its words for people."""
    return repr((spec.name, spec.claim, spec.scope, spec.severity, spec.threshold, spec.columns))


def event_column(view: FeatureTable) -> PartitionColumn:
    """The view's event timestamp."""
    name = view.config.event_timestamp
    return PartitionColumn(name, view.schema.field(name).type)


def within(column: PartitionColumn, stretches: Sequence[Window]) -> str:
    """SQL that is true for the rows of some stretches of time."""
    return " OR ".join(f"({column.condition([stretch])})" for stretch in stretches)
