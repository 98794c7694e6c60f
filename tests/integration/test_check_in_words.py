"""What `check` prints about rows that break a rule, where nobody described the rule."""

from __future__ import annotations

from support.command_line import call
from support.project import Project, integer, key, number

COLUMNS = {"id": key(integer()), "amount": number(), "tax": number()}


def rule(name: str, predicate: str, severity: str = "error") -> dict[str, object]:
    custom = [{"property": "rowPredicate", "value": predicate}]
    return {"name": name, "type": "text", "severity": severity, "customProperties": custom}


def test_a_rule_without_a_description_tells_what_it_says(project: Project) -> None:
    rules = [
        rule("small", "amount < 5"),
        rule("early", "current_timestamp < '2001-01-01'", "warning"),
        rule("fine", "id > 0"),
    ]
    contract = project.contract("orders", COLUMNS, quality=rules)
    data = project.deliver("orders.csv", "id,amount,tax\n1,9,\n2,,nan\n")
    lines = call("check", contract, data).out.splitlines()
    told = {line.split()[0]: " ".join(line.split()) for line in lines if line.split()}

    assert told["small"].endswith("fail 1 50.00% not true: amount < 5")
    assert "not true: current_timestamp <" in told["early"]
    assert told["fine"] == "fine pass 0"


def test_samples_tell_null_and_nan_from_text(project: Project) -> None:
    contract = project.contract("orders", COLUMNS, quality=[rule("small", "amount < 5 OR tax < 1")])
    data = project.deliver("orders.csv", "id,amount,tax\n1,9,nan\n2,9,\n3,9,2\n")
    out = call("check", contract, data).out

    assert "id=1  amount=9.0  tax=NaN" in out
    assert "id=3  amount=9.0  tax=2.0" in out

    contract = project.contract("orders", {"id": integer(), "amount": number(required=True)})
    data = project.deliver("nulls.csv", "id,amount\n1,\n")
    assert "amount=NULL" in call("check", contract, data).out
