"""`quality-platform check` on JSON lines, also as the other side of a foreign key."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from support.command_line import call

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: shop-orders
version: 1.0.0
status: active
schema:
  - name: orders
    properties:
      - {name: id, logicalType: integer, primaryKey: true}
      - {name: country, logicalType: string, relationships: [{to: countries.code}]}
      - {name: amount, logicalType: number, physicalType: 'decimal(9,2)', required: true}
"""
ORDERS = b"""\
{"id": 1, "country": "DE", "amount": 5.00}
{"id": 2, "country": "XX", "amount": 6}

{"id": 3, "country": "FR", "amount": "7.00"}
{"id": 4, "country": "FR"}
{"id": 5, "country": "FR", "amount": 1.005}
{"amount": 1, "country": "DE", "id": 1e2}
"""
COUNTRIES = b'{"code": "DE", "label": "Germany"}\n{"label": [1], "code": "FR", "more": {}}\n'


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("orders.odcs.yaml").write_text(CONTRACT)
    Path("orders.jsonl").write_bytes(ORDERS)
    Path("countries.ndjson").write_bytes(COUNTRIES)


def report(data: str) -> dict[str, Any]:
    ended = call(
        "check", "orders.odcs.yaml", data, "--reference", "countries=countries.ndjson", "--json"
    )
    assert ended.err == ""
    found: dict[str, Any] = json.loads(ended.out)
    return found


def test_every_record_is_judged_or_counted_as_one_that_does_not_fit() -> None:
    found = report("orders.jsonl")

    assert found["rows"] == 6
    assert {c["name"]: c["broken_rows"] for c in found["checks"] if c["broken_rows"]} == {
        "conforms_to_schema": 3,
        "country_in_countries": 1,
        "amount_not_null": 1,
    }


def test_packed_json_lines_give_the_same() -> None:
    Path("orders.jsonl.gz").write_bytes(gzip.compress(ORDERS))

    packed, plain = report("orders.jsonl.gz"), report("orders.jsonl")

    assert packed["checks"][0]["broken_rows"] == 3
    assert [c["broken_rows"] for c in packed["checks"]] == [
        c["broken_rows"] for c in plain["checks"]
    ]


def test_bad_rows_are_shown_with_their_line() -> None:
    ended = call("check", "orders.odcs.yaml", "orders.jsonl", "--skip", "country_in_countries")

    assert "orders.jsonl:6" in ended.out
    assert "1.005" not in ended.text
