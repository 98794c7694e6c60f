"""`quality-platform lint CONTRACT...`: what can be said of a contract without any data."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command_line import call
from support.contracts import line_of, orders
from support.project import Project, foreign_key, integer, key, text

COLUMN = "{name: email, logicalType: string}"


def contract(tmp_path: Path, *properties: str, quality: tuple[str, ...] = ()) -> Path:
    path = tmp_path / "orders.odcs.yaml"
    path.write_text(orders(*properties, quality=quality))
    return path


def test_a_good_contract_is_told_with_its_checks(tmp_path: Path) -> None:
    path = contract(tmp_path, COLUMN, quality=("{metric: rowCount, mustBeGreaterThan: 1}",))

    ended = call("lint", path)

    assert ended.code == 0, ended.text
    assert "1 object, 2 checks, no problems" in ended.out


def test_a_pattern_that_no_engine_can_run_is_found_before_any_data(tmp_path: Path) -> None:
    bad = "{name: sku, logicalType: string, logicalTypeOptions: {pattern: '(?=look)ahead'}}"
    path = contract(tmp_path, COLUMN, bad)

    ended = call("lint", path)

    assert ended.code == 2
    assert f"{path}:{line_of(path.read_text(), 'sku')}" in ended.out
    assert "sku_pattern" in ended.out


def test_every_contract_named_is_checked_and_one_bad_one_is_enough(tmp_path: Path) -> None:
    good = contract(tmp_path, COLUMN)
    bad = tmp_path / "bad.odcs.yaml"
    bad.write_text(orders("{name: email, logicalType: strng}"))

    ended = call("lint", good, bad)

    assert ended.code == 2
    assert "no problems" in ended.out
    assert "string" in ended.out


def test_the_deprecated_rule_is_a_hint_and_no_problem(tmp_path: Path) -> None:
    path = contract(tmp_path, COLUMN, quality=("{rule: rowCount, mustBeGreaterThan: 1}",))

    ended = call("lint", path)

    assert ended.code == 0, ended.text
    assert "hint" in ended.out
    assert "metric" in ended.out


@pytest.mark.parametrize(
    ("to", "named"), [("countries.cod", "'cod'"), ("countries.population", "different types")]
)
def test_a_foreign_key_to_a_column_that_cannot_be_meant_is_refused(
    project: Project, to: str, named: str
) -> None:
    project.table("countries", {"code": key(text()), "population": integer()})
    project.table("orders", {"id": key(integer()), "country": text(**foreign_key(to, "known"))})

    ended = call("lint", "-r", project.write_runner())

    assert ended.code == 2
    assert named in ended.text
