"""Sources of other distributions: the two examples, and plugins that are broken."""

from __future__ import annotations

import json
import re
import textwrap
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.plugins import EXAMPLES, installed_example, python, register, run_tests_of
from support.project import Project, integer, key, text

MAKES = '''
from dataclasses import dataclass
from typing import Literal
import pyarrow as pa
from quality_platform.sources.plugin import Part, SourceBatch, SourceConfig

class Config(SourceConfig):
    """Rows that a test made."""
    type: Literal["NAME"]

@dataclass
class Made:
    context: object

    def parts(self, wanted):
        PARTS

    def batches(self):
        BATCHES

class Type:
    config = Config

    @staticmethod
    def open_source(config, context):
        return Made(context)

def rows(**columns):
    arrays = [v if isinstance(v, pa.Array) else pa.array(v) for v in columns.values()]
    return pa.record_batch(arrays, names=list(columns))

def lines(count):
    return pa.nulls(count, pa.int64())
'''
ONE = "return [Part('a', '1', self.batches, whole=True)]"
GOOD = "yield SourceBatch(rows(id=[1], name=['x']), lines(1), text=False)"
BROKEN = {
    "raises": (ONE, "raise RuntimeError('s3cr3t')", "failed with RuntimeError at raises.py:"),
    "refuses": ("raise KeyError('s3cr3t')", GOOD, "failed with KeyError at refuses.py:"),
    "repeats": (
        "return [Part('a', n, self.batches) for n in '12']",
        GOOD,
        "several parts have the same name",
    ),
    "turns": (
        ONE,
        "yield SourceBatch(rows(name=['x'], id=['1']), lines(1), text=False)",
        "the columns name, id",
    ),
    "counts": (
        ONE,
        "yield SourceBatch(rows(id=[1], name=['x']), lines(2), text=False)",
        "1 rows has 2 lines",
    ),
    "claims": (ONE, "yield SourceBatch(rows(id=[1], name=['x']), lines(1))", "are not binary"),
    "points": (
        ONE,
        "bad = pa.array([b'\\xff']).view(pa.string())\n"
        "yield SourceBatch(rows(id=[1], name=bad), lines(1), text=False)",
        "no valid Arrow",
    ),
    "changes": (
        ONE,
        f"{GOOD}\nyield SourceBatch(rows(id=['x'], name=['x']), lines(1), text=False)",
        "other types than the first",
    ),
}
"""By the source's type: its parts, its batches, and what is told."""

IMPORTS = "from quality_platform.sources.plugin import SourceConfig\nfrom typing import Literal\n"
UNUSABLE = {
    "gone": ("import no_such_module", "ModuleNotFoundError"),
    "bare": ("class Type: config = dict", "no subclass of SourceConfig"),
    "untyped": (
        f"{IMPORTS}class C(SourceConfig): pass\nclass Type:\n config = C\n open_source = print",
        "must be Literal['untyped']",
    ),
    "closed": (
        f"{IMPORTS}class C(SourceConfig): type: Literal['closed']\nclass Type: config = C",
        "no function `open_source`",
    ),
    "csv": ("", "the platform itself has a source"),
}
"""By the entry point's name: its module, and why it cannot be used."""

DRIVER = """
import contextlib, io, json, sys
import good  # A plugin may be imported before anything of the platform.
from quality_platform.cli import main

ended = []
for arguments in json.loads(sys.argv[1]):
    printed, code = io.StringIO(), 0
    sys.argv = ["quality-platform", *arguments]
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    ended.append([code, printed.getvalue()])
print(json.dumps(ended))
"""


