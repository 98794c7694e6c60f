"""A platform of which only what a run is about is read behaves as the whole one."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.project import Project, foreign_key, integer, key
from support.shop import furnish

from quality_platform.contracts import loading
from quality_platform.errors import ConfigurationError
from quality_platform.flows import building
from quality_platform.flows.platform import Platform, open_platform
from quality_platform.flows.platform_parts import PlatformPart, open_part

IDS = {"id": key(integer())}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The contracts that were read since, by file name."""
    found: list[str] = []

    def load(path: Path) -> object:
        found.append(path.name.removesuffix(".odcs.yaml"))
        return loading.load_contract(path)

    monkeypatch.setattr(building, "load_contract", load)
    return found


@pytest.fixture
def shop(project: Project) -> Project:
    """The shop, and some tables that have nothing to do with it."""
    furnish(project)
    for number in range(6):
        project.table(f"other_{number}", IDS)
    project.write_runner()
    return project


def facts(platform: Platform, name: str) -> list[object]:
    """What a table or view is made of."""
    table = platform.contracted(name)
    return [table.identifier, table.specs, table.schema, table.location, table.contract.id]


@pytest.mark.parametrize("name", ["customers", "orders", "totals", "other_3"])
def test_a_part_is_as_in_the_whole(shop: Project, name: str) -> None:
    part = open_part([name], shop.runner)
    assert isinstance(part, PlatformPart)
    assert facts(part, name) == facts(open_platform(shop.runner), name)


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("customers", {"customers"}),
        ("orders", {"customers", "orders"}),
        ("totals", {"customers", "orders", "totals"}),
        ("other_3", {"other_3"}),
    ],
)
def test_nothing_is_read_but_what_a_name_needs(
    shop: Project, read: list[str], name: str, needed: set[str]
) -> None:
    part = open_part([name], shop.runner)
    assert part.contracted(name).name == name
    assert set(read) == needed


def test_what_is_asked_for_beyond_is_read_with_everything(shop: Project, read: list[str]) -> None:
    part = open_part(["customers"], shop.runner)
    assert "other_1" in part.tables
    assert "other_5" in read
    assert part.contracted("totals").identifier == "features.totals"
    assert len(part.tables) == 8
    assert [*part.feature_tables] == ["totals"]
    assert part.load_order[-1] == "other_5"


def test_names_that_lead_nowhere_are_in_neither(shop: Project, read: list[str]) -> None:
    part = open_part(["customers"], shop.runner)
    assert part.tables.get("nowhere") is None
    assert set(read) == {"customers"}
    with pytest.raises(ConfigurationError, match="there is no table or feature view 'nowhere'"):
        part.contracted("nowhere")


def test_a_table_may_be_referred_to_by_its_name_or_by_that_of_its_object(project: Project) -> None:
    project.table("people", IDS)
    project.contract("people", IDS)
    path = project.folder / "contracts" / "people.odcs.yaml"
    path.write_text(path.read_text().replace("- name: people", "- name: persons"))
    for name, target in (("by_table", "people.id"), ("by_object", "persons.id")):
        link = {"person": integer(**foreign_key(target, "person_is_known"))}
        project.table(name, {**IDS, **link})
    for number in range(4):
        project.table(f"other_{number}", IDS)
    project.write_runner()
    for name in ("by_table", "by_object"):
        part = open_part([name], project.runner)
        assert isinstance(part, PlatformPart)
        assert part.contracted(name).references == ("people",)


def test_of_two_objects_of_one_name_the_part_means_the_same_one_as_the_whole(
    project: Project,
) -> None:
    for name in ("first", "second", "third"):
        project.table(name, IDS)
        path = project.folder / "contracts" / f"{name}.odcs.yaml"
        path.write_text(path.read_text().replace(f"- name: {name}", "- name: people"))
    link = {"person": integer(**foreign_key("people.id", "person_is_known"))}
    project.table("orders", {**IDS, **link})
    for number in range(6):
        project.table(f"other_{number}", IDS)
    project.write_runner()
    part, whole = open_part(["orders"], project.runner), open_platform(project.runner)
    assert isinstance(part, PlatformPart)
    assert part.tables["orders"].references == whole.tables["orders"].references


def test_where_a_table_is_broken_all_is_read_to_tell_of_it(shop: Project) -> None:
    (shop.folder / "contracts" / "customers.odcs.yaml").write_text("kind: DataContract\n")
    for name in ("customers", "orders"):
        platform = open_part([name], shop.runner)
        assert not isinstance(platform, PlatformPart)
        assert name in platform.broken_tables


def test_what_is_broken_elsewhere_does_not_concern_a_part_but_is_not_hidden(
    shop: Project, read: list[str]
) -> None:
    (shop.folder / "contracts" / "other_2.odcs.yaml").write_text("kind: DataContract\n")
    part = open_part(["orders"], shop.runner)
    assert isinstance(part, PlatformPart)
    assert part.broken_tables.get("orders") is None
    assert "other_1" not in read
    assert [problem.name for problem in part.broken] == ["other_2"]
    assert [*part.broken_tables] == ["other_2"]


def test_most_of_the_tables_are_read_as_the_whole(shop: Project) -> None:
    names = ["customers", "orders", *(f"other_{number}" for number in range(3))]
    assert not isinstance(open_part(names, shop.runner), PlatformPart)


def test_a_mistake_that_concerns_everything_is_told(shop: Project) -> None:
    shop.runner.write_text(shop.runner.read_text().replace("retries:", "retrise:"))
    with pytest.raises(ConfigurationError, match="unknown key 'retrise'"):
        open_part(["orders"], shop.runner)


def test_a_part_has_the_same_lake_and_settings(shop: Project) -> None:
    part, whole = open_part(["orders"], shop.runner), open_platform(shop.runner)
    assert part.home == whole.home
    assert part.engine.memory_limit_mb == whole.engine.memory_limit_mb
    assert part.runner.config == whole.runner.config
