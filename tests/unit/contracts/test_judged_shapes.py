"""What a contract was found to be is used for the next one, and never for what differs from it."""

from __future__ import annotations

from pathlib import Path

from support.contracts import load_text, orders
from support.problems import only_problem

from quality_platform.contracts.json_schema import schema_problems
from quality_platform.contracts.shapes import Reduction, Shapes
from quality_platform.documents.yaml_documents import parse_yaml
from quality_platform.errors import ContractError

ID = "{name: id, logicalType: integer}"
RULE = "{name: r, metric: rowCount, mustBeGreaterThan: 1}"
SCHEMA = {
    "properties": {
        "quality": {"items": {"properties": {"metric": {"enum": ["a", "b"]}, "name": {}}}},
        "properties": {"items": {"properties": {"metric": {"enum": ["c"]}}}},
    }
}


def test_entries_of_a_shape_that_passed_are_left_out() -> None:
    shapes, first = Shapes(SCHEMA), Reduction()
    rules = [{"metric": "a", "name": "x"}, {"metric": "b", "name": "y"}]
    assert shapes.reduced({"quality": rules}, first) == {"quality": rules}
    second = Reduction(first.asked)
    more = [*rules, {"metric": "a", "name": "z"}, {"metric": "d", "name": "x"}]
    assert shapes.reduced({"quality": more}, second) == {"quality": [more[-1]]}


def test_an_entry_that_passed_in_one_place_is_judged_in_another() -> None:
    shapes, first = Shapes(SCHEMA), Reduction()
    rules = [{"metric": "a"}]
    shapes.reduced({"quality": rules}, first)
    second = Reduction(first.asked)
    assert shapes.reduced({"properties": rules}, second) == {"properties": rules}
    third = Reduction(first.asked)
    assert shapes.reduced({"type": "t", "quality": rules}, third)["quality"] == rules


def test_a_mistake_is_told_although_all_else_has_passed_before(tmp_path: Path) -> None:
    load_text(tmp_path, orders(ID, quality=[RULE]))
    wrong = RULE.replace("rowCount", "rowsCount")
    for _ in range(2):
        problem = only_problem(
            ContractError, lambda: load_text(tmp_path, orders(ID, quality=[RULE, wrong]))
        )
        assert "schema.0.quality.1" in problem.field


def test_what_v3_0_lets_pass_is_refused_in_a_later_version() -> None:
    entry = "{name: r, metric: rowCount, mustBeGreaterThan: 1, ourOwnKey: 1}"

    def found(version: str) -> tuple[int, int]:
        text = orders(ID, quality=[entry], api_version=version)
        problems, hints = schema_problems(parse_yaml(text, Path("c.yaml")))
        return len(problems), len(hints)

    assert found("v3.0.2") == (0, 1)
    assert found("v3.1.0") == (1, 0)
    assert found("v3.0.2") == (0, 1)
