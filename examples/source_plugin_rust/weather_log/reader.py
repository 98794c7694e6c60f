"""The compiled reader, as a reader of Arrow."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pyarrow as pa

BATCH_ROWS = 8192
DAMAGED = "damaged"
"""The column that has the bytes of a damaged record, and NULL for all others."""

_LIBRARY = Path(__file__).with_name("libweather_log.so")
_StreamStruct = ctypes.c_void_p * 5
"""ArrowArrayStream: three functions, a release and the private data."""


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(_LIBRARY))
    library.weather_log_open.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p]
    library.weather_log_open.restype = ctypes.c_int
    return library


@contextmanager
def opened(path: Path) -> Iterator[pa.RecordBatchReader]:
    """A log as batches, in bounded memory.

    Raises:
        OSError: there is no such file, it is no weather log, or it cannot be read.
        pyarrow.ArrowInvalid: amid the reading, it is cut short.
    """
    stream = _StreamStruct()
    address = ctypes.addressof(stream)
    if failed := _library().weather_log_open(os.fsencode(path), BATCH_ROWS, address):
        raise OSError(failed, os.strerror(failed))
    # The reader takes over what the struct holds, and releases it.
    with pa.RecordBatchReader._import_from_c(address) as reader:
        yield reader
