"""A table whose rows refer to each other, through whole loads."""

from __future__ import annotations

from support.project import csv_text, foreign_key, integer, key, rows_of_table

from quality_platform.flows.audit_table import audit_table
from quality_platform.flows.load_table import load_table

PEOPLE = {"id": key(integer()), "boss": integer(**foreign_key("people.id", "boss_in_people"))}


def people(*pairs: tuple[int, int | str]) -> str:
    return csv_text("id,boss", pairs)


def test_the_first_load_of_a_table_that_refers_to_itself_is_published(project):
    platform = project.table("people", PEOPLE).open()
    project.deliver("people/a.csv", people((1, ""), (2, 1), (3, 9), (4, 3)))
    outcome = load_table(platform, "people", "run-1")
    assert outcome.state == "published"
    assert [row["id"] for row in rows_of_table(platform, "shop.people")] == [1, 2]
    assert sorted(r["id"] for r in rows_of_table(platform, "quarantine.people")) == [3, 4]


def test_a_later_load_refers_to_rows_that_are_published(project):
    platform = project.table("people", PEOPLE).open()
    project.deliver("people/a.csv", people((1, "")))
    load_table(platform, "people", "run-1")
    project.deliver("people/b.csv", people((2, 1), (3, 2), (4, 8)))
    outcome = load_table(platform, "people", "run-2")
    assert outcome.state == "published"
    assert sorted(r["id"] for r in rows_of_table(platform, "shop.people")) == [1, 2, 3]
    results = {result.spec.name: result for result in audit_table(platform, "people")}
    assert (results["boss_in_people"].verdict, results["boss_in_people"].count) == ("pass", 0)
