"""`overrides` of a table in runner.yaml: one contract, said differently for each table."""

from __future__ import annotations

import pytest
from support.problems import only_problem, place
from support.project import Project, integer, key, text

from quality_platform.errors import ConfigurationError
from quality_platform.flows.load_table import load_table
from quality_platform.flows.samples import MASK

COLUMNS = {"id": key(integer()), "name": text(logicalTypeOptions={"maxLength": 3})}


@pytest.fixture
def people(project: Project) -> Project:
    """Two tables of one contract, of which the second says that names are personal."""
    project.table("people", COLUMNS).table("guests", COLUMNS)
    project.tables["guests"] |= {
        "contract": "contracts/people.odcs.yaml",
        "overrides": {"classification": {"name": "high_pii"}, "owner": "guests@example.org"},
    }
    for name in ("people", "guests"):
        project.deliver(f"{name}/a.csv", "id,name\n1,Maximilian\n")
    return project


def test_values_are_masked_in_the_samples_of_that_table_alone(people: Project):
    platform = people.open()
    shown = {}
    for name in ("people", "guests"):
        (result,) = (r for r in load_table(platform, name, "run-1").results if r.sample)
        shown[name] = result.sample[0]["name"]

    assert (shown["people"] == MASK, shown["guests"] == MASK) == (False, True)
    assert "Maximilian" in shown["people"]


def test_the_owner_is_that_of_the_table(people: Project):
    tables = people.open().tables

    assert tables["guests"].contract.owners == ("guests@example.org",)
    assert tables["people"].contract.owners == ()


def test_a_column_that_the_contract_does_not_have_is_told_with_its_line(people: Project):
    people.tables["guests"]["overrides"] = {"classification": {"nam": "pii"}}

    problem = only_problem(ConfigurationError, people.open)
    assert problem.message == "the contract has no column 'nam'"
    assert (place(problem)[0], problem.allowed) == ("runner.yaml", "default, id, name")
    line = people.runner.read_text().splitlines()[place(problem)[1] - 1]
    assert line.strip() == "classification:"
