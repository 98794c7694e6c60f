"""The section `lake` of runner.yaml: obvious mistakes are told before anything is opened."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.problems import only_problem
from support.runner_text import ORDERS, load_runner_text

from quality_platform.errors import RunnerFileError


@pytest.mark.parametrize(
    ("lake", "field", "told"),
    [
        ("catalog: {type: rest}", "lake.catalog", "needs a `uri`"),
        ("catalog: {type: rest, uri: 'localhost:8181'}", "lake.catalog", "https://"),
        ("catalog: {uri: 'https://catalog'}", "lake.catalog", "type rest"),
        (
            "catalog: {type: glue, uri: 'https://glue'}, warehouse: 's3://b'",
            "lake.catalog",
            "glue.endpoint",
        ),
        ("catalog: {type: glue}", "lake", "s3://"),
        ("catalog: {type: glue}, warehouse: /srv", "lake", "s3://"),
        ("catalog: {properties: {uri: x}}", "lake.catalog", "lake.catalog.uri"),
        ("catalog: {properties: {warehouse: x}}", "lake.catalog", "lake.warehouse"),
        ("catalog: {properties: {s3.endpoint: [x]}}", "lake.catalog.properties.s3.endpoint", ""),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, lake: str, field: str, told: str) -> None:
    text = f"{ORDERS}lake: {{{lake}}}\n"
    problem = only_problem(RunnerFileError, lambda: load_runner_text(tmp_path, text))
    assert problem.field == field
    assert told in problem.message + problem.allowed


def test_numbers_and_truth_values_are_written_as_pyiceberg_reads_them(tmp_path: Path) -> None:
    text = ORDERS + ("lake: {catalog: {properties: {s3.request-timeout: 5, s3.anonymous: true}}}\n")
    found = load_runner_text(tmp_path, text).config.lake.catalog.properties
    values = {key: value.get_secret_value() for key, value in found.items()}
    assert values == {"s3.request-timeout": "5", "s3.anonymous": "true"}


def test_properties_take_secrets_from_the_environment_and_never_show_them(tmp_path: Path) -> None:
    text = ORDERS + (
        "lake: {catalog: {type: rest, uri: 'https://c', properties: {credential: '${SECRET}'}}}\n"
    )
    config = load_runner_text(tmp_path, text, {"SECRET": "hunter2"}).config
    assert config.lake.catalog.properties["credential"].get_secret_value() == "hunter2"
    assert "hunter2" not in repr(config) + config.model_dump_json()
