"""Features that a user's function computes from the rows of a training set.

The function is that of an on-demand feature view, and is called as Feast calls it: with columns,
all rows of a chunk at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from quality_platform.errors import TrainingSetError
from quality_platform.feature_store.definitions import OnDemandViewDefinition
from quality_platform.feature_store.feast_types import arrow_type_of_word
from quality_platform.feature_store.on_demand import imported, source_of


@dataclass(frozen=True)
class ComputedFeatures:
    """Features of an on-demand view; the columns that they become are called `VIEW:FEATURE`.

    `inputs` are the columns that the function takes, by the names that it knows them by.
    """

    view: OnDemandViewDefinition
    features: tuple[str, ...]
    inputs: Mapping[str, str] = field(hash=False)

    @property
    def columns(self) -> list[pa.Field[Any]]:
        """The columns that they become."""
        types = self.view.features
        return [
            pa.field(f"{self.view.name}:{name}", arrow_type_of_word(types[name]))
            for name in self.features
        ]

    @property
    def definition(self) -> dict[str, Any]:
        """What decides the values: plain data, for a manifest.

        Of the code it is the function's own text; what that calls is not looked at.

        Raises:
            MaterializationError: there is no such function.
        """
        return {
            "function": self.view.python,
            "source": hashlib.sha256(source_of(self.view).encode()).hexdigest(),
            "mode": self.view.mode,
            "inputs": [[name, column] for name, column in self.inputs.items()],
            "features": [[name, self.view.features[name]] for name in self.features],
        }


def with_computed(rows: pa.Table, wanted: ComputedFeatures) -> pa.Table:
    """The rows with the features that the function gives for them.

    Raises:
        MaterializationError: there is no such function.
        TrainingSetError: it fails, or gives no value of the declared type for each row.
    """
    function = imported(wanted.view)
    given = rows.select(list(wanted.inputs.values())).rename_columns(list(wanted.inputs))
    is_frame = wanted.view.mode == "pandas"
    try:
        found: Any = function(given.to_pandas() if is_frame else given.to_pydict())
        for column in wanted.columns:
            values = found[column.name.partition(":")[2]]
            rows = rows.append_column(column, pa.array(values, column.type, from_pandas=is_frame))
    # What a function of the user's raises can be anything, and its text can hold values.
    except Exception as error:  # noqa: BLE001
        raise TrainingSetError(
            f"the features of {wanted.view.name} cannot be computed: {type(error).__name__}",
            field=f"on_demand_feature_views.{wanted.view.name}",
            received=wanted.view.python,
            allowed="a value of the declared type, or None, for each of the rows",
        ) from None
    return rows
