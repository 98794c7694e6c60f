"""Checksums of files, by which one version of a file is told from another.

They find changes and are no signature: whoever wants to can make two files of one checksum.
"""

from __future__ import annotations

import hashlib
import io
import re
from typing import BinaryIO, cast

import xxhash

_XXH3 = "xxh3-128:"
_SHA_256 = re.compile("[0-9a-f]{64}")
_BUFFER_BYTES = 2**18
"""So few that they are in the processor's cache still when they are counted."""


def checksum_of(stream: BinaryIO, known: str = "") -> str:
    """The checksum of what a stream has left: XXH3 of 128 bits as `xxh3-128:` and hexadecimal.

    Args:
        stream: It is read to its end.
        known: The checksum of a version that was loaded; "" for none. One without the name of an
            algorithm is SHA-256, as versions were told apart before. Where the content is of that
            checksum, it keeps it: a file that was loaded then is not new now.
    """
    now = xxhash.xxh3_128()
    before = hashlib.sha256() if _SHA_256.fullmatch(known) else None
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    while count := cast("io.BufferedReader", stream).readinto(buffer):
        now.update(buffer[:count])
        if before is not None:
            before.update(buffer[:count])
    if before is not None and before.hexdigest() == known:
        return known
    return _XXH3 + now.hexdigest()


def with_algorithm(checksum: str) -> str:
    """The checksum with the name of its algorithm, for people."""
    return f"sha-256:{checksum}" if _SHA_256.fullmatch(checksum) else checksum
