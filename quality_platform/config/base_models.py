"""What every model of runner.yaml is made of."""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_]*$"
RESERVED_NAMESPACES = ("quarantine", "features", "training_sets", "history", "maintenance")

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@cache
def timezones() -> frozenset[str]:
    """The names of all time zones: to list them is to look through 600 files."""
    return frozenset(available_timezones())


def _known_timezone(name: str) -> str:
    if name not in timezones():
        raise ValueError("no such time zone; use an IANA name such as Europe/Berlin")
    return name


def _not_reserved(namespace: str) -> str:
    if namespace in RESERVED_NAMESPACES:
        raise ValueError(f"the namespaces {', '.join(RESERVED_NAMESPACES)} belong to the platform")
    return namespace


def _byte_count(text: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]*(MB|GB)", text):
        raise ValueError("write a whole number of MB or GB, such as 512MB")
    return text


def _duration(text: str) -> str:
    if not re.fullmatch(r"[0-9]+[smhd]", text):
        raise ValueError("write a whole number of s, m, h or d, such as 15m")
    return text


def _regular_expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression of Python's: {error}") from None
    return text


Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=100)]
Timezone = Annotated[str, AfterValidator(_known_timezone)]
Namespace = Annotated[str, Field(pattern=NAME_PATTERN), AfterValidator(_not_reserved)]
Bytes = Annotated[str, AfterValidator(_byte_count)]
Duration = Annotated[str, AfterValidator(_duration)]
Pattern = Annotated[str, Field(min_length=1), AfterValidator(_regular_expression)]


class Model(BaseModel):
    """Base of every model: frozen, and an unknown key is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
    )


def megabytes(text: str) -> int:
    """The number of megabytes that a checked byte count such as 512MB or 2GB means."""
    return int(text[:-2]) * (1000 if text.endswith("GB") else 1)


def seconds(text: str) -> int:
    """The number of seconds that a checked duration such as 90s, 15m, 2h or 7d means."""
    return int(text[:-1]) * _SECONDS[text[-1]]
