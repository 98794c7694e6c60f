"""The examples of docs/checks.md make the checks that the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from support.contracts import contract_text, load_text

from quality_platform.checks.derive import check_specs

PAGE = Path(__file__).parents[3] / "docs" / "checks.md"
EXAMPLES = re.findall(
    r"^```yaml\n# checks: ([^\n]+)\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize(("names", "example"), EXAMPLES, ids=[names for names, _ in EXAMPLES])
def test_an_example_makes_the_checks_that_the_page_says(tmp_path: Path, names: str, example: str):
    entry = yaml.safe_load(example)
    promises = {"slaProperties": entry.pop("slaProperties", [])}
    document = {"schema": [{"name": "orders", **entry}], **promises}
    text = contract_text(yaml.safe_dump(document, sort_keys=False), api_version="v3.2.0")
    contract = load_text(tmp_path, text)
    specs = check_specs(contract.objects[0], {"customers": "customers"}, contract.sla)
    assert [spec.name for spec in specs if spec.name != "conforms_to_schema"] == names.split(", ")


def test_every_example_of_the_page_is_run():
    assert len(EXAMPLES) == PAGE.read_text("utf-8").count("```yaml") >= 20
