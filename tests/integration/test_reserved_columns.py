"""Columns that the platform needs for itself are refused before anything is read."""

from pathlib import Path

import pytest
import yaml

from quality_platform.errors import ConfigurationError
from quality_platform.flows.platform import open_platform


@pytest.mark.parametrize("column", ["_broken_rules", "_SOURCE_LINE", "file_row_number"])
def test_a_column_with_a_name_of_the_platforms_own_is_refused_with_its_line(
    column: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUALITY_PLATFORM_HOME", str(tmp_path / "home"))
    contract = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "orders",
        "version": "1.0.0",
        "status": "active",
        "schema": [
            {"name": "orders", "properties": [{"name": column, "logicalType": "string"}]},
        ],
    }
    runner = {"tables": {"orders": {"contract": "o.yaml", "source": {"type": "csv", "path": "o"}}}}
    (tmp_path / "o.yaml").write_text(yaml.safe_dump(contract, sort_keys=False))
    (tmp_path / "runner.yaml").write_text(yaml.safe_dump(runner))

    with pytest.raises(ConfigurationError, match="physicalName") as caught:
        open_platform(tmp_path / "runner.yaml", strict=True)

    problem = caught.value.problems[0]
    assert column in problem.message
    assert problem.location is not None
    assert problem.location.line > 0
