"""An imported contract accepts the very data that it was made from."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command_line import call


@pytest.mark.parametrize(
    "values",
    [
        ("f", "t"),
        ("true", "FALSE"),
        ("13/02/2024", "14/02/2024"),
        ("2024-02-13", "2024-02-14"),
        ("13/02/2024 10:00", "14/02/2024 11:00"),
        ("2024-02-13T10:00:00", "2024-02-14 11:00:00.5"),
        ("10:00", "11:30:00"),
        ("1", "2"),
        ("1.5", "1e3"),
        ("", ""),
        ("007", "x"),
    ],
)
def test_a_csv_file_passes_the_contract_that_was_made_of_it(
    values: tuple[str, str], tmp_path: Path
) -> None:
    data, contract = tmp_path / "orders.csv", tmp_path / "orders.odcs.yaml"
    data.write_text("key,value\n" + "".join(f"k{n},{text}\n" for n, text in enumerate(values)))

    assert call("import", "csv", data, "-o", contract).code == 0

    assert call("lint", contract).code == 0
    ended = call("check", contract, data)
    assert (ended.code, "2 rows, 0 of them" in ended.out) == (0, True), ended.text
