"""A folder that may not be written to, not even by root."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_VERSION_3 = 0x20080522
_DAC_OVERRIDE = 1 << 1
"""The right of root to write where nobody may (linux/capability.h)."""


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Takes away the right to write in a folder and all that is in it, from this thread."""
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for one in folders:
        one.chmod(0o555)
    _set_override(on=False)
    try:
        yield
    finally:
        _set_override(on=True)
        for one in folders:
            one.chmod(0o755)


def _set_override(*, on: bool) -> None:
    if os.geteuid() != 0:
        return
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    # Effective, permitted and inheritable rights: of the first 32, then of the others.
    rights = (ctypes.c_uint32 * 6)()
    _require_done(_LIBC.capget(header, rights))
    rights[0] = rights[0] | _DAC_OVERRIDE if on else rights[0] & ~_DAC_OVERRIDE
    _require_done(_LIBC.capset(header, rights))


def _require_done(code: int) -> None:
    if code:
        raise OSError(ctypes.get_errno(), "the rights of this thread cannot be changed")
