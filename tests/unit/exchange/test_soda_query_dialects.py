"""A query keeps the SQL of its server where Soda runs it."""

from __future__ import annotations

from pathlib import Path

import yaml
from support.contracts import contract_text, load_text

from quality_platform.exchange.exporters.soda import export_soda


def test_a_query_of_a_server_is_exported_in_its_own_words(tmp_path: Path):
    text = contract_text(
        """servers: [{server: s, type: postgres, host: h, port: 1, database: d, schema: p}]
schema:
- name: orders
  properties: [{name: qty, logicalType: integer, physicalType: int}]
  quality:
  - {type: sql, query: 'SELECT max(qty) / 2 FROM {object}', mustBe: 1}
"""
    )
    contract = load_text(tmp_path, text)
    exported = yaml.safe_load(export_soda(contract, contract.objects[0]).text)
    (query,) = [check["metric"]["query"] for check in exported["checks"] if "metric" in check]
    assert query == 'SELECT MAX(qty) / 2 FROM "orders"'
