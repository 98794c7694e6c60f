"""docs/drift.md: its examples load, and it tells of every key and every form."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import yaml
from pydantic import TypeAdapter
from support.runner_text import load_runner_text

from quality_platform.config.drift_models import (
    Current,
    CurrentName,
    DriftConfig,
    OverallDriftConfig,
    Reference,
    WindowName,
)
from quality_platform.config.drift_texts import reference_text
from quality_platform.drift.bins import Bins
from quality_platform.drift.figures import DriftThresholds
from quality_platform.drift.noise import ks_floor, psi_floor
from quality_platform.flows.drift_measuring import thresholds_of

PAGE = (Path(__file__).parents[2] / "docs" / "drift.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(tables:.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_loads(text: str, tmp_path: Path) -> None:
    load_runner_text(tmp_path, text)


def test_every_key_is_told_of() -> None:
    words = set(re.findall(r"[a-z_]+", PAGE))
    assert {*DriftConfig.model_fields, *OverallDriftConfig.model_fields} <= words


def test_every_reference_of_the_table_is_one() -> None:
    table = PAGE.partition("| `reference` | the rows |")[2].partition("\n\n")[0]
    written = [text for row in table.splitlines() for text in re.findall(r"`([^`]+)`", row)]
    shown = [yaml.safe_load(text) for text in written if text not in ("end",)]
    found = [TypeAdapter(Reference).validate_python(value) for value in shown]
    assert len({reference_text(reference) for reference in found}) == len(found)
    assert {type(reference) for reference in found} >= {
        get_args(option)[0] for option in get_args(get_args(Reference)[0])
    } - {WindowName}
    assert {*get_args(WindowName)} <= {name for name in found if isinstance(name, str)}


def test_every_word_for_the_current_rows_is_told_of() -> None:
    table = PAGE.partition("| `current` | the rows |")[2].partition("\n\n")[0]
    names = {name for name in get_args(CurrentName) if f"`{name}`" in table}
    assert names == {*get_args(CurrentName)}
    assert all(TypeAdapter(Current).validate_python(name) == name for name in names)


def test_what_is_judged_where_nothing_is_said_is_what_the_page_says() -> None:
    table = PAGE.partition("| key | measure | where left out |")[2].partition("\n\n")[0]
    told = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", table, re.MULTILINE))
    config = DriftConfig.model_validate({"columns": ["n"], "reference": {"tag": "v1"}})
    assert told == {
        name: "not judged" if getattr(config, name) is None else str(getattr(config, name))
        for name in told
    }
    judged = vars(thresholds_of(config))
    del judged["false_alarms"]
    assert len(told) == len(judged)
    assert sum(value is not None for value in judged.values()) == 2


def test_what_few_rows_can_show_is_what_the_page_says() -> None:
    table = PAGE.partition("| rows | PSI | KS |")[2].partition("\n\n")[0]
    told = [
        tuple(map(float, row))
        for row in re.findall(r"^\| (\d+) \| ([\d.]+) \| ([\d.]+) \|$", table, re.MULTILINE)
    ]
    assert len(told) == 4
    chosen = DriftThresholds()
    assert chosen.psi is not None
    assert chosen.ks is not None
    risk = chosen.false_alarms / 2
    for rows, psi, ks in told:
        deciles = np.full(10, rows / 10)
        bins = Bins(tuple("abcdefghij"), deciles, deciles, (True,) * 10)
        assert psi == pytest.approx(max(chosen.psi, psi_floor(risk, bins)), rel=0.03)
        assert ks == pytest.approx(max(chosen.ks, ks_floor(risk, int(rows), int(rows))), rel=0.03)
