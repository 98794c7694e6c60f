"""Folders for what a process keeps on disk for a while, and their removal once it is dead.

Each folder has a file on which its process holds a lock (flock). The kernel gives the lock up when
the process ends, however it ends: whoever gets it knows that the owner is gone, also in another
container, and whatever process has its number by now.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "quality-platform-"
"""What the names of the folders begin with, in the folder for temporary files."""

_LOCK = "owner.lock"
_NEW_LOCK = "owner.new"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder, empty but for the lock of this process; removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = os.open(folder / _NEW_LOCK, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try:
        # Where there are no locks, the folder stays should the process die.
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Nobody must see it unlocked while its owner is alive.
            (folder / _NEW_LOCK).rename(folder / _LOCK)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_scratch_of_the_dead() -> int:
    """Removes the folders of processes that have died; returns how many.

    Folders of other users are left alone, and so is one whose process died before it had its lock:
    that one is empty.
    """
    removed = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        # One that is gone meanwhile, or may not be entered, is none of ours.
        with suppress(OSError):
            if _is_ours(folder) and _remove_if_dead(folder):
                removed += 1
    return removed


def _is_ours(folder: Path) -> bool:
    found = folder.lstat()
    return folder.is_dir() and not folder.is_symlink() and found.st_uid == os.geteuid()


def _remove_if_dead(folder: Path) -> bool:
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    try:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(folder)
            return True
        return False
    finally:
        os.close(lock)


def _remove(folder: Path) -> None:
    """Removes the lock last: were this process to die, the next one could go on."""
    for path in folder.iterdir():
        if path.name == _LOCK:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    shutil.rmtree(folder)
