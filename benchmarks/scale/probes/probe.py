"""How a probe is started, and how it answers: a file of figures."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Figures = Mapping[str, float]


def timed(work: Callable[[], Any]) -> float:
    """Seconds that the work takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def answer(measure: Callable[[Path, str], Figures]) -> None:
    """Calls `measure` with the folder argv[1] and the variant argv[2]; figures go to argv[3]."""
    # A probe that is ended in time ends what it has started, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    figures = measure(Path(sys.argv[1]), sys.argv[2])
    Path(sys.argv[3]).write_text(json.dumps(dict(figures)), encoding="utf-8")
