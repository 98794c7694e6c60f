"""Environments of the peers, whose pins contradict each other and this project's."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

PEERS = Path(__file__).parent / "peers"


def python_of(environment: str, folder: Path) -> Path:
    """The Python of an environment below `folder`, made from benchmarks/peers unless it is there.

    The empty name is the environment that this runs in.

    Raises:
        subprocess.CalledProcessError: its packages cannot be installed.
    """
    if not environment:
        return Path(sys.executable)
    pins = (PEERS / f"{environment}.txt").read_text(encoding="utf-8")
    python = folder / environment / "bin" / "python"
    installed = folder / environment / "installed.txt"
    if not installed.exists() or installed.read_text(encoding="utf-8") != pins:
        print(f"Installing {environment} and what it needs")
        venv.create(folder / environment, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(PEERS / f"{environment}.txt")], check=True)
        installed.write_text(pins, encoding="utf-8")
    return python.absolute()
