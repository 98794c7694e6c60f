"""Turns that several processes take of one rate limit, and the most in any period."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_PROGRAM = Path(__file__).with_name("limited_process.py")


def turns_of(processes: int, *arguments: object) -> list[float]:
    """The times, ascending, at which so many processes at once took their turns."""
    started = [
        subprocess.Popen(
            [sys.executable, str(_PROGRAM), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    times: list[float] = []
    for process in started:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        times += map(float, out.split())
    return sorted(times)


def most_within(times: Sequence[float], seconds: float) -> int:
    """The most of the times that lie within any such stretch."""
    return max(sum(start <= time < start + seconds for time in times) for start in times)