@dataclass(frozen=True)
class Called:
    """What commands printed in a Python where all the plugins above are installed."""

    listed: tuple[int, str]
    good: tuple[int, str]
    page: tuple[int, str]
    broken: dict[str, tuple[int, str]]
    unusable: tuple[int, str]

    @property
    def types(self) -> dict[str, dict[str, Any]]:
        """The types that were listed, by name."""
        return {row["type"]: row for row in json.loads(self.listed[1])}


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> Called:
    """One process for all commands: what takes its time is the start."""
    folder = tmp_path_factory.mktemp("plugins")
    site, project = folder / "site", Project(folder / "project")
    site.mkdir()
    project.folder.mkdir()
    install(site)
    project.settings["retries"] = {"max_retries": 0, "opening_seconds": 0}
    for name in ("good", *BROKEN):
        project.table(name, {"id": key(integer()), "name": text()}, load={"mode": "replace"})
        project.tables[name]["source"] = {"type": name}
    project.table("numbers", {"n": key(integer())})
    settings = yaml.safe_load(block_of_the_page("yaml"))["tables"]["numbers"]
    project.tables["numbers"] |= {name: settings[name] for name in ("source", "load")}
    runner = project.write_runner()
    wrong = project.folder / "wrong.yaml"
    wrong.write_text(runner.read_text().replace("type: good", "type: gone"))
    runs = [["run", name, "--runner", str(runner)] for name in ("good", "numbers", *BROKEN)]
    calls = [["sources", "--json"], *runs, ["lint", "--runner", str(wrong)]]
    home = str(folder / "home")
    ended = python(site, ["-c", DRIVER, json.dumps(calls)], folder, QUALITY_PLATFORM_HOME=home)
    assert not ended.returncode, ended.stderr
    listed, good, page, *broken, unusable = [
        (code, told) for code, told in json.loads(ended.stdout)
    ]
    return Called(listed, good, page, dict(zip(BROKEN, broken, strict=True)), unusable)


def block_of_the_page(language: str) -> str:
    """The first block of docs/plugins.md in a language."""
    text = (EXAMPLES.parent / "docs" / "plugins.md").read_text(encoding="utf-8")
    found = re.search(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def install(site: Path) -> None:
    for name, (parts, batches, _) in {"good": (ONE, GOOD, ""), **BROKEN}.items():
        indented = textwrap.indent(batches, " " * 8).strip()
        code = MAKES.replace("NAME", name).replace("PARTS", parts).replace("BATCHES", indented)
        (site / f"{name}.py").write_text(code)
        register(site, f"{name}-source", {name: f"{name}:Type"}, "2.1")
    for name, (code, _) in UNUSABLE.items():
        (site / f"{name}_module.py").write_text(code)
        register(site, f"{name}-source", {name: f"{name}_module:Type"})
    (site / "number_source.py").write_text(block_of_the_page("python"))
    about = tomllib.loads(block_of_the_page("toml"))["project"]
    register(site, about["name"], about["entry-points"]["quality_platform.sources"])
    for distribution in ("made-again", "made-once-more"):
        register(site, distribution, {"twice": "good:Type"})


def test_a_plugin_is_found_by_its_entry_point_and_loads_rows(called: Called):
    code, printed = called.good
    assert code == 0, printed
    assert called.types["good"] == {
        "type": "good",
        "description": "Rows that a test made.",
        "distribution": "good-source",
        "version": "2.1",
        "problem": "",
    }


def test_the_plugin_of_the_page_loads_its_rows(called: Called):
    code, printed = called.page
    assert code == 0, printed
    assert "25,000" in printed


@pytest.mark.parametrize("name", BROKEN)
def test_what_a_plugin_breaks_is_told_with_its_name_and_without_values(called: Called, name: str):
    code, printed = called.broken[name]
    told = " ".join(printed.split())
    assert code == 2
    assert f"the source type {name} " in told
    assert BROKEN[name][2] in told
    assert f"{name}-source 2.1" in told
    assert "s3cr3t" not in told


def test_a_plugin_that_cannot_be_used_is_listed_with_the_reason(called: Called):
    problems = {name: row["problem"] for name, row in called.types.items() if row["problem"]}
    assert called.listed[0] == 1
    assert problems.keys() == {"gone", "bare", "untyped", "closed", "csv", "twice"}
    assert "several distributions" in problems["twice"]
    assert [name for name, (_, told) in UNUSABLE.items() if told not in problems[name]] == []


def test_a_table_of_a_plugin_that_cannot_be_used_is_refused_with_the_reason(called: Called):
    code, printed = called.unusable
    told = " ".join(printed.split())
    assert code == 2
    assert "the plugin of this source type cannot be used: ModuleNotFoundError" in told
    assert "gone-source 1.0.0" in told
    assert "wrong.yaml" in told


def test_the_example_in_python_passes_its_own_tests(tmp_path: Path):
    site = installed_example("source_plugin_python", tmp_path / "site", "ticket_source.py")
    run_tests_of("source_plugin_python", site)
