"""Arguments that the benchmarks' commands share."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def command_parser(package: str, text: str | None, *, limit: float) -> argparse.ArgumentParser:
    """A parser with `--folder`, `--limit` and `--report`; `limit` is the default, in seconds."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {package}",
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = Path(os.environ.get("BENCH_FOLDER", ".local/bench"))
    parser.add_argument("--folder", type=Path, default=default, help="where data is kept")
    parser.add_argument("--limit", type=float, default=limit, help="seconds for one run")
    parser.add_argument("--report", action="store_true", help="write the report in any case")
    return parser


def number_of_rows(text: str) -> int:
    """A number of rows as people write it: 0.2M or 5M."""
    factor = {"k": 1000, "M": 1_000_000}.get(text[-1:], 1)
    return int(float(text[:-1] if factor > 1 else text) * factor)
