"""The parts of the benchmark: modules with `CASES`, `bars(run)` and `section(run)`."""

from __future__ import annotations

from benchmarks.features import historical, materialize, online

PARTS = (materialize, online, historical)
"""In the order in which they run, and stand on the page."""
