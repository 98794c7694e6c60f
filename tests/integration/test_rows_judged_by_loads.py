"""The whole of a rule's share, in loads and in checks alone: the rows judged, not the records."""

from __future__ import annotations

from support.command_line import call
from support.project import Project, integer, key, predicate, text

from quality_platform.flows.audit_table import audit_table
from quality_platform.flows.load_table import load_table

COLUMNS = {"id": key(integer()), "country": text(), "zip": text()}
US_HAS_ZIP = {
    "name": "us_has_zip",
    "type": "text",
    "severity": "warning",
    "customProperties": [
        {"property": "rowPredicate", "value": "zip IS NOT NULL"},
        {"property": "rowCondition", "value": "country = 'US'"},
    ],
}
# The record that does not conform is of the condition, and not judged.
RECORDS = "id,country,zip\n1,US,1\n2,US,\n3,DE,\n4,,\nfive,US,5\n"
JUDGED = {"conforms_to_schema": 5, "id_not_null": 4, "positive": 4, "us_has_zip": 2}


def test_a_load_tells_the_rows_that_each_rule_judged(project: Project) -> None:
    rules = [US_HAS_ZIP, predicate("positive", "id > 0")]
    platform = project.table("orders", COLUMNS, quality=rules).open()
    project.deliver("orders/a.csv", RECORDS)
    project.deliver("orders/b.csv", "id,country,zip\n6,US,6\n")
    outcome = load_table(platform, "orders", "run-1")
    judged = {r.spec.name: (r.count, r.rows) for r in outcome.results}

    assert judged["us_has_zip"] == (1, 3)
    assert judged["conforms_to_schema"] == (1, 6)
    assert judged["positive"] == (0, 5)
    assert judged["primary_key_unique"] == (0, 5)

    audited = {r.spec.name: (r.count, r.rows) for r in audit_table(platform, "orders")}
    assert audited["us_has_zip"] == (1, 3)
    assert audited["positive"] == (0, 5)


def test_a_load_without_a_row_of_the_condition_judged_none(project: Project) -> None:
    platform = project.table("orders", COLUMNS, quality=[US_HAS_ZIP]).open()
    project.deliver("orders/a.csv", "id,country,zip\n1,DE,\n")
    results = {r.spec.name: r for r in load_table(platform, "orders", "run-1").results}

    assert (results["us_has_zip"].count, results["us_has_zip"].rows) == (0, 0)
    assert results["us_has_zip"].share is None


def test_checks_alone_on_a_file_tell_the_same(project: Project) -> None:
    import json

    contract = project.contract(
        "orders", COLUMNS, quality=[US_HAS_ZIP, predicate("positive", "id > 0")]
    )
    data = project.deliver("orders/a.csv", RECORDS)
    found = json.loads(call("check", contract, data, "--json").out)

    rows = {check["name"]: check["rows"] for check in found["checks"]}
    assert rows | JUDGED == rows
    assert found["rows"] == 5
