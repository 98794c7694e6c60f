from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from quality_platform.config.drift_models import DriftConfig
from quality_platform.drift.values import is_comparable
from quality_platform.errors import Location
from quality_platform.flows.drift_checks import drift_specs
from quality_platform.flows.drift_measuring import thresholds_of
from quality_platform.flows.drift_rules import is_compared

TYPES: list[pa.DataType] = [
    *(pa.int8(), pa.int64(), pa.uint32(), pa.float32(), pa.float64(), pa.decimal128(9, 2)),
    *(pa.string(), pa.large_string(), pa.bool_(), pa.date32(), pa.time64("us")),
    *(pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.duration("us"), pa.null()),
    *(pa.binary(), pa.large_binary(), pa.binary(16), pa.list_(pa.int64())),
    *(pa.struct([("a", pa.int64())]), pa.map_(pa.string(), pa.int64())),
]


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_a_column_is_compared_where_the_engine_can_compare_it(kind: pa.DataType) -> None:
    assert is_compared(kind) == is_comparable(kind)


def config(**more: Any) -> DriftConfig:
    written = {"columns": ["a", "b"], "reference": {"tag": "v1"}, **more}
    return DriftConfig.model_validate(written)


def test_a_column_has_the_thresholds_of_all_unless_it_has_its_own() -> None:
    found = config(jensen_shannon=0.3, missing_share=0.1, per_column={"a": {"psi": 0.5}})
    general, own = thresholds_of(found), thresholds_of(found, "a")
    assert (general.psi, general.ks, general.js, general.missing_share) == (0.2, 0.15, 0.3, 0.1)
    assert (own.psi, own.ks, own.js, own.missing_share) == (0.5, 0.15, 0.3, 0.1)
    assert general == thresholds_of(found, "b")


def test_severities_are_those_of_all_unless_one_has_its_own() -> None:
    found = config(
        severity="error",
        per_column={"a": {"severity": "warning"}},
        overall={"severity": "warning", "volume": 0.5},
    )
    specs = drift_specs(found, ("a", "b"), Location("runner.yaml", 3))
    assert {spec.name: spec.severity.value for spec in specs} == {
        "a_has_not_drifted": "warning",
        "b_has_not_drifted": "error",
        "no_drift_overall": "warning",
    }
    assert specs[0].description == "a is distributed as in the tag 'v1'."
    assert specs[2].description == (
        "Less than 50% of the columns have drifted, and rows are at most 1.5 times as many, or as "
        "few, as in the tag 'v1'."
    )
