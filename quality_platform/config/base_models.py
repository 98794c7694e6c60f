"""What every model of runner.yaml is made of."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

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

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The JSON schema, which describes each field by the text below it.

        pydantic's own `use_attribute_docstrings` reads the texts whenever a class is made: a sixth
        of a second in each process.
        """
        written = handler(core_schema)
        properties = handler.resolve_ref_schema(written).get("properties", {})
        texts = _texts_of_fields(cls)
        for name, field in cls.model_fields.items():
            keys = [key for key in (field.validation_alias, name) if isinstance(key, str)]
            shown: JsonSchemaValue = next(
                (properties[key] for key in keys if key in properties), {}
            )
            if name in texts:
                shown.setdefault("description", texts[name])
        return written


def _texts_of_fields(model: type[Model]) -> dict[str, str]:
    """The text below each field, by its name; a class's own win over those that it inherits."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, Model):
            (written,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
            assert isinstance(written, ast.ClassDef)
            found |= dict(_texts(written))
    return found


def _texts(model: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, text in pairwise(model.body):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(written))),
            ):
                yield name, inspect.cleandoc(written)


def megabytes(text: str) -> int:
    """The number of megabytes that a checked byte count such as 512MB or 2GB means."""
    return int(text[:-2]) * (1000 if text.endswith("GB") else 1)


def seconds(text: str) -> int:
    """The number of seconds that a checked duration such as 90s, 15m, 2h or 7d means."""
    return int(text[:-1]) * _SECONDS[text[-1]]
