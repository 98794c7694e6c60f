"""Secrets in files of a folder, as Docker and Kubernetes mount them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from quality_platform.errors import (
    SecretAccessError,
    SecretError,
    SecretNotFoundError,
    SecretUnreachableError,
    SecretValueError,
)

_LARGEST_BYTES = 1_000_000
"""What Kubernetes allows for a secret, rounded."""


@dataclass(frozen=True)
class FileSecrets:
    """A folder with one file for each secret."""

    folder: Path

    def read(self, name: str) -> str:
        """The file's text, without the line break at its end.

        Raises:
            SecretError: the file is missing, lies outside of the folder, or is no text.
        """
        if ".." in name.split("/"):
            raise SecretNotFoundError("the name is no path", allowed="a path without ..")
        try:
            # Kubernetes mounts a secret as a link to a file that lies deeper in the same folder.
            path = (self.folder / name).resolve()
            if not path.is_relative_to(self.folder.resolve()):
                raise SecretAccessError(
                    "the secret's file is outside of the folder",
                    allowed=f"a name of a file in {self.folder}",
                )
            with path.open("rb") as file:
                data = file.read(_LARGEST_BYTES + 1)
        except (OSError, ValueError) as error:
            raise _error(error, self.folder) from None
        return _text(data)


def _text(data: bytes) -> str:
    if len(data) > _LARGEST_BYTES:
        raise SecretValueError("the file is too large for a secret", allowed=f"{_LARGEST_BYTES} B")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = None
    if text is None:
        # Not raised within: the error that it would come from holds the bytes.
        raise SecretValueError("the file is not UTF-8")
    return text.removesuffix("\n").removesuffix("\r")


def _error(error: OSError | ValueError, folder: Path) -> SecretError:
    if isinstance(error, PermissionError):
        return SecretAccessError(
            "the secret's file may not be read", action="give the platform's user the right to"
        )
    if isinstance(error, ValueError | FileNotFoundError | NotADirectoryError | IsADirectoryError):
        return SecretNotFoundError(
            f"{folder} has no such file", action="mount it there, or correct secrets.folder"
        )
    return SecretUnreachableError(f"the secret's file cannot be read: {error.strerror}")
