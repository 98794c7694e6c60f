"""A small disk that can be filled: a tmpfs, for which one must be root or may become it (sudo)."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MEGABYTES = 16


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """The folder as a disk of its own, unmounted afterwards."""
    folder.mkdir(parents=True)
    options = f"size={_MEGABYTES}m,uid={os.getuid()}"
    _as_root("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder))
    try:
        yield folder
    finally:
        _as_root("umount", "--lazy", str(folder))


def _as_root(*command: str) -> None:
    before = () if os.geteuid() == 0 else ("sudo", "-n")
    subprocess.run([*before, *command], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Takes all the space that is left, and gives it back."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(bytes(4096))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
    try:
        yield
    finally:
        filler.unlink()
