"""Texts of runner.yaml that hold secrets: `${secret:NAME}`, asked for when they are needed.

Loading the file keeps the references as they are. Whoever needs the text calls
`get_secret_value()`, as with any `SecretStr`, and only then is the provider asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from pydantic import GetCoreSchemaHandler, SecretStr
from pydantic_core import CoreSchema, core_schema

from quality_platform.errors import Location, SecretError

_HIDDEN = "**********"


@dataclass(frozen=True)
class SecretReference:
    """A `${secret:NAME}`, and where in runner.yaml it stands.

    Attributes:
        name: The secret's name, as the provider knows it.
        key: The field of a secret that is a JSON object; "" for the whole secret.
        is_quoted: Whether the text is written into a URL: `${secret:NAME|url}`.
        location: The value's place in the file.
        field: The value's keys, joined with dots.
        tenant: The tenant in whose scope the name is; "" for the names of the platform itself.
    """

    name: str
    key: str = ""
    is_quoted: bool = False
    location: Location | None = None
    field: str = ""
    tenant: str = ""

    def __str__(self) -> str:
        """The reference as the file has it."""
        key = f"#{self.key}" if self.key else ""
        return f"${{secret:{self.name}{key}{'|url' if self.is_quoted else ''}}}"


class SecretReader(Protocol):
    """What knows the texts of secrets."""

    def read(self, reference: SecretReference) -> str:
        """The text that a reference stands for.

        Raises:
            SecretError: it cannot be had; the error names the reference's place.
        """


class SecretBinding:
    """What the references of one runner.yaml are asked of: nothing until `bind` is called.

    The references are made before the section `secrets`, which says whom to ask, has been read.
    """

    def __init__(self) -> None:
        self._reader: SecretReader | None = None
        self._references: list[SecretReference] = []

    @property
    def references(self) -> tuple[SecretReference, ...]:
        """All references of the file, in its order."""
        return tuple(self._references)

    def add(self, reference: SecretReference) -> SecretReference:
        """Takes note of a reference that the file has."""
        self._references.append(reference)
        return reference

    def bind(self, reader: SecretReader) -> None:
        """Has all references of the file ask this reader from now on."""
        self._reader = reader

    def read(self, reference: SecretReference) -> str:
        """The text that a reference stands for.

        Raises:
            SecretError: it cannot be had.
        """
        if self._reader is None:
            raise SecretError(
                "the file was loaded without anything to ask for its secrets",
                location=reference.location,
                field=reference.field,
                received=reference,
                action="open it as a platform",
            )
        text = self._reader.read(reference)
        return quote(text, safe="") if reference.is_quoted else text


class ConfiguredSecret(SecretStr):
    """A secret text of runner.yaml: as it stands there, or with references to a provider.

    It is equal to another, and has the same hash, where the same is written, and it is false where
    nothing is: none of that asks for a secret.
    """

    def __init__(
        self, parts: str | Sequence[str | SecretReference], binding: SecretBinding | None = None
    ) -> None:
        self._parts = (parts,) if isinstance(parts, str) else tuple(parts)
        self._binding = binding or SecretBinding()
        super().__init__(self.known_start)

    @property
    def references(self) -> tuple[SecretReference, ...]:
        """The references in it; none where all of it stands in the file."""
        return tuple(part for part in self._parts if isinstance(part, SecretReference))

    @property
    def known_start(self) -> str:
        """The text up to the first reference: what can be told without asking anybody."""
        start = ""
        for part in self._parts:
            if isinstance(part, SecretReference):
                break
            start += part
        return start

    def can_begin_with(self, *starts: str) -> bool:
        """False where what is known of the text rules all of these beginnings out."""
        known = self.known_start
        if known.startswith(starts):
            return True
        return bool(self.references) and any(start.startswith(known) for start in starts)

    def get_secret_value(self) -> str:
        """The text, for which a provider is asked where it has references.

        Raises:
            SecretError: a secret cannot be had.
        """
        read = self._binding.read
        return "".join(part if isinstance(part, str) else read(part) for part in self._parts)

    def asked_texts(self) -> tuple[str, ...]:
        """The texts that its references stand for: a host or user in a URL can be one too.

        Raises:
            SecretError: a secret cannot be had.
        """
        return tuple(self._binding.read(reference) for reference in self.references)

    def __len__(self) -> int:
        return len(self.known_start) + len(self.references)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConfiguredSecret) and self._parts == other._parts

    def __hash__(self) -> int:
        return hash(self._parts)

    def _display(self) -> str:
        return _HIDDEN if len(self) else ""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """As a SecretStr's, but written as JSON without asking for the secret."""
        schema = super().__get_pydantic_core_schema__(source, handler)
        written = core_schema.plain_serializer_function_ser_schema(
            str, when_used="json-unless-none"
        )
        return core_schema.no_info_before_validator_function(
            _unwrapped, schema, serialization=written
        )


def _unwrapped(value: Any) -> Any:
    """The text of pydantic's own kind of secret; anything else as it is."""
    return value.get_secret_value() if type(value) is SecretStr else value
