"""The example of a source in Rust, which gives its batches through Arrow's C stream interface."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from support.plugins import EXAMPLES, installed_example, run_tests_of


def test_the_example_in_rust_is_compiled_and_passes_its_own_tests(tmp_path: Path):
    assert shutil.which("rustc"), "rustc is missing: install Debian's package rustc"
    site = installed_example("source_plugin_rust", tmp_path / "site", "weather_log")
    build = EXAMPLES / "source_plugin_rust" / "build.sh"
    subprocess.run([build, site / "weather_log"], check=True)
    run_tests_of("source_plugin_rust", site)
