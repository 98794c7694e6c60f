"""The JSON schema of runner.yaml: an editor marks what is wrong, and nothing that is right."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support.command_line import call
from support.runner_text import ORDERS, VIEW

from quality_platform.config.editor_schema import runner_schema
from quality_platform.config.models import RunnerConfig
from quality_platform.documents.yaml_documents import parse_yaml
from quality_platform.errors import ConfigurationError

ROOT = Path(__file__).parents[3]
SCHEMA = runner_schema()


def problems(text: str) -> list[str]:
    data = parse_yaml(text, Path("runner.yaml")).data
    return [error.message for error in jsonschema.Draft7Validator(SCHEMA).iter_errors(data)]


def found_examples() -> Iterator[Any]:
    """Every YAML text of the docs that is (a part of) a runner.yaml, and every runner.yaml."""
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        blocks = re.findall(r"^```yaml\n(.*?)^```", path.read_text("utf-8"), re.M | re.S)
        for n, block in enumerate(blocks):
            try:
                data = parse_yaml(block, path).data
            except ConfigurationError:
                continue
            is_ours = isinstance(data, dict) and set(data) <= set(RunnerConfig.model_fields)
            # With a list of schedules it is of another tool, which is read as well: docs/dativo.md.
            if is_ours and not isinstance(data.get("schedules"), list):
                yield pytest.param(block, id=f"{path.relative_to(ROOT)}-{n}")
    for path in [ROOT / "runner.yaml", *ROOT.glob("examples/**/runner*.yaml")]:
        yield pytest.param(path.read_text("utf-8"), id=str(path.relative_to(ROOT)))


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("text", list(found_examples()))
def test_what_the_project_shows_is_not_marked(text: str) -> None:
    # Examples leave out what they are not about.
    assert [p for p in problems(text) if "is a required property" not in p] == []


def test_the_texts_of_other_tests_are_not_marked() -> None:
    assert problems(ORDERS + VIEW) == []


WRONG = [
    "lakee: {}",
    "lake: {warehous: x}",
    "version: 2",
    "engine: {threads: many}",
    "engine: {threads: 0}",
    "engine: {threads: true}",
    "retries: {jitter: perhaps}",
    "lake: {catalog: {type: hive}}",
    "secrets: {type: nobody}",
    "schedules: {s: {cron: '@daily', time_zone: UTC}}",
    "schedules: {a-b: {cron: '@daily'}}",
    "sensors: {s: {type: file_arrival, table: orders, interval_seconds: 1}}",
    "sensors: {s: {type: file_arrival}}",
    "sensors: {s: {table: orders}}",
    "include: tables.yaml",
    "tables: {orders: {contract: c}}",
    "tables: {orders: {contract: c, source: {path: p}}}",
    "tables: {orders: {contract: c, source: {type: csv}}}",
    "tables: {orders: {contract: c, source: {type: csv, path: p, delimeter: ';'}}}",
    "tables: {orders: {contract: c, source: {type: csv, path: p}, load: {mode: apend}}}",
    "tables: {orders: {contract: c, source: {type: csv, path: p}, namespace: a-b}}",
]


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_marked(text: str) -> None:
    assert problems(text)


VARIABLES = [
    "engine: {threads: '${THREADS}', memory_limit: '${MEMORY:-512MB}'}",
    "retries: {jitter: '${JITTER}'}",
    "lake: {catalog: {type: '${CATALOG}', name: '${NAME}'}}",
    "secrets: {type: '${SECRETS}'}",
    "sensors: {s: {type: file_arrival, table: orders, interval_seconds: '${SECONDS}'}}",
    "tables: {orders: {contract: '${C}', source: {type: '${TYPE}', path: p}}}",
    "tables: {orders: {contract: c, source: {type: csv, path: p, delimiter: '${COMMA}'}}}",
    "connections: {shop: {url: 'postgresql://u:${secret:PASSWORD|url}@host/shop'}}",
    VIEW + "    drift: {columns: [n], reference: {start: '${A}', end: '2020-${B}'}}\n",
    "tables: {orders: {tenants: [a], contract: c, source: "
    "{type: sql, connection: 'db_{tenant}', table: t}}}",
]


@pytest.mark.parametrize("text", VARIABLES)
def test_a_variable_may_stand_in_every_place_of_a_value(text: str) -> None:
    assert problems(text) == []


def test_a_source_of_another_distribution_may_have_any_keys() -> None:
    text = "tables: {orders: {contract: c, source: {type: stripe, account: 7, deep: {a: [1]}}}}"
    assert problems(text) == []


def test_every_key_is_described() -> None:
    models = [SCHEMA, *SCHEMA["$defs"].values()]
    keys = [(key, node) for model in models for key, node in model.get("properties", {}).items()]
    assert len(keys) > 100
    undescribed = {
        key for key, node in keys if "description" not in node and "allOf" not in node
    } - {"type"}
    assert undescribed == set()


def test_the_command_prints_the_schema_of_the_docs(tmp_path: Path) -> None:
    documented = (ROOT / "docs" / "runner.schema.json").read_text("utf-8")
    assert call("schema").out == documented
    assert call("schema", "-o", tmp_path / "s.json").code == 0
    assert json.loads((tmp_path / "s.json").read_text()) == SCHEMA


def test_the_demo_names_the_schema() -> None:
    first = (ROOT / "runner.yaml").read_text("utf-8").splitlines()[0]
    name = first.removeprefix("# yaml-language-server: $schema=")
    assert (ROOT / name).samefile(ROOT / "docs" / "runner.schema.json")
