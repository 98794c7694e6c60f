"""docs/training-sets.md: what it shows can be used, and the commands are those that there are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.main import get_command
from typer.testing import CliRunner

from quality_platform.cli.app import app
from quality_platform.config.training_set_models import TrainingSetConfig
from quality_platform.feature_store import training_digest
from quality_platform.flows.training_manifest import Manifest, manifest_property

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "training-sets.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^quality-platform (training-sets? .+)$", PAGE, re.MULTILINE)


def test_the_declaration_is_one() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    found = TrainingSetConfig.model_validate(yaml.safe_load(block)["training_sets"]["churn"])
    chosen = [(choice.view, choice.features) for choice in found.features]
    assert chosen == [("totals", ()), ("visits", ("count_7d",)), ("prices", ("mean", "maximum"))]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_the_arguments_that_it_is_shown_with(command: str) -> None:
    words = shlex.split(command)
    group = get_command(app)
    ended = CliRunner().invoke(app, [*words, "--help"])
    assert ended.exit_code == 0, ended.output
    options = {word for word in words if word.startswith("--")}
    context = group.make_context("quality-platform", [words[0], "--help"], resilient_parsing=True)
    found = group.get_command(context, words[0])
    if words[0] == "training-sets":
        found = found.get_command(context, words[1])  # type: ignore[union-attr]
    assert found is not None
    assert options <= {name for parameter in found.params for name in parameter.opts}


def test_the_page_names_what_the_code_does() -> None:
    assert training_digest.FORMAT in PAGE
    assert manifest_property("TAG") in PAGE
    assert f"{training_digest.BLOCK_ROWS:,} rows" in PAGE
    assert {"refs", "definitions", "digest", "keep", "owner"} <= set(Manifest.__dataclass_fields__)
    module = re.findall(r"`(quality_platform/[\w/]+\.py)`", PAGE)
    assert module
    assert all((ROOT / path).is_file() for path in module)
