"""Where the files of a tenant's sources may be."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from glob import has_magic
from typing import Protocol

from quality_platform.errors import Location, SourceAccessError

_URL = "://"


class _File(Protocol):
    @property
    def path(self) -> str: ...


@dataclass(frozen=True)
class Fence:
    """The folders, and prefixes of URLs, that a source's files may be in.

    Attributes:
        tenant: The tenant that it is of; "" for nobody, who may read everything.
        inside: Where they may be; None for anywhere but in `outside`.
        outside: Where they must not be: the folders of other tenants.
    """

    tenant: str = ""
    inside: tuple[str, ...] | None = None
    outside: tuple[str, ...] = ()

    def allows(self, path: str) -> bool:
        """Whether a path is within; links are followed, and a URL is taken by its letter."""
        if not self.tenant:
            return True
        # Once: there can be as many folders as tenants.
        real = path if _URL in path else os.path.realpath(path)
        if any(_is_in(real, folder) for folder in self.outside):
            return False
        return self.inside is None or any(_is_in(real, folder) for folder in self.inside)

    def allows_pattern(self, pattern: str) -> bool:
        """Whether all that an absolute path or glob can match is within, but for links.

        A folder of other tenants that lies below the pattern's fixed part is told by its files.
        """
        return self.allows(_fixed(pattern))

    def require(self, files: Sequence[_File], location: Location | None, field: str) -> None:
        """Looks at the files that were found.

        Raises:
            SourceAccessError: one of them is not within.
        """
        for file in files:
            if not self.allows(file.path):
                raise SourceAccessError(
                    f"the file is not one that the tenant {self.tenant} may read",
                    location=location,
                    field=field,
                    received=file.path,
                    allowed=self.told,
                    action="remove the link or the file, or name another path",
                )

    @property
    def told(self) -> str:
        """Where files may be, for people; of other tenants nothing is told."""
        return "no other tenant's folder" if self.inside is None else ", ".join(self.inside)


NO_FENCE = Fence()


def _fixed(pattern: str) -> str:
    """The part of a path or glob that is written out; the whole where nothing is matched."""
    if not has_magic(pattern):
        return pattern
    parts = pattern.split("/")
    written = next(n for n, part in enumerate(parts) if has_magic(part))
    return "/".join(parts[:written]) + "/"


def _is_in(path: str, folder: str) -> bool:
    """Whether a URL, or a path whose links were followed, is in a folder."""
    if (_URL in path) != (_URL in folder):
        return False
    if _URL in folder:
        # What a store does with `..` is not known: such a name is nowhere.
        has_dots = any(part in (".", "..") for part in path.split("/"))
        return not has_dots and path.startswith(folder.rstrip("/") + "/")
    real = os.path.realpath(folder).rstrip("/")
    return path == real or path.startswith(f"{real}/")
